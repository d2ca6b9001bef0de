//! The only thing that this service keeps: the key that session tokens are signed with.

use ::store::{Error, Key, Record, Store};
use base::Random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct SigningKey {
    base64: String,
}

impl Record for SigningKey {
    const KIND: &'static str = "identity-signing-key";
    const VERSION: u16 = 1;
}

/// Reads the key, or makes it when the store is first used. Of two nodes that do so at once, both get the same.
pub(crate) async fn signing_key(store: &Store, random: &Random) -> Result<Vec<u8>, Error> {
    let mut fresh = [0; 32];
    random.fill(&mut fresh);
    let fresh = &STANDARD.encode(fresh);
    let kept = store
        .transact(|tx| async move {
            let key = Key::new("identity").with("signing-key");
            if let Some(SigningKey { base64 }) = tx.get_record(&key).await? {
                return Ok::<_, Error>(base64);
            }
            tx.put_record(key, &SigningKey { base64: fresh.clone() });
            Ok(fresh.clone())
        })
        .await?;
    STANDARD.decode(kept).map_err(|error| Error::Record { kind: SigningKey::KIND, why: error.to_string() })
}

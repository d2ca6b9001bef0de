//! Sessions of roles. A token carries everything that a session is, and a tag that only this store's signing key makes; the
//! secret follows from the token. Nothing is stored, nothing can be revoked but by its end.

use aws_lc_rs::hmac;
use base::Random;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use contract::{AccountId, Principal};
use serde::{Deserialize, Serialize};

use crate::root_key::ID_ALPHABET;
use crate::{Key, KeyError};

/// Who acts, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The account.
    pub account: AccountId,
    /// The role's ARN.
    pub role: String,
    /// The session's name: for a function's, the function's.
    pub name: String,
}

/// The credentials of a session.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// `ASIA` and 16 letters and digits.
    pub access_key_id: String,
    /// 40 characters.
    pub secret_access_key: String,
    /// What proves the session.
    pub session_token: String,
    /// When it ends, in seconds since the epoch.
    pub expires_s: i64,
}

impl std::fmt::Debug for SessionKey {
    /// The secret and the token stay out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKey").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// The longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 4096;
const TAG_BYTES: usize = 32;

/// What a token says. The field names are short because the token travels with every call.
#[derive(Serialize, Deserialize)]
struct Claims {
    /// The version of this form.
    v: u8,
    /// The access key id that it belongs to.
    k: String,
    /// The account.
    a: String,
    /// The role.
    r: String,
    /// The session's name.
    n: String,
    /// When it ends, in seconds since the epoch.
    e: i64,
}

/// Makes and checks tokens.
pub(crate) struct Signer {
    key: hmac::Key,
}

impl Signer {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    pub(crate) fn issue(&self, session: &Session, expires_s: i64, random: &Random) -> SessionKey {
        let access_key_id = format!("ASIA{}", random.text(ID_ALPHABET, 16));
        let claims = Claims {
            v: 1,
            k: access_key_id.clone(),
            a: session.account.to_string(),
            r: session.role.clone(),
            n: session.name.clone(),
            e: expires_s,
        };
        let claims = serde_json::to_vec(&claims).expect("texts and numbers always are JSON");
        let mut token = self.tag("token", &claims).as_ref().to_vec();
        token.extend_from_slice(&claims);
        SessionKey {
            access_key_id,
            secret_access_key: self.secret(&claims),
            session_token: STANDARD.encode(token),
            expires_s,
        }
    }

    pub(crate) fn verify(&self, access_key_id: &str, token: &str, now_s: i64) -> Result<Key, KeyError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(KeyError::Unknown);
        }
        let token = STANDARD.decode(token).map_err(|_| KeyError::Unknown)?;
        let (tag, claims) = token.split_at_checked(TAG_BYTES).ok_or(KeyError::Unknown)?;
        hmac::verify(&self.key, &message("token", claims), tag).map_err(|_| KeyError::Unknown)?;
        // From here on the token is our own.
        let secret = self.secret(claims);
        let claims: Claims = serde_json::from_slice(claims).map_err(|_| KeyError::Unknown)?;
        let account = AccountId::parse(&claims.a).ok_or(KeyError::Unknown)?;
        if claims.v != 1 || claims.k != access_key_id {
            return Err(KeyError::Unknown);
        }
        if now_s >= claims.e {
            return Err(KeyError::Expired);
        }
        let principal = Principal::Role { role: claims.r.into(), session: claims.n.into() };
        Ok(Key { principal, account, secret })
    }

    /// 30 bytes of a tag of its own, which base64 makes 40 characters.
    fn secret(&self, claims: &[u8]) -> String {
        STANDARD_NO_PAD.encode(&self.tag("secret", claims).as_ref()[..30])
    }

    fn tag(&self, purpose: &str, claims: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key, &message(purpose, claims))
    }
}

fn message(purpose: &str, claims: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), b"\n", claims].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> Session {
        Session { account: AccountId::ONLY, role: "arn:aws:iam::000000000000:role/any".into(), name: "greet".into() }
    }

    fn signer() -> Signer {
        Signer::new(b"a signing key of the test")
    }

    #[test]
    fn a_session_proves_itself_until_it_ends() {
        let key = signer().issue(&session(), 1_000, &Random::seeded(5));
        assert!(key.access_key_id.starts_with("ASIA") && key.access_key_id.len() == 20);
        assert_eq!(key.secret_access_key.len(), 40);
        // Another signer with the same key, as after a restart.
        let proven = signer().verify(&key.access_key_id, &key.session_token, 999).unwrap();
        assert_eq!(proven.secret, key.secret_access_key);
        assert_eq!(proven.principal.arn(proven.account), "arn:aws:sts::000000000000:assumed-role/any/greet");
        assert_eq!(signer().verify(&key.access_key_id, &key.session_token, 1_000), Err(KeyError::Expired));
        assert!(!format!("{key:?} {proven:?}").contains(&key.secret_access_key));
    }

    #[test]
    fn tokens_of_others_prove_nothing() {
        let random = Random::seeded(6);
        let (one, two) = (signer().issue(&session(), 1_000, &random), signer().issue(&session(), 1_000, &random));
        assert_ne!(one.secret_access_key, two.secret_access_key);
        let foreign = Signer::new(b"another key").issue(&session(), 1_000, &random);
        for (id, token) in [
            (&one.access_key_id, &two.session_token),
            (&foreign.access_key_id, &foreign.session_token),
            (&one.access_key_id, &String::new()),
            (&one.access_key_id, &"A".repeat(TOKEN_BYTES_MAX + 1)),
            (&one.access_key_id, &STANDARD.encode("short")),
        ] {
            assert_eq!(signer().verify(id, token, 0), Err(KeyError::Unknown));
        }
    }

    proptest! {
        #[test]
        fn no_changed_token_is_believed(at in 0usize..200, flip in 1u8..=255) {
            let key = signer().issue(&session(), 1_000, &Random::seeded(7));
            let mut token = STANDARD.decode(&key.session_token).unwrap();
            let at = at % token.len();
            token[at] ^= flip;
            prop_assert_eq!(signer().verify(&key.access_key_id, &STANDARD.encode(token), 0), Err(KeyError::Unknown));
        }
    }
}

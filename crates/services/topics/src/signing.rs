//! The node's key for signing messages, and the certificate by which whoever gets them checks that they are ours.
//!
//! The key is made when it is first needed, and kept in the store. Whoever verifies fetches the certificate from the node that handed out
//! its address, as with AWS; what the signature is worth is what that way is worth.

mod certificate;
mod der;
mod power;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::envelope::{PATH, Seal};
use crate::model::settings::SignatureVersion;

/// A key that signs, and its certificate.
#[derive(Debug)]
pub(crate) struct Signer {
    key: KeyPair,
    legacy: power::PrivateKey,
    pem: String,
    path: String,
}

/// A key could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key for signing messages is broken")]
pub(crate) struct Broken;

/// What is kept of a key: its private half, and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
}

/// Makes a key, and a certificate that is good from `now_ms` on. Takes some hundred milliseconds of a processor.
pub(crate) fn make(now_ms: i64, serial: u64) -> Result<Kept, Broken> {
    use aws_lc_rs::encoding::AsDer;
    let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Broken)?;
    let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).map_err(|_| Broken)?;
    let public = key.public_key().as_ref();
    let certificate = certificate::self_signed(public, now_ms, serial, |signed| sign_sha256(&key, signed))?;
    Ok(Kept { pkcs8: pkcs8.as_ref().to_vec(), certificate })
}

fn sign_sha256(key: &KeyPair, text: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).map_err(|_| Broken)?;
    Ok(signature)
}

impl Signer {
    /// Takes up a key that was kept.
    pub(crate) fn new(kept: &Kept) -> Result<Self, Broken> {
        let key = KeyPair::from_pkcs8(&kept.pkcs8).map_err(|_| Broken)?;
        let legacy = power::PrivateKey::from_pkcs8(&kept.pkcs8).ok_or(Broken)?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &kept.certificate);
        // The form that SDKs' validators expect: a name, and 32 hexadecimal digits.
        let path = format!("{PATH}SimpleNotificationService-{}.pem", hex::encode(&hash.as_ref()[..16]));
        let body = STANDARD.encode(&kept.certificate);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|byte| char::from(*byte)));
            pem.push('\n');
        }
        pem += "-----END CERTIFICATE-----\n";
        Ok(Self { key, legacy, pem, path })
    }

    /// Signs a text. Takes about a millisecond of a processor.
    pub(crate) fn seal(&self, version: SignatureVersion, text: &str) -> Result<Seal, Broken> {
        let signature = match version {
            SignatureVersion::One => {
                self.legacy.sign_sha1(self.key.public_key().as_ref(), text.as_bytes()).ok_or(Broken)?
            }
            SignatureVersion::Two => sign_sha256(&self.key, text.as_bytes())?,
        };
        let signature = STANDARD.encode(signature);
        Ok(Seal { version: version.as_str(), signature, certificate_path: self.path.clone() })
    }

    /// The certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Where the certificate is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    };

    #[test]
    fn signatures_of_both_versions_are_good() {
        let kept = make(1_795_262_400_000, 7).expect("a key is made");
        let signer = Signer::new(&kept).expect("it is taken up");
        let public = signer.key.public_key().as_ref().to_vec();
        for text in ["", "hello", &"x".repeat(100_000)] {
            let one =
                STANDARD.decode(signer.seal(SignatureVersion::One, text).expect("signs").signature).expect("is base64");
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, &public);
            assert!(key.verify(text.as_bytes(), &one).is_ok());
            let two =
                STANDARD.decode(signer.seal(SignatureVersion::Two, text).expect("signs").signature).expect("is base64");
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
            assert!(key.verify(text.as_bytes(), &two).is_ok());
        }
        assert!(signer.pem().starts_with("-----BEGIN CERTIFICATE-----\nMII") && signer.path().len() == 68);
        assert_eq!(Signer::new(&Kept { pkcs8: vec![1, 2, 3], ..kept }).expect_err("refused"), Broken);
    }
}

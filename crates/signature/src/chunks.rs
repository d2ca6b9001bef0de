//! Signatures inside a body that is sent in chunks (`aws-chunked`): each chunk's signature covers the one before, and the first
//! follows the request's own.

use crate::{Claim, key};

/// The chain of one body's signatures.
#[derive(Clone, Debug)]
pub struct Chunks {
    key: key::Narrowed,
    time_text: String,
    scope: String,
    previous: String,
}

const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Claim {
    /// The chain that begins with this claim's own signature, which was checked.
    pub fn chunks(&self, secret: &str) -> Chunks {
        Chunks {
            key: key::Narrowed::new(secret, &self.scope),
            time_text: self.time_text.clone(),
            scope: self.scope.text(),
            previous: self.signature.clone(),
        }
    }
}

impl Chunks {
    /// Whether the next chunk was signed so. `sha256` is its hash, in hex.
    pub fn check(&mut self, signature: &str, sha256: &str) -> bool {
        let Self { time_text, scope, previous, .. } = self;
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{time_text}\n{scope}\n{previous}\n{NOTHING}\n{sha256}");
        self.step(signature, &text)
    }

    /// Whether what follows the chunks was signed so. `sha256` is the hash of its lines.
    pub fn check_trailer(&mut self, signature: &str, sha256: &str) -> bool {
        let Self { time_text, scope, previous, .. } = self;
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{time_text}\n{scope}\n{previous}\n{sha256}");
        self.step(signature, &text)
    }

    fn step(&mut self, signature: &str, text: &str) -> bool {
        let ours = self.key.sign(text);
        let good = key::same(&ours, signature);
        self.previous = ours;
        good
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::Head;

    /// AWS's own example of a body of two chunks.
    #[test]
    fn the_published_chain_is_the_same() {
        let mut headers = HeaderMap::new();
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature={seed}"
        );
        headers.insert("authorization", authorization.parse().expect("a value"));
        headers.insert("x-amz-date", "20130524T000000Z".parse().expect("a value"));
        let head = Head { method: "PUT", path: "/", query: "", host: "s3.amazonaws.com", headers: &headers };
        let claim = Claim::read(&head).expect("a claim").expect("one");
        let mut chunks = claim.chunks("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        for (length, expected) in [
            (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ] {
            assert!(chunks.check(expected, &key::sha256_hex(&vec![b'a'; length])), "{length}");
        }
        assert!(!chunks.check("b6c6", NOTHING));
    }
}

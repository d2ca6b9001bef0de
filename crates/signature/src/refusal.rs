//! Ways to fail, in AWS's words.

use contract::{Cause, Fault};

/// Why a claim is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was claimed at all, where something must be.
    #[error("Missing Authentication Token")]
    Missing,
    /// Signed, but not in a way that we know: Signature Version 2, a bearer token, Signature Version 4A.
    #[error("Unsupported authorization type: {0}. Sign requests with AWS4-HMAC-SHA256.")]
    Unsupported(String),
    /// Parts of the claim are missing or malformed.
    #[error("{0}")]
    Incomplete(String),
    /// The claim contradicts itself or the request.
    #[error("{0}")]
    Invalid(String),
    /// The time is not ours.
    #[error("{0}")]
    Expired(String),
    /// The signature is not what the secret gives.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
         signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have \
         been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{string_to_sign}'\n"
    )]
    Mismatch {
        /// Our canonical request.
        canonical: String,
        /// Our string to sign.
        string_to_sign: String,
    },
    /// Nobody has this access key, or the session token is not the one that belongs to it.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// Temporary credentials whose time is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
}

/// Which names a service's protocol has for the same failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `…Exception`: the JSON and CBOR protocols.
    Json,
    /// Query, EC2 and XML.
    Xml,
}

impl Refusal {
    /// The fault to answer with. Its status is the door's to say.
    pub fn fault(&self, family: Family) -> Fault {
        let (json, xml) = match self {
            Self::Missing => ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
            Self::Unsupported(_) | Self::Incomplete(_) => ("IncompleteSignatureException", "IncompleteSignature"),
            Self::Invalid(_) | Self::Mismatch { .. } | Self::Expired(_) => {
                ("InvalidSignatureException", "SignatureDoesNotMatch")
            }
            Self::UnknownKey => ("UnrecognizedClientException", "InvalidClientTokenId"),
            Self::ExpiredToken => ("ExpiredTokenException", "ExpiredToken"),
        };
        let code = match family {
            Family::Json => json,
            Family::Xml => xml,
        };
        let cause = match self {
            Self::Unsupported(_) | Self::Incomplete(_) => Cause::Invalid,
            Self::Missing
            | Self::Invalid(_)
            | Self::Mismatch { .. }
            | Self::Expired(_)
            | Self::UnknownKey
            | Self::ExpiredToken => Cause::Unauthenticated,
        };
        let message = match (self, family) {
            (Self::Missing, Family::Xml) => "Request is missing Authentication Token".to_owned(),
            _ => self.to_string(),
        };
        Fault::new(cause, code, message)
    }
}

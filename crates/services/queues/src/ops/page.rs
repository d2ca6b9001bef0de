//! Listings page by page: the token names where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// The longest page.
const RESULTS_MAX: usize = 1_000;

/// What a caller asked for.
pub(super) struct Asked {
    /// The name after which to go on.
    pub(super) after: Option<String>,
    pub(super) limit: usize,
    /// Without a limit there is one page and no token.
    is_paged: bool,
}

impl Asked {
    pub(super) fn read(token: Option<&str>, limit: Option<i32>) -> Result<Self, Error> {
        let refused = || {
            Error::InvalidValue(format!(
                "Value {} for parameter MaxResults is invalid. Reason: Must be an integer from 1 to {RESULTS_MAX}, if \
                 provided.",
                limit.unwrap_or_default()
            ))
        };
        let limit = limit.map(|limit| {
            usize::try_from(limit).ok().filter(|limit| (1..=RESULTS_MAX).contains(limit)).ok_or_else(refused)
        });
        let limit = limit.transpose()?;
        let after = token.filter(|token| !token.is_empty()).map(|token| {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| Error::InvalidValue("Invalid or expired next token.".to_owned()))
        });
        Ok(Self { after: after.transpose()?, limit: limit.unwrap_or(RESULTS_MAX), is_paged: limit.is_some() })
    }

    /// The page out of one item more than it holds, and the token of the next.
    pub(super) fn cut(&self, mut names: Vec<String>) -> (Vec<String>, Option<String>) {
        let more = names.len() > self.limit;
        names.truncate(self.limit);
        let token = names.last().filter(|_| more && self.is_paged).map(|last| URL_SAFE_NO_PAD.encode(last));
        (names, token)
    }
}

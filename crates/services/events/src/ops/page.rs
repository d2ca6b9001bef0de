//! Listings page by page: the token names where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// The longest page, and the one of who does not say.
const LIMIT: usize = 100;

/// What a caller asked for.
pub(super) struct Asked {
    /// The name after which to go on.
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Asked {
    pub(super) fn read(token: Option<&str>, limit: Option<i32>) -> Result<Self, Error> {
        let after = token.map(|token| {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.ok_or_else(|| Error::invalid("The token provided is invalid."))
        });
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).map_or(LIMIT, |limit| limit.clamp(1, LIMIT));
        Ok(Self { after: after.transpose()?, limit })
    }

    /// The page of what is named and in order, and the token of the next.
    pub(super) fn cut<T>(&self, all: impl IntoIterator<Item = (String, T)>) -> (Vec<(String, T)>, Option<String>) {
        let follows = |name: &String| self.after.as_ref().is_none_or(|after| name > after);
        let mut page: Vec<(String, T)> =
            all.into_iter().filter(|(name, _)| follows(name)).take(self.limit + 1).collect();
        let more = page.len() > self.limit;
        page.truncate(self.limit);
        let token = page.last().filter(|_| more).map(|(last, _)| URL_SAFE_NO_PAD.encode(last));
        (page, token)
    }
}

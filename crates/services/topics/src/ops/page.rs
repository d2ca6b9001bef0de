//! Listings page by page, a hundred at once: the token names after what the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// How many there are on a page.
pub(super) const PAGE: usize = 100;

/// After what a page begins.
pub(super) fn read(token: Option<&str>) -> Result<Option<String>, Error> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(|| Error::because("NextToken", "Invalid or expired next token"))
}

/// The page out of one item more than it holds, and the token of the next.
pub(super) fn cut<T>(mut items: Vec<T>, name: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = items.len() > PAGE;
    items.truncate(PAGE);
    let token = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(name(last)));
    (items, token)
}

//! Listings page by page: the token names where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// The longest page, and the one of who names no length.
const RESULTS_MAX: usize = 100;

/// The length of a page.
pub(super) fn limit(asked: Option<i32>) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(RESULTS_MAX).clamp(1, RESULTS_MAX)
}

/// A token for what comes after these words.
pub(super) fn token(last: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(last.join("\n"))
}

/// What a token was made of.
pub(super) fn after(token: &str) -> Result<Vec<String>, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| Error::invalid("The pagination token provided is invalid."))?;
    Ok(text.split('\n').map(str::to_owned).collect())
}

//! How many calls an instance of a WebAssembly component may answer at most: what the function's variable `FREEHOLD_REUSE` says.
//!
//! Without it an instance of a WASI 0.2 component answers one call, so that none finds anything that another one left; one of WASI 0.3,
//! which asks for more, answers 128. A function of any other kind does not read it: its instances answer for as long as they live.

use std::collections::BTreeMap;

/// The variable.
const REUSE_VARIABLE: &str = "FREEHOLD_REUSE";
/// The most that it may say.
const REUSE_MAX: u32 = 1_000_000;
/// The most of a wrong word that is repeated.
const WORD_CHARS_MAX: usize = 40;

/// A word that is no such number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{REUSE_VARIABLE} is {word:?}, and can be a number from 1 to {REUSE_MAX}")]
pub struct UnknownReuse {
    word: String,
}

/// What a function's own variables say; none if they do not.
pub fn reuse_of(environment: &BTreeMap<String, String>) -> Result<Option<u32>, UnknownReuse> {
    let Some(word) = environment.get(REUSE_VARIABLE) else { return Ok(None) };
    match word.trim().parse() {
        Ok(times @ 1..=REUSE_MAX) => Ok(Some(times)),
        Ok(_) | Err(_) => Err(UnknownReuse { word: word.chars().take(WORD_CHARS_MAX).collect() }),
    }
}

//! JSON bodies: [`JsonSource`] pulls shapes out of text, [`JsonWriter`] puts them into it. No tree is built between.

mod read;
mod write;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub use read::JsonSource;
pub use write::JsonWriter;

/// Base64 as clients write it: with padding or without.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

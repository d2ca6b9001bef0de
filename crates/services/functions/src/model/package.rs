//! What a code package is: a zip archive within AWS's limits. Whether it can be unpacked is compute's to find out.

use contract::{Cause, Fault};

use crate::faults;

/// The largest archive that a request may carry.
pub const ZIPPED_BYTES_MAX: usize = 50 << 20;
/// The most code of an account and region: 75 GB, AWS's quota.
pub const STORAGE_BYTES_MAX: u64 = 75 << 30;

/// The body of a request with a package in base64 is refused by this number, which AWS's message names.
const BODY_BYTES_MAX: u64 = 69_905_067;

/// Refuses an archive that is too large for a request, or nothing at all.
pub fn check_direct(operation: &str, zip: &[u8]) -> Result<(), Fault> {
    if zip.len() > ZIPPED_BYTES_MAX {
        return Err(faults::too_large(format!(
            "Request must be smaller than {BODY_BYTES_MAX} bytes for the {operation} operation"
        )));
    }
    if zip.is_empty() {
        return Err(faults::invalid("Uploaded file must be a non-empty zip"));
    }
    Ok(())
}

/// Refuses a package that does not fit beside what is stored already.
pub fn check_storage(stored: u64, more: u64) -> Result<(), Fault> {
    match stored.saturating_add(more) {
        total if total > STORAGE_BYTES_MAX => Err(faults::code_storage_exceeded(STORAGE_BYTES_MAX)),
        _ => Ok(()),
    }
}

/// What compute says of a package, as the caller sees it.
pub fn fault_of(error: &compute::CodeError) -> Fault {
    match error {
        compute::CodeError::NotZip { reason } => {
            tracing::info!(%reason, "a code package is no zip archive");
            faults::invalid(error.to_string())
        }
        compute::CodeError::TooLarge { .. }
        | compute::CodeError::TooMany { .. }
        | compute::CodeError::LongName { .. }
        | compute::CodeError::Escapes { .. }
        | compute::CodeError::NoBinary { .. }
        | compute::CodeError::Wasm { .. } => faults::invalid(error.to_string()),
        compute::CodeError::Engine { reason } => {
            tracing::error!(%reason, "there is no engine for WebAssembly");
            Fault::new(Cause::Unavailable, "ServiceException", error.to_string()).with("Type", "Service")
        }
        compute::CodeError::Disk { source } => {
            tracing::error!(error = %source, "a code package could not be unpacked");
            Fault::new(Cause::Unavailable, "ServiceException", error.to_string()).with("Type", "Service")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    /// An archive of these files.
    pub(crate) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
            writer.start_file(*name, options).expect("the name is good");
            writer.write_all(content).expect("memory takes it");
        }
        writer.finish().expect("memory takes it").into_inner()
    }

    #[test]
    fn a_request_carries_at_most_fifty_megabytes() {
        let zip = vec![0; ZIPPED_BYTES_MAX + 1];
        assert!(check_direct("CreateFunction", &zip[1..]).is_ok());
        let fault = check_direct("CreateFunction", &zip).expect_err("too large");
        assert_eq!(fault.message, "Request must be smaller than 69905067 bytes for the CreateFunction operation");
        assert_eq!(fault.status, Some(413));
        let fault = check_direct("CreateFunction", b"").expect_err("nothing");
        assert_eq!(fault.message, "Uploaded file must be a non-empty zip");
    }

    #[test]
    fn code_storage_is_bounded() {
        assert!(check_storage(STORAGE_BYTES_MAX - 5, 5).is_ok());
        let fault = check_storage(STORAGE_BYTES_MAX - 5, 6).expect_err("too much");
        assert_eq!(fault.code, "CodeStorageExceededException");
    }
}

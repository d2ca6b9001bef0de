//! What a code package is: a zip archive within AWS's limits, by its bytes alone.

use std::io::{Cursor, Read};

use contract::Fault;

use crate::faults;

/// The largest archive that a request may carry.
pub const ZIPPED_BYTES_MAX: usize = 50 << 20;
/// The most bytes that an archive may unpack to.
pub const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// The most files: more would be slow to unpack and to mount, and no real package comes near.
pub const FILES_MAX: usize = 200_000;
/// The most code of an account and region: 75 GB, AWS's quota.
pub const STORAGE_BYTES_MAX: u64 = 75 << 30;

/// The body of a request with a package in base64 is refused by this number, which AWS's message names.
const BODY_BYTES_MAX: u64 = 69_905_067;

/// Refuses an archive that is too large for a request.
pub fn check_direct(operation: &str, zip: &[u8]) -> Result<(), Fault> {
    if zip.len() > ZIPPED_BYTES_MAX {
        return Err(faults::too_large(format!(
            "Request must be smaller than {BODY_BYTES_MAX} bytes for the {operation} operation"
        )));
    }
    Ok(())
}

/// Reads the archive from end to end: its directory, and every entry's bytes with their checksums, counting what really comes
/// out instead of what the headers claim. Blocks: call it where blocking is allowed.
pub fn check_archive(zip: &[u8]) -> Result<(), Fault> {
    if zip.is_empty() {
        return Err(faults::invalid("Uploaded file must be a non-empty zip"));
    }
    let unreadable =
        || faults::invalid("Could not unzip uploaded file. Please check your file, then try to upload again.");
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).map_err(|_| unreadable())?;
    if archive.is_empty() {
        return Err(faults::invalid("Uploaded file must be a non-empty zip"));
    }
    if archive.len() > FILES_MAX {
        return Err(faults::invalid(format!(
            "The package has {} files; at most {FILES_MAX} are taken.",
            archive.len()
        )));
    }
    let mut left = UNZIPPED_BYTES_MAX;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| unreadable())?;
        if entry.enclosed_name().is_none() {
            return Err(faults::invalid(format!(
                "The package has a file '{}' that would lie outside its folder.",
                String::from_utf8_lossy(entry.name_raw())
            )));
        }
        let bytes = std::io::copy(&mut entry.take(left + 1), &mut std::io::sink()).map_err(|_| unreadable())?;
        left = left
            .checked_sub(bytes)
            .ok_or_else(|| faults::invalid(format!("Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes")))?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

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

    fn check(zip: &[u8], expected: Option<&str>) {
        assert_eq!(check_archive(zip).err().map(|fault| fault.message).as_deref(), expected);
    }

    #[test]
    fn archives_are_read_to_the_end() {
        let good = zip_of(&[("index.js", b"exports.handler = async () => 1"), ("lib/a.js", b"")]);
        check(&good, None);
        let broken = "Could not unzip uploaded file. Please check your file, then try to upload again.";
        check(b"no zip at all", Some(broken));
        check(&good[..good.len() - 30], Some(broken));
        let mut flipped = good.clone();
        let middle = 40;
        flipped[middle] ^= 0xff;
        check(&flipped, Some(broken));
        check(b"", Some("Uploaded file must be a non-empty zip"));
        check(&zip_of(&[]), Some("Uploaded file must be a non-empty zip"));
        check(
            &zip_of(&[("../escape.js", b"x")]),
            Some("The package has a file '../escape.js' that would lie outside its folder."),
        );
    }

    #[test]
    fn an_archive_that_unpacks_to_too_much_is_refused() {
        let zeros = vec![0; 88 << 20];
        let bomb = zip_of(&[("a", &zeros), ("b", &zeros), ("c", &zeros)]);
        assert!(bomb.len() < 1 << 20);
        check(&bomb, Some("Unzipped size must be smaller than 262144000 bytes"));
    }

    #[test]
    fn a_request_carries_at_most_fifty_megabytes() {
        let zip = vec![0; ZIPPED_BYTES_MAX + 1];
        assert!(check_direct("CreateFunction", &zip[1..]).is_ok());
        let fault = check_direct("CreateFunction", &zip).expect_err("too large");
        assert_eq!(fault.message, "Request must be smaller than 69905067 bytes for the CreateFunction operation");
        assert_eq!(fault.status, Some(413));
    }
}

//! What the fuzz targets do with bytes from a hostile guest or package: one function per decoder. They are called by cargo-fuzz
//! (`fuzz/`) and, with seeded noise, by the test below.

use std::path::Path;

use base::Random;
use bytes::BytesMut;

use crate::code::Codes;
use crate::guest::RESPONSE_BYTES_MAX;
use crate::guest::frames::{self, HEADER_BYTES, TEXT_BYTES_MAX};
use crate::guest::http;
use crate::output;

/// Frames of a managed guest: nothing panics, and nothing is kept for lengths that are not allowed.
pub fn guest_frames(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(frame)) = frames::take(&mut buffer) {
        let again = frames::head(frame.kind, &frame.text, frame.body.len());
        let mut again = BytesMut::from(&again[..]);
        again.extend_from_slice(&frame.body);
        assert_eq!(frames::take(&mut again), Ok(Some(frame)), "a frame reads as it was written");
    }
    let most = HEADER_BYTES + TEXT_BYTES_MAX + RESPONSE_BYTES_MAX;
    assert!(buffer.capacity() <= data.len() + 2 * most, "a guest cannot make us keep more than a frame");
}

/// A guest's output: however it is cut, the same lines come of it, and none is too long.
pub fn guest_output(data: &[u8]) {
    let whole = output::assemble(&[data]);
    let (one, two) = data.split_at(data.len() / 2);
    assert_eq!(output::assemble(&[one, two]), whole, "lines do not depend on how the pipe was read");
    // Every byte that is no UTF-8 becomes a character of three.
    assert!(whole.iter().all(|line| line.len() <= 3 * output::LINE_BYTES_MAX));
}

/// An event that may be a request, and what may come of it: a request that HTTP can carry, with nothing that is of another connection
/// or that only the platform says.
pub fn http_event(data: &[u8]) {
    http::fuzzing::event(data);
}

/// A web server's answer: however it is damaged, what comes of it is JSON of at most the largest size, or an error document.
pub fn http_answer(data: &[u8]) {
    http::fuzzing::answer(data);
}

/// A code package, unpacked below `dir`: nothing panics, and nothing is written beside it.
pub fn code_package(dir: &Path, data: &[u8]) {
    let codes = Codes::open(dir.join("code"), Random::system()).expect("the folder can be used");
    // Refused or not: what matters is where it wrote.
    let _ = codes.prepare(data);
    let beside = std::fs::read_dir(dir).expect("the folder is there").count();
    assert_eq!(beside, 1, "a package stays inside its folder");
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] = br#"{"version":"2.0","rawPath":"/a","rawQueryString":"b=c","cookies":["d"],"headers":{"e":"f"},"requestContext":{"http":{"method":"GET"}},"body":"Zw==","isBase64Encoded":true}"#;

    fn damaged(text: &[u8], random: &Random) -> Vec<u8> {
        let mut damaged = text.to_vec();
        for _ in 0..1 + random.below(3) {
            let at = random.below(damaged.len() as u64) as usize;
            damaged[at] = random.u64() as u8;
        }
        damaged
    }

    #[test]
    fn noise_is_harmless() {
        let random = Random::seeded(11);
        let dir = tempfile::tempdir().unwrap();
        let package = crate::code::tests::sample();
        for round in 0..3000 {
            let mut noise = vec![0; random.below(200) as usize];
            random.fill(&mut noise);
            for byte in &mut noise {
                // Marks, line ends and small numbers are what decides.
                if random.below(2) == 0 {
                    *byte = [0xF5, b'\n', 0, 1, 18, 19][random.below(6) as usize];
                }
            }
            guest_frames(&noise);
            guest_output(&noise);
            http_event(&noise);
            http_answer(&noise);
            http_event(&damaged(EVENT, &random));
            if round % 30 == 0 {
                let mut damaged = package.clone();
                for _ in 0..1 + random.below(4) {
                    let at = random.below(damaged.len() as u64) as usize;
                    damaged[at] = random.u64() as u8;
                }
                code_package(dir.path(), &damaged);
            }
        }
    }
}

//! A door for fuzzing: what headers say of a stretch of an object, of where a copy comes from, and of tags.

use super::about::tags;
use super::copy_object::Source;
use super::get_object::cut;
use super::multipart::upload_part_copy::stretch;

/// The size of an object in the first line, a `Range`, an `x-amz-copy-source`, an `x-amz-copy-source-range` and an `x-amz-tagging` in one
/// line each: no panic, and what is read lies inside the object and names one.
pub fn headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (size, range, source, part, sent) = (line(), line(), line(), line(), line());
    let size = size.parse().unwrap_or(u64::MAX);
    if let Ok(Some(cut)) = cut(range, size) {
        assert!(cut.start < cut.end && cut.end <= size, "{range} of {size}");
    }
    if let Ok(source) = Source::parse(source) {
        assert!(!source.bucket.is_empty() && !source.bucket.contains('/') && !source.key.is_empty());
    }
    if let Ok((start, end)) = stretch(part, size) {
        assert!(start < end && end <= size, "{part} of {size}");
    }
    if let Ok(read) = tags(Some(sent)) {
        assert!(read.len() <= sent.split('&').count());
    }
}

#[cfg(test)]
mod tests {
    use base::Random;

    #[test]
    fn damaged_headers_do_no_harm() {
        let whole = b"1000\nbytes=10-99\n/bucket/a%20key?versionId=abc\nbytes=0-999\nkey=value&other=%C3%BC+";
        super::headers(whole);
        let chance = Random::seeded(12);
        for _ in 0..20_000 {
            let mut damaged = whole.to_vec();
            for _ in 0..=chance.below(4) {
                let at = chance.below(damaged.len() as u64) as usize;
                match chance.below(3) {
                    0 => damaged[at] = chance.below(256) as u8,
                    1 => damaged.truncate(at.max(1)),
                    _ => damaged.insert(at, b"0189-=/%&?+\n\xff"[chance.below(13) as usize]),
                }
            }
            super::headers(&damaged);
        }
    }
}

//! Writing JSON by hand, into one buffer.

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn string(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    escaped(buffer, text);
    buffer.push(b'"');
}

/// Appends `text` as the inside of a JSON string: pieces of one string may be written one after the other.
pub(crate) fn escaped(buffer: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        buffer.extend_from_slice(&bytes[written..at]);
        if short.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            buffer.extend_from_slice(b"\\u00");
            buffer.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            buffer.extend_from_slice(short);
        }
        written = at + 1;
    }
    buffer.extend_from_slice(&bytes[written..]);
}

/// Appends a header's value as the inside of a JSON string. Bytes that are not UTF-8 are taken for Latin-1, as HTTP has it.
pub(crate) fn header_value(buffer: &mut Vec<u8>, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) => escaped(buffer, text),
        Err(_) => escaped(buffer, &value.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_read_back_as_they_were() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        for text in ["", "plain", "a\"b\\c", "\n\r\t\u{0}\u{1f}\u{7f}", "é✓😀", &all] {
            let mut buffer = Vec::new();
            string(&mut buffer, text);
            assert_eq!(serde_json::from_slice::<String>(&buffer).ok().as_deref(), Some(text));
        }
        let mut buffer = vec![b'"'];
        header_value(&mut buffer, b"caf\xe9");
        buffer.push(b'"');
        assert_eq!(serde_json::from_slice::<String>(&buffer).ok().as_deref(), Some("café"));
    }
}

//! Bodies for fuzzers: each takes any bytes and must neither panic nor hang. The seeded mutation tests call them too.

use crate::chunk::{self, ChunkId, Summary};
use crate::model::StreamId;
use crate::pattern::Pattern;

/// The first line is a filter pattern (at most 1,024 characters, as the wire allows), the rest a message.
pub fn filter_pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, message) = text.split_once('\n').unwrap_or((&text, ""));
    let pattern: String = pattern.chars().take(1_024).collect();
    if let Ok(pattern) = Pattern::parse(&pattern) {
        pattern.matches(message);
    }
}

/// A chunk and an index entry, as they lie on disk.
pub fn chunk(data: &[u8]) {
    let id = ChunkId { start_ms: 1, batch: 1, stream: StreamId(1) };
    let _damaged = chunk::events(id, &[bytes::Bytes::copy_from_slice(data)], |_, _| true);
    let _damaged = Summary::decode(data);
}

//! What fuzzers do with bytes: a plain function, so that tests can call it too.

use crate::{Index, Pattern};

/// The first line is a pattern, the rest an event. Reading both must neither panic nor hang, and an index must answer what the
/// pattern answers.
pub fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, event) = text.split_once('\n').unwrap_or((&text, "{}"));
    let compiled = match Pattern::compile(pattern) {
        Ok(compiled) => compiled,
        Err(malformed) => {
            let _ = malformed.to_string();
            return;
        }
    };
    let Ok(event) = serde_json::from_str(event) else { return };
    let mut index = Index::new();
    index.insert(7, &compiled);
    let wanted = compiled.matches(&event);
    assert_eq!(index.matches(&event), if wanted { vec![7] } else { Vec::new() });
    index.remove(&7);
    assert!(index.is_empty() && index.matches(&event).is_empty());
}

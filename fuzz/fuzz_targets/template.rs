//! Text from anywhere as a template.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _refused_or_read = template::read(text);
    }
});

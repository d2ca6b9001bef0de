//! A filter pattern in the first line, a message in the rest: no panic, no long run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logs::fuzz::filter_pattern(data));

//! A chunk of log events and an index entry, as they could lie on a damaged disk: no panic, bounded memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logs::fuzz::chunk(data));

//! Bytes from anywhere as a rule's input template, a path and an event.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| events::fuzzing::input_template(data));

//! A pipe's input template in the first line, an event in the rest: no panic, no long run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pipes::fuzzing::template(data));

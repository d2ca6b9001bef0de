//! What a function answers to a batch: no panic, no long run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(mapping::answer::read(data, ["a", "b"])));

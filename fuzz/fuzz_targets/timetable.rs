//! Schedule expressions and zones: whatever is taken can be asked for its next times.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timetable::fuzzing(bytes));

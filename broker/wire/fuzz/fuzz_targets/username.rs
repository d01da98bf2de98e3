//! See `tests/targets/username.rs`.
#![no_main]

#[path = "../../tests/targets/username.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));

//! See `tests/targets/websocket_frame.rs`.
#![no_main]

#[path = "../../tests/targets/websocket_frame.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));

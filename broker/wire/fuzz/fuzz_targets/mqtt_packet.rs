//! See `tests/targets/mqtt_packet.rs`.
#![no_main]

#[path = "../../tests/targets/mqtt_packet.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));

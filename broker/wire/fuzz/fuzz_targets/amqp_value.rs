//! See `tests/targets/amqp_value.rs`.
#![no_main]

#[path = "../../tests/targets/amqp_value.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));

//! What the fuzzers run, each on one input. A target panics when a promise of the decoder is broken; being refused is
//! fine. The cargo-fuzz targets in `fuzz/` and the bounded run in `fuzz_bounded.rs` share these functions.

pub mod amqp_connection;
pub mod amqp_value;
pub mod mqtt_packet;
pub mod property_bag;
pub mod username;
pub mod websocket_frame;

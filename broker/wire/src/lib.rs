//! Wire formats: MQTT 3.1.1 and AMQP 1.0, bytes to values and back. No I/O, no clock; limits are checked before
//! memory is allocated, and no input makes a decoder panic.

pub mod amqp;
pub mod mqtt;

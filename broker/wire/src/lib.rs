//! Wire formats: MQTT 3.1.1, AMQP 1.0 and the frames of WebSocket, bytes to values and back. No I/O, no clock; limits are
//! checked before memory is allocated, and no input makes a decoder panic.

pub mod amqp;
pub mod mqtt;
pub mod websocket;

//! The hub as its clients meet it: the built program on real sockets, one module per frontend.
//!
//! `support` starts a hub of its own for each test (data in a temporary directory, every listener on a free port).
//! One test program for all of them, so that it links once; a new module is added here.

// Helpers of tests fail their test like the tests themselves.
#![allow(clippy::unwrap_used)]

mod amqp;
mod amqp_client;
mod cli;
mod cli_service;
mod events;
mod http;
mod https;
mod mqtt;
mod mqtt_bad_input;
mod mqtt_client;
/// The client's packets, as the codec's own tests write them.
#[path = "../../wire/src/mqtt/tests/client.rs"]
mod packets;
mod support;
mod websocket;

//! The frontend over streams in memory, on an event log in memory: what a client sees, frame by frame.

mod client;
mod device;
mod hub;
mod receiving;
mod refusals;
mod requests;
mod tokens;

//! MQTT 3.1.1 as the hub speaks it: packets, topics, user names and property bags; no I/O.
//!
//! [`framer`] cuts the bytes of a connection into frames, [`decode`] turns a frame into a [`packet::Packet`] that
//! borrows from it, [`encode`] writes the server's answers. [`username`], [`hub_topic`] and [`property_bag`] read the
//! texts inside. [`client`] is the other side, for devices that the command line plays. Whatever the input, decoding never
//! panics and never allocates more than the input's own size.
//! Sources: OASIS MQTT 3.1.1 and device-protocols.md section 2. Read [`packet`] and [`hub_topic`] next.

pub mod client;
pub mod decode;
pub mod device_topic;
pub mod encode;
pub mod framer;
pub mod hub_topic;
pub mod packet;
pub mod percent;
pub mod property_bag;
pub mod username;

#[cfg(test)]
mod tests;

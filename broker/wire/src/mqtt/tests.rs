//! The codec against golden bytes, tables of bad input, and random packets written by an encoder of our own.

mod bags;
mod bytes;
mod client;
mod packets;
mod refusals;
mod round_trips;
mod topics;
mod usernames;

//! AMQP 1.0 (OASIS AMQP 1.0 parts 1 to 3 and 5): bytes to values, frames and messages, and the server's side of a
//! connection as a machine without I/O.
//!
//! Read [`connection`] for the engine, then [`performative`] for the frames it speaks. Two rules govern everything that
//! is written here, because one of the client stacks reads frames by fixed position (service-protocols.md 3.1, E1 to
//! E13): every performative carries all of its fields, nulls included, as a list8 or list32 behind a small-ulong
//! descriptor. What is read may use any encoding the specification allows.

pub mod codec;
pub mod condition;
pub mod connection;
pub mod delivery;
pub mod event;
pub mod frame;
pub mod limits;
mod link;
pub mod message;
mod outbox;
mod partials;
pub mod performative;
pub mod sasl;
mod session;

pub use codec::{Array, DecodeError, Described, Map, Symbol, Text, Value};
pub use connection::{Connection, ConnectionConfig};
pub use event::{AttachReply, Event, LinkId, SendError};
pub use message::{Message, MessageId, Properties};
pub use partials::PartialPool;
pub use performative::{Attach, DeliveryState, Error, Open, Role, Source, Target};

//! Device-to-cloud messages and the events they become.

pub mod message;

pub use message::{
    AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, Event, Origin, SystemProperties,
};

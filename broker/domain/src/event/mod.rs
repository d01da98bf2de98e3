//! Device-to-cloud messages and the events they become.

pub mod happening;
pub mod message;
pub mod position;
pub mod properties;
pub mod source;
pub mod validate;

pub use happening::Happening;
pub use message::{
    AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, Event, Origin, SystemProperties,
};
pub use position::StartPosition;
pub use source::MessageSource;

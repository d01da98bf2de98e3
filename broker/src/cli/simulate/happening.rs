//! What happens to a simulated device, what it does, and what there is to tell of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

/// By what a transport knows again what it is told to complete or to answer. It means nothing to anybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(pub Bytes);

/// A cloud-to-device message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// To complete it with.
    pub ticket: Ticket,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Application properties; `None` is null.
    pub properties: Vec<(String, Option<String>)>,
    /// The content.
    pub body: Bytes,
}

/// What happens to a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The hub has stored a telemetry message.
    Stored {
        /// Which.
        number: u64,
    },
    /// The hub does not take a telemetry message.
    NotTaken {
        /// Which.
        number: u64,
        /// What it says.
        why: String,
    },
    /// A cloud-to-device message is there.
    Received(Received),
    /// A cloud-to-device message is completed.
    Completed {
        /// Its id, if it has one.
        id: Option<String>,
    },
    /// A direct method is called.
    Called {
        /// To answer with.
        ticket: Ticket,
        /// Name of the method.
        name: String,
        /// JSON, as it came.
        payload: Bytes,
    },
    /// The twin that was asked for: `{"desired":{…},"reported":{…}}`.
    Twin(Value),
    /// The desired properties have changed.
    Desired {
        /// Their version.
        version: u64,
        /// The patch, or all of them.
        patch: Value,
    },
    /// The hub has taken what was reported.
    Reported {
        /// Version of the reported properties.
        version: u64,
    },
    /// The hub refused something about the twin.
    TwinRefused {
        /// As in HTTP.
        status: u16,
        /// What it says.
        why: String,
    },
}

/// What a device does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send this telemetry message.
    Send {
        /// Counts from 1.
        number: u64,
        /// It was sent before, on a connection that is lost.
        again: bool,
        /// Its content.
        body: Bytes,
    },
    /// Complete a cloud-to-device message.
    Complete {
        /// Which.
        ticket: Ticket,
        /// Its id, if it has one.
        id: Option<String>,
    },
    /// Answer a direct method.
    Answer {
        /// Which call.
        ticket: Ticket,
        /// The status.
        status: i32,
        /// JSON.
        payload: Bytes,
    },
    /// Ask for the twin.
    ReadTwin,
    /// Change the reported properties by this patch.
    Report(Value),
}

/// What there is to tell of a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is connected.
    Connected,
    /// A telemetry message is stored.
    Stored {
        /// Which.
        number: u64,
        /// From the first sending to the acknowledgement.
        took: Duration,
    },
    /// A telemetry message is not taken, and given up.
    NotTaken {
        /// Which.
        number: u64,
        /// What the hub says.
        why: String,
    },
    /// A cloud-to-device message came.
    Received(Received),
    /// A cloud-to-device message is completed.
    Completed {
        /// Its id, if it has one.
        id: Option<String>,
    },
    /// A method was called, and answered with its own payload.
    Called {
        /// Name of the method.
        name: String,
        /// JSON, as it came.
        payload: Bytes,
    },
    /// The twin was read.
    Twin {
        /// Version of the desired properties.
        desired: u64,
        /// Version of the reported properties.
        reported: u64,
    },
    /// The desired properties have changed.
    Desired {
        /// Their version.
        version: u64,
        /// The patch, or all of them.
        patch: Value,
    },
    /// Reported properties are accepted.
    Reported {
        /// Their version.
        version: u64,
    },
    /// The hub refused something about the twin.
    TwinRefused {
        /// As in HTTP.
        status: u16,
        /// What it says.
        why: String,
    },
    /// The connection is lost, or did not come about.
    Lost {
        /// What happened.
        why: String,
        /// When it is tried again.
        again_in: Duration,
    },
    /// It will not try again.
    GaveUp {
        /// What happened.
        why: String,
    },
}

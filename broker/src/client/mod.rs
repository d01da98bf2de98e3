//! A client of the hub's public endpoints, for the command line. It shares nothing with the server side: what it may do, any
//! program with the same connection string may do.
//!
//! [`connection_string`] says where and as whom, [`tls`] makes a trusted connection, [`sas`] signs, [`rest`] calls;
//! [`twins`], [`queries`], [`messages`], [`jobs`], [`transfers`], [`certificates`], [`configurations`] and [`hub`] know
//! what else can be asked for.
//! [`blobs`] reads and writes the hub's own storage. [`device_http`] is a device's own side of HTTPS, [`websocket`] carries the
//! protocols of the other ports.

pub mod blobs;
pub mod certificates;
pub mod configurations;
pub mod connection_string;
pub mod device_http;
pub mod error;
pub mod hub;
pub mod jobs;
pub mod messages;
pub mod percent;
pub mod queries;
pub mod rest;
pub mod routing;
pub mod sas;
pub mod tls;
pub mod transfers;
pub mod twins;
pub mod websocket;

pub use connection_string::{
    DeviceConnectionString, EventHubConnectionString, ServiceConnectionString,
};
pub use device_http::DeviceHttp;
pub use error::ClientError;
pub use messages::{FeedbackBatch, OutgoingMessage};
pub use queries::ResultPage;
pub use rest::RestClient;
pub use routing::RoutingList;
pub use tls::{Address, Stream, Trust};
pub use twins::{MethodRequest, Target};

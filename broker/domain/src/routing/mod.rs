//! Message routing and enrichments (service-protocols.md 4.10, 4.11).
//!
//! A [`Routing`] is what a service sets: routes, endpoints, enrichments and the fallback route, read from and written to
//! JSON. A [`RoutingTable`] is made of it once and then asked for every message: which endpoints it goes to, and what each
//! of them gets on top.

mod blob_name;
mod body;
mod endpoint;
mod json;
mod part;
mod route;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod trial;
mod validate;
mod view;

pub use blob_name::BlobNameFormat;
pub use body::parse as json_body;
pub use endpoint::{Container, Encoding, Endpoint, EndpointKind, Storage, Webhook};
pub use json::MASKED;
pub use part::Part;
pub use route::{Enrichment, Fallback, Route, Routing};

pub use table::{Destination, Destinations, RoutingTable};
pub use trial::{Trial, TrialRoute};
pub use view::MessageView;

//! What back ends ask over HTTPS, one file for each resource.

pub mod bulk;
pub mod certificates;
pub mod configurations;
pub mod consumer_groups;
pub mod device_json;
pub mod devices;
pub mod digital_twins;
pub mod feedback;
pub mod jobs;
pub mod messages;
mod module_json;
pub mod modules;
pub mod policies;
pub mod queries;
pub(super) mod request;
pub mod routing;
pub mod transfers;
mod twin_json;
pub mod twins;

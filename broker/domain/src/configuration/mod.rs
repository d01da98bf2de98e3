//! Configurations: desired properties for all twins that meet a condition, kept there as long as they meet it
//! (service-protocols.md 2.11).
//!
//! [`ConfigurationRequest`] is what a service asks for and [`Configuration`] what is stored; [`resolve`] says what the
//! configurations that target a twin make of it, and [`Assigned`], stored with each twin, what they have made of it so far.

pub mod assigned;
pub mod content;
pub mod direct;
pub mod id;
pub mod import;
pub mod metrics;
pub mod path;
pub mod record;
pub mod request;
pub mod resolve;
pub mod target;
#[cfg(test)]
mod tests;
pub mod trial;
pub mod view;

pub use assigned::{Assigned, Assignment, AssignmentStatus};
pub use content::{Content, Prepared, Settings};
pub use direct::DirectContent;
pub use id::ConfigurationId;
pub use import::{ConfigurationFault, ConfigurationItem};
pub use metrics::MetricResults;
pub use path::DesiredPath;
pub use record::{Configuration, delete, put};
pub use request::ConfigurationRequest;
pub use resolve::{Application, Contender, resolve};
pub use target::{Target, TargetCondition, TargetSource};
pub use trial::TrialRequest;

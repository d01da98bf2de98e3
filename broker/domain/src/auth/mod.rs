//! Who may do what: SAS tokens, shared access policies and the principals they make.
//!
//! [`sas_token`] reads a token, [`signature`] says whether a key signed it, [`resource`] what it is good for,
//! [`check`] puts the three together. A token is worth something only while its key is: callers look keys up anew
//! for every connection and every HTTP request.

pub mod certificate;
pub mod check;
mod percent;
pub mod permission;
pub mod policy;
pub mod principal;
pub mod resource;
pub mod sas_token;
mod signature;
pub mod symmetric_keys;
#[cfg(test)]
mod tests;

pub use certificate::{Authority, PeerCertificate};
pub use check::{authenticate_device, authenticate_policy};
pub use permission::Permissions;
pub use policy::{Policy, PolicySet};
pub use principal::Principal;
pub use resource::Resource;
pub use sas_token::{SasError, SasToken};
pub use symmetric_keys::SymmetricKeys;

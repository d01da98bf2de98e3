//! Device id -> partition -> owner; what frontends call. See `request` for the words they speak.

pub mod request;

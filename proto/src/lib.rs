//! What Ironhub nodes store and send to each other: protobuf messages, no logic.
//!
//! Data directories and clusters outlive versions, so fields are only ever added: a number is never given another
//! meaning, type or owner. The files in `ironhub/` say what each field means.

include!(concat!(env!("OUT_DIR"), "/ironhub.rs"));

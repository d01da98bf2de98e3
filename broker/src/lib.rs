//! The hub: frontends, device actors, partitions. `app` wires everything together.
pub mod router;

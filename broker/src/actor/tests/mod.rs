//! Devices of a whole partition: the router, the actors, the replication engine, over a disk and a store in memory.

mod bulk;
mod c2d;
mod configurations;
mod credentials;
mod identities;
mod jobs;
mod methods;
mod policies;
mod presence;
pub(crate) mod rig;
mod routing;
mod sessions;
mod twins;

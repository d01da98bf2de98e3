//! A device and its modules as the hub keeps them.

pub mod fence;
pub mod identity;
pub mod module;
pub mod presence;
pub mod session;

pub use fence::SessionTable;
pub use identity::{Authentication, DeviceIdentity, DeviceStatus, Thumbprints};
pub use module::ModuleIdentity;
pub use presence::Presence;
pub use session::{FilterKind, StoredSession, Subscription};

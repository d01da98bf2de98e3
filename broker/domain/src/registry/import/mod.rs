//! Identities in bulk: the items of `POST /devices` and the lines of import and export files, which have one form, called
//! ExportImportDevice by the SDKs (service-protocols.md 2.5, 2.10).
//!
//! [`ImportItem::parse`] reads one, each on its own, so that one that is bad harms no other; [`RegistryOperation`] is what
//! it asks for; [`line`] writes one.

pub mod fault;
pub mod item;
pub mod line;
pub mod mode;
pub mod operation;
pub mod so_already;
#[cfg(test)]
mod tests;

pub use fault::ItemFault;
pub use item::ImportItem;
pub use line::{device_line, module_line};
pub use mode::ImportMode;
pub use operation::{RegistryOperation, TwinImport};
pub use so_already::Found;

//! Documents of the hub, in the system partition.

use std::ops::ControlFlow;

use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::document::{Document, DocumentKind};

use super::{SYSTEM, read};
use crate::partition::encode::document as record;
use crate::partition::keys;

/// A document of the hub.
pub fn document(
    store: &dyn StateStore,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<Document>, StorageError> {
    read(store, &keys::document(SYSTEM, kind, id), record::decode)
}

/// The documents of a kind, in the order of their ids: at most [`DocumentKind::max`].
pub fn documents(
    store: &dyn StateStore,
    kind: DocumentKind,
) -> Result<Vec<Document>, StorageError> {
    let (from, to) = keys::documents(SYSTEM, kind);
    let mut documents = Vec::new();
    store.scan(Area::Records, &from, &to, &mut |_, value| {
        documents.push(record::decode(value));
        ControlFlow::Continue(())
    })?;
    documents.into_iter().collect()
}

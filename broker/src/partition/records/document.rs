//! Documents of the hub, in the system partition; and how far the logs of endpoints were delivered.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::partition::Stream;

use super::{SYSTEM, read};
use crate::partition::encode::{document as record, hub};
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

/// The first event of a log of a partition that its endpoint was not delivered yet; 0 while none was.
pub fn cursor(store: &dyn StateStore, group: GroupId, stream: Stream) -> Result<u64, StorageError> {
    Ok(read(store, &keys::cursor(group, stream), hub::decode_cursor)?.unwrap_or_default())
}

//! Documents of the hub.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::partition::Command;
use ironhub_domain::registry::{IfMatch, PutMode};
use ironhub_proto as proto;
use prost::Message;

use super::command::{
    if_match_from_proto, if_match_to_proto, mode_from_proto, mode_to_proto, read, unreadable,
};
use super::damaged;

pub(crate) fn encode(document: &Document) -> Vec<u8> {
    to_proto(document).encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Document, StorageError> {
    let record =
        proto::DocumentRecord::decode(bytes).map_err(|error| damaged("document", error))?;
    Ok(from_proto(record))
}

fn to_proto(document: &Document) -> proto::DocumentRecord {
    let Document { id, etag, body } = document.clone();
    proto::DocumentRecord { id, etag, body }
}

fn from_proto(record: proto::DocumentRecord) -> Document {
    // What was decoded from a slice has its own copy already; one from a command shares the command's bytes.
    Document { id: record.id, etag: record.etag, body: record.body }
}

pub(super) fn encode_put(kind: DocumentKind, document: &Document, mode: &PutMode) -> Vec<u8> {
    let (mode, if_match) = mode_to_proto(mode);
    proto::PutDocumentCommand {
        kind: kind.number().into(),
        document: Some(to_proto(document)),
        mode: mode.into(),
        if_match,
    }
    .encode_to_vec()
}

pub(super) fn decode_put(message: &[u8]) -> Result<Command, HubError> {
    let message: proto::PutDocumentCommand = read(message)?;
    let mode = mode_from_proto(message.mode(), message.if_match.clone())?;
    let document = message.document.ok_or_else(|| unreadable("no document"))?;
    let (kind, document) = (kind_from_proto(message.kind)?, from_proto(document));
    Ok(Command::PutDocument { kind, document, mode })
}

pub(super) fn encode_delete(kind: DocumentKind, id: &str, precondition: &IfMatch) -> Vec<u8> {
    proto::DeleteDocumentCommand {
        kind: kind.number().into(),
        id: id.to_owned(),
        if_match: Some(if_match_to_proto(precondition)),
    }
    .encode_to_vec()
}

pub(super) fn decode_delete(message: &[u8]) -> Result<Command, HubError> {
    let message: proto::DeleteDocumentCommand = read(message)?;
    Ok(Command::DeleteDocument {
        kind: kind_from_proto(message.kind)?,
        id: message.id,
        precondition: if_match_from_proto(message.if_match),
    })
}

fn kind_from_proto(number: u32) -> Result<DocumentKind, HubError> {
    let kind = u8::try_from(number).ok().and_then(DocumentKind::from_number);
    kind.ok_or_else(|| unreadable(format!("documents of kind {number}")))
}

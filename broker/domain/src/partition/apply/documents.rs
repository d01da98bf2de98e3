//! Documents of the hub.

use crate::HubError;
use crate::document::{Document, DocumentKind, check_delete, check_put};
use crate::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_ID_CHARS_MAX};
use crate::partition::command::Outcome;
use crate::partition::records::Records;
use crate::registry::{IfMatch, PutMode};

pub(super) fn put<R: Records + ?Sized>(
    kind: DocumentKind,
    document: Document,
    mode: &PutMode,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let chars = document.id.chars().count();
    if chars == 0 || chars > DOCUMENT_ID_CHARS_MAX || document.id.contains('\0') {
        let why = format!("a name has 1 to {DOCUMENT_ID_CHARS_MAX} characters");
        return Ok(Outcome::Refused(HubError::InvalidArgument(why)));
    }
    if document.body.len() > DOCUMENT_BYTES_MAX {
        let (size, max) = (document.body.len(), DOCUMENT_BYTES_MAX);
        return Ok(Outcome::Refused(HubError::MessageTooLarge { size, max }));
    }
    let existing = records.document(kind, &document.id)?;
    let count = records.count_documents(kind)?;
    Ok(match check_put(kind, &document.id, existing.as_ref(), mode, count) {
        Ok(()) => {
            records.put_document(kind, &document);
            Outcome::Document(document)
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

pub(super) fn delete<R: Records + ?Sized>(
    kind: DocumentKind,
    id: &str,
    if_match: &IfMatch,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let existing = records.document(kind, id)?;
    Ok(match check_delete(kind, id, existing.as_ref(), if_match) {
        Ok(()) => {
            records.delete_document(kind, id);
            Outcome::Deleted
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

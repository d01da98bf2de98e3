//! `POST /devices`: many identities in one request, each with a result of its own (service-protocols.md 2.5).

use std::collections::HashSet;

use serde_json::value::RawValue;
use serde_json::{Deserializer, Value, json};

use crate::HubError;
use crate::limits::{BULK_ITEMS_MAX, BULK_JSON_BYTES_MAX};
use crate::registry::import::{ImportItem, ItemFault};

/// Reads the body: a JSON array of 1 to [`BULK_ITEMS_MAX`] items. What is wrong with an item is that item's fault alone;
/// an identity that was named before in the same request is [`HubError::DefinedTwice`] where it comes again.
///
/// Refused as a whole if it is too large, has too many items or none, or is no array.
pub fn parse(body: &[u8]) -> Result<Vec<Result<ImportItem, ItemFault>>, HubError> {
    if body.len() > BULK_JSON_BYTES_MAX {
        return Err(HubError::MessageTooLarge { size: body.len(), max: BULK_JSON_BYTES_MAX });
    }
    let items = elements(body, BULK_ITEMS_MAX)?;
    if items.is_empty() {
        return Err(HubError::InvalidArgument("the body has no items".into()));
    }
    let mut named = HashSet::new();
    let once = |json: &[u8]| {
        let item = ImportItem::parse(json)?;
        let identity = item.operation.identity();
        let name = identity.to_string();
        match named.insert(identity) {
            true => Ok(item),
            false => Err(ItemFault::of(&item, HubError::DefinedTwice(name))),
        }
    };
    Ok(items.into_iter().map(once).collect())
}

/// The elements of a JSON array, of which no more are looked at than there may be.
fn elements(body: &[u8], max: usize) -> Result<Vec<&[u8]>, HubError> {
    let wrong = |why: &dyn std::fmt::Display| {
        HubError::InvalidArgument(format!("the body is not an array in JSON: {why}"))
    };
    let mut rest = body.trim_ascii().strip_prefix(b"[").ok_or_else(|| wrong(&"no array"))?;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if found.is_empty() && rest == b"]" {
            return Ok(found);
        }
        if found.len() == max {
            return Err(HubError::TooManyItems { max });
        }
        let mut values = Deserializer::from_slice(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(Ok(value)) => found.push(value.get().as_bytes()),
            Some(Err(error)) => return Err(wrong(&error)),
            None => return Err(wrong(&"it ends too early")),
        }
        rest = rest[values.byte_offset()..].trim_ascii_start();
        match rest.split_first() {
            Some((b',', more)) => rest = more,
            Some((b']', [])) => return Ok(found),
            Some(_) | None => return Err(wrong(&"it does not end as it must")),
        }
    }
}

/// The answer's body. The HTTP status is 200 without faults and 400 with any.
pub fn result_json(faults: &[ItemFault]) -> Value {
    json!({
        "isSuccessful": faults.is_empty(),
        "errors": faults.iter().map(ItemFault::bulk_json).collect::<Vec<_>>(),
        "warnings": [],
    })
}

//! What queries find quickly.

use super::refuse;
use crate::limits::{INDEXED_TAGS_MAX, TWIN_KEY_BYTES_MAX};
use crate::partition::command::Outcome;
use crate::partition::records::Records;

pub(super) fn set_indexed_tags<R: Records + ?Sized>(
    paths: &[String],
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let is_path = |path: &String| !path.is_empty() && path.len() <= TWIN_KEY_BYTES_MAX;
    if paths.len() > INDEXED_TAGS_MAX || !paths.iter().all(is_path) {
        return Ok(refuse(format!("at most {INDEXED_TAGS_MAX} paths of tags can be indexed")));
    }
    records.set_indexed_tags(paths)?;
    Ok(Outcome::Done)
}

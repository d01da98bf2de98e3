//! Certificate authorities: a short list in the system partition.

use crate::HubError;
use crate::auth::Authority;
use crate::limits::AUTHORITIES_MAX;
use crate::partition::command::Outcome;
use crate::partition::records::Records;
use crate::registry::IfMatch;

/// A new authority needs no ETag: with one it is refused, 404, as a device is. An existing one keeps its name's letter case
/// and the time of its registration.
pub(super) fn put<R: Records + ?Sized>(
    mut authority: Authority,
    precondition: &IfMatch,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if let Err(refusal) = authority.validate() {
        return Ok(Outcome::Refused(refusal));
    }
    let mut authorities = records.authorities()?;
    match authorities.iter_mut().find(|existing| existing.is_named(&authority.name)) {
        Some(existing) => {
            if let Err(refusal) = precondition.check_tag(&existing.etag) {
                return Ok(Outcome::Refused(refusal));
            }
            authority.name.clone_from(&existing.name);
            authority.created = existing.created;
            existing.clone_from(&authority);
        }
        None => {
            if matches!(precondition, IfMatch::Tags(tags) if !tags.is_empty()) {
                return Ok(Outcome::Refused(HubError::CertificateNotFound(authority.name)));
            }
            if authorities.len() >= AUTHORITIES_MAX {
                return Ok(super::refuse(format!(
                    "more than {AUTHORITIES_MAX} certificate authorities"
                )));
            }
            authorities.push(authority.clone());
        }
    }
    records.put_authorities(&authorities);
    Ok(Outcome::Authority(Box::new(authority)))
}

pub(super) fn delete<R: Records + ?Sized>(
    name: &str,
    precondition: &IfMatch,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let mut authorities = records.authorities()?;
    let Some(at) = authorities.iter().position(|authority| authority.is_named(name)) else {
        return Ok(Outcome::Refused(HubError::CertificateNotFound(name.to_owned())));
    };
    if let Err(refusal) = precondition.check_tag(&authorities[at].etag) {
        return Ok(Outcome::Refused(refusal));
    }
    authorities.remove(at);
    records.put_authorities(&authorities);
    Ok(Outcome::Deleted)
}

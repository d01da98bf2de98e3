//! Presence of identities.

use super::c2d::owner;
use crate::device::Presence;
use crate::ids::IdentityId;
use crate::partition::command::Outcome;
use crate::partition::records::Records;

/// Of an identity that is gone there is nothing to note. An older presence never replaces a newer one.
pub(super) fn note<R: Records + ?Sized>(
    identity: &IdentityId,
    presence: &Presence,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let known = records.presence(identity)?;
    let is_older = known.is_some_and(|known| presence.sequence < known.sequence);
    if !is_older && owner(identity, records)?.is_ok() {
        records.put_presence(identity, presence)?;
    }
    Ok(Outcome::Done)
}

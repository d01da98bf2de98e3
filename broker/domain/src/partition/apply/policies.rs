//! Shared access policies, after the hub's first.

use crate::HubError;
use crate::auth::Policy;
use crate::limits::POLICIES_MAX;
use crate::partition::apply::refuse;
use crate::partition::command::Outcome;
use crate::partition::records::Records;

pub(super) fn put<R: Records + ?Sized>(
    policy: Policy,
    before: Option<&Policy>,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if let Err(refusal) = policy.validate() {
        return Ok(Outcome::Refused(refusal));
    }
    let mut policies = records.policies()?.unwrap_or_default();
    let current = policies.get(&policy.name);
    if current != before {
        // Its keys are its version, and those are told to nobody.
        return Ok(Outcome::Refused(HubError::PreconditionFailed { current: String::new() }));
    }
    if current.is_none() && policies.iter().count() >= POLICIES_MAX {
        return Ok(refuse(format!("more than {POLICIES_MAX} shared access policies")));
    }
    policies.put(policy);
    records.put_policies(&policies);
    Ok(Outcome::Done)
}

/// The owner's policy stays: without it nobody could manage the hub.
pub(super) fn delete<R: Records + ?Sized>(
    name: &str,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let mut policies = records.policies()?.unwrap_or_default();
    if name == Policy::OWNER {
        return Ok(refuse(format!("the policy {name:?} cannot be deleted")));
    }
    if !policies.remove(name) {
        return Ok(Outcome::Refused(HubError::PolicyNotFound(name.to_owned())));
    }
    records.put_policies(&policies);
    Ok(Outcome::Deleted)
}

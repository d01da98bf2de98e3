//! A token against the keys it must be signed with: the two questions that frontends ask.

use crate::HubError;
use crate::auth::permission::Permissions;
use crate::auth::policy::PolicySet;
use crate::auth::principal::Principal;
use crate::auth::resource::Resource;
use crate::auth::sas_token::{SasError, SasToken};
use crate::auth::signature::{KeyUse, is_signed_by};
use crate::auth::symmetric_keys::SymmetricKeys;
use crate::event::{AuthMethod, AuthScope, AuthType};
use crate::ids::{DeviceId, ModuleId};
use crate::time::UnixMs;

impl From<SasError> for HubError {
    fn from(error: SasError) -> Self {
        Self::Unauthorized(error.to_string())
    }
}

/// Whether the token lets its bearer act as `device` (or as `module` of it), how it proved that, and when it ends.
///
/// `keys` are the identity's own: the module's when a module is given. The token is signed with them, or with a policy
/// that has DeviceConnect (device-protocols.md 1.2 step 4). `skn` empty or equal to the device id is the C SDK's way of
/// saying "its own keys" (device-protocols.md 1.3). A token signed with the identity's keys must name the device; a
/// policy's may have any scope that covers it. `hub_host` is the hub's name, without port.
pub fn authenticate_device(
    token: &SasToken,
    hub_host: &str,
    device: &DeviceId,
    module: Option<&ModuleId>,
    keys: &SymmetricKeys,
    policies: &PolicySet,
    now: UnixMs,
) -> Result<(AuthMethod, UnixMs), HubError> {
    check_expiry(token, now)?;
    let mut path = vec!["devices", device.as_str()];
    if let Some(module) = module {
        path.extend(["modules", module.as_str()]);
    }
    let scopes = scopes_on(token, hub_host)?;
    let covering = || scopes.iter().filter(|scope| scope.covers(&path));
    if covering().next().is_none() {
        return Err(HubError::Unauthorized(format!(
            "the token's scope {:?} does not cover this device",
            token.resource_raw()
        )));
    }
    let names_device = covering().any(|scope| scope.segments().len() >= 2);
    if names_device && is_signed_by(token, keys, &[KeyUse::Decoded]) {
        let scope = if module.is_some() { AuthScope::Module } else { AuthScope::Device };
        return Ok((AuthMethod { scope, kind: AuthType::SymmetricKey }, token.expires()));
    }
    match token.key_name().and_then(|name| policies.get(name)) {
        Some(policy) if !is_signed_by(token, &policy.keys, key_uses(token)) => Err(bad_signature()),
        Some(policy) if !policy.permissions.contains(Permissions::DEVICE_CONNECT) => {
            Err(HubError::Unauthorized(format!(
                "policy {:?} does not allow {}",
                policy.name,
                Permissions::DEVICE_CONNECT
            )))
        }
        Some(_) => Ok((AuthMethod { scope: AuthScope::Hub, kind: AuthType::Sas }, token.expires())),
        None => Err(bad_signature()),
    }
}

/// Whose policy signed the token, and what it is good for. Whether that is enough for what its bearer wants is for
/// [`Principal::check`] to say. `hub_host` is the name the token must be for, without port.
pub fn authenticate_policy(
    token: &SasToken,
    hub_host: &str,
    policies: &PolicySet,
    now: UnixMs,
) -> Result<Principal, HubError> {
    check_expiry(token, now)?;
    let scopes = scopes_on(token, hub_host)?;
    let name = token.key_name().ok_or_else(|| {
        HubError::Unauthorized("the token names no shared access policy (skn)".into())
    })?;
    // An unknown policy and a wrong key get one answer: policy names are nobody's business without a key.
    let policy = policies.get(name).ok_or_else(bad_signature)?;
    if !is_signed_by(token, &policy.keys, key_uses(token)) {
        return Err(bad_signature());
    }
    Ok(Principal {
        policy: policy.name.clone(),
        scopes,
        permissions: policy.permissions,
        expires: token.expires(),
    })
}

fn check_expiry(token: &SasToken, now: UnixMs) -> Result<(), HubError> {
    if token.is_expired(now) {
        return Err(HubError::Unauthorized("the token has expired".into()));
    }
    Ok(())
}

fn scopes_on(token: &SasToken, hub_host: &str) -> Result<Vec<Resource>, HubError> {
    let mut scopes = Resource::readings(token.resource_raw());
    scopes.retain(|scope| scope.is_on(hub_host));
    if scopes.is_empty() {
        return Err(HubError::Unauthorized(format!(
            "the token's scope {:?} is not on host {hub_host:?}",
            token.resource_raw()
        )));
    }
    Ok(scopes)
}

/// Both derivations count; Event Hubs SDKs write a scheme into `sr`, which says which to try first.
fn key_uses(token: &SasToken) -> &'static [KeyUse] {
    if token.resource_raw().starts_with("sb") {
        &[KeyUse::Text, KeyUse::Decoded]
    } else {
        &[KeyUse::Decoded, KeyUse::Text]
    }
}

fn bad_signature() -> HubError {
    HubError::Unauthorized("no key of this hub signed the token".into())
}

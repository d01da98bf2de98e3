//! Tokens put on `$cbs`, or brought by SASL PLAIN (device-protocols.md 3.2, 3.3; service-protocols.md 1.3, 3.3).
//!
//! A token of a shared access policy is verified here. One of a device or module is verified by the identity's owner,
//! which knows its keys, and so is one of a policy that is put for a device: whether that exists and may connect is the
//! owner's knowledge too. [`super::asking`] asks it.

use ironhub_domain::HubError;
use ironhub_domain::auth::{Permissions, Principal, SasToken, authenticate_policy};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::Value;

use super::AmqpContext;
use super::device::address::{Named, identities_of};
use super::requests::{Answer, Request};

/// Types that say "this is a SAS token".
const SAS_TOKEN_TYPE: &str = "servicebus.windows.net:sastoken";

/// What a token counts as put for that came with a request.
const MANAGEMENT: &str = "$management";

/// A token that somebody shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// What it is put for; empty with PLAIN.
    pub(super) audience: String,
    /// As it was sent.
    pub(super) token: String,
    /// Whose it is, as far as that is known here.
    pub(super) bearer: Shower,
}

/// Whose token it is.
#[derive(Clone, Debug)]
pub(super) enum Shower {
    /// A policy's, and verified.
    Policy(Principal),
    /// One of these says it is theirs, or a policy's that is put for one of them: their owner must be asked.
    Identities(Vec<IdentityId>, Option<Principal>),
}

/// Reads a put-token request; `Err` is the answer to a bad one.
pub(super) fn put_token(
    request: &Request,
    context: &AmqpContext,
    now: UnixMs,
) -> Result<Shown, Answer> {
    let bad = |text: &str| Answer::failed(400, None, text);
    if request.text("operation") != Some("put-token") {
        return Err(bad("the operation is not put-token"));
    }
    let audience = request.text("name").ok_or_else(|| bad("the name is missing"))?.to_owned();
    let token = match request.message.body().value() {
        Ok(Value::String(text)) => text.as_str().to_owned(),
        Ok(_) | Err(_) => return Err(bad("the body is no string")),
    };
    match request.text("type") {
        Some(kind) if kind.eq_ignore_ascii_case(SAS_TOKEN_TYPE) => {}
        other => {
            let kind = other.unwrap_or("nothing");
            let text = format!("tokens of type {kind:?} are not taken, only {SAS_TOKEN_TYPE}");
            return Err(Answer::failed(401, None, &text));
        }
    }
    let refused = |error: HubError| Answer::failed(401, None, &error.to_string());
    let (parsed, principal) = verify(&token, context, now).map_err(refused)?;
    let host = &context.options.hub_host;
    let named = identities_of(&audience, host);
    // An audience that names nobody leaves it to the token to say for whom it is.
    let named = match (named, &principal) {
        (Named::Nobody, Err(_)) => identities_of(parsed.resource_raw(), host),
        (named, _) => named,
    };
    let bearer = match (named, principal) {
        (Named::OtherHub, _) => {
            return Err(Answer::failed(404, None, "the audience is not of this hub"));
        }
        (Named::Identities(identities), Ok(principal))
            if principal.permissions.contains(Permissions::DEVICE_CONNECT) =>
        {
            Shower::Identities(identities, Some(principal))
        }
        (Named::Identities(_) | Named::Nobody, Ok(principal)) => Shower::Policy(principal),
        (Named::Identities(mut identities), Err(_)) => {
            // Java puts a module's token for the device that it is of: what counts is the token (device-protocols.md 3.3).
            if let Named::Identities(own) = identities_of(parsed.resource_raw(), host) {
                let of_these = |id: &IdentityId| identities.iter().any(|of| of.device == id.device);
                let modules: Vec<_> = own
                    .into_iter()
                    .filter(|id| id.module.is_some() && !identities.contains(id) && of_these(id))
                    .collect();
                identities.extend(modules);
            }
            Shower::Identities(identities, None)
        }
        (Named::Nobody, Err(error)) => return Err(refused(error)),
    };
    Ok(Shown { audience, token, bearer })
}

/// Reads `{policy}@sas.root.{hub}`, `{device}@sas.{hub}` or `{device}/{module}@sas.{hub}` and the token with it.
pub(super) fn plain(
    user: &str,
    token: &str,
    context: &AmqpContext,
    now: UnixMs,
) -> Result<Shown, HubError> {
    let shown = |bearer| Shown { audience: String::new(), token: token.to_owned(), bearer };
    if let Some((policy, _hub)) = user.split_once("@sas.root.") {
        let principal = verify(token, context, now)?.1?;
        if principal.policy != policy {
            return Err(HubError::Unauthorized("the token is of another policy".to_owned()));
        }
        return Ok(shown(Shower::Policy(principal)));
    }
    let unknown = || {
        let text = "is neither POLICY@sas.root.HUB nor DEVICE@sas.HUB";
        HubError::Unauthorized(format!("user name {user:?} {text}"))
    };
    let (name, hub) = user.rsplit_once("@sas.").ok_or_else(unknown)?;
    let host = &context.options.hub_host;
    let short = host.split('.').next().unwrap_or(host);
    if !hub.eq_ignore_ascii_case(host) && !hub.eq_ignore_ascii_case(short) {
        return Err(HubError::Unauthorized(format!("user name {user:?} is for another hub")));
    }
    let identity = match name.split_once('/') {
        None => IdentityId::device(DeviceId::new(name)?),
        Some((device, module)) => {
            IdentityId::module(DeviceId::new(device)?, ModuleId::new(module)?)
        }
    };
    Ok(shown(Shower::Identities(vec![identity], None)))
}

/// Reads a token of a policy that a `$management` request brings along (service-protocols.md 4.3).
pub(super) fn brought(
    token: &str,
    context: &AmqpContext,
    now: UnixMs,
) -> Result<(Shown, Principal), HubError> {
    let principal = verify(token, context, now)?.1?;
    let bearer = Shower::Policy(principal.clone());
    Ok((Shown { audience: MANAGEMENT.to_owned(), token: token.to_owned(), bearer }, principal))
}

type Verified = (SasToken, Result<Principal, HubError>);

/// The token, and the policy that signed it, if one did.
fn verify(token: &str, context: &AmqpContext, now: UnixMs) -> Result<Verified, HubError> {
    let options = &context.options;
    let token = SasToken::parse(token)?;
    let principal = authenticate_policy(&token, &options.hub_host, &(options.policies)(), now);
    Ok((token, principal))
}

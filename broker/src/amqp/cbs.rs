//! Tokens put on `$cbs`, or brought by SASL PLAIN (service-protocols.md 1.3, 3.3).

use ironhub_domain::HubError;
use ironhub_domain::auth::{Principal, SasToken, authenticate_policy};
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::Value;

use super::requests::{Answer, Request};
use super::{AmqpContext, metrics};

/// Types that say "this is a SAS token".
const SAS_TOKEN_TYPE: &str = "servicebus.windows.net:sastoken";

/// A good token and what it was put for.
pub(super) struct Put {
    pub(super) audience: String,
    pub(super) principal: Principal,
}

/// Reads and verifies a put-token request; `Err` is the answer to a bad one.
pub(super) fn put_token(
    request: &Request,
    context: &AmqpContext,
    now: UnixMs,
) -> Result<Put, Answer> {
    let bad = |text: &str| Answer::failed(400, None, text);
    if request.text("operation") != Some("put-token") {
        return Err(bad("the operation is not put-token"));
    }
    let audience = request.text("name").ok_or_else(|| bad("the name is missing"))?.to_owned();
    let token = match request.message.body().value() {
        Ok(Value::String(text)) => text,
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
    match verify(token.as_str(), context, now) {
        Ok(principal) => Ok(Put { audience, principal }),
        Err(error) => Err(Answer::failed(401, None, &error.to_string())),
    }
}

/// Verifies `{policy}@sas.root.{hub}` and its token.
pub(super) fn plain(
    user: &str,
    token: &str,
    context: &AmqpContext,
    now: UnixMs,
) -> Result<Principal, HubError> {
    let (policy, _hub) = user.split_once("@sas.root.").ok_or_else(|| {
        HubError::Unauthorized(format!("user name {user:?} is not POLICY@sas.root.HUB"))
    })?;
    let principal = verify(token, context, now)?;
    if principal.policy != policy {
        return Err(HubError::Unauthorized("the token is of another policy".to_owned()));
    }
    Ok(principal)
}

fn verify(token: &str, context: &AmqpContext, now: UnixMs) -> Result<Principal, HubError> {
    let options = &context.options;
    let verified = SasToken::parse(token).map_err(HubError::from).and_then(|token| {
        authenticate_policy(&token, &options.hub_host, &(options.policies)(), now)
    });
    metrics::token(verified.is_ok());
    verified
}

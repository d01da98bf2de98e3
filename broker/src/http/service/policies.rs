//! `/policies` and `/policies/{name}`: shared access policies (service-protocols.md 1.1) [choice: the original offers this
//! through its management plane only; the JSON is that of it, and it takes a policy with every permission].
//!
//! ```json
//! {"keyName":"reader","primaryKey":"…","secondaryKey":"…","rights":"RegistryRead, ServiceConnect"}
//! ```

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use hyper::StatusCode;
use hyper::body::Body;
use ironhub_domain::HubError;
use ironhub_domain::auth::{Permissions, Policy, SymmetricKeys};
use ironhub_domain::registry::PolicyKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{allow, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::body::{self, JSON_BODY_BYTES_MAX};
use crate::http::errors::{HttpError, Reply};
use crate::http::object::Object;
use crate::http::route::PolicyCall;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyBody {
    key_name: Option<String>,
    rights: String,
    primary_key: Option<String>,
    secondary_key: Option<String>,
}

/// Carries the call out; the last of `ids` names the policy.
pub async fn act<B>(
    call: PolicyCall,
    ids: &[String],
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    allow(&head.headers, context, Permissions::ALL, "policies")?;
    let name = ids.last().map_or("", String::as_str);
    let hub = context.hub()?;
    match call {
        PolicyCall::List => {
            let value: Vec<Value> = hub.policies().iter().map(write).collect();
            Ok(json_reply(&json!({ "value": value })))
        }
        PolicyCall::Get => {
            let policies = hub.policies();
            let found = policies.get(name);
            let found = found.ok_or_else(|| HubError::PolicyNotFound(name.to_owned()))?;
            Ok(json_reply(&write(found)))
        }
        PolicyCall::Put => {
            let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
            let (policy, is_new) = hub.set_policy(read(name, &text)?).await?;
            let mut reply = json_reply(&write(&policy));
            if is_new {
                *reply.status_mut() = StatusCode::CREATED;
            }
            Ok(reply)
        }
        PolicyCall::Delete => {
            hub.delete_policy(name).await?;
            Ok(no_content())
        }
        PolicyCall::Regenerate => {
            let text = body::read(body, JSON_BODY_BYTES_MAX).await?;
            let body: Value = serde_json::from_slice(&text)
                .map_err(|error| HttpError::Json(format!("the body is not JSON: {error}")))?;
            let key = body["key"]
                .as_str()
                .and_then(PolicyKey::parse)
                // Whoever uses a policy needs one key that still counts.
                .filter(|key| *key != PolicyKey::Both)
                .ok_or_else(|| HttpError::Json("key is none of primary, secondary, swap".into()))?;
            Ok(json_reply(&write(&hub.regenerate_policy_key(name, key).await?)))
        }
    }
}

/// What the body asks for; empty keys are the hub's to choose.
fn read(name: &str, body: &[u8]) -> Result<Policy, HttpError> {
    let Object(body): Object<PolicyBody> = serde_json::from_slice(body)
        .map_err(|error| HttpError::Json(format!("the body is not a policy in JSON: {error}")))?;
    if let Some(named) = body.key_name
        && named != name
    {
        let reason = format!("keyName {named:?} in the body is not {name:?} of the path");
        return Err(HubError::InvalidArgument(reason).into());
    }
    Ok(Policy {
        name: name.to_owned(),
        keys: SymmetricKeys {
            primary: body.primary_key.unwrap_or_default(),
            secondary: body.secondary_key.unwrap_or_default(),
        },
        permissions: Permissions::parse(&body.rights)?,
    })
}

fn write(policy: &Policy) -> Value {
    json!({
        "keyName": policy.name,
        "primaryKey": policy.keys.primary,
        "secondaryKey": policy.keys.secondary,
        "rights": policy.permissions.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let found = match read("mine", body.as_bytes()) {
            Ok(policy) => format!("{} {}", policy.permissions, policy.keys.primary),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{body}: {found}");
    }

    #[test]
    fn rights_are_names_with_commas_and_keys_may_be_left_out() {
        let two = "RegistryRead, ServiceConnect";
        check(&format!(r#"{{"rights":"{two}"}}"#), two);
        check(r#"{"rights":"serviceconnect,REGISTRYREAD","keyName":"mine"}"#, two);
        check(r#"{"rights":"DeviceConnect","primaryKey":"abc","other":1}"#, "DeviceConnect abc");
        check(r#"{"rights":"DeviceConnect","primaryKey":null}"#, "DeviceConnect ");
        check(r#"{"rights":"Everything"}"#, "\"Everything\" is none of");
        check(r#"{"rights":""}"#, "is none of");
        check(r#"{"rights":"DeviceConnect","keyName":"other"}"#, "not \"mine\"");
        for body in ["", "{}", "[]", "7", r#"{"rights":null}"#, r#"{"rights":7}"#] {
            check(body, "the body is not a policy in JSON");
        }
    }
}

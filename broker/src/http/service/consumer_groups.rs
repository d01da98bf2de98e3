//! `/consumerGroups` and `/consumerGroups/{name}`: who reads the events beside whom (service-protocols.md 4.10) [choice:
//! the original offers this through its management plane only; paths and JSON of that are understood, too].

use http::request::Parts;
use ironhub_domain::auth::Permissions;
use ironhub_domain::partition::ConsumerGroup;
use serde_json::{Value, json};

use super::device_json::moment;
use super::request::{allow, json_reply, no_content};
use crate::http::HttpContext;
use crate::http::errors::{HttpError, Reply};
use crate::http::route::{GroupCall, RouteError};
use crate::router::Router;

/// Carries the call out; the last of `ids` names the group. Reading takes the right to read events, changing that of the
/// owner. A body is not looked at: a group has nothing but its name.
pub async fn act(
    call: GroupCall,
    ids: &[String],
    head: &Parts,
    context: &HttpContext,
) -> Result<Reply, HttpError> {
    let permission = match call {
        GroupCall::List | GroupCall::Get => Permissions::SERVICE_CONNECT,
        GroupCall::Put | GroupCall::Delete => Permissions::ALL,
    };
    allow(&head.headers, context, permission, "consumerGroups")?;
    let name = ids.last().map_or("", String::as_str);
    let path = head.uri.path().trim_end_matches('/');
    let hub = context.hub()?;
    match call {
        GroupCall::List => {
            let groups = hub.consumer_groups()?;
            let shown = |group: &ConsumerGroup| write(&format!("{path}/{}", group.name), group);
            let value: Vec<Value> = groups.iter().map(shown).collect();
            Ok(json_reply(&json!({ "value": value })))
        }
        GroupCall::Get => Ok(json_reply(&write(path, &find(hub, name)?))),
        GroupCall::Put => Ok(json_reply(&write(path, &hub.put_consumer_group(name).await?))),
        GroupCall::Delete => {
            find(hub, name)?;
            hub.delete_consumer_group(name).await?;
            Ok(no_content())
        }
    }
}

fn find(hub: &Router, name: &str) -> Result<ConsumerGroup, HttpError> {
    let groups = hub.consumer_groups()?;
    let found = groups.into_iter().find(|group| group.is_named(name));
    Ok(found.ok_or_else(|| RouteError::unknown(&format!("consumerGroups/{name}")))?)
}

fn write(id: &str, group: &ConsumerGroup) -> Value {
    json!({
        "id": id,
        "name": group.name,
        "type": "Microsoft.Devices/IotHubs/EventHubEndpoints/ConsumerGroups",
        "etag": null,
        "properties": {"name": group.name, "created": moment(group.created)},
    })
}

//! To JSON.

use serde_json::{Value, json};

use super::MASKED;
use crate::routing::{
    Container, Endpoint, EndpointKind, Enrichment, Fallback, Route, Routing, Storage, Webhook,
};
use crate::twin::Object;

impl Routing {
    /// The document, with its secrets: what is stored.
    pub fn to_json(&self) -> Value {
        self.write(false)
    }

    /// The document as services may read it: secrets and signatures are [`MASKED`].
    pub fn to_json_masked(&self) -> Value {
        self.write(true)
    }

    fn write(&self, is_masked: bool) -> Value {
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        for Endpoint { name, kind } in &self.endpoints {
            let (list, value) = match kind {
                EndpointKind::EventLog => (0, json!({ "name": name })),
                EndpointKind::Storage(storage) => (1, write_storage(name, storage, is_masked)),
                EndpointKind::Webhook(webhook) => (2, write_webhook(name, webhook, is_masked)),
            };
            lists[list].push(value);
        }
        let [logs, containers, webhooks] = lists;
        let enrichment = |Enrichment { key, value, endpoints }: &Enrichment| json!({ "key": key, "value": value, "endpointNames": endpoints });
        json!({
            "routes": self.routes.iter().map(Route::to_json).collect::<Value>(),
            "endpoints":
                { "eventHubs": logs, "storageContainers": containers, "webhooks": webhooks },
            "enrichments": self.enrichments.iter().map(enrichment).collect::<Value>(),
            "fallbackRoute": self.fallback.to_json(),
        })
    }
}

impl Route {
    /// The route as the API writes it; a condition that is empty as `true`, which is the same.
    pub fn to_json(&self) -> Value {
        let condition = if self.condition.is_empty() { "true" } else { &self.condition };
        json!({
            "name": self.name,
            "source": self.source.route_name(),
            "condition": condition,
            "endpointNames": self.endpoints,
            "isEnabled": self.enabled,
        })
    }
}

impl Fallback {
    /// The route as the API writes it.
    pub fn to_json(&self) -> Value {
        json!({
            "name": "$fallback",
            "source": "DeviceMessages",
            "condition": "true",
            "endpointNames": ["events"],
            "isEnabled": self.enabled,
        })
    }
}

fn write_webhook(name: &str, webhook: &Webhook, is_masked: bool) -> Value {
    let mut value = json!({
        "name": name,
        "url": webhook.url,
        "secret": if is_masked { MASKED } else { &webhook.secret },
        "timeoutInSeconds": webhook.timeout_seconds,
        "maxDeliveryCount": webhook.attempts,
        "retryDelayInSeconds": webhook.pause_seconds,
        "maxRetryDelayInSeconds": webhook.pause_seconds_max,
    });
    if let Some(name) = &webhook.dead_letters {
        value["deadLetterEndpointName"] = name.as_str().into();
    }
    value
}

fn write_storage(name: &str, storage: &Storage, is_masked: bool) -> Value {
    let (member, container) = match &storage.container {
        Container::Own(name) => ("containerName", name.clone()),
        Container::Uri(uri) if is_masked => ("containerUri", masked_uri(uri)),
        Container::Uri(uri) => ("containerUri", uri.clone()),
    };
    let mut value = Object::new();
    value.insert("name".into(), name.into());
    value.insert(member.into(), container.into());
    value.insert("fileNameFormat".into(), storage.name_format.as_str().into());
    value.insert("batchFrequencyInSeconds".into(), storage.batch_seconds.into());
    value.insert("maxChunkSizeInBytes".into(), storage.batch_bytes.into());
    value.insert("encoding".into(), storage.encoding.as_str().into());
    value.into()
}

/// A URI without its signature.
pub(super) fn masked_uri(uri: &str) -> String {
    match uri.split_once('?') {
        Some((place, _)) => format!("{place}?{MASKED}"),
        None => uri.to_owned(),
    }
}

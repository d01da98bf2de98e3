//! From JSON.

use serde_json::Value;

use super::MASKED;
use super::fields::Fields;
use crate::HubError;
use crate::event::MessageSource;
use crate::limits::ROUTING_JSON_BYTES_MAX;
use crate::routing::{
    BlobNameFormat, Container, Encoding, Endpoint, EndpointKind, Enrichment, Fallback, Route,
    Routing, Storage, Webhook,
};

/// Defaults of a webhook's retries: some 35 minutes of pauses altogether, and below an hour if every request times out, for as
/// long as a partition's events wait behind the first.
const TIMEOUT_SECONDS: u64 = 30;
const ATTEMPTS: u64 = 20;
const PAUSE_SECONDS: u64 = 1;
const PAUSE_SECONDS_MAX: u64 = 180;

/// The original's default of the time; of the size its smallest, because a batch takes memory until it is written.
const BATCH_SECONDS: u64 = 300;
const BATCH_BYTES: u64 = 10 * 1024 * 1024;

/// The kinds of endpoints: the name of the list, and the `type` of an element of the list of all.
pub(in crate::routing) const ENDPOINT_KINDS: [(&str, &str, ReadKind); 3] = [
    ("eventHubs", "eventHub", event_log),
    ("storageContainers", "storageContainer", storage),
    ("webhooks", "webhook", webhook),
];

pub(in crate::routing) type ReadKind = fn(&Fields<'_>) -> Result<EndpointKind, HubError>;

impl Routing {
    /// Reads a body. What it says is not checked until [`RoutingTable::compile`](crate::routing::RoutingTable::compile).
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        if body.len() > ROUTING_JSON_BYTES_MAX {
            let (size, max) = (body.len(), ROUTING_JSON_BYTES_MAX);
            return Err(HubError::MessageTooLarge { size, max });
        }
        match serde_json::from_slice(body) {
            Ok(document) => Self::from_json(&document),
            Err(error) => Err(HubError::InvalidArgument(format!("the body is not JSON: {error}"))),
        }
    }

    /// Reads a document. Without `fallbackRoute` that route is disabled, as in the original, unless there is no other:
    /// then a hub would not keep anything.
    pub fn from_json(document: &Value) -> Result<Self, HubError> {
        let fields = Fields::of("the routing document", document)?;
        let routes: Vec<Route> =
            fields.list("routes")?.iter().map(read_route).collect::<Result<_, _>>()?;
        let enrichments = fields.list("enrichments")?.iter().map(read_enrichment);
        let enabled = match fields.value("fallbackRoute") {
            Some(value) => read_fallback(value)?,
            None => routes.is_empty(),
        };
        Ok(Self {
            endpoints: endpoints(&fields)?,
            enrichments: enrichments.collect::<Result<_, _>>()?,
            fallback: Fallback { enabled },
            routes,
        })
    }

    /// Puts the secrets of a document in place of those that are masked in this one, which a service read, changed and
    /// sends back. An endpoint is known by its name, and what is not secret of its URL must be the same.
    pub fn keep_secrets(&mut self, current: &Self) {
        for endpoint in &mut self.endpoints {
            let of_name = |e: &&Endpoint| e.name.eq_ignore_ascii_case(&endpoint.name);
            let Some(known) = current.endpoints.iter().find(of_name) else { continue };
            match (&mut endpoint.kind, &known.kind) {
                (EndpointKind::Webhook(ours), EndpointKind::Webhook(known))
                    if ours.secret == MASKED && ours.url == known.url =>
                {
                    ours.secret.clone_from(&known.secret);
                }
                (
                    EndpointKind::Storage(Storage { container: Container::Uri(ours), .. }),
                    EndpointKind::Storage(Storage { container: Container::Uri(known), .. }),
                ) if *ours == super::write::masked_uri(known) => ours.clone_from(known),
                _ => {}
            }
        }
    }
}

/// Reads a route.
pub(in crate::routing) fn read_route(value: &Value) -> Result<Route, HubError> {
    let fields = Fields::of("a route", value)?;
    let name = fields.needed_text("name")?;
    let fields = fields.renamed(format!("route {name:?}"));
    let Some(source) = MessageSource::of_route(fields.needed_text("source")?) else {
        let known = MessageSource::ALL.map(MessageSource::route_name).join(", ");
        return fields.wrong("source", &format!("is none of {known}"));
    };
    let Some(enabled) = fields.flag("isEnabled")? else {
        return fields.wrong("isEnabled", "is missing");
    };
    Ok(Route {
        name: name.to_owned(),
        source,
        condition: fields.text("condition")?.unwrap_or_default().to_owned(),
        endpoints: fields.texts("endpointNames")?,
        enabled,
    })
}

/// Reads whether the fallback route is enabled.
pub(in crate::routing) fn read_fallback(value: &Value) -> Result<bool, HubError> {
    let fields = Fields::of("fallbackRoute", value)?;
    let is_other = |text: &str, wanted: &str| !text.trim().eq_ignore_ascii_case(wanted);
    if fields.text("source")?.is_some_and(|source| is_other(source, "DeviceMessages")) {
        return fields.wrong("source", "can be DeviceMessages only");
    }
    if fields.text("condition")?.is_some_and(|c| !c.trim().is_empty() && is_other(c, "true")) {
        return fields.wrong("condition", "can be true only");
    }
    if fields.texts("endpointNames")?.iter().any(|name| is_other(name, "events")) {
        return fields.wrong("endpointNames", "can be events only");
    }
    match fields.flag("isEnabled")? {
        Some(enabled) => Ok(enabled),
        None => fields.wrong("isEnabled", "is missing"),
    }
}

/// Reads an enrichment.
pub(in crate::routing) fn read_enrichment(value: &Value) -> Result<Enrichment, HubError> {
    let fields = Fields::of("an enrichment", value)?;
    let key = fields.needed_text("key")?;
    let fields = fields.renamed(format!("enrichment {key:?}"));
    Ok(Enrichment {
        key: key.to_owned(),
        value: fields.needed_text("value")?.to_owned(),
        endpoints: fields.texts("endpointNames")?,
    })
}

fn endpoints(fields: &Fields<'_>) -> Result<Vec<Endpoint>, HubError> {
    match fields.value("endpoints") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(read_typed_endpoint).collect(),
        Some(lists) => {
            let lists = Fields::of("endpoints", lists)?;
            for name in ["serviceBusQueues", "serviceBusTopics", "cosmosDBSqlContainers"] {
                if !lists.list(name)?.is_empty() {
                    return lists.wrong(name, "are not supported");
                }
            }
            let mut endpoints = Vec::new();
            for (name, _, kind) in ENDPOINT_KINDS {
                for value in lists.list(name)? {
                    endpoints.push(endpoint(&Fields::of("an endpoint", value)?, kind)?);
                }
            }
            Ok(endpoints)
        }
    }
}

/// Reads an endpoint with its `type`.
pub(in crate::routing) fn read_typed_endpoint(value: &Value) -> Result<Endpoint, HubError> {
    let fields = Fields::of("an endpoint", value)?;
    let wanted = fields.needed_text("type")?;
    match ENDPOINT_KINDS.into_iter().find(|(_, kind, _)| kind.eq_ignore_ascii_case(wanted)) {
        Some((_, _, kind)) => endpoint(&fields, kind),
        None => fields.wrong("type", "is none of eventHub, storageContainer and webhook"),
    }
}

fn endpoint(fields: &Fields<'_>, kind: ReadKind) -> Result<Endpoint, HubError> {
    let name = fields.needed_text("name")?.to_owned();
    let named = fields.renamed(format!("endpoint {name:?}"));
    Ok(Endpoint { kind: kind(&named)?, name })
}

fn event_log(fields: &Fields<'_>) -> Result<EndpointKind, HubError> {
    for name in ["connectionString", "endpointUri", "entityPath"] {
        if fields.value(name).is_some() {
            return fields.wrong(name, "is not supported: the event log is this hub's own");
        }
    }
    Ok(EndpointKind::EventLog)
}

fn webhook(fields: &Fields<'_>) -> Result<EndpointKind, HubError> {
    let pause_seconds = fields.number("retryDelayInSeconds", PAUSE_SECONDS)?;
    let longest = PAUSE_SECONDS_MAX.max(pause_seconds);
    Ok(EndpointKind::Webhook(Webhook {
        url: fields.needed_text("url")?.to_owned(),
        secret: fields.needed_text("secret")?.to_owned(),
        timeout_seconds: fields.number("timeoutInSeconds", TIMEOUT_SECONDS)?,
        attempts: fields.number("maxDeliveryCount", ATTEMPTS)?,
        pause_seconds,
        pause_seconds_max: fields.number("maxRetryDelayInSeconds", longest)?,
        dead_letters: fields.text("deadLetterEndpointName")?.map(str::to_owned),
    }))
}

fn storage(fields: &Fields<'_>) -> Result<EndpointKind, HubError> {
    for name in ["connectionString", "endpointUri"] {
        if fields.value(name).is_some() {
            return fields.wrong(name, "is not supported: use containerUri with a signature");
        }
    }
    let container = match (fields.text("containerName")?, fields.text("containerUri")?) {
        (Some(name), None) => Container::Own(name.to_owned()),
        (None, Some(uri)) => Container::Uri(uri.to_owned()),
        (None, None) => return fields.wrong("containerName", "is missing"),
        (Some(_), Some(_)) => return fields.wrong("containerUri", "stands beside containerName"),
    };
    let encoding = match fields.text("encoding")? {
        None => Encoding::default(),
        Some(text) => match Encoding::parse(text) {
            Some(encoding) => encoding,
            None => return fields.wrong("encoding", "is neither Avro nor JSON"),
        },
    };
    let name_format = match fields.text("fileNameFormat")? {
        None => BlobNameFormat::default(),
        Some(format) => BlobNameFormat::new(format)?,
    };
    Ok(EndpointKind::Storage(Storage {
        container,
        name_format,
        batch_seconds: fields.number("batchFrequencyInSeconds", BATCH_SECONDS)?,
        batch_bytes: fields.number("maxChunkSizeInBytes", BATCH_BYTES)?,
        encoding,
    }))
}

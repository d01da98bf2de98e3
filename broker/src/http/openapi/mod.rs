//! The REST contract as OpenAPI 3.0, made of the routing table: every row is an operation of the document.
//!
//! A new call needs nothing here but an arm in [`operations::describe`], which the compiler asks for.

mod operations;
mod schemas;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use super::errors::{JSON, Reply};
use super::handle::label;
use super::route::{Operation, rows};
use operations::{Content, Described, describe};

/// Statuses that every call can have: what is wrong with a request in itself, and what the hub cannot do now.
const ERRORS: [u16; 12] = [400, 401, 403, 404, 405, 408, 412, 413, 429, 500, 501, 503];

/// The document, rendered once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

/// `GET /openapi.json`; needs no token.
pub(super) fn reply() -> Reply {
    let mut reply = Reply::new(Full::new(DOCUMENT.clone()));
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut labels: HashMap<&str, usize> = HashMap::new();
    for (method, pattern, operation) in rows() {
        let count = labels.entry(label(*operation)).or_default();
        *count += 1;
        let id = match *count {
            1 => label(*operation).to_owned(),
            n => format!("{}_{n}", label(*operation)),
        };
        let (path, names) = template(pattern);
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        entry[method.to_ascii_lowercase()] = described(&id, &names, *operation);
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Ironhub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The HTTPS endpoint of a hub, for back ends and for devices. Any api-version is accepted.",
        },
        "servers": [{"url": "/"}],
        "security": [{"sas": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"sas": {
                "type": "apiKey", "in": "header", "name": "Authorization",
                "description": "SharedAccessSignature sr=…&sig=…&se=…[&skn=…]",
            }},
            "schemas": schemas::schemas(),
        },
    })
}

/// A pattern of the routing table as a path of the document, and the names of its ids.
fn template(pattern: &str) -> (String, Vec<&'static str>) {
    let (mut path, mut names, mut before) = (String::new(), Vec::new(), "");
    for segment in pattern.split('/') {
        path.push('/');
        if segment == "{}" {
            let name = name_after(before);
            path.push_str(&format!("{{{name}}}"));
            names.push(name);
        } else {
            path.push_str(segment);
        }
        before = segment;
    }
    (path, names)
}

/// What an id is called that comes after this segment.
fn name_after(segment: &str) -> &'static str {
    match segment.to_ascii_lowercase().as_str() {
        "devices" | "twins" | "digitaltwins" => "deviceId",
        "modules" => "moduleId",
        "devicebound" | "feedback" => "lockToken",
        "notifications" => "correlationId",
        "jobs" | "v2" => "jobId",
        "configurations" => "configurationId",
        "certificates" => "certificateName",
        "policies" | "iothubkeys" => "keyName",
        "consumergroups" => "groupName",
        "commands" => "commandName",
        "components" => "componentName",
        "subscriptions" => "subscriptionId",
        "resourcegroups" => "resourceGroupName",
        "iothubs" => "hubName",
        "eventhubendpoints" => "endpointName",
        _ => "name",
    }
}

fn described(id: &str, names: &[&str], operation: Operation) -> Value {
    let Described { summary, permission, body, query, if_match, replies, more_errors } =
        describe(operation);
    let mut parameters: Vec<Value> = names.iter().map(|name| path_parameter(name)).collect();
    parameters.extend(query.iter().map(|(name, schema)| {
        json!({"name": name, "in": "query", "required": false, "schema": schemas::named(schema)})
    }));
    if if_match {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "The current ETag, quoted, or *",
        }));
    }
    let mut responses = Map::new();
    for status in ERRORS.iter().chain(more_errors) {
        let content = json!({"application/json": {"schema": schemas::reference("Error")}});
        let response = json!({"description": "Refused; the body says why", "content": content});
        responses.insert(status.to_string(), response);
    }
    for (status, content) in replies {
        responses.insert(status.to_string(), response(*content));
    }
    let mut described = json!({
        "operationId": id,
        "summary": summary,
        "parameters": parameters,
        "responses": responses,
    });
    match permission {
        Some(permission) => described["x-permission"] = permission.into(),
        None => described["security"] = json!([]),
    }
    if let Some(body) = body {
        let required = !matches!(body, Content::Any);
        described["requestBody"] = json!({"required": required, "content": content(body)});
    }
    described
}

fn path_parameter(name: &str) -> Value {
    let schema = match name {
        "deviceId" | "moduleId" => "Id",
        _ => "Name",
    };
    json!({"name": name, "in": "path", "required": true, "schema": schemas::named(schema)})
}

fn response(body: Content) -> Value {
    match body {
        Content::Nothing => json!({"description": "Done"}),
        body => json!({"description": "Done", "content": content(body)}),
    }
}

fn content(body: Content) -> Value {
    match body {
        Content::Nothing => json!({}),
        Content::Json(schema) => {
            json!({"application/json": {"schema": schemas::reference(schema)}})
        }
        Content::List(schema) => {
            let list = json!({"type": "array", "items": schemas::reference(schema)});
            json!({"application/json": {"schema": list}})
        }
        Content::Any => {
            json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}})
        }
    }
}

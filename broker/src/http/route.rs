//! Path and method -> operation. Pure; the table below is the whole surface of port 443 (service-protocols.md 2.3,
//! device-protocols.md 4).
//!
//! Fixed segments compare without letter case, ids with it; one trailing slash more or less changes nothing; ids are
//! percent-decoded exactly once (service-protocols.md 0 and 2.1). The query never takes part in routing, so any
//! `api-version`, or none, is accepted. Azure IoT Explorer encodes a whole path, slashes included: see `opened`.
//! Read next: `handle.rs`, `service/devices.rs`.

mod management;
#[cfg(test)]
mod tests;

use hyper::Method;

use super::service::routing::PartKind;
pub use management::{GroupCall, PolicyCall};

use Operation::{
    AbandonC2d, AbandonFeedback, AnnounceUpload, BulkRegistry, CancelJob, CancelTransfer,
    CompleteC2d, CompleteFeedback, Configurations, CreateTransfer, DeleteCertificate, DeleteDevice,
    DeleteModule, DeleteRoutingPart, DeviceStatistics, DigitalTwins, EndpointHealth, FinishUpload,
    GetCertificate, GetDevice, GetJob, GetModule, GetRouting, GetRoutingPart, GetTransfer, GetTwin,
    InvokeMethod, ListCertificates, ListDevices, ListModules, ListTransfers, NotBuilt, OpenApi,
    PatchTwin, PurgeC2d, PutCertificate, PutDevice, PutJob, PutModule, PutRouting, PutRoutingPart,
    Query, QueryJobs, ReceiveC2d, ReceiveFeedback, RegenerateKeys, ReplaceTwin, SendC2d, SendD2c,
    ServiceStatistics, TestRoute, TestRoutes,
};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GET /devices?top=N`.
    ListDevices,
    /// `POST /devices`: many identities.
    BulkRegistry,
    /// `POST /devices/keys/regenerate`.
    RegenerateKeys,
    /// `GET /devices/{id}`.
    GetDevice,
    /// `PUT /devices/{id}`: create, or update with `If-Match`.
    PutDevice,
    /// `DELETE /devices/{id}`.
    DeleteDevice,
    /// `GET /devices/{id}/modules`.
    ListModules,
    /// `GET /devices/{id}/modules/{mid}`.
    GetModule,
    /// `PUT /devices/{id}/modules/{mid}`.
    PutModule,
    /// `DELETE /devices/{id}/modules/{mid}`.
    DeleteModule,
    /// `GET /twins/{id}`, and a module's.
    GetTwin,
    /// `PATCH /twins/{id}`, and a module's.
    PatchTwin,
    /// `PUT /twins/{id}`, and a module's.
    ReplaceTwin,
    /// `POST /twins/{id}/methods`, and a module's.
    InvokeMethod,
    /// `POST /devices/{id}/messages/deviceBound`, and a module's: a service sends.
    SendC2d,
    /// `DELETE /devices/{id}/commands`, and a module's.
    PurgeC2d,
    /// `POST /devices/{id}/messages/events`, and a module's.
    SendD2c,
    /// `GET /devices/{id}/messages/deviceBound`, and a module's.
    ReceiveC2d,
    /// `DELETE /devices/{id}/messages/deviceBound/{lock}`, and a module's: complete or reject.
    CompleteC2d,
    /// `POST /devices/{id}/messages/deviceBound/{lock}/abandon`, and a module's.
    AbandonC2d,
    /// `GET /messages/serviceBound/feedback`.
    ReceiveFeedback,
    /// `DELETE /messages/serviceBound/feedback/{lock}`.
    CompleteFeedback,
    /// `POST /messages/serviceBound/feedback/{lock}/abandon`.
    AbandonFeedback,
    /// `POST /devices/{id}/files`.
    AnnounceUpload,
    /// `POST /devices/{id}/files/notifications[/{correlation id}]`.
    FinishUpload,
    /// `POST /devices/query`.
    Query,
    /// `GET /statistics/devices`.
    DeviceStatistics,
    /// `GET /statistics/service`.
    ServiceStatistics,
    /// `GET /certificates`.
    ListCertificates,
    /// `GET /certificates/{name}`.
    GetCertificate,
    /// `PUT /certificates/{name}`.
    PutCertificate,
    /// `DELETE /certificates/{name}`.
    DeleteCertificate,
    /// `GET /routing`.
    GetRouting,
    /// `PUT /routing`.
    PutRouting,
    /// `GET /routing/routes/{name}`, and of endpoints and enrichments.
    GetRoutingPart(PartKind),
    /// `PUT /routing/routes/{name}`, and of endpoints and enrichments.
    PutRoutingPart(PartKind),
    /// `DELETE /routing/routes/{name}`, and of endpoints and enrichments.
    DeleteRoutingPart(PartKind),
    /// `GET /routing/endpoints/{name}/health`.
    EndpointHealth,
    /// `POST /routing/testall`.
    TestRoutes,
    /// `POST /routing/testnew`.
    TestRoute,
    /// `PUT /jobs/v2/{id}`.
    PutJob,
    /// `GET /jobs/v2/{id}`.
    GetJob,
    /// `POST /jobs/v2/{id}/cancel`.
    CancelJob,
    /// `GET /jobs/v2/query?jobType=&jobStatus=`.
    QueryJobs,
    /// `/configurations…`.
    Configurations(ConfigurationCall),
    /// `/digitaltwins/…`.
    DigitalTwins(DigitalTwinCall),
    /// `/policies…`.
    Policies(PolicyCall),
    /// `/consumerGroups…`.
    ConsumerGroups(GroupCall),
    /// `GET /openapi.json`: this very table.
    OpenApi,
    /// `POST /jobs/create`: an import or export.
    CreateTransfer,
    /// `GET /jobs`.
    ListTransfers,
    /// `GET /jobs/{id}`.
    GetTransfer,
    /// `DELETE /jobs/{id}`.
    CancelTransfer,
    /// A call of the protocol that this version does not carry out; the text names it.
    NotBuilt(&'static str),
}

/// A call about configurations (service-protocols.md 2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigurationCall {
    /// `GET /configurations?top=N`.
    List,
    /// `GET /configurations/{id}`.
    Get,
    /// `PUT /configurations/{id}`: create, or change with `If-Match`.
    Put,
    /// `DELETE /configurations/{id}`.
    Delete,
    /// `POST /configurations/testQueries`.
    Test,
    /// `POST /devices/{id}/applyConfigurationContent`.
    Apply,
}

/// A call about a digital twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitalTwinCall {
    /// `GET /digitaltwins/{id}`.
    Get,
    /// `PATCH /digitaltwins/{id}`.
    Patch,
    /// `POST /digitaltwins/{id}[/components/{component}]/commands/{command}`.
    Command,
}

/// A request that found its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// What it asks for.
    pub operation: Operation,
    /// The ids in its path, decoded, in path order.
    pub ids: Vec<String>,
}

/// Why a request found none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No operation has such a path.
    #[error("there is nothing at {0:?}")]
    UnknownPath(String),
    /// The path exists, the method does not.
    #[error("{method} is not allowed here, only {}", .allowed.join(", "))]
    MethodNotAllowed {
        /// What was asked.
        method: String,
        /// What the path takes, for the `Allow` header.
        allowed: Vec<&'static str>,
    },
    /// An id is not valid percent-encoding of UTF-8.
    #[error("the path has a broken percent-encoding: {0:?}")]
    BrokenEncoding(String),
}

impl RouteError {
    /// No operation has this path; a long one is cut short in the text.
    pub fn unknown(path: &str) -> Self {
        Self::UnknownPath(echo(path))
    }
}

/// Longest echo of a caller's path in an error text, in characters.
const ECHO_CHARS_MAX: usize = 200;

/// Trials of routes as the original's management plane has them.
const TEST_ALL: &str = "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}/routing/routes/$testall";
const TEST_NEW: &str = "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}/routing/routes/$testnew";

/// Every path of the protocol: `{}` stands for an id, `*` at the end for any rest. Earlier rows win, so fixed names
/// stand before ids.
const TABLE: &[(&str, &str, Operation)] = &[
    ("GET", "devices", ListDevices),
    ("POST", "devices", BulkRegistry),
    ("POST", "devices/query", Query),
    ("POST", "devices/keys/regenerate", RegenerateKeys),
    ("GET", "devices/{}", GetDevice),
    ("PUT", "devices/{}", PutDevice),
    ("DELETE", "devices/{}", DeleteDevice),
    ("GET", "devices/{}/modules", ListModules),
    ("GET", "devices/{}/modules/{}", GetModule),
    ("PUT", "devices/{}/modules/{}", PutModule),
    ("DELETE", "devices/{}/modules/{}", DeleteModule),
    ("DELETE", "devices/{}/commands", PurgeC2d),
    ("DELETE", "devices/{}/modules/{}/commands", PurgeC2d),
    ("POST", "devices/{}/applyConfigurationContent", Configurations(ConfigurationCall::Apply)),
    ("POST", "devices/{}/messages/events", SendD2c),
    ("POST", "devices/{}/modules/{}/messages/events", SendD2c),
    ("GET", "devices/{}/messages/deviceBound", ReceiveC2d),
    ("GET", "devices/{}/modules/{}/messages/deviceBound", ReceiveC2d),
    ("POST", "devices/{}/messages/deviceBound", SendC2d),
    ("POST", "devices/{}/modules/{}/messages/deviceBound", SendC2d),
    ("DELETE", "devices/{}/messages/deviceBound/{}", CompleteC2d),
    ("DELETE", "devices/{}/modules/{}/messages/deviceBound/{}", CompleteC2d),
    ("POST", "devices/{}/messages/deviceBound/{}/abandon", AbandonC2d),
    ("POST", "devices/{}/modules/{}/messages/deviceBound/{}/abandon", AbandonC2d),
    ("POST", "devices/{}/files", AnnounceUpload),
    ("POST", "devices/{}/files/notifications", FinishUpload),
    ("POST", "devices/{}/files/notifications/{}", FinishUpload),
    ("GET", "twins/{}", GetTwin),
    ("PATCH", "twins/{}", PatchTwin),
    ("PUT", "twins/{}", ReplaceTwin),
    ("GET", "twins/{}/modules/{}", GetTwin),
    ("PATCH", "twins/{}/modules/{}", PatchTwin),
    ("PUT", "twins/{}/modules/{}", ReplaceTwin),
    ("POST", "twins/{}/methods", InvokeMethod),
    ("POST", "twins/{}/modules/{}/methods", InvokeMethod),
    ("GET", "certificates", ListCertificates),
    ("GET", "certificates/{}", GetCertificate),
    ("PUT", "certificates/{}", PutCertificate),
    ("DELETE", "certificates/{}", DeleteCertificate),
    ("GET", "routing", GetRouting),
    ("PUT", "routing", PutRouting),
    ("GET", "routing/routes/{}", GetRoutingPart(PartKind::Route)),
    ("PUT", "routing/routes/{}", PutRoutingPart(PartKind::Route)),
    ("DELETE", "routing/routes/{}", DeleteRoutingPart(PartKind::Route)),
    ("GET", "routing/endpoints/{}", GetRoutingPart(PartKind::Endpoint)),
    ("PUT", "routing/endpoints/{}", PutRoutingPart(PartKind::Endpoint)),
    ("DELETE", "routing/endpoints/{}", DeleteRoutingPart(PartKind::Endpoint)),
    ("GET", "routing/endpoints/{}/health", EndpointHealth),
    ("GET", "routing/enrichments/{}", GetRoutingPart(PartKind::Enrichment)),
    ("PUT", "routing/enrichments/{}", PutRoutingPart(PartKind::Enrichment)),
    ("DELETE", "routing/enrichments/{}", DeleteRoutingPart(PartKind::Enrichment)),
    ("POST", "routing/testall", TestRoutes),
    ("POST", "routing/testnew", TestRoute),
    ("POST", TEST_ALL, TestRoutes),
    ("POST", TEST_NEW, TestRoute),
    ("GET", "statistics/devices", DeviceStatistics),
    ("GET", "statistics/service", ServiceStatistics),
    ("GET", "jobs/v2/query", QueryJobs),
    ("PUT", "jobs/v2/{}", PutJob),
    ("GET", "jobs/v2/{}", GetJob),
    ("POST", "jobs/v2/{}/cancel", CancelJob),
    ("GET", "configurations", Configurations(ConfigurationCall::List)),
    ("POST", "configurations/testQueries", Configurations(ConfigurationCall::Test)),
    ("GET", "configurations/{}", Configurations(ConfigurationCall::Get)),
    ("PUT", "configurations/{}", Configurations(ConfigurationCall::Put)),
    ("DELETE", "configurations/{}", Configurations(ConfigurationCall::Delete)),
    ("POST", "jobs/create", CreateTransfer),
    ("GET", "jobs", ListTransfers),
    ("GET", "jobs/{}", GetTransfer),
    ("DELETE", "jobs/{}", CancelTransfer),
    ("GET", "digitaltwins/{}", DigitalTwins(DigitalTwinCall::Get)),
    ("PATCH", "digitaltwins/{}", DigitalTwins(DigitalTwinCall::Patch)),
    ("POST", "digitaltwins/{}/commands/{}", DigitalTwins(DigitalTwinCall::Command)),
    ("POST", "digitaltwins/{}/components/{}/commands/{}", DigitalTwins(DigitalTwinCall::Command)),
    ("GET", "messages/serviceBound/feedback", ReceiveFeedback),
    ("DELETE", "messages/serviceBound/feedback/{}", CompleteFeedback),
    ("POST", "messages/serviceBound/feedback/{}/abandon", AbandonFeedback),
    ("GET", "openapi.json", OpenApi),
    ("GET", "$iothub/websocket", NotBuilt("WebSocket")),
    ("GET", "$servicebus/websocket", NotBuilt("WebSocket")),
];

/// Method, pattern and operation of every call, in the order in which they are looked at.
pub(super) fn rows() -> impl Iterator<Item = &'static (&'static str, &'static str, Operation)> {
    TABLE.iter().chain(management::TABLE)
}

/// Finds the operation of a request. `path` is the request target's path as it was sent, still encoded.
pub fn route(method: &Method, path: &str) -> Result<Matched, RouteError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let opened = opened(path)?;
    let path = opened.as_deref().unwrap_or(path);
    let mut allowed = Vec::new();
    for (row_method, pattern, operation) in rows() {
        let Some(raw_ids) = matches(pattern, path) else { continue };
        if *row_method == method.as_str() {
            let decode = opened.is_none() || encoded_twice(*operation);
            let id = |raw: &str| if decode { percent_decode(raw) } else { Ok(raw.to_owned()) };
            let ids = raw_ids.into_iter().map(id).collect::<Result<_, _>>()?;
            return Ok(Matched { operation: *operation, ids });
        }
        if !allowed.contains(row_method) {
            allowed.push(row_method);
        }
    }
    if allowed.is_empty() {
        return Err(RouteError::unknown(path));
    }
    Err(RouteError::MethodNotAllowed { method: echo(method.as_str()), allowed })
}

/// A path of several segments that was encoded as a whole, decoded: `twins%2Fd1%2Fmethods`, as every release of Azure
/// IoT Explorer sends them. `None` for a path that stands as it is. No id contains a slash, so none is torn apart.
fn opened(path: &str) -> Result<Option<String>, RouteError> {
    let encoded_slash =
        || path.as_bytes().windows(3).any(|found| found.eq_ignore_ascii_case(b"%2F"));
    if path.contains('/') || !encoded_slash() {
        return Ok(None);
    }
    percent_decode(path).map(Some)
}

/// Whether Azure IoT Explorer encodes the id too before it encodes the path: it does so when it sends messages only.
fn encoded_twice(operation: Operation) -> bool {
    operation == SendC2d
}

/// The ids of a path that has the pattern's form, still encoded. An empty segment is no id.
fn matches<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut ids = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected == "{}" {
            if segment.is_empty() {
                return None;
            }
            ids.push(segment);
        } else if !expected.eq_ignore_ascii_case(segment) {
            return None;
        }
    }
    segments.next().is_none().then_some(ids)
}

/// Decodes `%XX` once; everything else, `+` included, stands for itself.
fn percent_decode(text: &str) -> Result<String, RouteError> {
    let broken = || RouteError::BrokenEncoding(echo(text));
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => decoded.push((high * 16 + low) as u8),
            (Some(_) | None, Some(_) | None) => return Err(broken()),
        }
    }
    String::from_utf8(decoded).map_err(|_| broken())
}

fn echo(text: &str) -> String {
    text.chars().take(ECHO_CHARS_MAX).collect()
}

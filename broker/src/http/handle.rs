//! One request -> one reply, without sockets: route, authorize, read the body, act.
//!
//! The order matters: nothing of a body is read before its sender has proved who it is. Read next: `route.rs`,
//! `service/devices.rs`, `errors.rs`.

use std::pin::{Pin, pin};
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use hyper::body::Body;
use hyper::header::{EXPECT, UPGRADE};
use hyper::{HeaderMap, Method, Request};
use ironhub_domain::HubError;
use ironhub_domain::time::UnixMs;
use tracing::{debug, error};

use super::HttpContext;
use super::body::{self, BodyError};
use super::device::{self, files, telemetry};
use super::errors::{HttpError, Reply};
use super::openapi;
use super::route::{
    ConfigurationCall, DigitalTwinCall, GroupCall, Matched, Operation, PolicyCall, route,
};
use super::service::twins::Change;
use super::service::{
    bulk, certificates, configurations, consumer_groups, devices, digital_twins, feedback, jobs,
    messages, modules, policies, queries, routing, transfers, twins,
};
use crate::metrics::http::answered;

/// Answers a request.
pub async fn handle<B>(request: Request<B>, context: &HttpContext) -> Reply
where
    B: Body<Data = Bytes>,
{
    let (head, body) = request.into_parts();
    let mut body = pin!(body);
    let matched = if wants_websocket(&head.headers) {
        Err(HttpError::NotBuilt("WebSocket connections"))
    } else {
        route(method(&head), head.uri.path()).map_err(HttpError::from)
    };
    let label = matched.as_ref().map_or("none", |matched| label(matched.operation));
    let outcome = match matched {
        Ok(matched) => act(matched, &head, body.as_mut(), context).await,
        Err(error) => Err(error),
    };
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) => {
            // Who asks before sending (`100-continue`) is spared the sending, and who was too slow is not waited for.
            let waits = head.headers.contains_key(EXPECT);
            if !waits && !matches!(error, HttpError::Body(BodyError::TooSlow | BodyError::Broken)) {
                body::discard(body).await;
            }
            refuse(&error)
        }
    };
    answered(label, reply.status().as_u16());
    reply
}

async fn act<B>(
    matched: Matched,
    head: &Parts,
    body: Pin<&mut B>,
    context: &HttpContext,
) -> Result<Reply, HttpError>
where
    B: Body<Data = Bytes>,
{
    let Matched { operation, ids } = matched;
    // The routing table gives each operation its ids; the empty id of a missing one breaks the grammar and is refused.
    let id = ids.first().map_or("", String::as_str);
    match operation {
        Operation::ListDevices => devices::list(head, context).await,
        Operation::BulkRegistry => bulk::registry(head, body, context).await,
        Operation::RegenerateKeys => bulk::regenerate_keys(head, body, context).await,
        Operation::GetDevice => devices::get(id, head, context).await,
        Operation::PutDevice => devices::put(id, head, body, context).await,
        Operation::DeleteDevice => devices::delete(id, head, context).await,
        Operation::ListModules => modules::list(&ids, head, context).await,
        Operation::GetModule => modules::get(&ids, head, context).await,
        Operation::PutModule => modules::put(&ids, head, body, context).await,
        Operation::DeleteModule => modules::delete(&ids, head, context).await,
        Operation::GetTwin => twins::get(&ids, head, context).await,
        Operation::PatchTwin => twins::change(Change::Patch, &ids, head, body, context).await,
        Operation::ReplaceTwin => twins::change(Change::Replace, &ids, head, body, context).await,
        Operation::InvokeMethod => twins::invoke(&ids, head, body, context).await,
        Operation::SendC2d => messages::send(&ids, head, body, context).await,
        Operation::PurgeC2d => messages::purge(&ids, head, context).await,
        Operation::SendD2c => telemetry::send(&ids, head, body, context).await,
        Operation::ReceiveC2d => device::messages::receive(&ids, head, context).await,
        Operation::CompleteC2d => device::messages::complete_or_reject(&ids, head, context).await,
        Operation::AbandonC2d => device::messages::abandon(&ids, head, context).await,
        Operation::ReceiveFeedback => feedback::receive(head, context).await,
        Operation::CompleteFeedback => feedback::complete(id, head, context).await,
        Operation::AbandonFeedback => feedback::abandon(id, head, context).await,
        Operation::AnnounceUpload => files::announce(&ids, head, body, context).await,
        Operation::FinishUpload => files::finish(&ids, head, body, context).await,
        Operation::Query => queries::query(head, body, context).await,
        Operation::DeviceStatistics => queries::devices(head, context).await,
        Operation::ServiceStatistics => queries::service(head, context).await,
        Operation::ListCertificates => certificates::list(head, context).await,
        Operation::GetCertificate => certificates::get(id, head, context).await,
        Operation::PutCertificate => certificates::put(id, head, body, context).await,
        Operation::DeleteCertificate => certificates::delete(id, head, context).await,
        Operation::GetRouting => routing::get(head, context).await,
        Operation::PutRouting => routing::put(head, body, context).await,
        Operation::GetRoutingPart(kind) => routing::get_part(kind, id, head, context).await,
        Operation::PutRoutingPart(kind) => routing::put_part(kind, id, head, body, context).await,
        Operation::DeleteRoutingPart(kind) => routing::delete_part(kind, id, head, context).await,
        Operation::EndpointHealth => routing::health(id, head, context).await,
        Operation::TestRoutes => routing::test_all(head, body, context).await,
        Operation::TestRoute => routing::test_new(head, body, context).await,
        Operation::PutJob => jobs::put(id, head, body, context).await,
        Operation::GetJob => jobs::get(id, head, context).await,
        Operation::CancelJob => jobs::cancel(id, head, context).await,
        Operation::QueryJobs => jobs::query(head, context).await,
        Operation::Configurations(call) => configurations::act(call, id, head, body, context).await,
        Operation::DigitalTwins(call) => digital_twins::act(call, &ids, head, body, context).await,
        Operation::Policies(call) => policies::act(call, &ids, head, body, context).await,
        Operation::ConsumerGroups(call) => consumer_groups::act(call, &ids, head, context).await,
        Operation::OpenApi => Ok(openapi::reply()),
        Operation::CreateTransfer => transfers::create(head, body, context).await,
        Operation::ListTransfers => transfers::list(head, context).await,
        Operation::GetTransfer => transfers::get(id, head, context).await,
        Operation::CancelTransfer => transfers::cancel(id, head, context).await,
        Operation::NotBuilt(what) => Err(HttpError::NotBuilt(what)),
    }
}

/// The face of an error, with an id that leads from the client's report to our log.
fn refuse(error: &HttpError) -> Reply {
    let tracking_id: u128 = rand::random();
    let shown = format_args!("{tracking_id:032x}");
    if let HttpError::Hub(HubError::Internal(_)) = error {
        error!(tracking_id = %shown, %error, "http request failed");
    } else {
        debug!(tracking_id = %shown, %error, "http request refused");
    }
    error.reply(tracking_id, SystemTime::now().into())
}

/// The method that is meant: Java's HTTP client cannot send PATCH, so its SDK sends POST and says so in a header.
fn method(head: &Parts) -> &Method {
    const OVERRIDE: &str = "x-http-method-override";
    let meant = head.headers.get(OVERRIDE).is_some_and(|name| {
        name.as_bytes().eq_ignore_ascii_case(Method::PATCH.as_str().as_bytes())
    });
    if meant && head.method == Method::POST { &Method::PATCH } else { &head.method }
}

/// Whether the client wants to leave HTTP for WebSocket. Other upgrades (`h2c`) may be ignored (RFC 9110 7.8).
pub fn wants_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
    })
}

/// The wall clock, as the rules want it.
pub(super) fn wall_clock() -> UnixMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The operation as metrics and the REST contract name it.
pub(super) fn label(operation: Operation) -> &'static str {
    match operation {
        Operation::ListDevices => "list_devices",
        Operation::BulkRegistry => "bulk_registry",
        Operation::RegenerateKeys => "regenerate_keys",
        Operation::GetDevice => "get_device",
        Operation::PutDevice => "put_device",
        Operation::DeleteDevice => "delete_device",
        Operation::ListModules => "list_modules",
        Operation::GetModule => "get_module",
        Operation::PutModule => "put_module",
        Operation::DeleteModule => "delete_module",
        Operation::GetTwin => "get_twin",
        Operation::PatchTwin => "patch_twin",
        Operation::ReplaceTwin => "replace_twin",
        Operation::InvokeMethod => "invoke_method",
        Operation::SendC2d => "send_c2d",
        Operation::PurgeC2d => "purge_c2d",
        Operation::SendD2c => "send_d2c",
        Operation::ReceiveC2d => "receive_c2d",
        Operation::CompleteC2d => "complete_c2d",
        Operation::AbandonC2d => "abandon_c2d",
        Operation::ReceiveFeedback => "receive_feedback",
        Operation::CompleteFeedback => "complete_feedback",
        Operation::AbandonFeedback => "abandon_feedback",
        Operation::AnnounceUpload => "announce_upload",
        Operation::FinishUpload => "finish_upload",
        Operation::Query => "query",
        Operation::DeviceStatistics => "device_statistics",
        Operation::ServiceStatistics => "service_statistics",
        Operation::ListCertificates => "list_certificates",
        Operation::GetCertificate => "get_certificate",
        Operation::PutCertificate => "put_certificate",
        Operation::DeleteCertificate => "delete_certificate",
        Operation::GetRouting => "get_routing",
        Operation::PutRouting => "put_routing",
        Operation::GetRoutingPart(_) => "get_routing_part",
        Operation::PutRoutingPart(_) => "put_routing_part",
        Operation::DeleteRoutingPart(_) => "delete_routing_part",
        Operation::EndpointHealth => "endpoint_health",
        Operation::TestRoutes => "test_routes",
        Operation::TestRoute => "test_route",
        Operation::PutJob => "put_job",
        Operation::GetJob => "get_job",
        Operation::CancelJob => "cancel_job",
        Operation::QueryJobs => "query_jobs",
        Operation::Configurations(ConfigurationCall::List) => "list_configurations",
        Operation::Configurations(ConfigurationCall::Get) => "get_configuration",
        Operation::Configurations(ConfigurationCall::Put) => "put_configuration",
        Operation::Configurations(ConfigurationCall::Delete) => "delete_configuration",
        Operation::Configurations(ConfigurationCall::Test) => "test_configuration_queries",
        Operation::Configurations(ConfigurationCall::Apply) => "apply_configuration_content",
        Operation::DigitalTwins(DigitalTwinCall::Get) => "get_digital_twin",
        Operation::DigitalTwins(DigitalTwinCall::Patch) => "patch_digital_twin",
        Operation::DigitalTwins(DigitalTwinCall::Command) => "invoke_command",
        Operation::Policies(PolicyCall::List) => "list_policies",
        Operation::Policies(PolicyCall::Get) => "get_policy",
        Operation::Policies(PolicyCall::Put) => "put_policy",
        Operation::Policies(PolicyCall::Delete) => "delete_policy",
        Operation::Policies(PolicyCall::Regenerate) => "regenerate_policy_key",
        Operation::ConsumerGroups(GroupCall::List) => "list_consumer_groups",
        Operation::ConsumerGroups(GroupCall::Get) => "get_consumer_group",
        Operation::ConsumerGroups(GroupCall::Put) => "put_consumer_group",
        Operation::ConsumerGroups(GroupCall::Delete) => "delete_consumer_group",
        Operation::OpenApi => "openapi",
        Operation::CreateTransfer => "create_transfer",
        Operation::ListTransfers => "list_transfers",
        Operation::GetTransfer => "get_transfer",
        Operation::CancelTransfer => "cancel_transfer",
        Operation::NotBuilt(_) => "not_built",
    }
}

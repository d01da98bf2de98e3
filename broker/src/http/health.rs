//! The admin listener: is the node alive, is it ready, what do its counters say, what does it know of its cluster.
//!
//! No authentication: the listener is on loopback unless the operator moves it (design.md 8), and nothing here tells a
//! secret or changes anything.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tracing::debug;

use crate::net::Peer;

use super::errors::{JSON, Reply};
use super::listener::{HEAD_TIME_MAX, builder, drained};
use super::patience::Patience;

/// Version 0.0.4 of the text format, which every scraper reads.
const PROMETHEUS_TEXT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Why the node is not ready; empty means it is.
pub type ReadyCheck = Box<dyn Fn() -> Vec<String> + Send + Sync>;
/// The cluster as this node sees it (design.md 8: nodes and partitions).
pub type ClusterStatus = Box<dyn Fn() -> Value + Send + Sync>;

/// What every connection of the admin listener needs.
pub struct AdminContext {
    /// Called for each `GET /health/ready`; must not block.
    pub not_ready: ReadyCheck,
    /// Called for each `GET /cluster`; must not block.
    pub cluster: ClusterStatus,
    /// Renders `GET /metrics`.
    pub metrics: PrometheusHandle,
    /// Turns true when the node drains.
    pub draining: watch::Receiver<bool>,
}

/// Serves one connection of the admin listener until either side ends it.
pub async fn serve_admin<S>(stream: S, peer: impl Into<Peer>, context: Arc<AdminContext>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = peer.into();
    let mut draining = context.draining.clone();
    let service = service_fn(move |request: Request<_>| {
        let reply = answer(&request, &context);
        async move { Ok::<_, Infallible>(reply) }
    });
    let builder = builder();
    let io = TokioIo::new(Patience::new(stream, HEAD_TIME_MAX));
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = drained(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(%peer, %error, "admin connection ended");
    }
}

/// The reply to one admin request; its body is not looked at. `live` says that this process answers at all, `ready` that
/// clients may be sent here.
pub fn answer<B>(request: &Request<B>, context: &AdminContext) -> Reply {
    let path = request.uri().path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let known = matches!(path, "/health/live" | "/health/ready" | "/metrics" | "/cluster");
    match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/health/live") => {
            json_reply(StatusCode::OK, &json!({"status": "live"}))
        }
        (&Method::GET | &Method::HEAD, "/health/ready") => ready((context.not_ready)()),
        (&Method::GET | &Method::HEAD, "/cluster") => {
            json_reply(StatusCode::OK, &(context.cluster)())
        }
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let mut reply = Reply::new(Full::new(context.metrics.render().into()));
            reply.headers_mut().insert(CONTENT_TYPE, PROMETHEUS_TEXT);
            reply
        }
        (_, _) if known => json_reply(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"error": "only GET is allowed here"}),
        ),
        (_, _) => json_reply(
            StatusCode::NOT_FOUND,
            &json!({"error": "nothing here; there are /health/live, /health/ready, /metrics, /cluster"}),
        ),
    }
}

fn ready(reasons: Vec<String>) -> Reply {
    if reasons.is_empty() {
        json_reply(StatusCode::OK, &json!({"status": "ready"}))
    } else {
        let body = json!({"status": "not ready", "reasons": reasons});
        json_reply(StatusCode::SERVICE_UNAVAILABLE, &body)
    }
}

fn json_reply(status: StatusCode, body: &Value) -> Reply {
    let mut reply = Reply::new(Full::new(Bytes::from(body.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    async fn check(request: &str, reasons: &[&str], status: u16, contains: &str) {
        let (method, path) = request.split_once(' ').unwrap();
        let reasons: Vec<String> = reasons.iter().map(|r| r.to_string()).collect();
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || metrics::counter!("seen").increment(3));
        let context = AdminContext {
            not_ready: Box::new(move || reasons.clone()),
            cluster: Box::new(|| json!({"nodes": []})),
            metrics: recorder.handle(),
            draining: watch::channel(false).1,
        };
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        let reply = answer(&request, &context);
        assert_eq!(reply.status().as_u16(), status, "{path}");
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains(contains), "{path}: {body}");
    }

    #[tokio::test]
    async fn each_admin_path_answers_what_it_is_for() {
        check("GET /health/live", &["x"], 200, "live").await;
        check("GET /health/ready", &[], 200, r#""ready""#).await;
        check("GET /health/ready/", &["no leader"], 503, r#"["no leader"]"#).await;
        check("GET /metrics", &[], 200, "seen 3").await;
        check("GET /cluster", &[], 200, r#"{"nodes":[]}"#).await;
        check("POST /metrics", &[], 405, "GET").await;
        check("GET /", &[], 404, "/health/live").await;
    }
}

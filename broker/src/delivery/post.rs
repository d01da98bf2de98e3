//! Requests to a webhook: one at a time, over a connection that is kept as long as the server keeps it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, Uri, body::Incoming};
use hyper_util::rt::TokioIo;
use ironhub_domain::routing::Webhook;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::attempts::Failure;
use super::signature::{self, sign};
use crate::client::tls::{self, Address, Trust};

/// Most bytes of an answer that are read so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends to one webhook.
pub(super) struct Poster {
    uri: Uri,
    secret: String,
    waits: Duration,
    trust: Trust,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Poster {
    /// `Err` says what is wrong with the URL.
    pub(super) fn new(webhook: &Webhook, trust: Trust) -> Result<Self, String> {
        let uri: Uri = webhook.url.parse().map_err(|error| format!("the URL: {error}"))?;
        if uri.host().is_none() {
            return Err("the URL has no host".to_owned());
        }
        let waits = Duration::from_secs(webhook.timeout_seconds);
        Ok(Self { uri, secret: webhook.secret.clone(), waits, trust, connection: None })
    }

    /// Posts a body. `id` is the same whenever the same is sent again; `seconds` is the time.
    pub(super) async fn post(
        &mut self,
        id: &str,
        seconds: u64,
        body: Bytes,
    ) -> Result<(), Failure> {
        let waits = self.waits;
        match timeout(waits, self.exchange(id, seconds, body)).await {
            Ok(answered) => answered,
            Err(_) => {
                self.connection = None;
                Err(Failure::silent(format!("no answer within {} s", waits.as_secs())))
            }
        }
    }

    async fn exchange(&mut self, id: &str, seconds: u64, body: Bytes) -> Result<(), Failure> {
        let silent = |error: hyper::Error| Failure::silent(error.to_string());
        // A server may close a connection that was kept just when it is used again: that is no attempt of its own.
        let kept = self.connection.take().filter(|connection| !connection.is_closed());
        if let Some(mut kept) = kept
            && kept.ready().await.is_ok()
            && let Ok(response) = kept.send_request(self.request(id, seconds, body.clone())?).await
        {
            return self.read(response, kept).await;
        }
        let mut connection = self.connect().await?;
        let request = self.request(id, seconds, body)?;
        let response = connection.send_request(request).await.map_err(silent)?;
        self.read(response, connection).await
    }

    fn request(
        &self,
        id: &str,
        seconds: u64,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        Request::post(path)
            .header(HOST, authority)
            .header(USER_AGENT, concat!("ironhub/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header(signature::ID, id)
            .header(signature::TIMESTAMP, seconds)
            .header(signature::SIGNATURE, sign(&self.secret, id, seconds, &body))
            .body(Full::new(body))
            .map_err(|error| Failure::silent(error.to_string()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let is_tls = self.uri.scheme_str() == Some("https");
        let host = self.uri.host().unwrap_or_default();
        let port = self.uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let connect_to = format!("{host}:{port}");
        let silent = |error: String| Failure::silent(error);
        if !is_tls {
            let stream = TcpStream::connect(&connect_to).await;
            let stream = stream.map_err(|error| silent(format!("{connect_to}: {error}")))?;
            // Requests are waited for; holding them back to fill a segment only delays them.
            let _ = stream.set_nodelay(true);
            return shake_hands(stream).await;
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let address = Address { host, connect_to };
        let stream = tls::connect(&address, &self.trust, &[b"http/1.1"]).await;
        shake_hands(stream.map_err(|error| silent(error.to_string()))?).await
    }

    /// Reads the answer to its end, so that the connection can be used again.
    async fn read(
        &mut self,
        response: Response<Incoming>,
        connection: SendRequest<Full<Bytes>>,
    ) -> Result<(), Failure> {
        let (head, mut body) = response.into_parts();
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > ANSWER_BYTES_MAX {
                break;
            }
        }
        if bytes <= ANSWER_BYTES_MAX {
            self.connection = Some(connection);
        }
        if head.status.is_success() {
            return Ok(());
        }
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(Failure::status(head.status.as_u16(), retry_after))
    }
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Failure>
where
    S: tls::Stream + 'static,
{
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| Failure::silent(error.to_string()))?;
    // Drives the socket; ends with it or with the sender, and reports what is wrong through that.
    tokio::spawn(connection);
    Ok(sender)
}

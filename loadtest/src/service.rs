//! A hub's service endpoints over HTTPS.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::http::{HttpConnection, Response};
use crate::target::Secure;

/// The longest that one request may take: a scan of the whole registry.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection to the hub's service endpoint, made again when it ends.
pub struct Service {
    address: SocketAddr,
    secure: Secure,
    host: String,
    token: String,
    open: Option<HttpConnection<TlsStream<TcpStream>>>,
}

impl Service {
    /// Connects when it is first asked. `token` is a policy's for the whole hub `host`.
    pub fn new(address: SocketAddr, secure: Secure, host: String, token: String) -> Self {
        Self { address, secure, host, token, open: None }
    }

    /// A connection of its own to the same.
    pub fn another(&self) -> Self {
        Self {
            secure: self.secure.clone(),
            host: self.host.clone(),
            token: self.token.clone(),
            open: None,
            ..*self
        }
    }

    async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> anyhow::Result<Response> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let (host, token) = (&self.host, &self.token);
        let request = format!(
            "{method} {path}{mark}api-version=2021-04-12 HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\
             Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                let tcp = TcpStream::connect(self.address).await?;
                tcp.set_nodelay(true)?;
                let name = self.secure.server.clone();
                HttpConnection::new(self.secure.connector.connect(name, tcp).await?)
            }
        };
        let response = timeout(PATIENCE, open.exchange(request.as_bytes()))
            .await
            .with_context(|| format!("no answer to {method} {path}"))??;
        if response.keep_alive {
            self.open = Some(open);
        }
        Ok(response)
    }

    /// The body of a success.
    pub async fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let response = self.exchange(method, path, "", body).await?;
        let text = String::from_utf8_lossy(&response.body);
        ensure!(
            (200..300).contains(&response.status),
            "{method} {path}: {} {}",
            response.status,
            text.chars().take(500).collect::<String>()
        );
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// All rows of a query, page by page; how many there were, and the first.
    pub async fn query(&mut self, text: &str) -> anyhow::Result<(u64, Option<Value>)> {
        let body = json!({ "query": text }).to_string();
        let (mut count, mut first, mut continuation) = (0, None, None::<String>);
        loop {
            let mut headers = "x-ms-max-item-count: 1000\r\n".to_owned();
            if let Some(token) = &continuation {
                headers += &format!("x-ms-continuation: {token}\r\n");
            }
            let response = self.exchange("POST", "/devices/query", &headers, &body).await?;
            let page = String::from_utf8_lossy(&response.body);
            ensure!(response.status == 200, "{text}: {} {page}", response.status);
            let rows: Vec<Value> = serde_json::from_str(&page)?;
            count += rows.len() as u64;
            first = first.or_else(|| rows.into_iter().next());
            continuation = response.continuation;
            if continuation.is_none() {
                return Ok((count, first));
            }
        }
    }
}

//! A container of the hub's own storage, by the storage connection string (Azure Blob Storage REST: Create and Delete
//! Container, Put Block, Put Block List, Get Blob). One connection, one request at a time.

use std::fmt::Write as _;
use std::io::{self, Read};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::HOST;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::ClientError;
use super::percent::encode;
use super::rest::ANSWER_TIME_MAX;
use super::tls::{self, Address, Trust};

/// A blob goes up in blocks of so many bytes; 50,000 are the most.
const BLOCK_BYTES: usize = 4 << 20;
/// Largest refusal that is read.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// The version of the protocol that is spoken.
const VERSION: &str = "2021-12-02";

/// Why a blob did not get through.
#[derive(Debug, thiserror::Error)]
pub enum BlobTransferError {
    /// The storage.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The file on this side.
    #[error("{0}")]
    File(#[from] io::Error),
}

/// Where the hub's storage is, and what opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageAccount {
    /// `https://{host}[:port]/{account}`
    endpoint: String,
    /// A signature, as a query without its `?`.
    token: String,
}

impl StorageAccount {
    /// Reads a connection string as the hub writes it: `BlobEndpoint=…;SharedAccessSignature=…`.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let wrong = |what: &str| {
            ClientError::ConnectionString(format!(
                "it is not one of a hub's storage: no {what} in it"
            ))
        };
        let part = |name: &str| {
            text.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let endpoint = part("BlobEndpoint").ok_or_else(|| wrong("BlobEndpoint"))?;
        let token = part("SharedAccessSignature").ok_or_else(|| wrong("SharedAccessSignature"))?;
        let address = endpoint.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
        if address.is_none() {
            return Err(wrong("BlobEndpoint with https:// and an account"));
        }
        let (endpoint, token) = (endpoint.trim_end_matches('/'), token.trim_start_matches('?'));
        Ok(Self { endpoint: endpoint.to_owned(), token: token.to_owned() })
    }

    /// `host[:port]` and the account's path, with its `/`.
    fn parts(&self) -> (&str, &str) {
        let rest = self.endpoint.strip_prefix("https://").unwrap_or_default();
        rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
    }

    /// Where to connect to: as a hub that is known to be elsewhere, if it is that hub.
    fn address(&self, hub: &Address) -> Address {
        let (authority, _) = self.parts();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => (authority, "443"),
        };
        if host.eq_ignore_ascii_case(&hub.host) {
            return hub.clone();
        }
        Address { host: host.to_owned(), connect_to: format!("{host}:{port}") }
    }
}

/// A container, over one connection.
pub struct BlobContainer {
    account: StorageAccount,
    name: String,
    address: Address,
    trust: Trust,
    sender: SendRequest<Full<Bytes>>,
}

impl BlobContainer {
    /// Connects; nobody has looked at the signature yet. `hub` is where the hub is, if the storage is its own.
    pub async fn connect(
        account: StorageAccount,
        name: &str,
        hub: &Address,
        trust: &Trust,
    ) -> Result<Self, ClientError> {
        let address = account.address(hub);
        let sender = open(&address, trust).await?;
        Ok(Self { account, name: name.to_owned(), address, trust: trust.clone(), sender })
    }

    /// The container with what opens it.
    pub fn url(&self) -> String {
        format!("{}/{}?{}", self.account.endpoint, self.name, self.account.token)
    }

    /// Makes the container.
    pub async fn create(&mut self) -> Result<(), ClientError> {
        self.call(Method::PUT, "", "restype=container", Bytes::new()).await.map(drop)
    }

    /// Removes the container and all that is in it.
    pub async fn delete(&mut self) -> Result<(), ClientError> {
        self.call(Method::DELETE, "", "restype=container", Bytes::new()).await.map(drop)
    }

    /// Writes a blob. `told` hears how many bytes have gone.
    pub async fn upload(
        &mut self,
        blob: &str,
        source: &mut (dyn Read + Send),
        told: &mut dyn FnMut(u64),
    ) -> Result<(), BlobTransferError> {
        let (mut list, mut number, mut sent) = (String::new(), 0_u32, 0);
        loop {
            let mut block = Vec::new();
            source.take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            let id = BASE64_STANDARD.encode(format!("{number:08}"));
            number += 1;
            sent += block.len() as u64;
            let query = format!("comp=block&blockid={}", encode(&id));
            self.call(Method::PUT, blob, &query, block.into()).await?;
            told(sent);
            // A String takes everything.
            let _ = write!(list, "<Latest>{id}</Latest>");
        }
        let list =
            format!(r#"<?xml version="1.0" encoding="utf-8"?><BlockList>{list}</BlockList>"#);
        self.call(Method::PUT, blob, "comp=blocklist", list.into()).await?;
        Ok(())
    }

    /// Reads a blob, piece by piece.
    pub async fn download(
        &mut self,
        blob: &str,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), BlobTransferError> {
        let mut body = self.call(Method::GET, blob, "", Bytes::new()).await?.into_body();
        loop {
            let frame = timeout(ANSWER_TIME_MAX, body.frame()).await.map_err(|_| self.late())?;
            let Some(frame) = frame else { return Ok(()) };
            let frame = frame.map_err(|error| self.bad_reply(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                take(&data)?;
            }
        }
    }

    async fn call(
        &mut self,
        method: Method,
        blob: &str,
        query: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let (authority, path) = self.account.parts();
        let slash = if blob.is_empty() { "" } else { "/" };
        let and = if query.is_empty() { "" } else { "&" };
        let (container, token) = (&self.name, &self.account.token);
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}/{container}{slash}{}?{query}{and}{token}", encode(blob)))
            .header(HOST, authority)
            .header("x-ms-version", VERSION)
            .body(Full::new(body))
            .map_err(|error| ClientError::ConnectionString(error.to_string()))?;
        // Between upload and removal is a whole job, and a connection that idles so long is closed by the storage.
        if self.sender.ready().await.is_err() {
            self.sender = open(&self.address, &self.trust).await?;
        }
        let sent = timeout(ANSWER_TIME_MAX, self.sender.send_request(request)).await;
        let reply =
            sent.map_err(|_| self.late())?.map_err(|error| self.bad_reply(error.to_string()))?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        Err(refusal(reply).await)
    }

    fn late(&self) -> ClientError {
        ClientError::Timeout { address: self.address.connect_to.clone(), waited: ANSWER_TIME_MAX }
    }

    fn bad_reply(&self, reason: String) -> ClientError {
        ClientError::BadReply { address: self.address.connect_to.clone(), reason }
    }
}

async fn open(address: &Address, trust: &Trust) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let stream = tls::connect(address, trust, &[b"http/1.1"]).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| ClientError::BadReply {
        address: address.connect_to.clone(),
        reason: error.to_string(),
    })?;
    // Drives the socket; ends with it, and reports what is wrong through the sender.
    tokio::spawn(connection);
    Ok(sender)
}

async fn refusal(reply: Response<Incoming>) -> ClientError {
    let (head, mut body) = reply.into_parts();
    let mut text = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        if text.len() + data.len() > REFUSAL_BYTES_MAX {
            break;
        }
        text.extend_from_slice(&data);
    }
    let code = head.headers.get("x-ms-error-code").and_then(|value| value.to_str().ok());
    refused(head.status, code.unwrap_or_default(), &String::from_utf8_lossy(&text))
}

/// The storage tells in XML.
fn refused(status: StatusCode, code: &str, xml: &str) -> ClientError {
    let message = xml.split("<Message>").nth(1).and_then(|rest| rest.split("</Message>").next());
    // Behind the first line are ids for a log.
    let message = message.and_then(|text| text.lines().next()).unwrap_or("the storage refused");
    ClientError::Refused {
        status: status.as_u16(),
        name: code.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_names_the_storage_and_what_opens_it() {
        let text =
            "BlobEndpoint=https://h.test:8443/ironhub-storage;SharedAccessSignature=sv=1&sig=a%3D";
        let account = StorageAccount::parse(text).unwrap();
        assert_eq!(account.parts(), ("h.test:8443", "/ironhub-storage"));
        assert_eq!(account.token, "sv=1&sig=a%3D");
        let at = |host: &str| Address { host: host.into(), connect_to: "127.0.0.9:1".into() };
        assert_eq!(account.address(&at("H.test")).connect_to, "127.0.0.9:1");
        assert_eq!(account.address(&at("other")).connect_to, "h.test:8443");
        for bad in
            ["", "BlobEndpoint=https://h/a", "BlobEndpoint=http://h/a;SharedAccessSignature=x"]
        {
            assert!(StorageAccount::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_storage_said() {
        let xml = "<Error><Code>X</Code><Message>It is full.\nRequestId:1</Message></Error>";
        let error = refused(StatusCode::INSUFFICIENT_STORAGE, "Full", xml).to_string();
        assert_eq!(error, "It is full. (Full, HTTP 507)");
        assert!(refused(StatusCode::NOT_FOUND, "", "?").to_string().contains("HTTP 404"));
    }
}

//! One MQTT connection: dialled, secured, upgraded if it goes over WebSocket, accepted by the broker.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::mqtt::{self, MqttError, Reply, ReplyDecoder};
use crate::target::{Identity, Target};
use crate::websocket::WebSocket;

/// TCP, TLS and CONNACK together must be done in this time.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TCP.
    #[error("tcp: {0}")]
    Tcp(io::Error),
    /// TLS handshake.
    #[error("tls: {0}")]
    Tls(io::Error),
    /// WebSocket handshake.
    #[error("websocket: {0}")]
    WebSocket(io::Error),
    /// The connection broke before CONNACK.
    #[error("before connack: {0}")]
    Broken(io::Error),
    /// The broker closed the connection instead of answering CONNECT.
    #[error("closed before connack")]
    Closed,
    /// CONNACK with this code (MQTT 3.1.1, 3.2.2.3).
    #[error("refused with connack {0}")]
    Refused(u8),
    /// Not MQTT, or text that does not fit into CONNECT.
    #[error("mqtt: {0}")]
    Mqtt(#[from] MqttError),
    /// Longer than [`CONNECT_TIMEOUT`].
    #[error("no connack within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
}

impl ConnectError {
    /// A short name to count by.
    pub fn kind(&self) -> String {
        match self {
            Self::Tcp(error) => format!("connect: tcp {}", io_kind(error)),
            Self::Tls(error) => format!("connect: tls {}", innermost(error)),
            Self::WebSocket(error) => format!("connect: websocket {}", innermost(error)),
            Self::Broken(error) => format!("connect: {}", io_kind(error)),
            Self::Closed | Self::Refused(_) | Self::Mqtt(_) | Self::Timeout => {
                format!("connect: {self}")
            }
        }
    }
}

/// The kind of an input or output error in words.
pub fn io_kind(error: &io::Error) -> String {
    error.kind().to_string()
}

fn innermost(error: &io::Error) -> String {
    match error.get_ref() {
        Some(inner) => inner.to_string(),
        None => io_kind(error),
    }
}

/// A byte stream to the broker.
pub enum Transport {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS; boxed, its state is large.
    Tls(Box<TlsStream<TcpStream>>),
    /// WebSocket over one of these.
    WebSocket(Box<WebSocket<Transport>>),
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
            Self::WebSocket(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
            Self::WebSocket(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
            Self::WebSocket(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Self::WebSocket(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

/// Connects device `index` and waits for an accepting CONNACK. `source` is the local address to use,
/// `keep_alive` goes into CONNECT, in seconds.
pub async fn dial(
    target: &Target,
    index: usize,
    identity: &Identity,
    keep_alive: u16,
    source: Option<IpAddr>,
) -> Result<Transport, ConnectError> {
    let login = identity.login.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
    let hello = mqtt::connect(&identity.client_id, login, keep_alive)?;
    let all = async {
        let tcp = tcp(target.address(index), source).await.map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let mut stream = match &target.tls {
            None => Transport::Plain(tcp),
            Some(secure) => {
                let secured = secure.connector.connect(secure.server.clone(), tcp).await;
                Transport::Tls(Box::new(secured.map_err(ConnectError::Tls)?))
            }
        };
        if target.websocket {
            let host = target.address(index).to_string();
            let upgraded = WebSocket::open(stream, &host).await;
            stream = Transport::WebSocket(Box::new(upgraded.map_err(ConnectError::WebSocket)?));
        }
        stream.write_all(&hello).await.map_err(ConnectError::Broken)?;
        stream.flush().await.map_err(ConnectError::Broken)?;
        await_connack(&mut stream).await?;
        Ok(stream)
    };
    timeout(CONNECT_TIMEOUT, all).await.map_err(|_| ConnectError::Timeout)?
}

async fn tcp(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

async fn await_connack(stream: &mut Transport) -> Result<(), ConnectError> {
    let mut decoder = ReplyDecoder::default();
    let mut code = None;
    while code.is_none() {
        // CONNACK has four bytes; nothing may follow it before our next packet.
        let mut bytes = [0u8; 4];
        let read = stream.read(&mut bytes).await.map_err(ConnectError::Broken)?;
        if read == 0 {
            return Err(ConnectError::Closed);
        }
        decoder.feed(&bytes[..read], |reply| match reply {
            Reply::ConnAck(found) => {
                code = Some(found);
                Ok(())
            }
            Reply::PubAck(_) => Err(ConnectError::Mqtt(MqttError::Unexpected(0x40))),
            Reply::PingResp => Err(ConnectError::Mqtt(MqttError::Unexpected(0xD0))),
        })?;
    }
    match code {
        Some(0) => Ok(()),
        Some(other) => Err(ConnectError::Refused(other)),
        None => Err(ConnectError::Closed),
    }
}

/// Says goodbye: DISCONNECT, then the end of the stream. Failures do not matter any more.
pub async fn goodbye(mut stream: Transport) {
    let all = async {
        let _ = stream.write_all(&mqtt::DISCONNECT).await;
        let _ = stream.shutdown().await;
    };
    let _ = timeout(Duration::from_secs(2), all).await;
}

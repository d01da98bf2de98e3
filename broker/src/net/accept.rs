//! Accept loops: one per listener and worker, a bound on connections, a deadline on TLS handshakes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::line::Line;
use super::peer::Peer;
use super::x509;
use crate::metrics::connections;

/// After the system refused another socket, wait this long: somebody else must close one first.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// What all listeners of a node share.
#[derive(Debug)]
pub struct Gate {
    open: AtomicUsize,
    open_max: usize,
    closed: AtomicBool,
}

impl Gate {
    /// Lets at most `open_max` connections exist at a time.
    pub fn new(open_max: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), open_max, closed: AtomicBool::new(false) })
    }

    /// From now on new connections are closed at once.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Connections that exist now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn enter(self: &Arc<Self>) -> Option<Pass> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let pass = Pass(self.clone());
        let full = self.open() > self.open_max;
        (!full && !self.closed.load(Ordering::Relaxed)).then_some(pass)
    }
}

/// One connection's place; gives it back when dropped.
struct Pass(Arc<Gate>);

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Binds with a message that says what to do about the two usual refusals.
pub fn bind(name: &str, flag: &str, addr: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let bound = std::net::TcpListener::bind(addr).and_then(|l| l.set_nonblocking(true).map(|()| l));
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "cannot listen on {addr} for {name}: ports below 1024 need a right. Run as root, or \
             `sudo setcap cap_net_bind_service=+ep $(command -v ironhub)`, or choose another address with {flag} \
             (SDKs always dial 443, so then put a forwarder in front), or switch it off with `{flag} off`"
        ),
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "cannot listen on {addr} for {name}: another program listens there. Stop it, choose another address with \
             {flag}, or switch it off with `{flag} off`"
        ),
        _ => anyhow::anyhow!("cannot listen on {addr} for {name} ({flag}): {error}"),
    })
}

/// Accepts plain connections on the current worker, for ever.
pub async fn plain<H, F>(listener: std::net::TcpListener, gate: Arc<Gate>, handle: H)
where
    H: Fn(TcpStream, Peer) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    run(listener, gate, Rc::new(handle)).await;
}

/// Accepts TLS connections on the current worker, for ever. A handshake that takes longer than `deadline` is dropped.
pub async fn tls<H, F>(
    listener: std::net::TcpListener,
    gate: Arc<Gate>,
    config: Arc<rustls::ServerConfig>,
    deadline: Duration,
    handle: H,
) where
    H: Fn(TlsStream<TcpStream>, Peer) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let acceptor = TlsAcceptor::from(config);
    let handle = Rc::new(handle);
    let connect = move |stream: TcpStream, peer: Peer| {
        // The handshake's state is large and short-lived: boxed, it is gone when the session starts.
        let handshake = Box::pin(shake_hands(acceptor.accept(stream), deadline, peer));
        let handle = handle.clone();
        async move {
            let Some((stream, peer)) = handshake.await else { return };
            handle(stream, peer).await;
        }
    };
    run(listener, gate, Rc::new(connect)).await;
}

/// The stream, and the peer with what it showed; none if there is nothing to be had with it.
async fn shake_hands(
    accept: Accept<TcpStream>,
    deadline: Duration,
    peer: Peer,
) -> Option<(TlsStream<TcpStream>, Peer)> {
    match tokio::time::timeout(deadline, accept).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let certificate = x509::peer_certificate(shown).map(Arc::new);
            Some((stream, Peer { certificate, ..peer }))
        }
        Ok(Err(error)) => {
            connections::tls_failed("refused");
            tracing::debug!(%peer, %error, "TLS handshake failed");
            None
        }
        Err(_) => {
            connections::tls_failed("slow");
            tracing::debug!(%peer, "TLS handshake took too long");
            None
        }
    }
}

/// A connection that is served, and its place. No async block: that would hold what it awaits twice, as it was given and
/// as it is awaited.
struct Served<F> {
    session: Pin<Box<F>>,
    _pass: Pass,
}

impl<F: Future<Output = ()>> Future for Served<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.session.as_mut().poll(cx)
    }
}

async fn run<H, F>(listener: std::net::TcpListener, gate: Arc<Gate>, handle: Rc<H>)
where
    H: Fn(TcpStream, Peer) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "listener cannot be used");
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(pass) = gate.enter() else {
                    connections::refused();
                    continue;
                };
                // Acks are small writes that someone waits for.
                let _ = stream.set_nodelay(true);
                let peer = Peer { line: Line::of(&stream), ..peer.into() };
                let session = Box::pin(handle(stream, peer));
                actix_rt::spawn(Served { session, _pass: pass });
            }
            Err(error) => {
                // A client that left before we took it is its own business; out of files is ours.
                if !matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                ) {
                    tracing::warn!(%error, "accept failed, trying again");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

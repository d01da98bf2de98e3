//! The loop of a connection: take what was read, let receivers send, write, wait.
//!
//! A turn ends when neither side of the socket moves, no receiver has something new and no deadline has passed. Reading
//! stops while much output waits, so a client that does not read is felt by itself alone.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironhub_domain::auth::PeerCertificate;
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::limits::OUTPUT_BYTES_HIGH;
use ironhub_wire::amqp::{Connection, Error, condition};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::AmqpContext;
use super::asking::Asking;
use super::device::Devices;
use super::grants::Grants;
use super::link_map::LinkMap;
use super::links::{Link, Replies};
use super::service::Services;
use super::socket::{Socket, SocketEnd};
use crate::net::{Line, Peer};

/// Longest sleep; deadlines of the engine may be "never".
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The protocol says so.
    #[error("{0}")]
    Closed(String),
    /// The stream says so.
    #[error("{0}")]
    Socket(#[from] SocketEnd),
}

/// A live connection.
pub(super) struct Session<S> {
    socket: Socket<S>,
    pub(super) connection: Connection,
    pub(super) context: Arc<AmqpContext>,
    /// What the client showed in its TLS handshake.
    pub(super) certificate: Option<Arc<PeerCertificate>>,
    line: Line,
    pub(super) grants: Grants,
    pub(super) asking: Asking,
    pub(super) devices: Devices,
    /// None until a service attached a link.
    pub(super) services: Option<Box<Services>>,
    /// All but those of devices and services.
    pub(super) links: LinkMap<Link>,
    pub(super) replies: Replies,
    /// It authenticated with PLAIN: its token is all it ever has.
    pub(super) plain: bool,
    /// Until when it must have a token; `None` before `open` and once it had one.
    pub(super) token_due: Option<Instant>,
    /// When receivers that are redirected are told so at the latest.
    pub(super) redirect_due: Option<Instant>,
    /// When the next of its tokens stops to count.
    pub(super) tokens_end: Option<UnixMs>,
    pub(super) ended: Option<String>,
    started: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn new(stream: S, peer: Peer, context: Arc<AmqpContext>) -> Self {
        let owners = &context.options.devices;
        let devices = Devices::new(owners.clone());
        let grace_ms = u64::try_from(context.options.token_grace.as_millis()).unwrap_or(u64::MAX);
        Self {
            socket: Socket::new(stream),
            connection: Connection::new(context.connection.clone(), 0),
            certificate: peer.certificate,
            line: peer.line,
            grants: Grants::new(grace_ms),
            asking: Asking::new(owners.clone(), devices.inbox().clone()),
            devices,
            context,
            services: None,
            links: LinkMap::default(),
            replies: Replies::default(),
            plain: false,
            token_due: None,
            redirect_due: None,
            tokens_end: None,
            ended: None,
            started: Instant::now(),
        }
    }

    /// Runs until the connection has to end.
    pub(super) async fn run(&mut self) -> Ended {
        let mut draining = self.context.options.draining.clone();
        let mut draining = pin!(async move {
            // Without a sender there will be no draining.
            if draining.wait_for(|draining| *draining).await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let mut timer = pin!(sleep_until(self.deadline()));
        let mut told = false;
        loop {
            self.work();
            if self.connection.is_closed() && self.connection.output().is_empty() {
                let why = self.ended.take();
                return Ended::Closed(why.unwrap_or_else(|| "closed".to_owned()));
            }
            let turn = poll_fn(|cx| {
                if !told && draining.as_mut().poll(cx).is_ready() {
                    told = true;
                    let text = "the hub is shutting down";
                    self.close_with(Error::new(condition::CONNECTION_FORCED, text));
                    return Poll::Ready(Ok(()));
                }
                self.poll_turn(cx, timer.as_mut())
            });
            if let Err(end) = turn.await {
                return end.into();
            }
        }
    }

    /// Closes the stream; receivers give their places back before that.
    pub(super) async fn close(mut self) {
        self.clear_services();
        drop((self.links, self.devices, self.connection));
        self.socket.close().await;
    }

    /// Everything that needs no waiting.
    fn work(&mut self) {
        // Before anything is taken: it may be the end.
        let flushed = self.connection.output().is_empty() && self.socket.is_flushed();
        self.devices.look(flushed, self.line);
        let now = self.now();
        while let Some(event) = self.connection.poll(&mut self.socket.input, now) {
            self.on_event(event);
        }
        self.check_deadlines();
        self.work_tokens();
        self.work_devices();
        self.send_replies();
        self.pump();
        self.socket.shrink();
    }

    /// Lets each receiver send in turn; one that cannot go on is detached.
    fn pump(&mut self) {
        let now = wall_clock();
        let mut failed = Vec::new();
        for (id, link) in self.links.iter_mut() {
            if let Link::Receiver(receiver) = link
                && let Err(error) = receiver.pump(id, &mut self.connection, now)
            {
                failed.push((id, error));
            }
        }
        for (id, error) in failed {
            self.detach(id, error);
        }
    }

    /// Ready when something moved: then there is work.
    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        timer: Pin<&mut Sleep>,
    ) -> Poll<Result<(), SocketEnd>> {
        match self.try_turn(cx, timer) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(end) => Poll::Ready(Err(end)),
        }
    }

    fn try_turn(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
    ) -> Result<bool, SocketEnd> {
        let now = self.now();
        let mut moved = self.socket.poll_write(cx, &mut self.connection, now)?;
        let full = self.connection.output_len() >= OUTPUT_BYTES_HIGH
            || self.devices.is_full()
            || self.services.as_ref().is_some_and(|services| services.is_full());
        if !full && !self.connection.is_closed() {
            moved |= self.socket.poll_read(cx)?;
        }
        moved |= self.devices.inbox().poll(cx);
        moved |= self.poll_receivers(cx);
        if let (Some(services), Some(router)) = (&mut self.services, &self.context.options.services)
        {
            moved |= services.poll(cx, &mut self.connection, router);
        }
        if moved {
            return Ok(true);
        }
        self.connection.shrink();
        // Looked at before it is set anew: a deadline that is always "now" would otherwise never come.
        let mut due = timer.as_mut().poll(cx).is_ready();
        if !due {
            timer.as_mut().reset(self.deadline());
            due = timer.as_mut().poll(cx).is_ready();
        }
        if due {
            timer.reset(Instant::now() + SLEEP_MAX);
            self.connection.tick(now);
        }
        Ok(due)
    }

    fn poll_receivers(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        let mut failed = Vec::new();
        for (id, link) in self.links.iter_mut() {
            if let Link::Receiver(receiver) = link {
                match receiver.poll(cx) {
                    Ok(news) => moved |= news,
                    Err(error) => failed.push((id, error)),
                }
            }
        }
        moved |= !failed.is_empty();
        for (id, error) in failed {
            self.detach(id, error);
        }
        moved
    }

    /// When something is due at the latest.
    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let engine = Duration::from_millis(self.connection.next_deadline());
        let mut deadline = (self.started + engine.min(SLEEP_MAX)).min(now + SLEEP_MAX);
        if let Some(due) = self.token_due {
            deadline = deadline.min(due);
        }
        let services = self.services.as_ref().and_then(|services| services.due());
        let dues = [self.socket.stalls_at(), self.devices.deadline(), services, self.redirect_due];
        for due in dues.into_iter().flatten() {
            deadline = deadline.min(due);
        }
        if let Some(end) = self.tokens_end {
            let left = Duration::from_millis(end.0.saturating_sub(wall_clock().0));
            deadline = deadline.min(now + left.min(SLEEP_MAX));
        }
        deadline
    }

    /// Until when a client must be known.
    pub(super) fn handshake_ends(&self) -> Instant {
        self.started + self.context.options.handshake_timeout
    }

    /// Milliseconds since the connection began.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds since 1970, for tokens and for what receivers are told.
pub(super) fn wall_clock() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

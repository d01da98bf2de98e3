//! Links that receive feedback or file notifications (service-protocols.md 3.5, 3.6).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::notice::{FEEDBACK_TYPE, FILE_UPLOAD_TYPE, Notice, NoticeKind};
use ironhub_wire::amqp::limits::OUTPUT_BYTES_HIGH;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::SenderSettleMode;
use ironhub_wire::amqp::{
    Attach, Connection, DeliveryState, LinkId, MessageId, Properties, Symbol, Text,
};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::amqp::errors;
use crate::amqp::session::wall_clock;
use crate::router::{NoticeBatch, Router};

/// How often a link with credit looks for notices.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Deliveries of one link that wait for their outcome; older ones have lost their locks.
const UNSETTLED_MAX: usize = 1024;

struct NoticeLink {
    link: LinkId,
    kind: NoticeKind,
    /// The client wants messages settled: they are complete when they are sent.
    settled: bool,
    unsettled: VecDeque<(u32, LockToken)>,
}

/// An outcome on its way to the notices, and what the client waits for.
struct Settling {
    link: LinkId,
    /// `None` if the client settled already.
    delivery: Option<u32>,
    state: Option<DeliveryState>,
    result: oneshot::Receiver<Result<(), HubError>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct NoticeLinks {
    links: Vec<NoticeLink>,
    settling: VecDeque<Settling>,
    look_again: Option<Instant>,
}

impl NoticeLinks {
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (LinkId, NoticeKind)> {
        self.links.iter().map(|link| (link.link, link.kind))
    }

    pub(super) fn open(&mut self, link: LinkId, attach: &Attach, kind: NoticeKind) {
        let settled = attach.snd_settle_mode == Some(SenderSettleMode::Settled);
        self.links.push(NoticeLink { link, kind, settled, unsettled: VecDeque::new() });
        self.look_again = None;
    }

    pub(super) fn on_disposition(
        &mut self,
        link: LinkId,
        (delivery, settled): (u32, bool),
        state: Option<&DeliveryState>,
        router: &Router,
    ) -> bool {
        let Some(notices) = self.links.iter_mut().find(|notices| notices.link == link) else {
            return false;
        };
        // One SDK tells an outcome twice; the second finds nothing.
        let Some(at) = notices.unsettled.iter().position(|(number, _)| *number == delivery) else {
            return true;
        };
        let Some((_, lock)) = notices.unsettled.remove(at) else { return true };
        let result = settle(router, notices.kind, lock, settlement(state));
        let delivery = (!settled).then_some(delivery);
        self.settling.push_back(Settling { link, delivery, state: state.cloned(), result });
        true
    }

    /// A client that drains gets what is there now and the rest of its credit back; one that grants credit need not wait
    /// for the next look.
    pub(super) fn on_sendable(
        &mut self,
        link: LinkId,
        drain: bool,
        connection: &mut Connection,
        router: &Router,
    ) -> bool {
        if !self.links.iter().any(|notices| notices.link == link) {
            return false;
        }
        self.look_again = None;
        if drain {
            self.send(connection, router);
            connection.drained(link);
        }
        true
    }

    pub(super) fn on_detached(&mut self, link: LinkId, router: &Router) {
        if let Some(at) = self.links.iter().position(|notices| notices.link == link) {
            give_back(&self.links.remove(at), router);
        }
    }

    pub(super) fn clear(&mut self, router: &Router) {
        self.links.drain(..).for_each(|notices| give_back(&notices, router));
    }

    /// Tells clients that settle second what became of their outcomes.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> bool {
        let before = self.settling.len();
        self.settling.retain_mut(|settling| {
            let Poll::Ready(answer) = Pin::new(&mut settling.result).poll(cx) else { return true };
            let state = match answer.unwrap_or(Err(HubError::ShuttingDown)) {
                Ok(()) => settling.state.take(),
                Err(error) => Some(DeliveryState::rejected(errors::error(&error))),
            };
            if let Some(delivery) = settling.delivery {
                connection.settle_sent(settling.link, delivery, state);
            }
            false
        });
        before != self.settling.len()
    }

    /// Sends what is there, as far as credit and output go.
    pub(super) fn send(&mut self, connection: &mut Connection, router: &Router) -> bool {
        if self.links.is_empty() || self.look_again.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        let mut sent = false;
        for notices in &mut self.links {
            while connection.can_send(notices.link) && connection.output_len() < OUTPUT_BYTES_HIGH {
                let Some(batch) = router.notices().take(notices.kind, wall_clock()) else { break };
                sent |= notices.send(&batch, connection, router);
            }
        }
        self.look_again = Some(Instant::now() + LOOK_EVERY);
        sent
    }

    /// When to look again; never without links.
    pub(super) fn due(&self) -> Option<Instant> {
        self.look_again.filter(|_| !self.links.is_empty())
    }
}

impl NoticeLink {
    fn send(&mut self, batch: &NoticeBatch, connection: &mut Connection, router: &Router) -> bool {
        // Exactly sixteen bytes: one SDK makes the lock token of them.
        let tag = Bytes::copy_from_slice(&batch.lock.0);
        let message = render(batch, router.hub_host());
        match connection.send(self.link, tag, self.settled, message) {
            Ok(_) if self.settled => {
                drop(settle(router, self.kind, batch.lock, Settlement::Complete));
                true
            }
            Ok(number) => {
                if self.unsettled.len() >= UNSETTLED_MAX
                    && let Some((oldest, _)) = self.unsettled.pop_front()
                {
                    connection.settle_sent(self.link, oldest, None);
                }
                self.unsettled.push_back((number, batch.lock));
                true
            }
            Err(_) => {
                router.notices().release(self.kind, batch.lock);
                false
            }
        }
    }
}

/// What was sent and has no outcome waits for another receiver.
fn give_back(notices: &NoticeLink, router: &Router) {
    for (_, lock) in &notices.unsettled {
        router.notices().release(notices.kind, *lock);
    }
}

fn settle(
    router: &Router,
    kind: NoticeKind,
    lock: LockToken,
    how: Settlement,
) -> oneshot::Receiver<Result<(), HubError>> {
    let (answer, result) = oneshot::channel();
    let router = router.clone();
    actix_rt::spawn(async move {
        // A connection that is gone does not wait for it.
        let _ = answer.send(router.notices().settle(kind, lock, how, wall_clock()).await);
    });
    result
}

/// Accepted completes, rejected drops, everything else gives back (service-protocols.md 3.5).
fn settlement(state: Option<&DeliveryState>) -> Settlement {
    match state {
        Some(DeliveryState::Accepted) => Settlement::Complete,
        Some(DeliveryState::Rejected(_)) => Settlement::Reject,
        Some(
            DeliveryState::Released
            | DeliveryState::Modified { .. }
            | DeliveryState::Received { .. }
            | DeliveryState::Other(_),
        )
        | None => Settlement::Abandon,
    }
}

fn render(batch: &NoticeBatch, hub_host: &str) -> Bytes {
    let feedback = matches!(batch.notices.first(), Some(Notice::Feedback { .. }));
    let (content_type, body) = if feedback {
        (FEEDBACK_TYPE, Value::Array(batch.notices.iter().map(Notice::json).collect()))
    } else {
        let one = batch.notices.first().map_or(Value::Null, Notice::json);
        (FILE_UPLOAD_TYPE, one)
    };
    let newest = batch.notices.iter().map(Notice::at).max().unwrap_or_default();
    let enqueued = i64::try_from(newest.0).unwrap_or(i64::MAX);
    // C# dereferences the user id: it is the hub's name.
    let hub_name = hub_host.split('.').next().unwrap_or(hub_host);
    let properties = Properties {
        message_id: Some(MessageId::String(Text::from(batch.lock.to_string()))),
        user_id: Some(Bytes::copy_from_slice(hub_name.as_bytes())),
        content_type: Some(Symbol::lossy(content_type)),
        creation_time: Some(enqueued),
        ..Properties::default()
    };
    MessageBuilder::with_capacity(1024)
        .header(true, batch.delivery_count)
        .message_annotations(|map| {
            map.symbol("iothub-enqueuedtime").timestamp(enqueued);
            map.symbol("iothub-deliverycount")
                .ubyte(u8::try_from(batch.delivery_count).unwrap_or(u8::MAX));
            map.symbol("x-opt-lock-token").text(&batch.lock.to_string());
        })
        .properties(&properties)
        .data(body.to_string().as_bytes())
        .finish()
}

//! What a session has under way with its device's owner beside telemetry: twin requests, settlements, stored
//! subscriptions.
//!
//! Requests go out in the order they came, a few at a time, and are answered in that order. A session that has none holds
//! no memory for them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::device::StoredSession;
use ironhub_wire::mqtt::device_topic::twin_response;
use ironhub_wire::mqtt::encode;
use ironhub_wire::mqtt::packet::{Delivery, PacketId, QoS};
use tokio::time::Instant;

use super::outbox::Outbox;
use super::wall_clock;
use crate::router::DeviceSession;
use crate::router::request::{DeviceTwin, Pending};

/// Requests of one session that the owner has at a time: fewer than its mailbox holds, so that one session cannot fill it.
const ASKED_MAX: usize = 4;
/// Reading pauses while so many requests wait for their turn.
const WAITING_MAX: usize = 32;
/// How soon a busy owner is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// What the client is told when its subscriptions are stored.
pub(super) enum Told {
    Suback { id: PacketId, codes: Vec<Option<QoS>> },
    Unsuback { id: PacketId },
}

/// Something the owner is to be asked.
pub(super) enum Ask {
    Twin {
        rid: Box<str>,
    },
    Patch {
        rid: Box<str>,
        version: Option<Box<str>>,
        patch: Bytes,
    },
    Settle {
        lock: LockToken,
        how: Settlement,
    },
    Store {
        session: StoredSession,
        told: Told,
    },
    /// Nothing is asked, only told in turn.
    Tell {
        told: Told,
    },
}

enum Asked {
    Twin {
        rid: Box<str>,
        reply: Pending<DeviceTwin>,
    },
    Patch {
        rid: Box<str>,
        reply: Pending<u64>,
    },
    Settle {
        reply: Pending<()>,
    },
    Store {
        reply: Pending<()>,
        told: Told,
    },
    Told {
        told: Told,
    },
    /// Refused before it was asked.
    Refused {
        rid: Box<str>,
        error: HubError,
    },
}

/// See the module.
#[derive(Default)]
pub(super) struct Exchange {
    waiting: VecDeque<Ask>,
    asked: VecDeque<Asked>,
    /// The owner was busy: not before this.
    again: Option<Instant>,
}

/// What became of the requests that were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Subscriptions that wait to count do now.
    pub(super) subscribed: bool,
    /// The client was shown the desired properties of this version.
    pub(super) shown: Option<u64>,
}

impl Exchange {
    pub(super) fn ask(&mut self, ask: Ask) {
        self.waiting.push_back(ask);
    }

    pub(super) fn is_full(&self) -> bool {
        WAITING_MAX <= self.waiting.len()
    }

    /// Subscriptions are being stored.
    pub(super) fn stores(&self) -> bool {
        let waiting = |ask: &Ask| matches!(ask, Ask::Store { .. } | Ask::Tell { .. });
        let asked = |asked: &Asked| matches!(asked, Asked::Store { .. } | Asked::Told { .. });
        self.waiting.iter().any(waiting) || self.asked.iter().any(asked)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.asked.is_empty()
    }

    /// When a busy owner is asked again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.again
    }

    /// Asks what can be asked and writes the answers that came; the task is woken by the next one. `wanted` says whether
    /// the client subscribed to answers: without that a patch is carried out and its answer dropped
    /// (device-protocols.md 2.11).
    ///
    /// An error ends the connection: subscriptions could not be stored, which the client takes for kept.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        device: &DeviceSession,
        wanted: bool,
        outbox: &mut Outbox,
    ) -> Result<Progress, HubError> {
        let mut progress = Progress::default();
        loop {
            self.hand_over(device);
            let Some(first) = self.asked.front_mut() else { return Ok(progress) };
            let answered = match first {
                Asked::Twin { rid, reply } => settled(reply, cx).map(|twin| {
                    let version = twin.as_ref().ok().map(|twin| twin.desired_version);
                    // A client that asks without having subscribed to answers does not learn anything.
                    progress.shown = progress.shown.max(version.filter(|_| wanted));
                    let shown = twin.map(|twin| (200, None, twin.body));
                    respond(rid, shown, wanted, outbox);
                }),
                Asked::Patch { rid, reply } => settled(reply, cx).map(|version| {
                    let shown = version.map(|version| (204, Some(version), Bytes::new()));
                    respond(rid, shown, wanted, outbox);
                }),
                Asked::Refused { rid, error } => {
                    respond(rid, Err(error.clone()), wanted, outbox);
                    Poll::Ready(())
                }
                // A lock that was lost meanwhile is nothing that MQTT could tell: the message comes again.
                Asked::Settle { reply } => settled(reply, cx).map(drop),
                Asked::Store { reply, told } => match settled(reply, cx) {
                    Poll::Ready(stored) => {
                        stored?;
                        progress.subscribed = true;
                        told.write(outbox);
                        Poll::Ready(())
                    }
                    Poll::Pending => Poll::Pending,
                },
                Asked::Told { told } => {
                    progress.subscribed = true;
                    told.write(outbox);
                    Poll::Ready(())
                }
            };
            if answered.is_pending() {
                return Ok(progress);
            }
            self.asked.pop_front();
        }
    }

    fn hand_over(&mut self, device: &DeviceSession) {
        if self.again.is_some_and(|again| Instant::now() < again) {
            return;
        }
        self.again = None;
        while self.asked.len() < ASKED_MAX
            && let Some(ask) = self.waiting.pop_front()
        {
            match hand_over(ask, device) {
                Ok(asked) => self.asked.push_back(asked),
                Err(ask) => {
                    self.waiting.push_front(ask);
                    self.again = Some(Instant::now() + BUSY_PAUSE);
                    return;
                }
            }
        }
    }
}

/// Asks the owner; the request comes back when there is no room for it.
fn hand_over(ask: Ask, device: &DeviceSession) -> Result<Asked, Ask> {
    match ask {
        Ask::Twin { rid } => match device.twin() {
            Ok(reply) => Ok(Asked::Twin { rid, reply }),
            Err(HubError::Busy) => Err(Ask::Twin { rid }),
            Err(error) => Ok(Asked::Refused { rid, error }),
        },
        Ask::Patch { rid, version, patch } => {
            let asked = match version.as_deref().map(str::parse).transpose() {
                Ok(version) => device.patch_reported(patch.clone(), version),
                Err(_) => Err(HubError::InvalidArgument("$version is no number".into())),
            };
            match asked {
                Ok(reply) => Ok(Asked::Patch { rid, reply }),
                Err(HubError::Busy) => Err(Ask::Patch { rid, version, patch }),
                Err(error) => Ok(Asked::Refused { rid, error }),
            }
        }
        Ask::Settle { lock, how } => match device.settle_c2d(lock, how) {
            Ok(reply) => Ok(Asked::Settle { reply }),
            Err(HubError::Busy) => Err(Ask::Settle { lock, how }),
            Err(error) => Ok(Asked::Settle { reply: refused(error) }),
        },
        Ask::Store { session, told } => match device.store(session.clone()) {
            Ok(reply) => Ok(Asked::Store { reply, told }),
            Err(HubError::Busy) => Err(Ask::Store { session, told }),
            Err(error) => Ok(Asked::Store { reply: refused(error), told }),
        },
        Ask::Tell { told } => Ok(Asked::Told { told }),
    }
}

/// The answer of an owner that did not take the request.
fn refused(error: HubError) -> Pending<()> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let _ = reply.send(Err(error));
    answer
}

fn settled<T>(reply: &mut Pending<T>, cx: &mut Context<'_>) -> Poll<Result<T, HubError>> {
    // The owner is gone without an answer only when its node stops.
    Pin::new(reply).poll(cx).map(|answer| answer.unwrap_or(Err(HubError::ShuttingDown)))
}

type Shown = Result<(u16, Option<u64>, Bytes), HubError>;

fn respond(rid: &str, shown: Shown, wanted: bool, outbox: &mut Outbox) {
    if !wanted {
        return;
    }
    let (status, version, body) = match shown {
        Ok(shown) => shown,
        Err(error) => {
            let tracking_id: u128 = rand::random();
            tracing::debug!(tracking_id = %format_args!("{tracking_id:032x}"), %error, "twin request refused");
            (error.code().status(), None, error.body(tracking_id, wall_clock()).into())
        }
    };
    publish_at_most_once(outbox, &twin_response(status, rid, version), &body);
}

/// Twin answers, desired properties and methods travel at QoS 0 whatever was granted (device-protocols.md 2.8).
pub(super) fn publish_at_most_once(outbox: &mut Outbox, topic: &str, body: &[u8]) {
    let out = outbox.end();
    match encode::publish_header(out, topic, Delivery::AtMostOnce, false, false, body.len()) {
        Ok(()) => out.extend_from_slice(body),
        // Only a request id of tens of kilobytes can do that, and its sender alone misses the answer.
        Err(error) => tracing::debug!(%error, "an answer does not fit MQTT"),
    }
}

impl Told {
    pub(super) fn write(&self, outbox: &mut Outbox) {
        match self {
            Self::Suback { id, codes } => encode::suback(outbox.end(), *id, codes),
            Self::Unsuback { id } => encode::unsuback(outbox.end(), *id),
        }
    }
}

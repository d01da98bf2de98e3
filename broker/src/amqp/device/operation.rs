//! What an identity asked its owner for and is not answered yet.

use std::pin::Pin;
use std::task::{Context, Poll};

use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_wire::amqp::{DeliveryState, LinkId, MessageId};
use tokio::sync::oneshot;

use super::flight::Owed;
use super::owner::LiveSession;
use crate::router::request::{Connected, Credentials, DeviceTwin, Pending};

/// A request on a twin link.
pub(super) struct Asked {
    pub(super) owed: Owed,
    pub(super) correlation: Option<MessageId>,
}

/// One request to the owner.
pub(super) enum Operation {
    /// The twin.
    Twin { asked: Asked, pending: Pending<DeviceTwin> },
    /// A patch of the reported properties.
    Patch { asked: Asked, pending: Pending<u64> },
    /// The end of a cloud-to-device message's delivery.
    Settle(Settle),
    /// New credentials. `pending` is `None` while the owner is too busy to be asked.
    Renew { credentials: Credentials, pending: Option<Pending<Connected>> },
}

/// See [`Operation::Settle`].
pub(super) struct Settle {
    pub(super) link: LinkId,
    pub(super) delivery: u32,
    pub(super) lock: LockToken,
    pub(super) how: Settlement,
    /// The client waits for this to be confirmed.
    pub(super) confirm: Option<DeliveryState>,
    /// `None` while the owner is too busy to be asked.
    pub(super) pending: Option<Pending<()>>,
}

/// How an operation ended.
pub(super) enum Done {
    Twin(Asked, Result<DeviceTwin, HubError>),
    Patched(Asked, Result<u64, HubError>),
    Settled(Settle, Result<(), HubError>),
    Renewed(Result<Connected, HubError>),
}

/// What polling an operation gave.
pub(super) enum Progress {
    Done(Done),
    Waiting(Operation),
    /// The owner was too busy to be asked: it must be polled again a little later.
    Busy(Operation),
}

impl Operation {
    /// Asks whether it has ended.
    pub(super) fn poll(self, cx: &mut Context<'_>, session: &dyn LiveSession) -> Progress {
        match self {
            Self::Twin { asked, mut pending } => match ready(cx, &mut pending) {
                Some(result) => Progress::Done(Done::Twin(asked, result)),
                None => Progress::Waiting(Self::Twin { asked, pending }),
            },
            Self::Patch { asked, mut pending } => match ready(cx, &mut pending) {
                Some(result) => Progress::Done(Done::Patched(asked, result)),
                None => Progress::Waiting(Self::Patch { asked, pending }),
            },
            Self::Settle(mut settle) => {
                let (lock, how) = (settle.lock, settle.how);
                match ask(cx, &mut settle.pending, || session.settle_c2d(lock, how)) {
                    Asking::Done(result) => Progress::Done(Done::Settled(settle, result)),
                    Asking::Waiting => Progress::Waiting(Self::Settle(settle)),
                    Asking::Busy => Progress::Busy(Self::Settle(settle)),
                }
            }
            Self::Renew { credentials, mut pending } => {
                match ask(cx, &mut pending, || session.renew(credentials.clone())) {
                    Asking::Done(result) => Progress::Done(Done::Renewed(result)),
                    Asking::Waiting => Progress::Waiting(Self::Renew { credentials, pending }),
                    Asking::Busy => Progress::Busy(Self::Renew { credentials, pending }),
                }
            }
        }
    }
}

enum Asking<T> {
    Done(Result<T, HubError>),
    Waiting,
    Busy,
}

fn ask<T>(
    cx: &mut Context<'_>,
    pending: &mut Option<Pending<T>>,
    start: impl FnOnce() -> Result<Pending<T>, HubError>,
) -> Asking<T> {
    let answer = match pending {
        Some(answer) => answer,
        None => match start() {
            Ok(answer) => pending.insert(answer),
            Err(HubError::Busy) => return Asking::Busy,
            Err(error) => return Asking::Done(Err(error)),
        },
    };
    ready(cx, answer).map_or(Asking::Waiting, Asking::Done)
}

fn ready<T>(
    cx: &mut Context<'_>,
    pending: &mut oneshot::Receiver<Result<T, HubError>>,
) -> Option<Result<T, HubError>> {
    match Pin::new(pending).poll(cx) {
        // The owner is gone without an answer only when its node stops.
        Poll::Ready(answer) => Some(answer.unwrap_or(Err(HubError::ShuttingDown))),
        Poll::Pending => None,
    }
}

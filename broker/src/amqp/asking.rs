//! Tokens under examination: one after the other, in the order they came, because an owner's answer may take a moment.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ironhub_domain::HubError;
use ironhub_domain::auth::Principal;
use ironhub_domain::time::UnixMs;
use ironhub_wire::amqp::LinkId;
use tokio::task::JoinHandle;

use super::cbs::{Shower, Shown};
use super::device::DeviceOwners;
use super::device::bell::{Bell, Inbox};
use super::grants::Bearer;
use super::requests::Request;
use crate::router::request::Credentials;

/// Put-token requests that wait, over all links of a connection.
pub(super) const WAITING_MAX: usize = 100;

/// A put-token request and the delivery it came in.
pub(super) struct PutToken {
    pub(super) link: LinkId,
    pub(super) delivery: u32,
    pub(super) settled: bool,
    pub(super) request: Request,
}

/// Who asked.
pub(super) enum Asker {
    Put(Box<PutToken>),
    Plain,
}

/// A token that was found good.
pub(super) struct Good {
    pub(super) audience: String,
    pub(super) token: String,
    pub(super) bearer: Bearer,
    pub(super) expires: UnixMs,
}

impl Good {
    /// A token that a policy signed.
    pub(super) fn of_policy(shown: Shown, principal: Principal) -> Self {
        let Shown { audience, token, .. } = shown;
        Self { audience, token, expires: principal.expires, bearer: Bearer::Policy(principal) }
    }
}

type Verdict = Result<Good, HubError>;

/// See the module.
pub(super) struct Asking {
    owners: Arc<dyn DeviceOwners>,
    inbox: Arc<Inbox>,
    waiting: VecDeque<PutToken>,
    current: Option<Box<Asked>>,
}

/// The token that an owner is asked about.
struct Asked {
    asker: Asker,
    task: JoinHandle<Verdict>,
    /// Rings when the owner has answered.
    bell: Arc<Bell>,
}

impl Asking {
    pub(super) fn new(owners: Arc<dyn DeviceOwners>, inbox: Arc<Inbox>) -> Self {
        Self { owners, inbox, waiting: VecDeque::new(), current: None }
    }

    /// Takes a request; false if too many wait.
    pub(super) fn push(&mut self, put: PutToken) -> bool {
        let room = self.waiting.len() < WAITING_MAX;
        if room {
            self.waiting.push_back(put);
        }
        room
    }

    /// The next request, unless an owner is being asked about the one before.
    pub(super) fn next(&mut self) -> Option<PutToken> {
        if self.current.is_some() {
            return None;
        }
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        next
    }

    /// Asks the owner about a token that is not verified yet.
    pub(super) fn ask(&mut self, asker: Asker, shown: Shown) {
        let owners = self.owners.clone();
        let task = tokio::task::spawn_local(examine(owners, shown));
        // No identity has this number.
        let bell = Bell::new(self.inbox.clone(), u32::MAX);
        self.current = Some(Box::new(Asked { asker, task, bell }));
    }

    /// What the owner said, when it has.
    pub(super) fn poll(&mut self) -> Option<(Asker, Verdict)> {
        let current = self.current.as_mut()?;
        current.bell.heard();
        let waker = current.bell.waker();
        let mut cx = Context::from_waker(&waker);
        let Poll::Ready(verdict) = Pin::new(&mut current.task).poll(&mut cx) else {
            return None;
        };
        let verdict = verdict.unwrap_or_else(|error| Err(HubError::Internal(error.to_string())));
        self.current.take().map(|current| (current.asker, verdict))
    }
}

/// Asks each owner in turn until one knows the token.
async fn examine(owners: Arc<dyn DeviceOwners>, shown: Shown) -> Verdict {
    let (identities, policy) = match shown.bearer.clone() {
        Shower::Policy(principal) => return Ok(Good::of_policy(shown, principal)),
        Shower::Identities(identities, policy) => (identities, policy),
    };
    let Shown { audience, token, .. } = shown;
    let mut refused = HubError::Unauthorized("the token names nobody".to_owned());
    for identity in identities {
        let credentials = Credentials::token(token.clone());
        match owners.authenticate(identity.clone(), credentials).await {
            Ok(connected) => {
                let expires = connected.token_expires.unwrap_or_default();
                let bearer = policy.map_or(Bearer::Identity(identity), Bearer::Policy);
                return Ok(Good { audience, token, bearer, expires });
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The status that a refused token is answered with: an unknown or disabled device looks like a wrong key
/// (device-protocols.md 3.3).
pub(super) fn status(error: &HubError) -> i32 {
    match error {
        HubError::Busy
        | HubError::NoLeader { .. }
        | HubError::OutcomeUnknown
        | HubError::StorageFull
        | HubError::ShuttingDown => 503,
        HubError::Internal(_) => 500,
        HubError::InvalidId(_)
        | HubError::DeviceNotFound(_)
        | HubError::DeviceAlreadyExists(_)
        | HubError::ModuleNotFound(_)
        | HubError::ModuleAlreadyExists(_)
        | HubError::TooManyModules { .. }
        | HubError::CertificateNotFound(_)
        | HubError::PolicyNotFound(_)
        | HubError::JobNotFound(_)
        | HubError::JobAlreadyExists(_)
        | HubError::JobFinished(_)
        | HubError::TooManyJobs { .. }
        | HubError::ConfigurationNotFound(_)
        | HubError::ConfigurationAlreadyExists(_)
        | HubError::TooManyConfigurations { .. }
        | HubError::DefinedTwice(_)
        | HubError::TooManyItems { .. }
        | HubError::Malformed(_)
        | HubError::DeviceDisabled(_)
        | HubError::PreconditionFailed { .. }
        | HubError::Unauthorized(_)
        | HubError::Forbidden(_)
        | HubError::InvalidArgument(_)
        | HubError::MessageTooLarge { .. }
        | HubError::QueueFull { .. }
        | HubError::LockLost
        | HubError::InvalidExpiry(_)
        | HubError::NotOnline { .. }
        | HubError::DeviceWentAway
        | HubError::MethodTimeout { .. }
        | HubError::TooManyMethods { .. }
        | HubError::UploadNotFound(_)
        | HubError::UploadExpired
        | HubError::UploadBlobMissing(_)
        | HubError::TooManyUploads { .. }
        | HubError::SessionFenced => 401,
    }
}

//! The service endpoints: cloud-to-device messages in, feedback and file notifications out
//! (service-protocols.md 3.4 to 3.6).

mod attach;
mod message;
mod notices;
mod sending;

use std::task::Context;

use bytes::Bytes;
use ironhub_domain::notice::NoticeKind;
use ironhub_wire::amqp::{
    Attach, AttachReply, Connection, DeliveryState, Error, LinkId, Role, condition,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::router::Router;
use notices::NoticeLinks;
use sending::Sending;

/// Messages that a service may have under way on one link.
const SEND_CREDIT: u32 = 100;
/// Largest message that is taken in; one over the hub's own limit is rejected, and the link stays.
const MESSAGE_BYTES_MAX: u64 = 256 * 1024;
/// Service links of one connection.
const LINKS_MAX: usize = 64;

/// What a service link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceNode {
    /// `/messages/devicebound`
    DeviceBound,
    /// `/messages/servicebound/feedback`, `/messages/servicebound/filenotifications`
    Notices(NoticeKind),
}

impl ServiceNode {
    /// Reads an address without scheme, host and the slashes around.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let is = |word: &str| path.eq_ignore_ascii_case(word);
        if is("messages/devicebound") {
            Some(Self::DeviceBound)
        } else if is("messages/servicebound/feedback") {
            Some(Self::Notices(NoticeKind::Feedback))
        } else if is("messages/servicebound/filenotifications") {
            Some(Self::Notices(NoticeKind::FileUpload))
        } else {
            None
        }
    }

    /// The path that a token's scope must cover.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::DeviceBound => "messages/devicebound",
            Self::Notices(NoticeKind::Feedback) => "messages/servicebound/feedback",
            Self::Notices(NoticeKind::FileUpload) => "messages/servicebound/filenotifications",
        }
    }
}

/// The service links of a connection.
#[derive(Default)]
pub(super) struct Services {
    senders: Vec<LinkId>,
    sending: Sending,
    notices: NoticeLinks,
}

impl Services {
    /// Opens a link whose client may use it.
    pub(super) fn attach(
        &mut self,
        link: LinkId,
        attach: &Attach,
        node: ServiceNode,
    ) -> Result<AttachReply, Error> {
        if self.senders.len() + self.notices.len() >= LINKS_MAX {
            let text = format!("a connection has at most {LINKS_MAX} service links");
            return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
        let reply = AttachReply { max_message_size: MESSAGE_BYTES_MAX, ..AttachReply::default() };
        match (node, attach.role) {
            (ServiceNode::DeviceBound, Role::Sender) => {
                self.senders.push(link);
                Ok(AttachReply { credit: SEND_CREDIT, ..reply })
            }
            (ServiceNode::Notices(kind), Role::Receiver) => {
                self.notices.open(link, attach, kind);
                Ok(AttachReply { credit: 0, ..reply })
            }
            (ServiceNode::DeviceBound, Role::Receiver) => {
                Err(Error::new(condition::NOT_ALLOWED, "this address can only be sent to"))
            }
            (ServiceNode::Notices(_), Role::Sender) => {
                Err(Error::new(condition::NOT_ALLOWED, "this address can only be received from"))
            }
        }
    }

    /// Whether reading must wait until messages have reached their queues.
    pub(super) fn is_full(&self) -> bool {
        self.sending.is_full()
    }

    /// The nodes of the links, for a look at whether they are still allowed.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (LinkId, ServiceNode)> {
        let senders = self.senders.iter().map(|link| (*link, ServiceNode::DeviceBound));
        let notices = self.notices.kinds().map(|(link, kind)| (link, ServiceNode::Notices(kind)));
        senders.chain(notices)
    }

    /// Takes a message of a sender; false if the link is none of these.
    pub(super) fn on_transfer(
        &mut self,
        link: LinkId,
        (delivery, settled): (u32, bool),
        bytes: &Bytes,
        connection: &mut Connection,
        router: &Router,
    ) -> bool {
        if !self.senders.contains(&link) {
            return false;
        }
        let (identity, message) = match message::read(bytes) {
            Ok(read) => read,
            Err(error) if settled => {
                tracing::debug!(%error, "a message that came settled is dropped");
                connection.consumed(link);
                return true;
            }
            Err(error) => {
                connection.settle(link, delivery, DeliveryState::rejected(error));
                return true;
            }
        };
        let (answer, outcome) = oneshot::channel();
        let router = router.clone();
        // A task for each: messages of one device reach its mailbox in the order of the transfers, since tasks of a thread
        // start in the order they were made.
        actix_rt::spawn(async move {
            // A connection that is gone does not wait for its outcomes.
            let _ = answer.send(router.send_c2d(&identity, message).await);
        });
        let delivery = (!settled).then_some(delivery);
        self.sending.push(link, delivery, bytes.len(), outcome);
        true
    }

    /// An outcome of a notice; false if the link is none of these.
    pub(super) fn on_disposition(
        &mut self,
        link: LinkId,
        delivery: u32,
        settled: bool,
        state: Option<&DeliveryState>,
        router: &Router,
    ) -> bool {
        self.notices.on_disposition(link, (delivery, settled), state, router)
    }

    /// The client granted credit, and drains or does not; false if the link is none of these.
    pub(super) fn on_sendable(
        &mut self,
        link: LinkId,
        drain: bool,
        connection: &mut Connection,
        router: &Router,
    ) -> bool {
        self.notices.on_sendable(link, drain, connection, router)
    }

    /// The link is gone.
    pub(super) fn on_detached(&mut self, link: LinkId, router: &Router) {
        self.senders.retain(|sender| *sender != link);
        self.notices.on_detached(link, router);
    }

    /// All links are gone.
    pub(super) fn clear(&mut self, router: &Router) {
        self.senders.clear();
        self.notices.clear(router);
    }

    /// Tells outcomes that came, and sends notices that are there. True if something moved; the task is woken by more.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        router: &Router,
    ) -> bool {
        let told = self.sending.poll(cx, connection);
        let settled = self.notices.poll(cx, connection);
        let sent = self.notices.send(connection, router);
        told || settled || sent
    }

    /// When to look for notices again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.notices.due()
    }
}

//! What the links of a connection are for, and what their clients may do with them.

use std::collections::VecDeque;

use bytes::Bytes;
use ironhub_domain::auth::Permissions;
use ironhub_wire::amqp::{
    Attach, AttachReply, DeliveryState, Error, Event, LinkId, Role, Text, condition,
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::address::{self, Address};
use super::asking::PutToken;
use super::eventhub::{self, Attached, Receiver};
use super::metrics;
use super::requests::{Answer, Request};
use super::session::{Session, wall_clock};

/// Requests that a client may have under way on one link.
const REQUEST_CREDIT: u32 = 50;
/// Largest request: a token, or a question.
pub(super) const REQUEST_BYTES_MAX: u64 = 64 * 1024;
/// Answers that wait for a client's credit, over the whole connection.
const REPLIES_MAX: usize = 100;
/// Event receivers of one connection.
const RECEIVERS_MAX: usize = 256;

/// What a link is for. Each pair of request and reply links shares a session.
pub(super) enum Link {
    CbsRequests,
    CbsReplies,
    ManagementRequests,
    ManagementReplies {
        /// How the client calls its end.
        target: Option<Box<str>>,
    },
    Receiver(Box<Receiver>),
    /// Goes elsewhere as soon as its client grants credit.
    Redirected(Box<Error>),
}

/// Answers that wait for credit, oldest first.
#[derive(Default)]
pub(super) struct Replies(VecDeque<(LinkId, Bytes)>);

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::SaslPlain { user, password } => self.on_plain(&user, &password),
            Event::Opened(open) => {
                metrics::opened();
                tracing::debug!(container = %open.container_id, hostname = ?open.hostname, "AMQP connection opened");
                if !self.grants.any(wall_clock()) {
                    self.token_due = Some(self.handshake_ends());
                }
            }
            Event::Attach { link, attach } => self.on_attach(link, &attach),
            Event::Transfer { link, delivery, settled, format, message, .. } => {
                let (how, connection) = ((delivery, settled), &mut self.connection);
                if !self.devices.on_transfer(link, how, format, &message, connection)
                    && !self.service_transfer(link, how, &message)
                {
                    self.on_transfer(link, delivery, settled, &message);
                }
            }
            Event::Sendable { link, drain } => {
                if !self.devices.on_sendable(link, drain, &mut self.connection)
                    && !self.service_sendable(link, drain)
                {
                    self.on_sendable(link, drain);
                }
            }
            // Events are sent settled; some clients tell outcomes all the same.
            Event::Disposition { link, delivery, settled, state } => {
                if let Some(router) = &self.context.options.services
                    && let Some(services) = &mut self.services
                    && services.on_disposition(link, delivery, settled, state.as_ref(), router)
                {
                    return;
                }
                let connection = &mut self.connection;
                self.devices.on_disposition(link, delivery, settled, state, connection);
            }
            Event::Detached { link, .. } => {
                self.devices.on_detached(link);
                self.service_detached(link);
                self.links.remove(link);
            }
            Event::Closed { error } => {
                self.links.clear();
                self.devices.clear();
                self.clear_services();
                self.ended = error.map(|error| error.to_string());
            }
        }
    }

    fn on_sendable(&mut self, link: LinkId, drain: bool) {
        match self.links.get_mut(link) {
            Some(Link::Receiver(receiver)) => receiver.drain(drain),
            Some(Link::CbsReplies | Link::ManagementReplies { .. }) if drain => {
                self.send_replies();
                self.connection.drained(link);
            }
            Some(Link::Redirected(error)) => {
                let error = (**error).clone();
                self.detach(link, error);
            }
            Some(_) | None => {}
        }
    }

    fn on_attach(&mut self, link: LinkId, attach: &Attach) {
        let address = match attach.role {
            Role::Sender => attach.target.as_ref().and_then(|target| target.address.as_ref()),
            Role::Receiver => attach.source.as_ref().and_then(|source| source.address.as_ref()),
        };
        let text = address.map_or("", Text::as_str);
        let address = Address::parse(text);
        if self.plain && address::is_built_in(text) && address != Address::Unknown {
            // Whoever may not read there is not shown the way either.
            if self.authorize(&[address::relative(text).to_owned()]).is_ok() {
                return self.redirect(link, attach, text);
            }
        }
        let opened = match address {
            Address::Device(address) => self.attach_device(link, attach, address),
            Address::Service(node) => self.attach_service(link, attach, node),
            address => self.open_link(&address, attach).map(|(kind, reply)| {
                self.connection.accept(link, attach, reply);
                self.links.insert(link, kind);
            }),
        };
        if let Err(error) = opened {
            let told: &'static str = known(&error);
            metrics::refused(told);
            tracing::debug!(address = text, %error, "AMQP link refused");
            self.connection.refuse(link, attach, error);
        }
    }

    fn open_link(
        &mut self,
        address: &Address,
        attach: &Attach,
    ) -> Result<(Link, AttachReply), Error> {
        let requests = AttachReply {
            max_message_size: REQUEST_BYTES_MAX,
            credit: REQUEST_CREDIT,
            ..AttachReply::default()
        };
        let replies = AttachReply { credit: 0, ..requests.clone() };
        match (address, attach.role) {
            (Address::Cbs, Role::Sender) => Ok((Link::CbsRequests, requests)),
            (Address::Cbs, Role::Receiver) => Ok((Link::CbsReplies, replies)),
            // What may be asked, each request tells by itself, unless the client has logged in.
            (Address::Management { .. }, role) => {
                if self.plain {
                    self.authorize_management()?;
                }
                let target = attach.target.as_ref().and_then(|target| target.address.as_ref());
                let target = target.map(|target| target.as_str().into());
                Ok(match role {
                    Role::Sender => (Link::ManagementRequests, requests),
                    Role::Receiver => (Link::ManagementReplies { target }, replies),
                })
            }
            (Address::Partition { entity, group, partition }, Role::Receiver) => {
                self.open_receiver(entity, group, partition, attach)
            }
            (Address::Partition { .. }, Role::Sender) => Err(Error::new(
                condition::NOT_ALLOWED,
                "events are sent by devices; this address can only be received from",
            )),
            (Address::Unknown, _) if !self.grants.any(wall_clock()) => Err(unauthorized()),
            // Links of devices and services are not opened here.
            (Address::Device(_) | Address::Service(_) | Address::Unknown, _) => {
                Err(Error::new(condition::NOT_FOUND, "the hub has no node of this address"))
            }
        }
    }

    fn open_receiver(
        &mut self,
        entity: &str,
        group: &str,
        partition: &str,
        attach: &Attach,
    ) -> Result<(Link, AttachReply), Error> {
        let built_in = &self.context.options.events;
        let found = eventhub::find(built_in, entity);
        self.authorize(&eventhub::paths(&**found.as_ref().unwrap_or(built_in), group, partition))?;
        let Some(events) = found else {
            let text = eventhub::missing("event hub", entity);
            return Err(Error::new(condition::NOT_FOUND, text));
        };
        let receivers = self.links.values().filter(|link| matches!(link, Link::Receiver(_)));
        if receivers.count() >= RECEIVERS_MAX {
            let text = format!("a connection has at most {RECEIVERS_MAX} receivers");
            return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
        let Attached { receiver, reply } =
            eventhub::attach(&events, &self.context.receivers, attach, group, partition)?;
        // What went between the look and the seat has told its receivers already.
        if !built_in.has_log(events.log()) || !built_in.has_consumer_group(group) {
            let text = format!("there is no event hub {entity:?} with a consumer group {group:?}");
            return Err(Error::new(condition::NOT_FOUND, text));
        }
        Ok((Link::Receiver(Box::new(receiver)), reply))
    }

    fn on_transfer(&mut self, link: LinkId, delivery: u32, settled: bool, message: &Bytes) {
        let request = Request::read(message);
        let request = match (self.links.get(link), request) {
            (Some(Link::CbsRequests), Ok(request)) => {
                return self.on_put_token(PutToken { link, delivery, settled, request });
            }
            (_, request) => request,
        };
        // A request is settled before it is answered (service-protocols.md 3.1 E12).
        match (&request, settled) {
            (_, true) => self.connection.consumed(link),
            (Ok(_), false) => self.connection.settle(link, delivery, DeliveryState::Accepted),
            (Err(error), false) => {
                let state = DeliveryState::rejected(error.clone().into());
                self.connection.settle(link, delivery, state);
            }
        }
        let Ok(request) = request else { return };
        let answer = match self.links.get(link) {
            Some(Link::ManagementRequests) => self.answer_management(&request),
            Some(
                Link::CbsRequests
                | Link::CbsReplies
                | Link::ManagementReplies { .. }
                | Link::Receiver(_)
                | Link::Redirected(_),
            )
            | None => {
                return;
            }
        };
        self.reply(link, &request, &answer);
    }

    /// Answers a question about an event log. What the connection's tokens do not allow, the token that the question brings
    /// may: Java's SDK puts none for `$management` (service-protocols.md 4.3).
    fn answer_management(&mut self, request: &Request) -> Answer {
        let answer = match (self.managed(request), request.text("security_token")) {
            (Err(_), Some(token)) => match self.on_brought(token) {
                Ok(()) => self.managed(request),
                Err(refused) => return refused,
            },
            (answer, _) => answer,
        };
        let unauthorized = Some(condition::UNAUTHORIZED_ACCESS);
        answer.unwrap_or_else(|error| Answer::failed(401, unauthorized, &error.to_string()))
    }

    /// The answer as far as the connection's tokens go. Who may ask about nothing is not told what there is.
    fn managed(&self, request: &Request) -> Result<Answer, Error> {
        self.authorize_management()?;
        match eventhub::asked(request, &self.context.options.events) {
            Err(refusal) => Ok(refusal),
            Ok(source) => {
                self.authorize(&eventhub::management_paths(&*source))?;
                Ok(eventhub::answer(request, &*source))
            }
        }
    }

    /// Sends the answer to a request that came on `link`, now or when there is credit.
    pub(super) fn reply(&mut self, link: LinkId, request: &Request, answer: &Answer) {
        let Some(to) = self.reply_link(link, request) else {
            tracing::debug!("a request came without a link for its answer");
            return;
        };
        if self.replies.0.len() >= REPLIES_MAX {
            let text = "answers wait for credit that is not granted";
            return self.close_with(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
        self.replies.0.push_back((to, request.answer(answer)));
        self.send_replies();
    }

    /// The reply link of a request's session; of several, the one that the request names.
    fn reply_link(&self, requests: LinkId, request: &Request) -> Option<LinkId> {
        let management = matches!(self.links.get(requests), Some(Link::ManagementRequests));
        let named = request.reply_to.as_ref().map(Text::as_str);
        let mut fallback = None;
        for (id, link) in self.links.iter() {
            match link {
                Link::CbsReplies if !management && id.channel() == requests.channel() => {
                    return Some(id);
                }
                Link::ManagementReplies { target } if management => {
                    if named.is_some() && target.as_deref() == named {
                        return Some(id);
                    }
                    if id.channel() == requests.channel() {
                        fallback = Some(id);
                    }
                }
                _ => {}
            }
        }
        fallback
    }

    /// Sends the answers whose links have credit, each link's in order.
    pub(super) fn send_replies(&mut self) {
        if self.replies.0.is_empty() {
            return;
        }
        let (connection, links) = (&mut self.connection, &self.links);
        self.replies.0.retain(|(link, answer)| {
            if !links.contains(*link) {
                return false;
            }
            // What cannot be sent now goes when credit comes.
            !connection.can_send(*link)
                || connection.send(*link, Bytes::from_static(b"\0"), true, answer.clone()).is_err()
        });
        if self.replies.0.is_empty() {
            self.replies = Replies::default();
        }
    }

    pub(super) fn detach(&mut self, link: LinkId, error: Error) {
        tracing::debug!(%error, "AMQP link detached");
        self.links.remove(link);
        self.connection.detach(link, Some(error));
    }

    pub(super) fn close_with(&mut self, error: Error) {
        self.links.clear();
        self.devices.clear();
        self.ended = Some(error.to_string());
        self.connection.close(Some(error));
    }

    /// Whether the client may ask for the properties of any event log; which one, its requests tell.
    pub(super) fn authorize_management(&self) -> Result<(), Error> {
        let events = &self.context.options.events;
        let mut paths = eventhub::management_paths(&**events);
        paths.extend(events.others().iter().map(|name| format!("{name}/$management")));
        self.authorize(&paths)
    }

    /// Reading events and their properties takes ServiceConnect (service-protocols.md 1.1).
    pub(super) fn authorize(&self, paths: &[String]) -> Result<(), Error> {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        if self.grants.allow(Permissions::SERVICE_CONNECT, &paths, wall_clock()) {
            return Ok(());
        }
        Err(unauthorized())
    }
}

fn unauthorized() -> Error {
    let text = "no token of this connection allows this: it takes ServiceConnect on this address";
    Error::new(condition::UNAUTHORIZED_ACCESS, text)
}

/// The condition as a label: only those that refusals are made of.
fn known(error: &Error) -> &'static str {
    let ours = [
        condition::UNAUTHORIZED_ACCESS,
        condition::NOT_FOUND,
        condition::NOT_ALLOWED,
        condition::STOLEN,
        condition::RESOURCE_LIMIT_EXCEEDED,
        condition::ARGUMENT_ERROR,
        condition::INVALID_FIELD,
    ];
    ours.into_iter().find(|name| error.condition == *name).unwrap_or("other")
}

//! One session: windows, links, and what is on its way (OASIS AMQP 1.0 2.5, 2.6).
//!
//! Our end of a link uses the client's handle, and our end of a session the client's channel: every link and session
//! is begun by the client, so its numbers are free on our side too.

mod incoming;
mod outgoing;

use std::collections::VecDeque;

use super::condition;
use super::delivery::{Pending, Unsettled};
use super::event::{AttachReply, Event, LinkId};
use super::limits::{HANDLE_MAX, LINK_NAME_BYTES_MAX, LINKS_MAX, SESSION_WINDOW};
use super::link::{Link, Phase};
use super::outbox::Outbox;
use super::performative::{
    Attach, Begin, Detach, Disposition, Error, Flow, Performative, Role, Source, Target,
};

/// Up to so many links a session has room for no more than it has: those of one device, and of `$cbs`.
const LINKS_EXACT_MAX: usize = 8;

/// A violation that costs more than a link.
#[derive(Debug)]
pub(super) enum Fault {
    /// The session ends.
    Session(Error),
    /// The connection closes.
    Connection(Error),
}

/// State of a session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: u16,
    /// We ended it; everything is dropped until the client ends it too.
    pub(super) ended: bool,
    next_incoming_id: u32,
    incoming_window: u32,
    next_outgoing_id: u32,
    remote_incoming_window: u32,
    next_delivery: u32,
    /// Sorted by handle; no room for more than there are as long as they are few.
    links: Vec<Link>,
    pending: VecDeque<Pending>,
    unsettled: VecDeque<Unsettled>,
    /// Accepted deliveries that are not told yet, first and last: neighbours share a disposition.
    accepts: Option<(u32, u32)>,
}

impl Session {
    /// Takes the client's `begin` and answers it.
    pub(super) fn begin(channel: u16, begin: &Begin, outbox: &mut Outbox) -> Self {
        let reply = Begin {
            remote_channel: Some(channel),
            next_outgoing_id: 0,
            incoming_window: SESSION_WINDOW,
            outgoing_window: SESSION_WINDOW,
            handle_max: Some(HANDLE_MAX),
            properties: Some(Default::default()),
            ..Begin::default()
        };
        outbox.frame(channel, &Performative::Begin(Box::new(reply)));
        Self {
            channel,
            ended: false,
            next_incoming_id: begin.next_outgoing_id,
            incoming_window: SESSION_WINDOW,
            next_outgoing_id: 0,
            remote_incoming_window: begin.incoming_window,
            next_delivery: 0,
            links: Vec::new(),
            pending: VecDeque::new(),
            unsettled: VecDeque::new(),
            accepts: None,
        }
    }

    /// The client attaches a link.
    pub(super) fn on_attach(
        &mut self,
        attach: Box<Attach>,
        outbox: &mut Outbox,
    ) -> Result<(), Fault> {
        let handle = match u16::try_from(attach.handle) {
            Ok(handle) if attach.handle <= HANDLE_MAX => handle,
            _ => {
                let text = format!("handle {} is over {HANDLE_MAX}", attach.handle);
                return Err(Fault::Connection(Error::new(condition::FRAMING_ERROR, text)));
            }
        };
        let Err(place) = self.find(handle) else {
            let text = format!("handle {handle} is in use");
            return Err(Fault::Session(Error::new(condition::HANDLE_IN_USE, text)));
        };
        if outbox.links >= LINKS_MAX {
            let text = format!("more than {LINKS_MAX} links on a connection");
            return Err(Fault::Connection(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text)));
        }
        let role = match attach.role {
            Role::Sender => Role::Receiver,
            Role::Receiver => Role::Sender,
        };
        let link = LinkId { channel: self.channel, handle, serial: outbox.serial() };
        if self.links.len() < LINKS_EXACT_MAX {
            self.links.reserve_exact(1);
        }
        self.links.insert(place, Link::new(handle, link.serial, role));
        outbox.links += 1;
        if attach.coordinator {
            let error = Error::new(condition::NOT_IMPLEMENTED, "transactions are not offered");
            self.refuse(link, &attach, error, outbox);
        } else if attach.name.as_str().len() > LINK_NAME_BYTES_MAX {
            let error = Error::new(condition::INVALID_FIELD, "the link's name is too long");
            self.refuse(link, &attach, error, outbox);
        } else {
            outbox.events.push_back(Event::Attach { link, attach });
        }
        Ok(())
    }

    /// The client detaches a link.
    pub(super) fn on_detach(&mut self, detach: Detach, outbox: &mut Outbox) -> Result<(), Fault> {
        let (handle, link) = self.by_handle(detach.handle)?;
        let (serial, phase) = (link.serial, link.phase);
        let id = self.link_id(handle, serial);
        if phase != Phase::DetachSent {
            self.flush_accepts(outbox);
            let reply = Detach { handle: handle.into(), closed: detach.closed, error: None };
            outbox.frame(self.channel, &Performative::Detach(reply));
            outbox.events.push_back(Event::Detached { link: id, error: detach.error });
        }
        self.forget_deliveries(handle, outbox);
        self.links.retain(|link| link.handle != handle);
        outbox.links -= 1;
        Ok(())
    }

    /// Answers an attach.
    pub(super) fn accept(
        &mut self,
        id: LinkId,
        attach: &Attach,
        reply: AttachReply,
        outbox: &mut Outbox,
    ) {
        let channel = self.channel;
        let Some(link) = self.link(id) else { return };
        if link.phase != Phase::Attaching {
            return;
        }
        link.phase = Phase::Attached;
        link.message_bytes_max = reply.message_bytes_max.unwrap_or(reply.max_message_size);
        link.window = reply.credit;
        let (role, granted) = (link.role, link.credit);
        let answer = Attach {
            name: attach.name.clone(),
            handle: id.handle.into(),
            role,
            snd_settle_mode: reply.snd_settle_mode.or(attach.snd_settle_mode),
            rcv_settle_mode: reply.rcv_settle_mode.or(attach.rcv_settle_mode),
            source: Some(reply.source.or_else(|| attach.source.clone()).unwrap_or_default()),
            target: Some(reply.target.or_else(|| attach.target.clone()).unwrap_or_default()),
            initial_delivery_count: (role == Role::Sender).then_some(0),
            max_message_size: Some(reply.max_message_size),
            offered_capabilities: reply.offered_capabilities,
            properties: Some(reply.properties),
            ..Attach::default()
        };
        outbox.frame(channel, &Performative::Attach(Box::new(answer)));
        match role {
            Role::Receiver => self.top_up(id, outbox),
            Role::Sender if granted > 0 => {
                outbox.events.push_back(Event::Sendable { link: id, drain: false });
            }
            Role::Sender => {}
        }
    }

    /// Refuses an attach: the answer the protocol demands, then a detach with the reason. A client that sends sees a
    /// null target, one that receives sees empty termini (service-protocols.md 3.7, E7).
    pub(super) fn refuse(
        &mut self,
        id: LinkId,
        attach: &Attach,
        error: Error,
        outbox: &mut Outbox,
    ) {
        let channel = self.channel;
        let Some(link) = self.link(id) else { return };
        if link.phase != Phase::Attaching {
            return;
        }
        let role = link.role;
        let answer = Attach {
            name: attach.name.clone(),
            handle: id.handle.into(),
            role,
            source: Some(Source::default()),
            target: (role == Role::Sender).then(Target::default),
            initial_delivery_count: (role == Role::Sender).then_some(0),
            properties: Some(Default::default()),
            ..Attach::default()
        };
        outbox.frame(channel, &Performative::Attach(Box::new(answer)));
        self.detach(id, Some(error), outbox);
    }

    /// Detaches a link. The owner hears nothing of it any more.
    pub(super) fn detach(&mut self, id: LinkId, error: Option<Error>, outbox: &mut Outbox) {
        let Some(link) = self.link(id) else { return };
        if link.phase == Phase::DetachSent {
            return;
        }
        link.phase = Phase::DetachSent;
        self.forget_deliveries(id.handle, outbox);
        self.flush_accepts(outbox);
        let detach = Detach { handle: id.handle.into(), closed: true, error: error.map(Box::new) };
        outbox.frame(self.channel, &Performative::Detach(detach));
    }

    /// A link broke its rules: detaches it and tells the owner.
    fn expel(&mut self, id: LinkId, error: Error, outbox: &mut Outbox) {
        self.detach(id, Some(error.clone()), outbox);
        outbox.events.push_back(Event::Detached { link: id, error: Some(Box::new(error)) });
    }

    /// The session is over: every link that lived is told to the owner.
    pub(super) fn drop_links(&mut self, error: Option<&Error>, outbox: &mut Outbox) {
        for link in std::mem::take(&mut self.links) {
            outbox.links -= 1;
            outbox.partials.release(link.partial_bytes());
            if link.phase != Phase::DetachSent {
                let link = self.link_id(link.handle, link.serial);
                let error = error.cloned().map(Box::new);
                outbox.events.push_back(Event::Detached { link, error });
            }
        }
        self.pending.clear();
        self.unsettled.clear();
        self.accepts = None;
    }

    /// Gives back memory that only a busy session needs.
    pub(super) fn shrink(&mut self) {
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
        if self.unsettled.is_empty() {
            self.unsettled = VecDeque::new();
        }
    }

    fn link_id(&self, handle: u16, serial: u32) -> LinkId {
        LinkId { channel: self.channel, handle, serial }
    }

    pub(super) fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        let at = self.find(id.handle).ok()?;
        let link = self.links.get_mut(at)?;
        (link.serial == id.serial).then_some(link)
    }

    fn by_handle(&mut self, handle: u32) -> Result<(u16, &mut Link), Fault> {
        let found = u16::try_from(handle).ok().and_then(|handle| {
            let at = self.find(handle).ok()?;
            Some((handle, self.links.get_mut(at)?))
        });
        found.ok_or_else(|| {
            let text = format!("no link has handle {handle}");
            Fault::Session(Error::new(condition::UNATTACHED_HANDLE, text))
        })
    }

    fn find(&self, handle: u16) -> Result<usize, usize> {
        self.links.binary_search_by_key(&handle, |link| link.handle)
    }

    fn forget_deliveries(&mut self, handle: u16, outbox: &mut Outbox) {
        self.pending.retain(|pending| pending.handle != handle);
        self.unsettled.retain(|unsettled| unsettled.handle != handle);
        if let Ok(at) = self.find(handle)
            && let Some(link) = self.links.get_mut(at)
        {
            outbox.partials.release(link.partial_bytes());
            link.partial = None;
        }
    }

    /// A flow about the session alone, or about one of its links too.
    fn flow(&self, handle: Option<u16>, outbox: &mut Outbox) {
        self.flow_of(handle, false, outbox);
    }

    /// A flow that says whether the client's wish to drain was heard (OASIS AMQP 1.0 2.6.7).
    fn flow_of(&self, handle: Option<u16>, drain: bool, outbox: &mut Outbox) {
        let link = handle.and_then(|handle| self.links.get(self.find(handle).ok()?));
        let flow = Flow {
            next_incoming_id: Some(self.next_incoming_id),
            incoming_window: self.incoming_window,
            next_outgoing_id: self.next_outgoing_id,
            outgoing_window: SESSION_WINDOW,
            handle: handle.map(u32::from),
            delivery_count: link.map(|link| link.delivery_count),
            link_credit: link.map(|link| link.credit),
            available: link.filter(|link| link.role == Role::Sender).map(|_| 0),
            drain,
            ..Flow::default()
        };
        outbox.frame(self.channel, &Performative::Flow(flow));
    }

    /// Tells accepted deliveries that were held back to share a disposition.
    pub(super) fn flush_accepts(&mut self, outbox: &mut Outbox) {
        if let Some((first, last)) = self.accepts.take() {
            let state = Some(super::performative::DeliveryState::Accepted);
            self.disposition(Role::Receiver, first, last, state, outbox);
        }
    }

    fn disposition(
        &self,
        role: Role,
        first: u32,
        last: u32,
        state: Option<super::performative::DeliveryState>,
        outbox: &mut Outbox,
    ) {
        let last = Some(last);
        let disposition = Disposition { role, first, last, settled: true, state, batchable: false };
        outbox.frame(self.channel, &Performative::Disposition(disposition));
    }
}

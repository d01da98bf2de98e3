//! Devices and modules on AMQP links (device-protocols.md 3): telemetry, cloud-to-device messages, twins, methods.
//!
//! A connection may carry one identity or a thousand. [`Devices`] knows them all and asks only those that have something
//! to do: a [`bell`] rings for an identity that its owner or an answer wakes. [`session`] is one identity, [`link`] says
//! what its links are for, [`exchange`] what goes over them; [`flight`] keeps telemetry until it is durable. [`d2c`],
//! [`c2d`], [`twin`] and [`methods`] are the messages.

pub(in crate::amqp) mod address;
pub(in crate::amqp) mod bell;
mod c2d;
mod d2c;
mod exchange;
mod flight;
mod link;
mod methods;
mod operation;
mod owner;
mod session;
mod twin;

use std::sync::Arc;

use bytes::Bytes;
use ironhub_domain::ids::IdentityId;
use ironhub_wire::amqp::{Attach, Connection, DeliveryState, Error, LinkId, condition};
use tokio::time::Instant;

use super::link_map::LinkMap;
use crate::net::{Line, OnItsWay};
use crate::router::request::{CloseReason, ConnectRequest, Credentials, SessionStart};
use address::Node;
use bell::{Bell, Inbox};
use flight::Owed;
use link::{DeviceLink, purpose};
use operation::Operation;
use session::{Device, LINKS_MAX, Left};

pub use owner::{DeviceOwners, LiveSession};

/// Output that makes identities wait until the client took some.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Telemetry of one connection that is not stored yet, by memory; reading stops above it.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// The identities of one connection.
pub(in crate::amqp) struct Devices {
    owners: Arc<dyn DeviceOwners>,
    inbox: Arc<Inbox>,
    /// By the number of their bells.
    devices: Vec<Option<Box<Device>>>,
    links: LinkMap<u32>,
    /// Have something to do.
    touched: Vec<u32>,
    /// Have something to send when the client took output.
    stuck: Vec<u32>,
    /// Have something to do at a time.
    again: Vec<(Instant, u32)>,
    held: usize,
    /// Desired properties that some identity was told or shown.
    desired: OnItsWay,
    taken_over: bool,
}

impl Devices {
    pub(in crate::amqp) fn new(owners: Arc<dyn DeviceOwners>) -> Self {
        Self {
            owners,
            inbox: Arc::default(),
            devices: Vec::new(),
            links: LinkMap::default(),
            touched: Vec::new(),
            stuck: Vec::new(),
            again: Vec::new(),
            held: 0,
            desired: OnItsWay::default(),
            taken_over: false,
        }
    }

    /// Where the bells of this connection ring.
    pub(in crate::amqp) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Whether reading must wait until telemetry is stored.
    pub(in crate::amqp) fn is_full(&self) -> bool {
        self.held >= HELD_BYTES_MAX
    }

    /// Whether some identity has been let in.
    pub(in crate::amqp) fn any_open(&self) -> bool {
        self.devices.iter().flatten().any(|device| device.session().is_some())
    }

    /// Whether the last thing that happened was that another connection took the only identity over. Asked once.
    pub(in crate::amqp) fn was_taken_over(&mut self) -> bool {
        std::mem::take(&mut self.taken_over) && self.devices.iter().all(Option::is_none)
    }

    /// When something is to be done at the latest.
    pub(in crate::amqp) fn deadline(&self) -> Option<Instant> {
        self.again.iter().map(|(at, _)| *at).chain(self.desired.due()).min()
    }

    /// Tells owners which desired properties have reached the client. There is no acknowledgement of what is sent settled.
    pub(in crate::amqp) fn look(&mut self, flushed: bool, line: Line) {
        if self.desired.arrived(flushed, line, Instant::now()).is_some() {
            self.devices.iter_mut().flatten().for_each(|device| device.desired_arrived());
        }
    }

    /// A client that may act as this identity, with these credentials, wants a link. The answer may take a moment;
    /// `Err` is for the refusal.
    pub(in crate::amqp) fn attach(
        &mut self,
        id: LinkId,
        attach: &Attach,
        identity: IdentityId,
        node: Node,
        credentials: Credentials,
        connection: &mut Connection,
    ) -> Result<(), Error> {
        let purpose = purpose(&identity, node, id, attach)?;
        let link = DeviceLink::new(id, purpose, attach);
        let number = match self.find(&identity) {
            Some(number) => number,
            None => self.open(identity, attach, credentials),
        };
        let Some(device) = self.devices.get_mut(number as usize).and_then(Option::as_mut) else {
            return Err(Error::new(condition::INTERNAL_ERROR, "the identity is gone"));
        };
        if device.link_ids().count() >= LINKS_MAX {
            let text = format!("an identity has at most {LINKS_MAX} links on a connection");
            return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        }
        self.links.insert(id, number);
        device.attach(link, Box::new(attach.clone()), connection);
        self.touched.push(number);
        Ok(())
    }

    fn open(&mut self, identity: IdentityId, attach: &Attach, credentials: Credentials) -> u32 {
        let free = self.devices.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            if self.devices.is_empty() {
                // Most connections have one identity.
                self.devices.reserve_exact(1);
            }
            self.devices.push(None);
            self.devices.len() - 1
        });
        // There are at most as many as links, which the engine bounds.
        let number = at as u32;
        let bell = Bell::new(self.inbox.clone(), number);
        let model_id =
            attach.properties.as_ref().and_then(|map| map.text("com.microsoft:model-id"));
        let request = ConnectRequest {
            identity: identity.clone(),
            credentials,
            start: SessionStart::None,
            model_id: model_id.map(str::to_owned),
            protocol: "amqp",
            sink: bell.clone(),
        };
        // A task of its own: once the owner was asked, its answer must not be lost with the connection.
        let task = tokio::task::spawn_local(self.owners.connect(request));
        self.devices[at] = Some(Box::new(Device::new(identity, bell, task)));
        number
    }

    fn find(&self, identity: &IdentityId) -> Option<u32> {
        let is = |device: &Option<Box<Device>>| {
            device.as_ref().is_some_and(|device| device.identity == *identity)
        };
        self.devices.iter().position(is).map(|at| at as u32)
    }

    /// The identity that a link belongs to; it will be worked on.
    fn touch(&mut self, link: LinkId) -> Option<&mut Device> {
        let number = *self.links.get(link)?;
        if self.touched.last() != Some(&number) {
            self.touched.push(number);
        }
        self.devices.get_mut(number as usize)?.as_deref_mut()
    }

    /// A message came; false if the link is none of a device.
    pub(in crate::amqp) fn on_transfer(
        &mut self,
        link: LinkId,
        (delivery, settled): (u32, bool),
        format: u32,
        message: &Bytes,
        connection: &mut Connection,
    ) -> bool {
        let Some(device) = self.touch(link) else { return false };
        let owed = Owed { link, delivery, settled };
        self.held += device.on_transfer(owed, format, message, connection);
        true
    }

    /// A link may be able to send; false if it is none of a device.
    pub(in crate::amqp) fn on_sendable(
        &mut self,
        link: LinkId,
        drain: bool,
        connection: &mut Connection,
    ) -> bool {
        let Some(&number) = self.links.get(link) else { return false };
        if drain {
            // What there is goes out; what the owner has not sent yet waits for the next credit.
            self.work_on(number, connection, Instant::now());
            connection.drained(link);
        }
        self.touch(link);
        true
    }

    /// The client tells the state of a delivery.
    pub(in crate::amqp) fn on_disposition(
        &mut self,
        link: LinkId,
        delivery: u32,
        settled: bool,
        state: Option<DeliveryState>,
        connection: &mut Connection,
    ) {
        if let Some(device) = self.touch(link) {
            device.on_disposition(link, delivery, settled, state, connection);
        }
    }

    /// A link is gone; with its last link an identity leaves.
    pub(in crate::amqp) fn on_detached(&mut self, link: LinkId) {
        let Some(device) = self.touch(link) else { return };
        device.detached(link);
        if let Some(number) = self.links.remove(link) {
            self.remove_if_unused(number);
        }
    }

    fn remove_if_unused(&mut self, number: u32) {
        let slot = self.devices.get_mut(number as usize);
        if let Some(slot) =
            slot.filter(|slot| slot.as_ref().is_some_and(|device| device.is_unused()))
            && let Some(device) = slot.take()
        {
            self.held -= device.flight.bytes();
            self.again.retain(|(_, other)| *other != number);
            self.stuck.retain(|other| *other != number);
            device.leave();
        }
    }

    /// Lets every identity that has something to do have its turn.
    pub(in crate::amqp) fn work(&mut self, connection: &mut Connection) {
        let now = Instant::now();
        let mut numbers = self.inbox.take();
        numbers.append(&mut self.touched);
        if connection.output_len() < OUTPUT_BYTES_MAX {
            numbers.append(&mut self.stuck);
        }
        let due = self.again.extract_if(.., |(at, _)| *at <= now);
        numbers.extend(due.map(|(_, number)| number));
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            self.work_on(number, connection, now);
        }
        self.shrink();
    }

    fn work_on(&mut self, number: u32, connection: &mut Connection, now: Instant) {
        let Some(Some(device)) = self.devices.get_mut(number as usize) else { return };
        let worked = device.work(connection, now);
        self.held -= worked.freed;
        if worked.told_desired {
            self.desired.send(0, now);
        }
        self.again.retain(|(_, other)| *other != number);
        self.again.extend(worked.again.map(|at| (at, number)));
        if worked.stuck {
            self.stuck.push(number);
        }
        match worked.left {
            None => {}
            Some(Left::Refused) => self.remove(number, None, connection),
            Some(Left::Closed(reason)) => {
                self.taken_over |= reason == CloseReason::TakenOver;
                self.remove(number, Some(&farewell(reason)), connection);
            }
        }
    }

    /// Detaches the links of an identity, if there is a reason to tell, and forgets it.
    fn remove(&mut self, number: u32, error: Option<&Error>, connection: &mut Connection) {
        let Some(device) = self.devices.get_mut(number as usize).and_then(Option::take) else {
            return;
        };
        tracing::debug!(identity = %device.identity, ?error, "an identity leaves its connection");
        if let Some(error) = error {
            device.link_ids().for_each(|link| connection.detach(link, Some(error.clone())));
        }
        self.links.retain(|other| *other != number);
        self.again.retain(|(_, other)| *other != number);
        self.stuck.retain(|other| *other != number);
        self.held -= device.flight.bytes();
        device.leave();
    }

    /// The client has shown newer credentials of these identities: their owners are told.
    pub(in crate::amqp) fn renew(
        &mut self,
        whose: impl Fn(&IdentityId) -> bool,
        credentials: &Credentials,
    ) {
        for (number, device) in self.devices.iter_mut().enumerate() {
            let Some(device) = device else { continue };
            if device.session().is_some() && whose(&device.identity) {
                let old = |operation: &Operation| matches!(operation, Operation::Renew { .. });
                device.operations.retain(|operation| !old(operation));
                let credentials = credentials.clone();
                device.operations.push(Operation::Renew { credentials, pending: None });
                self.touched.push(number as u32);
            }
        }
    }

    /// Detaches every identity that a token let in and that no token covers any more.
    pub(in crate::amqp) fn expire(
        &mut self,
        covered: impl Fn(&IdentityId) -> bool,
        connection: &mut Connection,
    ) {
        let error = Error::new(condition::UNAUTHORIZED_ACCESS, "the token has expired");
        for number in 0..self.devices.len() {
            let device = self.devices[number].as_ref();
            if device.is_some_and(|device| device.by_token() && !covered(&device.identity)) {
                self.remove(number as u32, Some(&error), connection);
            }
        }
    }

    /// Ends every session: the connection is over.
    pub(in crate::amqp) fn clear(&mut self) {
        self.devices.drain(..).flatten().for_each(|device| device.leave());
        self.links.clear();
        self.held = 0;
        self.again.clear();
    }

    /// Gives back memory that only a busy connection needs.
    fn shrink(&mut self) {
        if self.stuck.is_empty() {
            self.stuck = Vec::new();
        }
        if self.touched.is_empty() {
            self.touched = Vec::new();
        }
        if self.again.is_empty() {
            self.again = Vec::new();
        }
    }
}

/// What the links of an identity are told when its owner closes it (device-protocols.md 3.12).
fn farewell(reason: CloseReason) -> Error {
    let (condition, text) = match reason {
        CloseReason::TakenOver => {
            (condition::STOLEN, "a newer connection of this identity took over")
        }
        CloseReason::Disabled => (condition::UNAUTHORIZED_ACCESS, "the device was disabled"),
        CloseReason::Deleted => (condition::NOT_FOUND, "the identity was deleted"),
        CloseReason::Rekeyed => (condition::UNAUTHORIZED_ACCESS, "the identity's keys changed"),
        CloseReason::Slow => (condition::RESOURCE_LIMIT_EXCEEDED, "the client is too slow"),
        CloseReason::ShuttingDown => (condition::DETACH_FORCED, "the hub is shutting down"),
    };
    Error::new(condition, text)
}

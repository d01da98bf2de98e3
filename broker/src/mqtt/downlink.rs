//! What goes from the hub to the client, and what the client asks of its device's owner: subscriptions, cloud-to-device
//! messages, twins, direct methods (device-protocols.md 2.5, 2.8, 2.10 to 2.12).

use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_domain::c2d::{Delivery as Locked, Settlement};
use ironhub_domain::device::StoredSession;
use ironhub_domain::method::MethodAnswer;
use ironhub_wire::mqtt::decode::Filters;
use ironhub_wire::mqtt::device_topic::{DeviceRequest, desired_notice, method_request};
use ironhub_wire::mqtt::packet::PacketId;
use tokio::time::Instant;

use super::d2c::Identity;
use super::exchange::{Ask, Exchange, Told, publish_at_most_once};
use super::outbox::Outbox;
use super::outgoing::{Outgoing, WINDOW, Written};
use super::signal::Signal;
use super::subscriptions::Subscriptions;
use crate::net::{Line, OnItsWay};
use crate::router::DeviceSession;
use crate::router::request::{Features, Push};

/// A resumed session is sent what it subscribed to when it subscribes again, or after this long: some clients lose what
/// comes with the CONNACK (device-protocols.md 2.5).
const RESUMED_HOLD: Duration = Duration::from_secs(2);

/// See the module. Small while a session is idle.
pub(super) struct Downlink {
    exchange: Option<Box<Exchange>>,
    outgoing: Outgoing,
    subscriptions: Subscriptions,
    /// What the owner was told to push.
    told: Features,
    /// Subscriptions that a resumed session has and did not ask for again yet.
    held: Features,
    /// Until when they wait for that.
    hold_until: Option<Instant>,
    /// Versions of the desired properties that the client is told or shown.
    desired: OnItsWay,
    /// Clean session 0: subscriptions are stored.
    persistent: bool,
}

impl Downlink {
    /// Of a session that begins; `resumed` is what was stored of it.
    pub(super) fn new(
        persistent: bool,
        resumed: Option<&StoredSession>,
        identity: &Identity,
        now: Instant,
    ) -> Self {
        let subscriptions =
            resumed.map(|stored| Subscriptions::resume(stored, identity)).unwrap_or_default();
        let held = subscriptions.features();
        let hold_until = (held != Features::default()).then(|| now + RESUMED_HOLD);
        Self {
            exchange: None,
            outgoing: Outgoing::default(),
            subscriptions,
            told: Features::default(),
            held,
            hold_until,
            desired: OnItsWay::default(),
            persistent,
        }
    }

    /// Reading should pause: too much waits for the owner.
    pub(super) fn is_full(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.is_full())
    }

    /// Nothing is under way that a leaving session should wait for.
    pub(super) fn is_idle(&self) -> bool {
        self.exchange.is_none()
    }

    /// When something is to be done at the latest.
    pub(super) fn due(&self) -> Option<Instant> {
        let again = self.exchange.as_ref().and_then(|exchange| exchange.due());
        again.into_iter().chain(self.hold_until).chain(self.desired.due()).min()
    }

    /// SUBSCRIBE. A persistent session's SUBACK waits until its subscriptions are stored.
    pub(super) fn subscribe(
        &mut self,
        id: PacketId,
        filters: Filters<'_>,
        identity: &Identity,
        device: &DeviceSession,
        outbox: &mut Outbox,
    ) {
        let before = self.subscriptions.clone();
        let (name, module) = (identity.device.as_str(), identity.module());
        let mut asked = Subscriptions::default();
        let codes = filters
            .map(|(filter, qos)| {
                asked.add(filter, qos, name, module);
                self.subscriptions.add(filter, qos, name, module)
            })
            .collect();
        let asked = asked.features();
        self.held.c2d &= !asked.c2d;
        self.held.methods &= !asked.methods;
        self.held.desired &= !asked.desired;
        if self.held == Features::default() {
            self.hold_until = None;
        }
        let told = Told::Suback { id, codes };
        self.changed(&before, told, identity, device, outbox);
    }

    /// UNSUBSCRIBE.
    pub(super) fn unsubscribe(
        &mut self,
        id: PacketId,
        filters: Filters<'_>,
        identity: &Identity,
        device: &DeviceSession,
        outbox: &mut Outbox,
    ) {
        let before = self.subscriptions.clone();
        let (name, module) = (identity.device.as_str(), identity.module());
        filters.for_each(|(filter, _)| self.subscriptions.remove(filter, name, module));
        self.changed(&before, Told::Unsuback { id }, identity, device, outbox);
    }

    fn changed(
        &mut self,
        before: &Subscriptions,
        told: Told,
        identity: &Identity,
        device: &DeviceSession,
        outbox: &mut Outbox,
    ) {
        if self.persistent && *before != self.subscriptions {
            let session = self.subscriptions.stored(identity);
            return self.ask(Ask::Store { session, told });
        }
        // In turn with what is being stored: an earlier SUBSCRIBE is answered earlier.
        match &mut self.exchange {
            Some(exchange) if exchange.stores() => exchange.ask(Ask::Tell { told }),
            _ => {
                told.write(outbox);
                self.tell_owner(device);
            }
        }
    }

    /// A PUBLISH to a topic of twins or methods.
    pub(super) fn request(
        &mut self,
        request: DeviceRequest<'_>,
        payload: Bytes,
        device: &DeviceSession,
    ) {
        match request {
            DeviceRequest::TwinGet { rid } => self.ask(Ask::Twin { rid: rid.into() }),
            DeviceRequest::TwinPatch { rid, version } => {
                let version = version.map(Into::into);
                self.ask(Ask::Patch { rid: rid.into(), version, patch: payload });
            }
            DeviceRequest::MethodAnswer { status, rid } => {
                match (status, u32::from_str_radix(rid, 16)) {
                    (Some(status), Ok(id)) => {
                        device.answer_method(id, MethodAnswer { status, payload });
                    }
                    _ => tracing::debug!(rid, ?status, "a method answer that cannot be meant"),
                }
            }
        }
    }

    /// PUBACK of a cloud-to-device message: it is complete (device-protocols.md 2.10).
    pub(super) fn puback(&mut self, id: PacketId, device: &DeviceSession) {
        if let Some(acknowledged) = self.outgoing.acknowledge(id) {
            self.ask(Ask::Settle { lock: acknowledged.lock, how: Settlement::Complete });
            device.add_c2d_credit(acknowledged.credit);
        }
    }

    /// Tells the owner which desired properties have reached the client. There is no acknowledgement of them.
    pub(super) fn look(&mut self, flushed: bool, line: Line, device: &DeviceSession) {
        if let Some(version) = self.desired.arrived(flushed, line, Instant::now()) {
            device.saw_desired(version);
        }
    }

    /// Writes what the owner pushed and answered; the task is woken by more. Room that this made for reading wakes it too.
    /// An error ends the connection.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        device: &DeviceSession,
        identity: &Identity,
        signal: &Signal,
        outbox: &mut Outbox,
    ) -> Result<(), HubError> {
        let was_full = self.is_full();
        if self.hold_until.is_some_and(|until| until <= Instant::now()) {
            (self.hold_until, self.held) = (None, Features::default());
            self.tell_owner(device);
        }
        while !outbox.is_full()
            && let Some(push) = signal.take()
        {
            self.push(push, device, identity, outbox);
        }
        if let Some(exchange) = &mut self.exchange {
            let wanted = self.subscriptions.twin_responses();
            let progress = exchange.poll(cx, device, wanted, outbox)?;
            if exchange.is_empty() {
                self.exchange = None;
            }
            if let Some(version) = progress.shown {
                self.desired.send(version, Instant::now());
            }
            if progress.subscribed {
                self.tell_owner(device);
            }
        }
        if was_full && !self.is_full() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn push(
        &mut self,
        push: Push,
        device: &DeviceSession,
        identity: &Identity,
        outbox: &mut Outbox,
    ) {
        match push {
            Push::C2d(messages) => {
                messages.iter().for_each(|message| self.send(message, device, identity, outbox));
            }
            Push::Desired(notice) => {
                publish_at_most_once(outbox, &desired_notice(notice.version), &notice.body);
                self.desired.send(notice.version, Instant::now());
            }
            Push::Method(call) if self.subscriptions.method(&call.name) => {
                publish_at_most_once(outbox, &method_request(&call.name, call.id), &call.payload);
            }
            // The client subscribed to other methods by their names: the caller's time runs out.
            Push::Method(call) => tracing::debug!(method = call.name, "no filter covers a method"),
        }
    }

    fn send(
        &mut self,
        message: &Locked,
        device: &DeviceSession,
        identity: &Identity,
        outbox: &mut Outbox,
    ) {
        // Pushed before the client unsubscribed: its lock was released with the others.
        let Some(qos) = self.subscriptions.c2d() else { return };
        let how = match self.outgoing.write(message, identity, qos, outbox) {
            Written::Waits => return,
            Written::Taken => Settlement::Complete,
            Written::Unfit => Settlement::Reject,
        };
        self.ask(Ask::Settle { lock: message.lock, how });
        device.add_c2d_credit(1);
    }

    /// Tells the owner what to push from now on, if that changed.
    pub(super) fn tell_owner(&mut self, device: &DeviceSession) {
        let mut features = self.subscriptions.features();
        features.c2d &= !self.held.c2d;
        features.methods &= !self.held.methods;
        features.desired &= !self.held.desired;
        if features == self.told {
            return;
        }
        if features.c2d && !self.outgoing.opened {
            self.outgoing.opened = true;
            device.add_c2d_credit(WINDOW);
        }
        device.set_features(features);
        if self.told.c2d && !features.c2d {
            self.outgoing = Outgoing::default();
            device.clear_c2d_credit();
            device.release_c2d();
        }
        self.told = features;
    }

    fn ask(&mut self, ask: Ask) {
        self.exchange.get_or_insert_default().ask(ask);
    }
}

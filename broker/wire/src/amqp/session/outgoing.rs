//! Messages to the client: credit, windows, fragments and settlement.

use bytes::{BufMut, Bytes};

use super::{Fault, Session};
use crate::amqp::delivery::{Pending, Unsettled, in_range};
use crate::amqp::event::{Event, LinkId, SendError};
use crate::amqp::frame::{FrameKind, put_frame};
use crate::amqp::limits::{PENDING_MAX, UNSETTLED_MAX};
use crate::amqp::link::Phase;
use crate::amqp::outbox::Outbox;
use crate::amqp::performative::{DeliveryState, Disposition, Flow, Role};

impl Session {
    /// The client grants windows and perhaps credit.
    pub(in crate::amqp) fn on_flow(
        &mut self,
        flow: Flow,
        outbox: &mut Outbox,
    ) -> Result<(), Fault> {
        let seen = flow.next_incoming_id.unwrap_or(0);
        let in_flight = self.next_outgoing_id.wrapping_sub(seen);
        let was_shut = self.remote_incoming_window == 0;
        self.remote_incoming_window = flow.incoming_window.saturating_sub(in_flight);
        self.pump(outbox);
        if let Some(handle) = flow.handle {
            self.link_flow(handle, &flow, outbox)?;
        } else if flow.echo {
            self.flow(None, outbox);
        }
        if was_shut && self.remote_incoming_window > 0 {
            self.tell_senders(outbox);
        }
        Ok(())
    }

    fn link_flow(&mut self, handle: u32, flow: &Flow, outbox: &mut Outbox) -> Result<(), Fault> {
        let (handle, link) = self.by_handle(handle)?;
        let (role, serial, phase) = (link.role, link.serial, link.phase);
        if phase == Phase::DetachSent {
            return Ok(());
        }
        if role == Role::Sender {
            if let Some(credit) = flow.link_credit {
                link.grant(flow.delivery_count, credit);
            }
            // A client need not wait for the answer to its attach; the owner hears of the credit when it has answered.
            if phase == Phase::Attached {
                let link = self.link_id(handle, serial);
                outbox.events.push_back(Event::Sendable { link, drain: flow.drain });
            }
        }
        if flow.echo {
            self.flow(Some(handle), outbox);
        }
        Ok(())
    }

    /// The window opened: every link that has credit may go on.
    fn tell_senders(&self, outbox: &mut Outbox) {
        for link in &self.links {
            if link.role == Role::Sender && link.phase == Phase::Attached && link.credit > 0 {
                let link = self.link_id(link.handle, link.serial);
                outbox.events.push_back(Event::Sendable { link, drain: false });
            }
        }
    }

    /// The client tells states of deliveries.
    pub(in crate::amqp) fn on_disposition(
        &mut self,
        disposition: Disposition,
        outbox: &mut Outbox,
    ) {
        let Disposition { role, first, last, settled, state, .. } = disposition;
        if role == Role::Sender {
            // We settle everything we take at once, so there is nothing left that the client could settle.
            return;
        }
        if !settled && !state.as_ref().is_some_and(DeliveryState::is_outcome) {
            return;
        }
        let last = last.unwrap_or(first);
        let channel = self.channel;
        let told = |unsettled: &Unsettled| Event::Disposition {
            link: LinkId { channel, handle: unsettled.handle, serial: unsettled.serial },
            delivery: unsettled.delivery,
            settled,
            state: state.clone(),
        };
        // What is not in the list was settled before: some clients say everything twice.
        self.unsettled.retain(|unsettled| {
            if !in_range(unsettled.delivery, first, last) {
                return true;
            }
            outbox.events.push_back(told(unsettled));
            !settled
        });
    }

    /// Whether a message would go out at once.
    pub(in crate::amqp) fn can_send(&mut self, id: LinkId) -> bool {
        self.pending.is_empty()
            && self.remote_incoming_window > 0
            && self.link(id).is_some_and(|link| {
                link.role == Role::Sender && link.phase == Phase::Attached && link.credit > 0
            })
    }

    /// Messages that the client still takes on a link.
    pub(in crate::amqp) fn credit(&mut self, id: LinkId) -> u32 {
        let sender = self.link(id).filter(|link| link.role == Role::Sender);
        sender.filter(|link| link.phase == Phase::Attached).map_or(0, |link| link.credit)
    }

    /// Sends a message; see [`crate::amqp::Connection::send`].
    pub(in crate::amqp) fn send(
        &mut self,
        id: LinkId,
        tag: Bytes,
        settled: bool,
        message: Bytes,
        outbox: &mut Outbox,
    ) -> Result<u32, SendError> {
        let full = self.pending.len() >= PENDING_MAX
            || (!settled && self.unsettled.len() >= UNSETTLED_MAX);
        let delivery = self.next_delivery;
        let link = self.link(id).ok_or(SendError::Gone)?;
        if link.role != Role::Sender || link.phase != Phase::Attached {
            return Err(SendError::Gone);
        }
        if link.credit == 0 {
            return Err(SendError::NoCredit);
        }
        if full {
            return Err(SendError::Busy);
        }
        link.credit -= 1;
        link.delivery_count = link.delivery_count.wrapping_add(1);
        self.next_delivery = delivery.wrapping_add(1);
        let LinkId { handle, serial, .. } = id;
        if !settled {
            self.unsettled.push_back(Unsettled { delivery, handle, serial });
        }
        // A request is settled before its answer (service-protocols.md 3.1 E12).
        self.flush_accepts(outbox);
        let (rest, format, whole) = (message, 0, true);
        self.pending.push_back(Pending { handle, delivery, tag, settled, format, rest, whole });
        self.pump(outbox);
        Ok(delivery)
    }

    /// Writes what waits, as far as the client's window goes.
    fn pump(&mut self, outbox: &mut Outbox) {
        while self.remote_incoming_window > 0 {
            let Some(pending) = self.pending.front_mut() else { return };
            self.remote_incoming_window -= 1;
            self.next_outgoing_id = self.next_outgoing_id.wrapping_add(1);
            if write_transfer(self.channel, pending, outbox) {
                self.pending.pop_front();
            }
        }
    }

    /// The owner ends a delivery whose outcome the client told without settling.
    pub(in crate::amqp) fn settle_sent(
        &mut self,
        id: LinkId,
        delivery: u32,
        state: Option<DeliveryState>,
        outbox: &mut Outbox,
    ) {
        let before = self.unsettled.len();
        self.unsettled.retain(|u| (u.delivery, u.serial) != (delivery, id.serial));
        if self.unsettled.len() < before {
            self.flush_accepts(outbox);
            self.disposition(Role::Sender, delivery, delivery, state, outbox);
        }
    }

    /// The owner has nothing more for a client that drains: the rest of the credit is used up.
    pub(in crate::amqp) fn drained(&mut self, id: LinkId, outbox: &mut Outbox) {
        let Some(link) = self.link(id) else { return };
        if link.role == Role::Sender && link.phase == Phase::Attached {
            link.delivery_count = link.delivery_count.wrapping_add(link.credit);
            link.credit = 0;
            self.flow_of(Some(id.handle), true, outbox);
        }
    }
}

/// Writes one transfer of a message; true if it was the last.
fn write_transfer(channel: u16, pending: &mut Pending, outbox: &mut Outbox) -> bool {
    let frame_max = outbox.frame_max as usize;
    let mut last = true;
    put_frame(&mut outbox.bytes, FrameKind::Amqp, channel, |out| {
        // `put_frame` wrote eight bytes of header before.
        let start = out.len();
        pending.transfer(false).encode(out);
        let room = frame_max.saturating_sub(8 + out.len() - start);
        if pending.rest.len() > room {
            last = false;
            out.truncate(start);
            // `more` takes one byte either way, so the room is the same.
            pending.transfer(true).encode(out);
        }
        out.put_slice(&pending.rest.split_to(room.min(pending.rest.len())));
    });
    pending.whole = false;
    last
}

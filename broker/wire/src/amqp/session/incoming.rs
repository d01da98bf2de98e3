//! Messages from the client: windows, credit, and putting transfers together.

use bytes::Bytes;

use super::{Fault, Session};
use crate::amqp::condition;
use crate::amqp::delivery::Partial;
use crate::amqp::event::{Event, LinkId};
use crate::amqp::limits::SESSION_WINDOW;
use crate::amqp::link::Phase;
use crate::amqp::outbox::Outbox;
use crate::amqp::performative::{DeliveryState, Error, Role, Transfer};

impl Session {
    /// A transfer came.
    pub(in crate::amqp) fn on_transfer(
        &mut self,
        transfer: Transfer,
        payload: Bytes,
        outbox: &mut Outbox,
    ) -> Result<(), Fault> {
        self.use_window(outbox)?;
        let (handle, link) = self.by_handle(transfer.handle)?;
        let (phase, role, serial) = (link.phase, link.role, link.serial);
        let id = self.link_id(handle, serial);
        match (phase, role) {
            (Phase::DetachSent, _) => Ok(()),
            (_, Role::Sender) => {
                let text = "a transfer on a link that the client receives from";
                Err(Fault::Session(Error::new(condition::NOT_ALLOWED, text)))
            }
            (Phase::Attaching | Phase::Attached, Role::Receiver) => {
                self.take(id, transfer, payload, outbox);
                Ok(())
            }
        }
    }

    fn use_window(&mut self, outbox: &mut Outbox) -> Result<(), Fault> {
        if self.incoming_window == 0 {
            let text = "more transfers than the session's window allows";
            return Err(Fault::Session(Error::new(condition::WINDOW_VIOLATION, text)));
        }
        self.incoming_window -= 1;
        self.next_incoming_id = self.next_incoming_id.wrapping_add(1);
        // Memory is bounded by credit and by the bytes of incomplete messages; the window only has to stay open.
        if self.incoming_window <= SESSION_WINDOW / 2 {
            self.incoming_window = SESSION_WINDOW;
            self.flow(None, outbox);
        }
        Ok(())
    }

    fn take(&mut self, id: LinkId, transfer: Transfer, payload: Bytes, outbox: &mut Outbox) {
        let Some(link) = self.link(id) else { return };
        let Some(partial) = link.partial.as_deref() else {
            return self.take_first(id, transfer, payload, outbox);
        };
        if transfer.delivery_id.is_some_and(|delivery| delivery != partial.delivery) {
            let text = "a delivery began before the one before it was complete";
            self.expel(id, Error::new(condition::INVALID_FIELD, text), outbox);
            return;
        }
        if transfer.aborted {
            outbox.partials.release(link.partial_bytes());
            link.partial = None;
            self.top_up(id, outbox);
            return;
        }
        self.append(id, &transfer, &payload, outbox);
    }

    fn take_first(&mut self, id: LinkId, transfer: Transfer, payload: Bytes, outbox: &mut Outbox) {
        let Some(link) = self.link(id) else { return };
        let Some(delivery) = transfer.delivery_id else {
            let text = "the first transfer of a delivery has no delivery-id";
            self.expel(id, Error::new(condition::INVALID_FIELD, text), outbox);
            return;
        };
        if link.credit == 0 {
            let text = "a delivery beyond the link's credit";
            self.expel(id, Error::new(condition::TRANSFER_LIMIT_EXCEEDED, text), outbox);
            return;
        }
        link.credit -= 1;
        link.delivery_count = link.delivery_count.wrapping_add(1);
        if transfer.aborted {
            self.top_up(id, outbox);
            return;
        }
        if transfer.more {
            link.partial = Some(Box::new(Partial::begin(delivery, &transfer)));
            return self.append(id, &transfer, &payload, outbox);
        }
        if payload.len() as u64 > link.message_bytes_max {
            self.expel_oversize(id, outbox);
            return;
        }
        link.in_hand += 1;
        outbox.events.push_back(Event::Transfer {
            link: id,
            delivery,
            tag: transfer.delivery_tag.unwrap_or_default(),
            settled: transfer.settled.unwrap_or(false),
            format: transfer.message_format.unwrap_or(0),
            message: payload,
        });
    }

    /// Adds a transfer to the incomplete message of a link.
    fn append(&mut self, id: LinkId, transfer: &Transfer, payload: &[u8], outbox: &mut Outbox) {
        let Some(link) = self.link(id) else { return };
        let Some(partial) = link.partial.as_deref_mut() else { return };
        if (partial.data.len() + payload.len()) as u64 > link.message_bytes_max {
            self.expel_oversize(id, outbox);
            return;
        }
        if !outbox.partials.hold(payload.len()) {
            let text = "too many messages are under way that are not complete";
            self.expel(id, Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text), outbox);
            return;
        }
        partial.data.extend_from_slice(payload);
        partial.settled |= transfer.settled.unwrap_or(false);
        if transfer.more {
            return;
        }
        let Some(partial) = link.partial.take() else { return };
        outbox.partials.release(partial.data.len());
        link.in_hand += 1;
        let Partial { delivery, tag, format, settled, data } = *partial;
        let message = data.freeze();
        let event = Event::Transfer { link: id, delivery, tag, settled, format, message };
        outbox.events.push_back(event);
    }

    fn expel_oversize(&mut self, id: LinkId, outbox: &mut Outbox) {
        let text = "the message is larger than the link's max-message-size";
        self.expel(id, Error::new(condition::MESSAGE_SIZE_EXCEEDED, text), outbox);
    }

    /// The owner tells what became of a message from the client.
    pub(in crate::amqp) fn settle(
        &mut self,
        id: LinkId,
        delivery: u32,
        state: DeliveryState,
        outbox: &mut Outbox,
    ) {
        let Some(link) = self.link(id) else { return };
        if link.phase != Phase::Attached {
            return;
        }
        link.release_one();
        match (state, self.accepts) {
            (DeliveryState::Accepted, Some((first, last))) if delivery == last.wrapping_add(1) => {
                self.accepts = Some((first, delivery));
            }
            (DeliveryState::Accepted, _) => {
                self.flush_accepts(outbox);
                self.accepts = Some((delivery, delivery));
            }
            (state, _) => {
                self.flush_accepts(outbox);
                self.disposition(Role::Receiver, delivery, delivery, Some(state), outbox);
            }
        }
        self.top_up(id, outbox);
    }

    /// The owner is done with a message that came settled.
    pub(in crate::amqp) fn consumed(&mut self, id: LinkId, outbox: &mut Outbox) {
        if let Some(link) = self.link(id) {
            link.release_one();
            self.top_up(id, outbox);
        }
    }

    /// Grants new credit when half of it is used.
    pub(super) fn top_up(&mut self, id: LinkId, outbox: &mut Outbox) {
        if self.link(id).is_some_and(|link| link.top_up()) {
            self.flow(Some(id.handle), outbox);
        }
    }
}

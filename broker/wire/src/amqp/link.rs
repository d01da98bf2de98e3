//! One link, as its session sees it.

use super::delivery::Partial;
use super::performative::Role;

/// Where a link is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client attached; the owner has not answered.
    Attaching,
    /// Attached both ways.
    Attached,
    /// We detached; what the client sends is dropped until it detaches too.
    DetachSent,
}

/// State of a link. Small: a connection may have thousands.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) handle: u16,
    pub(super) serial: u32,
    /// Our end.
    pub(super) role: Role,
    pub(super) phase: Phase,
    /// Deliveries so far; both ends start at 0.
    pub(super) delivery_count: u32,
    /// As sender: deliveries the client still takes. As receiver: deliveries we still take.
    pub(super) credit: u32,
    /// As receiver: credit and messages in the owner's hands, together.
    pub(super) window: u32,
    /// As receiver: messages in the owner's hands.
    pub(super) in_hand: u32,
    /// As receiver: largest message; a larger one detaches the link.
    pub(super) message_bytes_max: u64,
    /// As receiver: a message that is not complete.
    pub(super) partial: Option<Box<Partial>>,
}

impl Link {
    pub(super) fn new(handle: u16, serial: u32, role: Role) -> Self {
        Self {
            handle,
            serial,
            role,
            phase: Phase::Attaching,
            delivery_count: 0,
            credit: 0,
            window: 0,
            in_hand: 0,
            message_bytes_max: 0,
            partial: None,
        }
    }

    /// Takes the client's view of its credit (OASIS AMQP 1.0 2.6.7): what was sent meanwhile counts against it.
    pub(super) fn grant(&mut self, delivery_count: Option<u32>, link_credit: u32) {
        let seen = delivery_count.unwrap_or(0);
        let in_flight = self.delivery_count.wrapping_sub(seen);
        self.credit = link_credit.saturating_sub(in_flight);
    }

    /// Whether enough of the window was used that it should be opened again; then it is.
    pub(super) fn top_up(&mut self) -> bool {
        if self.phase != Phase::Attached || self.credit + self.in_hand > self.window / 2 {
            return false;
        }
        self.credit = self.window - self.in_hand;
        true
    }

    /// The owner is done with one message.
    pub(super) fn release_one(&mut self) {
        self.in_hand = self.in_hand.saturating_sub(1);
    }

    /// Bytes held for a message that is not complete.
    pub(super) fn partial_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.data.len())
    }
}

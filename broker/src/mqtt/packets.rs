//! What the packets of one read do: answers into the outbox, messages into one batch.

use bytes::Bytes;
use ironhub_domain::event::D2cMessage;
use ironhub_wire::mqtt::decode::{Filters, decode};
use ironhub_wire::mqtt::device_topic::device_request;
use ironhub_wire::mqtt::encode;
use ironhub_wire::mqtt::framer::{Kind, PACKET_BYTES_MAX, Step, next_frame};
use ironhub_wire::mqtt::packet::{Delivery, Packet, Publish};

use super::d2c::{self, Identity};
use super::downlink::Downlink;
use super::errors::Cause;
use super::flight::{Flight, footprint};
use super::outbox::Outbox;
use crate::router::DeviceSession;

/// Most filters in one SUBSCRIBE or UNSUBSCRIBE; SDKs send up to five.
const FILTERS_MAX: usize = 64;

/// Room for this many messages is made ahead; more grow as they come.
const RESERVED_MAX: usize = 127;

/// The messages of one read, in order.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<D2cMessage>,
    /// How many of them are owed a PUBACK.
    pub(super) acknowledge: usize,
    pub(super) bytes: usize,
}

/// What packets change of a session.
pub(super) struct Packets<'a> {
    pub(super) identity: &'a Identity,
    pub(super) device: &'a DeviceSession,
    pub(super) downlink: &'a mut Downlink,
    pub(super) flight: &'a mut Flight,
    pub(super) outbox: &'a mut Outbox,
    pub(super) batch: &'a mut Batch,
}

impl Packets<'_> {
    /// Takes all complete packets off `input`. On an error the batch holds what came before it.
    pub(super) fn take(&mut self, input: &mut Bytes) -> Result<(), Cause> {
        while let Step::Item(frame) = next_frame(input, PACKET_BYTES_MAX)? {
            if frame.kind == Kind::Publish && self.batch.messages.is_empty() {
                // Packets of one read are mostly alike.
                let alike = input.len() / (frame.body.len() + 2);
                self.batch.messages.reserve(1 + alike.min(RESERVED_MAX));
            }
            self.packet(decode(&frame)?)?;
        }
        Ok(())
    }

    fn packet(&mut self, packet: Packet<'_>) -> Result<(), Cause> {
        match packet {
            Packet::Publish(publish) => {
                let delivery = publish.delivery;
                if let Delivery::ExactlyOnce(_) = delivery {
                    return Err(Cause::QoS2);
                }
                self.publish(publish)?;
                if let Delivery::AtLeastOnce(id) = delivery {
                    self.flight.owe(id);
                    self.batch.acknowledge += 1;
                }
            }
            Packet::Pingreq => encode::pingresp(self.outbox.end()),
            Packet::Subscribe { id, filters } => {
                check_count(&filters)?;
                self.downlink.subscribe(id, filters, self.identity, self.device, self.outbox);
            }
            Packet::Unsubscribe { id, filters } => {
                check_count(&filters)?;
                self.downlink.unsubscribe(id, filters, self.identity, self.device, self.outbox);
            }
            Packet::Puback(id) => self.downlink.puback(id, self.device),
            Packet::Disconnect => return Err(Cause::Disconnect),
            Packet::Connect(_) | Packet::OtherVersion(_) => return Err(Cause::SecondConnect),
        }
        Ok(())
    }

    fn publish(&mut self, publish: Publish<'_>) -> Result<(), Cause> {
        if let Some(request) = device_request(publish.topic) {
            let request = request.map_err(|_| Cause::UnknownTopic)?;
            self.downlink.request(request, publish.payload, self.device);
            return Ok(());
        }
        let message = d2c::message(publish, self.identity)?;
        self.batch.bytes += footprint(&message);
        self.batch.messages.push(message);
        Ok(())
    }
}

fn check_count(filters: &Filters<'_>) -> Result<(), Cause> {
    match filters.clone().count() {
        count if FILTERS_MAX < count => Err(Cause::TooManyFilters(count)),
        _ => Ok(()),
    }
}

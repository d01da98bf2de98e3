//! What a simulated device does: its rules, without I/O. What happened goes in; what it does about it, and what there is
//! to tell, come out.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::happening::{Action, Event, Happening};

/// Telemetry messages that wait for the hub's acknowledgement at a time, of one device.
pub const IN_FLIGHT_MAX: usize = 32;
/// What a device answers to every method that is called.
pub const METHOD_STATUS: i32 = 200;
/// Under this name a device reports what it is.
const REPORTED_NAME: &str = "simulated";

/// One device.
#[derive(Debug)]
pub struct Device {
    protocol: &'static str,
    messages: Option<u64>,
    sent: u64,
    /// Messages without acknowledgement: their content, and when they were first sent.
    waiting: BTreeMap<u64, (Bytes, Instant)>,
    /// Questions and reports about the twin that the hub has not answered on this connection.
    asked: usize,
    /// Version of the desired properties that it last reported.
    applied: Option<u64>,
}

impl Device {
    /// A device that has done nothing yet; of `messages` telemetry messages, or as many as it comes to.
    pub fn new(protocol: &'static str, messages: Option<u64>) -> Self {
        Self { protocol, messages, sent: 0, waiting: BTreeMap::new(), asked: 0, applied: None }
    }

    /// The number of the message to send now, if one may be sent.
    pub fn due(&self) -> Option<u64> {
        let more = self.messages.is_none_or(|messages| self.sent < messages);
        (more && self.waiting.len() < IN_FLIGHT_MAX).then_some(self.sent + 1)
    }

    /// Sends the message that is [`Device::due`], with this content.
    pub fn send(&mut self, body: Bytes, now: Instant) -> Action {
        self.sent += 1;
        self.waiting.insert(self.sent, (body.clone(), now));
        Action::Send { number: self.sent, again: false, body }
    }

    /// How many messages wait for their acknowledgement.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many answers of the hub it waits for, acknowledgements among them.
    pub fn unanswered(&self) -> usize {
        self.waiting.len() + self.asked
    }

    /// Whether all messages that it was to send are sent and acknowledged.
    pub fn is_finished(&self) -> bool {
        self.messages == Some(self.sent) && self.waiting.is_empty()
    }

    /// Connected, anew or again: what nobody acknowledged is sent again, in order.
    pub fn connected(&mut self, has_twin: bool) -> Vec<Action> {
        let again = self.waiting.iter().map(|(number, (body, _))| Action::Send {
            number: *number,
            again: true,
            body: body.clone(),
        });
        self.asked = usize::from(has_twin);
        let twin = has_twin.then_some(Action::ReadTwin);
        twin.into_iter().chain(again).collect()
    }

    /// What it does about a happening, and what there is to tell. `None` tells nothing: an acknowledgement that nobody
    /// waits for.
    pub fn happened(
        &mut self,
        happening: Happening,
        now: Instant,
    ) -> (Option<Event>, Option<Action>) {
        match happening {
            Happening::Stored { number } => {
                let event = self.waiting.remove(&number).map(|(_, since)| Event::Stored {
                    number,
                    took: now.saturating_duration_since(since),
                });
                (event, None)
            }
            Happening::NotTaken { number, why } => {
                let waited = self.waiting.remove(&number);
                (waited.map(|_| Event::NotTaken { number, why }), None)
            }
            Happening::Received(received) => {
                let (ticket, id) = (received.ticket.clone(), received.id.clone());
                (Some(Event::Received(received)), Some(Action::Complete { ticket, id }))
            }
            Happening::Completed { id } => (Some(Event::Completed { id }), None),
            Happening::Called { ticket, name, payload } => {
                let answer =
                    Action::Answer { ticket, status: METHOD_STATUS, payload: payload.clone() };
                (Some(Event::Called { name, payload }), Some(answer))
            }
            Happening::Twin(twin) => {
                self.asked = self.asked.saturating_sub(1);
                let version = |part: &str| twin[part]["$version"].as_u64().unwrap_or_default();
                let (desired, reported) = (version("desired"), version("reported"));
                (Some(Event::Twin { desired, reported }), self.apply(desired, &twin["desired"]))
            }
            Happening::Desired { version, patch } => {
                let report = self.apply(version, &patch);
                (Some(Event::Desired { version, patch }), report)
            }
            Happening::Reported { version } => {
                self.asked = self.asked.saturating_sub(1);
                (Some(Event::Reported { version }), None)
            }
            Happening::TwinRefused { status, why } => {
                self.asked = self.asked.saturating_sub(1);
                (Some(Event::TwinRefused { status, why }), None)
            }
        }
    }

    /// Does what is desired: reports it, once for each version.
    fn apply(&mut self, version: u64, desired: &Value) -> Option<Action> {
        if self.applied.is_some_and(|applied| version <= applied) {
            return None;
        }
        self.applied = Some(version);
        self.asked += 1;
        let mut report = Map::new();
        let about = json!({"protocol": self.protocol, "desiredVersion": version});
        report.insert(REPORTED_NAME.to_owned(), about);
        let properties = desired.as_object().into_iter().flatten();
        // What begins with a dollar sign is the hub's own.
        let properties = properties.filter(|(name, _)| !name.starts_with('$'));
        report.extend(properties.map(|(name, value)| (name.clone(), value.clone())));
        Some(Action::Report(Value::Object(report)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::happening::{Received, Ticket};
    use super::*;

    fn send(device: &mut Device, now: Instant) -> u64 {
        let number = device.due().unwrap();
        device.send(Bytes::from(format!("m{number}")), now);
        number
    }

    #[test]
    fn messages_are_counted_until_all_are_acknowledged() {
        let (mut device, now) = (Device::new("mqtt", Some(2)), Instant::now());
        assert_eq!((send(&mut device, now), send(&mut device, now)), (1, 2));
        assert_eq!((device.due(), device.is_finished()), (None, false));
        let later = now + Duration::from_millis(5);
        let (event, action) = device.happened(Happening::Stored { number: 2 }, later);
        assert_eq!(event, Some(Event::Stored { number: 2, took: Duration::from_millis(5) }));
        assert_eq!(action, None);
        // A second acknowledgement is none.
        assert_eq!(device.happened(Happening::Stored { number: 2 }, later), (None, None));
        let no = Happening::NotTaken { number: 1, why: "too large".into() };
        assert!(matches!(
            device.happened(no, later),
            (Some(Event::NotTaken { number: 1, .. }), None)
        ));
        assert!(device.is_finished());
    }

    #[test]
    fn only_so_many_messages_wait_at_a_time() {
        let (mut device, now) = (Device::new("mqtt", None), Instant::now());
        for _ in 0..IN_FLIGHT_MAX {
            send(&mut device, now);
        }
        assert_eq!(device.due(), None);
        device.happened(Happening::Stored { number: 7 }, now);
        assert_eq!(device.due(), Some(IN_FLIGHT_MAX as u64 + 1));
        assert!(!device.is_finished());
    }

    #[test]
    fn after_a_lost_connection_it_sends_again_what_nobody_acknowledged() {
        let (mut device, now) = (Device::new("mqtt", None), Instant::now());
        assert_eq!(device.connected(true), [Action::ReadTwin]);
        for _ in 0..3 {
            send(&mut device, now);
        }
        device.happened(Happening::Stored { number: 2 }, now);
        let again = |number: u64| Action::Send {
            number,
            again: true,
            body: Bytes::from(format!("m{number}")),
        };
        assert_eq!(device.connected(false), [again(1), again(3)]);
    }

    #[test]
    fn a_method_is_answered_with_its_own_payload() {
        let mut device = Device::new("mqtt", None);
        let ticket = Ticket(Bytes::from_static(b"1f"));
        let payload = Bytes::from_static(b"{\"delay\":5}");
        let call = Happening::Called {
            ticket: ticket.clone(),
            name: "reboot".into(),
            payload: payload.clone(),
        };
        let (event, action) = device.happened(call, Instant::now());
        assert_eq!(event, Some(Event::Called { name: "reboot".into(), payload: payload.clone() }));
        assert_eq!(action, Some(Action::Answer { ticket, status: 200, payload }));
    }

    #[test]
    fn a_message_is_completed() {
        let mut device = Device::new("mqtt", None);
        let received = Received {
            ticket: Ticket(Bytes::from_static(b"7")),
            id: Some("m1".into()),
            properties: Vec::new(),
            body: Bytes::from_static(b"hello"),
        };
        let (event, action) =
            device.happened(Happening::Received(received.clone()), Instant::now());
        assert_eq!(event, Some(Event::Received(received.clone())));
        let Received { ticket, id, .. } = received;
        assert_eq!(action, Some(Action::Complete { ticket, id }));
    }

    #[test]
    fn what_is_desired_is_reported_once_for_each_version() {
        let (mut device, now) = (Device::new("amqp", None), Instant::now());
        let twin = json!({"desired": {"a": 1, "$version": 3}, "reported": {"$version": 7}});
        let (event, action) = device.happened(Happening::Twin(twin.clone()), now);
        assert_eq!(event, Some(Event::Twin { desired: 3, reported: 7 }));
        let about = |version: u64| json!({"protocol": "amqp", "desiredVersion": version});
        assert_eq!(action, Some(Action::Report(json!({"simulated": about(3), "a": 1}))));
        assert_eq!(device.unanswered(), 1);
        device.happened(Happening::Reported { version: 8 }, now);
        assert_eq!(device.unanswered(), 0);
        // Read again after a reconnect: nothing is new.
        assert_eq!(device.happened(Happening::Twin(twin), now).1, None);
        let desired = |version, patch| Happening::Desired { version, patch };
        let (_, action) = device.happened(desired(4, json!({"a": null, "$version": 4})), now);
        assert_eq!(action, Some(Action::Report(json!({"simulated": about(4), "a": null}))));
        let (event, action) = device.happened(desired(4, json!({"$version": 4})), now);
        assert!(event.is_some() && action.is_none());
    }
}

//! What the hub's topics say to a device (device-protocols.md 2.10 to 2.12).

use ironhub_wire::mqtt::{percent, property_bag};

/// What a request id for the twin begins with.
pub(super) const GET: char = 'g';
/// What a request id for a change of the reported properties begins with.
pub(super) const PATCH: char = 'p';

/// A topic that the hub publishes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic<'t> {
    /// A cloud-to-device message.
    Message {
        /// Its id.
        id: Option<String>,
        /// Application properties.
        properties: Vec<(String, Option<String>)>,
    },
    /// The twin.
    Twin,
    /// Reported properties are taken.
    Reported {
        /// Their version.
        version: u64,
    },
    /// Either is refused.
    TwinRefused {
        /// As in HTTP.
        status: u16,
    },
    /// The desired properties have changed.
    Desired {
        /// Their version.
        version: u64,
    },
    /// A direct method is called.
    Call {
        /// Its name.
        name: String,
        /// Named in the answer.
        rid: &'t str,
    },
}

/// Reads a topic; `None` for what no hub publishes to this device.
pub(super) fn read<'t>(device: &str, topic: &'t str) -> Option<Topic<'t>> {
    let Some(rest) = topic.strip_prefix("$iothub/") else {
        let rest = topic.strip_prefix("devices/")?.strip_prefix(device)?;
        return message(rest.strip_prefix("/messages/devicebound/")?);
    };
    if let Some(rest) = rest.strip_prefix("twin/res/") {
        let (status, query) = rest.split_once("/?")?;
        let rid = value(query, "$rid")?;
        return Some(match status.parse().ok()? {
            200..=299 if rid.starts_with(GET) => Topic::Twin,
            200..=299 => Topic::Reported { version: value(query, "$version")?.parse().ok()? },
            status => Topic::TwinRefused { status },
        });
    }
    if let Some(query) = rest.strip_prefix("twin/PATCH/properties/desired/?") {
        return Some(Topic::Desired { version: value(query, "$version")?.parse().ok()? });
    }
    let (name, query) = rest.strip_prefix("methods/POST/")?.split_once("/?")?;
    let name = percent::decode(name).ok()?.into_owned();
    Some(Topic::Call { name, rid: value(query, "$rid")? })
}

/// The bag of a cloud-to-device message: system properties begin with `$.`, and `iothub-` is the hub's own.
fn message<'t>(bag: &str) -> Option<Topic<'t>> {
    let (mut id, mut properties) = (None, Vec::new());
    for pair in property_bag::pairs(bag) {
        let pair = pair.ok()?;
        let value = pair.value.map(|value| value.into_owned());
        match pair.key.as_ref() {
            "$.mid" => id = value,
            key if key.starts_with("$.") || key.starts_with("iothub-") => {}
            key => properties.push((key.to_owned(), value)),
        }
    }
    Some(Topic::Message { id, properties })
}

fn value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use ironhub_wire::mqtt::device_topic::{
        DeviceBound, desired_notice, method_request, twin_response,
    };

    use super::*;

    fn check(topic: &str, expected: Option<Topic<'_>>) {
        assert_eq!(read("d1", topic), expected, "{topic}");
    }

    #[test]
    fn what_the_hub_writes_is_read() {
        check(&twin_response(200, "g1", None), Some(Topic::Twin));
        check(&twin_response(204, "p2", Some(8)), Some(Topic::Reported { version: 8 }));
        check(&twin_response(429, "p3", None), Some(Topic::TwinRefused { status: 429 }));
        check(&desired_notice(5), Some(Topic::Desired { version: 5 }));
        let call = Topic::Call { name: "re boot".into(), rid: "1f" };
        check(&method_request("re boot", 31), Some(call));
        let mut topic = DeviceBound::new("d1", None);
        topic.system("$.mid", Some("m/1")).pair("iothub-ack", Some("full"));
        topic.pair("a", None).pair("b", Some("x =&"));
        let properties = vec![("a".into(), None), ("b".into(), Some("x =&".into()))];
        check(&topic.finish(), Some(Topic::Message { id: Some("m/1".into()), properties }));
    }

    #[test]
    fn what_no_hub_writes_is_not() {
        for topic in [
            "devices/d2/messages/devicebound/%24.to=x",
            "devices/d1/messages/events/",
            "$iothub/twin/res/abc/?$rid=g1",
            "$iothub/twin/res/204/?$rid=p1",
            "$iothub/twin/res/200/",
            "$iothub/twin/PATCH/properties/desired/?$version=x",
            "$iothub/methods/POST/reboot",
            "other",
        ] {
            check(topic, None);
        }
    }
}

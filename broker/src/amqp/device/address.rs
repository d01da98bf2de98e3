//! Addresses of device links: `/devices/{d}[/modules/{m}]/…` (device-protocols.md 3.5).

use ironhub_domain::auth::Resource;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_wire::mqtt::percent;

/// What of an identity a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::amqp) enum Node {
    /// `messages/events`: telemetry from the device; inputs to a module.
    Events,
    /// `messages/devicebound`
    C2d,
    /// `methods/devicebound`
    Methods,
    /// `twin`
    Twin,
}

/// A device address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::amqp) struct DeviceAddress {
    /// Whose it is: one or two readings. Some SDKs encode ids and some do not, so an id that looks encoded may be
    /// meant as it stands.
    pub(in crate::amqp) identities: Vec<IdentityId>,
    pub(in crate::amqp) node: Node,
}

/// Reads an address, absolute or relative; `None` if it is not one of a device.
pub(in crate::amqp) fn parse(text: &str) -> Option<DeviceAddress> {
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => text,
    };
    // An id may hold a question mark, so a query is looked for behind the last slash only.
    let query = path.rfind('/').and_then(|slash| path[slash..].find('?').map(|at| slash + at));
    let path = query.map_or(path, |at| &path[..at]).trim_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    let (ids, rest) = match &segments[..] {
        [word, device, modules, module, rest @ ..]
            if is(word, "devices") && is(modules, "modules") && !rest.is_empty() =>
        {
            ((*device, Some(*module)), rest)
        }
        [word, device, rest @ ..] if is(word, "devices") => ((*device, None), rest),
        _ => return None,
    };
    let node = match rest {
        [messages, events] if is(messages, "messages") && is(events, "events") => Node::Events,
        [messages, bound] if is(messages, "messages") && is(bound, "devicebound") => Node::C2d,
        [methods, bound] if is(methods, "methods") && is(bound, "devicebound") => Node::Methods,
        [twin] if is(twin, "twin") => Node::Twin,
        _ => return None,
    };
    let decode = |text: &str| Some(percent::decode(text).ok()?.into_owned());
    let decoded = match ids {
        (device, None) => decode(device).map(|device| (device, None)),
        (device, Some(module)) => decode(device).zip(decode(module)).map(|(d, m)| (d, Some(m))),
    };
    let decoded = decoded.and_then(|(device, module)| identity(&device, module.as_deref()));
    let mut identities: Vec<IdentityId> = decoded.into_iter().collect();
    identities.extend(identity(ids.0, ids.1).filter(|raw| !identities.contains(raw)));
    (!identities.is_empty()).then_some(DeviceAddress { identities, node })
}

/// The identities that a token's resource, or the audience it is put for, may name: SDKs encode it not at all, once or
/// twice (device-protocols.md 1.3, 3.3). None if it names no identity, or one of another hub.
pub(in crate::amqp) fn identities_of(resource: &str, hub_host: &str) -> Named {
    let readings = Resource::readings(resource);
    let mut identities = Vec::new();
    let mut elsewhere = false;
    for reading in &readings {
        let found = match reading.segments() {
            [word, device, modules, module, ..]
                if is(word, "devices") && is(modules, "modules") =>
            {
                identity(device, Some(module))
            }
            [word, device, ..] if is(word, "devices") => identity(device, None),
            _ => None,
        };
        elsewhere |= found.is_some() && !reading.is_on(hub_host);
        let here = found.filter(|found| reading.is_on(hub_host) && !identities.contains(found));
        identities.extend(here);
    }
    match identities.is_empty() {
        true if elsewhere => Named::OtherHub,
        true => Named::Nobody,
        false => Named::Identities(identities),
    }
}

/// Whom a resource names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::amqp) enum Named {
    /// No identity: the hub as a whole, or something else on it.
    Nobody,
    /// An identity of another hub.
    OtherHub,
    /// One of these.
    Identities(Vec<IdentityId>),
}

fn identity(device: &str, module: Option<&str>) -> Option<IdentityId> {
    let device = DeviceId::new(device).ok()?;
    let module = module.map(ModuleId::new).transpose().ok()?;
    Some(IdentityId { device, module })
}

fn is(segment: &str, word: &str) -> bool {
    segment.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the node and the readings of the identity, or nothing.
    #[track_caller]
    fn check(text: &str, expected: Option<(Node, &[&str])>) {
        let found = parse(text).map(|found| {
            let ids: Vec<String> = found.identities.iter().map(ToString::to_string).collect();
            (found.node, ids)
        });
        let expected =
            expected.map(|(node, ids)| (node, ids.iter().map(|id| (*id).to_owned()).collect()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        check("/devices/dev1/messages/events", Some((Node::Events, &["dev1"])));
        check("devices/dev1/messages/events/", Some((Node::Events, &["dev1"])));
        check("amqps://hub.example.test/devices/dev1/twin", Some((Node::Twin, &["dev1"])));
        check("amqps://hub:5671/devices/dev1/messages/deviceBound", Some((Node::C2d, &["dev1"])));
        check("/DEVICES/Dev1/Methods/DeviceBound?x=y", Some((Node::Methods, &["Dev1"])));
        check("/devices/d/modules/m/messages/events", Some((Node::Events, &["d/m"])));
        check("/devices/d/Modules/m/twin/?api-version=1", Some((Node::Twin, &["d/m"])));
        check("/devices/d/modules/m/methods/devicebound", Some((Node::Methods, &["d/m"])));
        check("/devices/d/modules/m/messages/devicebound", Some((Node::C2d, &["d/m"])));
    }

    #[test]
    fn ids_are_decoded_and_also_taken_as_they_stand() {
        check("/devices/a%23b/twin", Some((Node::Twin, &["a#b", "a%23b"])));
        check("/devices/a#b?c/twin", Some((Node::Twin, &["a#b?c"])));
        check("/devices/100%/twin", Some((Node::Twin, &["100%"])));
        check("/devices/a%2fb/twin", Some((Node::Twin, &["a%2fb"])));
        check("/devices/d%31/modules/m%32/twin", Some((Node::Twin, &["d1/m2", "d%31/m%32"])));
    }

    #[test]
    fn anything_else_is_no_device_address() {
        for text in [
            "",
            "/devices",
            "/devices/d",
            "/devices//twin",
            "/devices/d/messages",
            "/devices/d/messages/other",
            "/devices/d/modules/m",
            "/devices/d/modules/m/inputs/x",
            "/devices/d d/twin",
            "/messages/devicebound",
            "$cbs",
            "amqps://hub",
            "hub/ConsumerGroups/$Default/Partitions/0",
        ] {
            check(text, None);
        }
        check(&format!("/devices/{}/twin", "x".repeat(129)), None);
    }

    #[test]
    fn audiences_name_identities_in_every_encoding() {
        let named = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (audience, expected) in [
            ("hub/devices/dev1", Some(named(&["dev1"]))),
            ("HUB:5671/devices/dev1/", Some(named(&["dev1"]))),
            ("amqps://hub/devices/dev1", Some(named(&["dev1"]))),
            ("hub%2Fdevices%2Fdev1", Some(named(&["dev1"]))),
            ("hub%2fdevices%2fd%2fmodules%2fm", Some(named(&["d/m"]))),
            ("hub%2Fdevices%2Fa%2523b", Some(named(&["a%23b", "a#b"]))),
            ("hub/devices/dev1/api-version=2016-11-14", Some(named(&["dev1"]))),
            ("hub", Some(Vec::new())),
            ("a", Some(Vec::new())),
            ("hub/messages/events", Some(Vec::new())),
            ("other/devices/dev1", None),
        ] {
            let found = match identities_of(audience, "hub") {
                Named::Nobody => Some(Vec::new()),
                Named::OtherHub => None,
                Named::Identities(ids) => Some(ids.iter().map(ToString::to_string).collect()),
            };
            assert_eq!(found, expected, "{audience}");
        }
    }
}

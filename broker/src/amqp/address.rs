//! What a link's address means. Absolute and relative forms, any letter case (service-protocols.md 0, 3.4, 4.2, 4.9).

/// Path of the event hub on the hub's own name.
pub(super) const BUILT_IN: &str = "messages/events";

use super::device::address::{self as device, DeviceAddress};
use super::service::ServiceNode;

/// A node that links attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Where tokens are put.
    Cbs,
    /// Where properties are asked for.
    Management {
        /// The address begins with `messages/events`, as on the hub's own name.
        built_in: bool,
    },
    /// One partition as seen by one consumer group.
    Partition {
        /// The event hub's name, as given.
        entity: String,
        /// The consumer group's name, as given.
        group: String,
        /// The partition's id, as given.
        partition: String,
    },
    /// Where services send, or hear of outcomes.
    Service(ServiceNode),
    /// A part of a device or module.
    Device(DeviceAddress),
    /// Nothing that this hub has.
    Unknown,
}

impl Address {
    /// Reads an address.
    pub(super) fn parse(text: &str) -> Self {
        if let Some(address) = device::parse(text) {
            return Self::Device(address);
        }
        let path = relative(text);
        if let Some(node) = ServiceNode::parse(path) {
            return Self::Service(node);
        }
        let segments: Vec<&str> = path.split('/').collect();
        let is = |at: usize, word: &str| segments[at].eq_ignore_ascii_case(word);
        match segments.len() {
            1 if is(0, "$cbs") => Self::Cbs,
            1 if is(0, "$management") => Self::Management { built_in: false },
            2 if is(1, "$management") => Self::Management { built_in: false },
            3 if is_built_in(path) && is(2, "$management") => Self::Management { built_in: true },
            5 if is(1, "ConsumerGroups") && is(3, "Partitions") => Self::partition(&segments),
            6 if is_built_in(path) && is(2, "ConsumerGroups") && is(4, "Partitions") => {
                Self::partition(&segments)
            }
            _ => Self::Unknown,
        }
    }

    fn partition(segments: &[&str]) -> Self {
        let [entity @ .., _, group, _, partition] = segments else { return Self::Unknown };
        Self::Partition {
            entity: entity.join("/"),
            group: (*group).to_owned(),
            partition: (*partition).to_owned(),
        }
    }
}

/// Whether a name is the event hub's path on the hub's own name.
pub(super) fn is_exactly_built_in(text: &str) -> bool {
    relative(text).eq_ignore_ascii_case(BUILT_IN)
}

/// Whether a path lies below the event hub's path on the hub's own name.
pub(super) fn is_built_in(text: &str) -> bool {
    let mut segments = relative(text).split('/');
    BUILT_IN.split('/').all(|word| segments.next().is_some_and(|s| s.eq_ignore_ascii_case(word)))
}

/// Without scheme, host, query and the slashes around.
pub(super) fn relative(text: &str) -> &str {
    let path = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => text,
    };
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    path.trim_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Address) {
        assert_eq!(Address::parse(text), expected, "{text}");
    }

    fn partition(entity: &str, group: &str, partition: &str) -> Address {
        let (entity, group, partition) = (entity.into(), group.into(), partition.into());
        Address::Partition { entity, group, partition }
    }

    #[test]
    fn every_spelling_of_a_partition_is_read() {
        let zero = || partition("eh", "$Default", "0");
        check("eh/ConsumerGroups/$Default/Partitions/0", zero());
        check("/eh/ConsumerGroups/$Default/Partitions/0/", zero());
        check("amqps://ns.example.test/eh/ConsumerGroups/$Default/Partitions/0", zero());
        check("amqps://ns.example.test:5671/eh/ConsumerGroups/$Default/Partitions/0", zero());
        check("sb://ns/eh/consumergroups/$Default/PARTITIONS/0?timeout=5", zero());
        let built_in = partition("messages/events", "g", "12");
        check("messages/events/ConsumerGroups/g/Partitions/12", built_in.clone());
        check("amqps://hub/messages/events/ConsumerGroups/g/Partitions/12", built_in);
        check(
            "Messages/Events/ConsumerGroups/g/Partitions/1",
            partition("Messages/Events", "g", "1"),
        );
    }

    #[test]
    fn management_and_cbs_are_read() {
        check("$cbs", Address::Cbs);
        check("amqps://hub:5671/$CBS", Address::Cbs);
        check("$management", Address::Management { built_in: false });
        check("amqps://ns/eh/$management", Address::Management { built_in: false });
        check("amqps://hub/messages/events/$management", Address::Management { built_in: true });
        check("/messages/events/$Management", Address::Management { built_in: true });
    }

    #[test]
    fn anything_else_is_unknown() {
        for text in [
            "",
            "/",
            "amqps://hub",
            "eh",
            "messages/events",
            "/messages/devicebound/x",
            "a/b/$management",
            "a/b/ConsumerGroups/g/Partitions/0",
            "eh/ConsumerGroups/g/Partitions/0/more",
            "eh/ConsumerGroups/g/Partition/0",
        ] {
            check(text, Address::Unknown);
        }
    }
}

//! What a connection is subscribed to, and what of it outlives the connection (device-protocols.md 2.5, 2.8).

use ironhub_domain::device::{FilterKind, StoredSession, Subscription as Stored};
use ironhub_wire::mqtt::hub_topic::{Subscription, subscription};
use ironhub_wire::mqtt::packet::QoS;

use super::d2c::Identity;
use crate::router::request::Features;

use ironhub_domain::limits::FILTER_BYTES_MAX;
pub(super) use ironhub_domain::limits::SUBSCRIPTIONS_MAX;

/// Empty until the first SUBSCRIBE, and then without memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscriptions(Vec<(Subscription, QoS)>);

impl Subscriptions {
    /// What was stored; a filter that this version does not know is left out.
    pub(super) fn resume(stored: &StoredSession, identity: &Identity) -> Self {
        let known = |stored: &Stored| {
            let qos = if stored.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            let meant = subscription(&stored.filter, identity.device.as_str(), identity.module());
            meant.map(|meant| (meant, qos))
        };
        Self(stored.subscriptions.iter().filter_map(known).collect())
    }

    /// What to store.
    pub(super) fn stored(&self, identity: &Identity) -> StoredSession {
        let store = |(subscription, qos): &(Subscription, QoS)| Stored {
            kind: kind(subscription),
            filter: subscription.filter(identity.device.as_str(), identity.module()),
            qos: qos.bits(),
        };
        StoredSession { subscriptions: self.0.iter().map(store).collect() }
    }

    /// Subscribes, or replaces the same subscription. The QoS granted, at most 1; `None` is a refusal.
    pub(super) fn add(
        &mut self,
        filter: &str,
        asked: QoS,
        device: &str,
        module: Option<&str>,
    ) -> Option<QoS> {
        let fits = filter.len() <= FILTER_BYTES_MAX;
        let subscription = subscription(filter, device, module).filter(|_| fits)?;
        let granted = asked.min(QoS::AtLeastOnce);
        if let Some((_, qos)) = self.0.iter_mut().find(|(known, _)| *known == subscription) {
            *qos = granted;
        } else if self.0.len() < SUBSCRIPTIONS_MAX {
            self.0.push((subscription, granted));
        } else {
            return None;
        }
        Some(granted)
    }

    /// Unsubscribes; a filter that is not subscribed is no error.
    pub(super) fn remove(&mut self, filter: &str, device: &str, module: Option<&str>) {
        if let Some(subscription) = subscription(filter, device, module) {
            self.0.retain(|(known, _)| *known != subscription);
        }
    }

    /// What the owner shall push.
    pub(super) fn features(&self) -> Features {
        Features {
            c2d: self.c2d().is_some(),
            methods: self.any(FilterKind::Methods),
            desired: self.any(FilterKind::Desired),
        }
    }

    /// The quality of service of cloud-to-device messages: the best of all filters that cover them.
    pub(super) fn c2d(&self) -> Option<QoS> {
        let covers = |kind| matches!(kind, FilterKind::C2d | FilterKind::Module);
        self.0.iter().filter(|(known, _)| covers(kind(known))).map(|(_, qos)| *qos).max()
    }

    /// Whether answers to twin requests are wanted.
    pub(super) fn twin_responses(&self) -> bool {
        self.any(FilterKind::TwinResponses)
    }

    /// Whether a filter covers this method: all of them, or by its name.
    pub(super) fn method(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| match known {
            Subscription::Methods => true,
            Subscription::Method(one) => **one == *name,
            _ => false,
        })
    }

    fn any(&self, wanted: FilterKind) -> bool {
        self.0.iter().any(|(known, _)| kind(known) == wanted)
    }
}

fn kind(subscription: &Subscription) -> FilterKind {
    match subscription {
        Subscription::CloudToDevice
        | Subscription::CloudToDeviceAny
        | Subscription::ModuleCloudToDevice => FilterKind::C2d,
        Subscription::ModuleInputs => FilterKind::Inputs,
        Subscription::ModuleAll => FilterKind::Module,
        Subscription::TwinResponses => FilterKind::TwinResponses,
        Subscription::DesiredProperties => FilterKind::Desired,
        Subscription::Methods | Subscription::Method(_) => FilterKind::Methods,
    }
}

#[cfg(test)]
mod tests {
    use ironhub_domain::ids::{DeviceId, ModuleId};

    use super::*;

    #[test]
    fn the_hub_grants_at_most_qos_1_and_refuses_what_it_does_not_know() {
        let mut subscriptions = Subscriptions::default();
        let mut add = |filter, asked| subscriptions.add(filter, asked, "d", None);
        assert_eq!(add("$iothub/twin/res/#", QoS::AtMostOnce), Some(QoS::AtMostOnce));
        assert_eq!(add("$iothub/twin/res/#", QoS::ExactlyOnce), Some(QoS::AtLeastOnce));
        assert_eq!(
            add("devices/d/messages/devicebound/#", QoS::AtLeastOnce),
            Some(QoS::AtLeastOnce)
        );
        assert_eq!(add("devices/e/messages/devicebound/#", QoS::AtLeastOnce), None);
        let name = "m".repeat(FILTER_BYTES_MAX - "$iothub/methods/POST//#".len());
        let longest = format!("$iothub/methods/POST/{name}/#");
        let too_long = format!("$iothub/methods/POST/{name}m/#");
        assert_eq!(add(&longest, QoS::AtMostOnce), Some(QoS::AtMostOnce));
        assert_eq!(add(&too_long, QoS::AtMostOnce), None);
        assert_eq!(subscriptions.0.len(), 3);
    }

    #[test]
    fn one_subscription_too_many_is_refused_until_another_goes() {
        let mut subscriptions = Subscriptions::default();
        let filter = |number: usize| format!("$iothub/methods/POST/m{number}/#");
        for number in 0..SUBSCRIPTIONS_MAX {
            assert!(subscriptions.add(&filter(number), QoS::AtMostOnce, "d", None).is_some());
        }
        assert_eq!(subscriptions.add("$iothub/twin/res/#", QoS::AtMostOnce, "d", None), None);
        assert!(
            subscriptions.add(&filter(3), QoS::AtLeastOnce, "d", None).is_some(),
            "it replaces"
        );
        subscriptions.remove("no such filter", "d", None);
        subscriptions.remove(&filter(3), "d", None);
        assert!(subscriptions.add("$iothub/twin/res/#", QoS::AtMostOnce, "d", None).is_some());
    }

    /// What the owner pushes under these filters, each with its QoS: `c2d0`, `c2d1`, `methods`, `desired`.
    fn check(module: Option<&str>, filters: &[(&str, QoS)], expected: &str) {
        let mut subscriptions = Subscriptions::default();
        for (filter, qos) in filters {
            assert!(subscriptions.add(filter, *qos, "d", module).is_some(), "{filter}");
        }
        let features = subscriptions.features();
        let mut shown: Vec<String> = Vec::new();
        shown.extend(subscriptions.c2d().map(|qos| format!("c2d{}", qos.bits())));
        assert_eq!(features.c2d, !shown.is_empty());
        shown.extend(features.methods.then(|| "methods".to_owned()));
        shown.extend(features.desired.then(|| "desired".to_owned()));
        assert_eq!(shown.join(" "), expected, "{filters:?}");
        let module = module.map(|module| ModuleId::new(module).unwrap());
        let identity = Identity { device: DeviceId::new("d").unwrap(), module };
        let resumed = Subscriptions::resume(&subscriptions.stored(&identity), &identity);
        assert_eq!(resumed, subscriptions, "stored and resumed it is the same");
    }

    #[test]
    fn filters_say_what_is_pushed() {
        let (zero, one) = (QoS::AtMostOnce, QoS::AtLeastOnce);
        check(None, &[], "");
        check(None, &[("devices/d/messages/devicebound/#", one)], "c2d1");
        let both =
            [("devices/+/messages/devicebound/#", zero), ("devices/d/messages/devicebound/#", one)];
        check(None, &both, "c2d1");
        check(None, &[("$iothub/methods/POST/reboot/#", zero)], "methods");
        check(None, &[("$iothub/twin/PATCH/properties/desired/#", one)], "desired");
        check(None, &[("$iothub/twin/res/#", one)], "");
        check(Some("m"), &[("devices/d/modules/m/inputs/#", one)], "");
        check(Some("m"), &[("devices/d/modules/m/#", zero)], "c2d0");
        check(Some("m"), &[("devices/d/modules/m/messages/devicebound/#", one)], "c2d1");
    }
}

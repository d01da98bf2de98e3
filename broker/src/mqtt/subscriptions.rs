//! What a connection is subscribed to.

use ironhub_wire::mqtt::hub_topic::{Subscription, subscription};
use ironhub_wire::mqtt::packet::QoS;

/// Most subscriptions of one connection (device-protocols.md 2.8).
pub(super) const SUBSCRIPTIONS_MAX: usize = 10;

/// Empty until the first SUBSCRIBE, and then without memory of its own.
#[derive(Default)]
pub(super) struct Subscriptions(Vec<(Subscription, QoS)>);

impl Subscriptions {
    /// Subscribes, or replaces the same subscription. The QoS granted, at most 1; `None` is a refusal.
    pub(super) fn add(
        &mut self,
        filter: &str,
        asked: QoS,
        device: &str,
        module: Option<&str>,
    ) -> Option<QoS> {
        let subscription = subscription(filter, device, module)?;
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
}

#[cfg(test)]
mod tests {
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
        assert_eq!(subscriptions.0.len(), 2);
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
}

//! A device's PUBLISH, or its will, as the message that the hub keeps (device-protocols.md 2.7).

use bytes::Bytes;
use ironhub_domain::event::{AppProperty, D2cMessage, SystemProperties};
use ironhub_domain::ids::{DeviceId, ModuleId};
use ironhub_wire::mqtt::hub_topic::telemetry;
use ironhub_wire::mqtt::packet::{Publish, Will};
use ironhub_wire::mqtt::property_bag::{Pair, pairs};

use super::errors::Cause;

/// Whose connection it is.
pub(super) struct Identity {
    pub(super) device: DeviceId,
    pub(super) module: Option<ModuleId>,
}

impl Identity {
    pub(super) fn module(&self) -> Option<&str> {
        self.module.as_ref().map(ModuleId::as_str)
    }
}

/// The message of a PUBLISH, checked against the limits.
pub(super) fn message(publish: Publish<'_>, identity: &Identity) -> Result<D2cMessage, Cause> {
    let mut message = addressed(publish.topic, identity)?;
    if publish.retain {
        add(&mut message, "mqtt-retain", "true");
    }
    if publish.dup {
        add(&mut message, "mqtt-dup", "true");
    }
    message.body = publish.payload;
    message.validate()?;
    Ok(message)
}

/// The message of a will, which shares no memory with its CONNECT: it is kept as long as the connection.
pub(super) fn will(will: &Will<'_>, identity: &Identity) -> Result<D2cMessage, Cause> {
    let mut message = addressed(will.topic, identity)?;
    add(&mut message, "iothub-MessageType", "Will");
    if will.retain {
        add(&mut message, "mqtt-retain", "true");
    }
    message.body = Bytes::copy_from_slice(&will.payload);
    message.validate()?;
    Ok(message)
}

fn addressed(topic: &str, identity: &Identity) -> Result<D2cMessage, Cause> {
    let topic = telemetry(topic).ok_or(Cause::UnknownTopic)?;
    if topic.device != identity.device.as_str() || topic.module != identity.module() {
        return Err(Cause::OtherIdentity);
    }
    let mut message = D2cMessage::default();
    for pair in pairs(topic.bag) {
        assign(&mut message, pair?);
    }
    Ok(message)
}

fn add(message: &mut D2cMessage, name: &str, value: &str) {
    message.properties.push(AppProperty { name: name.into(), value: Some(value.into()) });
}

/// Puts a pair where it belongs. Of a system property that comes twice the last one counts.
fn assign(message: &mut D2cMessage, pair: Pair<'_>) {
    let Pair { key, value } = pair;
    let system = &mut message.system;
    let name = match key.as_ref() {
        // Who sent it is stamped by the hub; what the device claims is dropped.
        "$.cdid" | "$.cmid" => return,
        "$.diagid" => "Diagnostic-Id".into(),
        "$.diagctx" => "Correlation-Context".into(),
        known => match slot(system, known) {
            Some(slot) => {
                *slot = value.map(|value| value.into_owned());
                return;
            }
            None => key.into_owned(),
        },
    };
    message.properties.push(AppProperty { name, value: value.map(|value| value.into_owned()) });
}

fn slot<'a>(system: &'a mut SystemProperties, key: &str) -> Option<&'a mut Option<String>> {
    if key == "iothub-creation-time-utc" {
        return Some(&mut system.creation_time);
    }
    Some(match key.strip_prefix("$.")? {
        "mid" => &mut system.message_id,
        "cid" => &mut system.correlation_id,
        "uid" => &mut system.user_id,
        "to" => &mut system.to,
        "ct" => &mut system.content_type,
        "ce" => &mut system.content_encoding,
        "exp" => &mut system.absolute_expiry_time,
        "ctime" => &mut system.creation_time,
        "on" => &mut system.output_name,
        "ifid" => &mut system.interface_id,
        "sub" => &mut system.component_name,
        "schema" => &mut system.message_schema,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ironhub_wire::mqtt::packet::{Delivery, QoS};

    use super::*;

    fn identity(text: &str) -> Identity {
        let (device, module) = match text.split_once('/') {
            Some((device, module)) => (device, Some(ModuleId::new(module).unwrap())),
            None => (text, None),
        };
        Identity { device: DeviceId::new(device).unwrap(), module }
    }

    fn publish(topic: &str) -> Publish<'_> {
        let delivery = Delivery::AtMostOnce;
        Publish { dup: false, retain: false, delivery, topic, payload: Bytes::from_static(b"body") }
    }

    /// The bag as properties: `name=value` and `name` for null.
    fn check(bag: &str, system: SystemProperties, properties: &str) {
        let topic = format!("devices/d/messages/events/{bag}");
        let message = message(publish(&topic), &identity("d")).unwrap();
        assert_eq!(message.system, system, "{bag}");
        assert_eq!(shown(&message), properties, "{bag}");
        assert_eq!(message.body, "body");
    }

    fn shown(message: &D2cMessage) -> String {
        let one = |property: &AppProperty| match &property.value {
            Some(value) => format!("{}={value}", property.name),
            None => property.name.clone(),
        };
        message.properties.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn known_system_properties_leave_the_bag_and_all_others_are_the_applications() {
        let text = |text: &str| Some(text.to_owned());
        check("", SystemProperties::default(), "");
        check(
            "%24.mid=m&$.cid=c&%24.uid=u&$.to=t&%24.ct=application%2Fjson&%24.ce=utf-8&a=b&%24.exp=e&%24.ctime=x\
             &%24.on=o&%24.ifid=i&%24.sub=s&%24.schema=y&null&empty=&%24.unknown=1",
            SystemProperties {
                message_id: text("m"),
                correlation_id: text("c"),
                user_id: text("u"),
                to: text("t"),
                content_type: text("application/json"),
                content_encoding: text("utf-8"),
                absolute_expiry_time: text("e"),
                creation_time: text("x"),
                output_name: text("o"),
                interface_id: text("i"),
                component_name: text("s"),
                message_schema: text("y"),
            },
            "a=b null empty= $.unknown=1",
        );
        let created = SystemProperties { creation_time: text("t"), ..SystemProperties::default() };
        check("iothub-creation-time-utc=t", created, "");
        let last = SystemProperties { message_id: text("2"), ..SystemProperties::default() };
        check("%24.mid=1&%24.mid=2", last, "");
    }

    #[test]
    fn a_device_cannot_claim_to_be_another_and_tracing_keeps_its_names() {
        let none = SystemProperties::default;
        check("%24.cdid=e&%24.cmid=m&a=b", none(), "a=b");
        check("%24.diagid=1&%24.diagctx=2", none(), "Diagnostic-Id=1 Correlation-Context=2");
    }

    #[test]
    fn retain_and_dup_become_properties() {
        let mut publish = publish("devices/d/messages/events/a=b");
        (publish.retain, publish.dup) = (true, true);
        let message = message(publish, &identity("d")).unwrap();
        assert_eq!(shown(&message), "a=b mqtt-retain=true mqtt-dup=true");
    }

    #[test]
    fn a_will_says_what_it_is() {
        let topic = "devices/d/modules/m/messages/events/a=b/";
        let payload = Bytes::from_static(b"gone");
        let packet = Will { topic, payload, qos: QoS::AtLeastOnce, retain: true };
        let message = will(&packet, &identity("d/m")).unwrap();
        assert_eq!(shown(&message), "a=b iothub-MessageType=Will mqtt-retain=true");
        assert_eq!(message.body, "gone");
        assert!(matches!(will(&packet, &identity("d")), Err(Cause::OtherIdentity)));
    }

    fn check_refused(who: &str, topic: &str, label: &str) {
        let refused = message(publish(topic), &identity(who)).err();
        assert_eq!(refused.map(|cause| cause.to_string()).as_deref(), Some(label), "{topic}");
    }

    #[test]
    fn only_the_identitys_own_telemetry_topic_is_accepted() {
        let other = Cause::OtherIdentity.to_string();
        let unknown = Cause::UnknownTopic.to_string();
        check_refused("d", "devices/e/messages/events/", &other);
        check_refused("d", "devices/D/messages/events/", &other);
        check_refused("d", "devices/d/modules/m/messages/events/", &other);
        check_refused("d/m", "devices/d/messages/events/", &other);
        check_refused("d/m", "devices/d/modules/n/messages/events/", &other);
        check_refused("d", "devices/d/messages/devicebound/", &unknown);
        check_refused("d", "$iothub/twin/GET/?$rid=1", &unknown);
        check_refused(
            "d",
            "devices/d/messages/events/a=%ff",
            "property bag: percent-decoding gives bytes that are not UTF-8",
        );
    }

    #[test]
    fn a_message_over_the_limit_is_refused() {
        let mut large = publish("devices/d/messages/events/");
        large.payload = vec![0; 262_144].into();
        assert!(message(large.clone(), &identity("d")).is_ok());
        large.topic = "devices/d/messages/events/a";
        assert!(matches!(message(large, &identity("d")), Err(Cause::Hub(_))));
    }
}

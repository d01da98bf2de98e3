//! Events that the hub itself makes of what happens to a device: their properties and bodies (service-protocols.md 4.10).

use serde_json::Value;

use crate::event::{AppProperty, D2cMessage, MessageSource, SystemProperties};
use crate::ids::IdentityId;
use crate::job::Job;
use crate::time::UnixMs;
use crate::twin::{Object, Section, SectionChange, Twin, TwinUpdate};

/// What happened to whom, when.
#[derive(Clone, Copy, Debug)]
pub struct Happening<'a> {
    /// The hub's name.
    pub hub: &'a str,
    /// Whom it is about.
    pub identity: &'a IdentityId,
    /// When.
    pub now: UnixMs,
    /// Tells the event from others; random.
    pub correlation_id: &'a str,
}

impl Happening<'_> {
    /// A device or module connected or disconnected. `sequence` grows with every transition of an identity, and the text
    /// made of it compares as it does; `reason` is ours beside the original's body.
    pub fn connection(&self, connected: bool, sequence: u64, reason: &str) -> D2cMessage {
        let operation = if connected { "deviceConnected" } else { "deviceDisconnected" };
        let body =
            serde_json::json!({ "sequenceNumber": format!("{sequence:064X}"), "reason": reason });
        self.message(MessageSource::ConnectionState, operation, &body)
    }

    /// An identity was created, or deleted; with its twin as it was then.
    pub fn life_cycle(&self, created: bool, twin: &Twin) -> D2cMessage {
        let operation = if created { "createDeviceIdentity" } else { "deleteDeviceIdentity" };
        self.message(MessageSource::DeviceLifecycle, operation, &self.whole(twin).into())
    }

    /// A service changed a twin to `after`. A change that replaces a section is told with the whole twin, a patch with the
    /// parts that changed.
    pub fn twin_update(&self, update: &TwinUpdate, after: &Twin) -> D2cMessage {
        let replaces = [&update.tags, &update.desired]
            .iter()
            .any(|change| matches!(change, Some(SectionChange::Replace(_))));
        if replaces {
            return self.message(
                MessageSource::TwinChange,
                "replaceTwin",
                &self.whole(after).into(),
            );
        }
        let mut body = Object::new();
        body.insert("version".into(), after.version.into());
        if let Some(SectionChange::Patch(tags)) = &update.tags {
            body.insert("tags".into(), tags.clone().into());
        }
        if let Some(SectionChange::Patch(desired)) = &update.desired {
            body.insert("properties".into(), in_section("desired", desired, &after.desired));
        }
        self.message(MessageSource::TwinChange, "updateTwin", &body.into())
    }

    /// A device changed its reported properties.
    pub fn reported(&self, patch: &Object, after: &Twin) -> D2cMessage {
        let mut body = Object::new();
        body.insert("version".into(), after.version.into());
        body.insert("properties".into(), in_section("reported", patch, &after.reported));
        self.message(MessageSource::TwinChange, "updateTwin", &body.into())
    }

    /// A job's status changed. `identity` only says in which partition that is told, and is not told itself.
    pub fn job(&self, job: &Job) -> D2cMessage {
        let mut message = self.message(MessageSource::JobLifecycle, job.operation(), &job.json());
        for property in &mut message.properties {
            if property.name == "deviceId" {
                *property =
                    AppProperty { name: "jobId".into(), value: Some(job.id.as_str().to_owned()) };
            }
        }
        message
    }

    fn whole(&self, twin: &Twin) -> Object {
        let mut body = twin.service_view();
        body.insert("deviceId".into(), self.identity.device.as_str().into());
        if let Some(module) = &self.identity.module {
            body.insert("moduleId".into(), module.as_str().into());
        }
        body
    }

    fn message(&self, source: MessageSource, operation: &str, body: &Value) -> D2cMessage {
        let mut properties = vec![
            ("hubName", self.hub.to_owned()),
            ("deviceId", self.identity.device.to_string()),
            ("opType", operation.to_owned()),
            ("operationTimestamp", self.now.iso8601()),
            ("iothub-message-schema", source.schema().to_owned()),
        ];
        if let Some(module) = &self.identity.module {
            properties.insert(2, ("moduleId", module.to_string()));
        }
        let property =
            |(name, value): (&str, String)| AppProperty { name: name.into(), value: Some(value) };
        D2cMessage {
            system: SystemProperties {
                correlation_id: Some(self.correlation_id.to_owned()),
                user_id: Some(self.hub.to_owned()),
                content_type: Some("application/json".into()),
                content_encoding: Some("utf-8".into()),
                ..SystemProperties::default()
            },
            properties: properties.into_iter().map(property).collect(),
            body: body.to_string().into(),
        }
    }
}

fn in_section(name: &str, patch: &Object, after: &Section) -> Value {
    let mut values = patch.clone();
    if let Value::Object(metadata) = Value::from(after.metadata.to_json()) {
        values.insert("$metadata".into(), of_members(&metadata, patch).into());
    }
    values.insert("$version".into(), after.version.into());
    let mut properties = Object::new();
    properties.insert(name.to_owned(), values.into());
    properties.into()
}

/// The metadata of the members that a patch names, and of what they are in.
fn of_members(metadata: &Object, patch: &Object) -> Object {
    let mut found = Object::new();
    for (name, value) in metadata {
        match (patch.get(name), value) {
            (Some(Value::Object(patch)), Value::Object(inner)) => {
                found.insert(name.clone(), of_members(inner, patch).into());
            }
            (Some(_), _) => drop(found.insert(name.clone(), value.clone())),
            (None, _) if name.starts_with('$') => drop(found.insert(name.clone(), value.clone())),
            (None, _) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DeviceId;
    use crate::limits::TwinLimits;
    use crate::registry::IfMatch;

    fn check(message: &D2cMessage, operation: &str, schema: &str, body: &str) {
        let property = |name: &str| {
            let found = message.properties.iter().find(|property| property.name == name);
            found.and_then(|property| property.value.as_deref())
        };
        assert_eq!(property("opType"), Some(operation));
        assert_eq!(property("iothub-message-schema"), Some(schema));
        assert_eq!(property("hubName"), Some("hub1"));
        assert_eq!(property("deviceId"), Some("d"));
        assert_eq!(property("operationTimestamp"), Some("1970-01-01T00:00:00.009Z"));
        assert_eq!(message.system.user_id.as_deref(), Some("hub1"));
        assert_eq!(message.system.content_encoding.as_deref(), Some("utf-8"));
        let got: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(got, serde_json::from_str::<Value>(body).unwrap(), "{got}");
    }

    #[test]
    fn each_happening_has_its_operation_schema_and_body() {
        let identity = IdentityId::device(DeviceId::new("d").unwrap());
        let about =
            Happening { hub: "hub1", identity: &identity, now: UnixMs(9), correlation_id: "c" };
        let number = format!("{:064X}", 255);
        check(
            &about.connection(true, 255, "connected"),
            "deviceConnected",
            "deviceConnectionStateNotification",
            &format!(r#"{{"sequenceNumber":"{number}","reason":"connected"}}"#),
        );
        let new = Twin::new(UnixMs(1));
        let at = |ms: u64| UnixMs(ms).iso8601();
        let patch = r#"{"tags":{"a":null},"properties":{"desired":{"p":{"q":1},"x":2}}}"#;
        let update = TwinUpdate::parse_patch(patch.as_bytes()).unwrap();
        let limits = TwinLimits::DEFAULT;
        let changed = new.clone().update(update, &IfMatch::Any, &limits, UnixMs(5)).unwrap().twin;
        let patch = r#"{"properties":{"desired":{"p":{"q":2}}}}"#;
        let update = TwinUpdate::parse_patch(patch.as_bytes()).unwrap();
        let after = changed.update(update.clone(), &IfMatch::Any, &limits, UnixMs(9)).unwrap().twin;
        check(
            &about.twin_update(&update, &after),
            "updateTwin",
            "twinChangeNotification",
            &format!(
                r#"{{"version":4,"properties":{{"desired":{{"p":{{"q":2}},"$version":3,"$metadata":{{
                "$lastUpdated":"{n}","$lastUpdatedVersion":3,"p":{{"$lastUpdated":"{n}",
                "$lastUpdatedVersion":3,"q":{{"$lastUpdated":"{n}","$lastUpdatedVersion":3}}}}}}}}}}}}"#,
                n = at(9)
            ),
        );
        let mut whole = after.service_view();
        whole.insert("deviceId".into(), "d".into());
        let whole = Value::from(whole).to_string();
        let put = TwinUpdate { tags: Some(SectionChange::Replace(Object::new())), desired: None };
        check(&about.twin_update(&put, &after), "replaceTwin", "twinChangeNotification", &whole);
        check(
            &about.life_cycle(false, &after),
            "deleteDeviceIdentity",
            "deviceLifecycleNotification",
            &whole,
        );
        let names: Vec<_> = MessageSource::ALL.map(MessageSource::annotation).to_vec();
        assert_eq!(names[4], "deviceJobLifecycleEvents");
    }
}

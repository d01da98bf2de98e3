//! The topics of twins, direct methods and cloud-to-device messages: those a device publishes to, read; those the hub
//! publishes to, written (device-protocols.md 2.10 to 2.12).

use std::fmt::Write as _;

use super::percent;

/// A request or answer that a device publishes. `rid` is any text without `/`; it is echoed as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRequest<'a> {
    /// `$iothub/twin/GET/?$rid={rid}`
    TwinGet {
        /// Request id.
        rid: &'a str,
    },
    /// `$iothub/twin/PATCH/properties/reported/?$rid={rid}[&$version={n}]`
    TwinPatch {
        /// Request id.
        rid: &'a str,
        /// The version that the reported properties must have, as it was written.
        version: Option<&'a str>,
    },
    /// `$iothub/methods/res/{status}/?$rid={rid}`
    MethodAnswer {
        /// The device's status; `None` if it is no 32-bit integer.
        status: Option<i32>,
        /// Request id of the call.
        rid: &'a str,
    },
}

/// Why a topic below `$iothub/` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTopicError {
    /// Nothing of the kind exists.
    #[error("the hub has no such topic")]
    Unknown,
    /// `?$rid=` is missing or empty.
    #[error("the topic has no request id")]
    NoRequestId,
}

/// Reads a topic that begins with `$iothub/`; `None` for every other.
pub fn device_request(topic: &str) -> Option<Result<DeviceRequest<'_>, DeviceTopicError>> {
    topic.strip_prefix("$iothub/").map(below_hub)
}

fn below_hub(rest: &str) -> Result<DeviceRequest<'_>, DeviceTopicError> {
    if let Some(rest) = rest.strip_prefix("twin/GET/") {
        return Ok(DeviceRequest::TwinGet { rid: query(rest)?.rid });
    }
    if let Some(rest) = rest.strip_prefix("twin/PATCH/properties/reported/") {
        let Query { rid, version } = query(rest)?;
        return Ok(DeviceRequest::TwinPatch { rid, version });
    }
    if let Some(rest) = rest.strip_prefix("methods/res/") {
        let (status, rest) = rest.split_once('/').ok_or(DeviceTopicError::NoRequestId)?;
        // An answer that names no call is one that nobody waits for.
        let rid = query(rest).map_or("", |query| query.rid);
        return Ok(DeviceRequest::MethodAnswer { status: status.parse().ok(), rid });
    }
    Err(DeviceTopicError::Unknown)
}

struct Query<'a> {
    rid: &'a str,
    version: Option<&'a str>,
}

/// `?$rid={rid}[&$version={n}]`, in either order, with `$` raw or encoded.
fn query(text: &str) -> Result<Query<'_>, DeviceTopicError> {
    let text = text.strip_prefix('?').ok_or(DeviceTopicError::NoRequestId)?;
    let (mut rid, mut version) = (None, None);
    for pair in text.split('&') {
        let Some((key, value)) = pair.split_once('=') else { continue };
        match key.strip_prefix('$').or_else(|| key.strip_prefix("%24")) {
            Some("rid") => rid = Some(value),
            Some("version") => version = Some(value),
            _ => {}
        }
    }
    let rid = rid.filter(|rid| !rid.is_empty()).ok_or(DeviceTopicError::NoRequestId)?;
    Ok(Query { rid, version })
}

/// `$iothub/twin/res/{status}/?$rid={rid}[&$version={n}]`, the version last: Java and C read it so.
pub fn twin_response(status: u16, rid: &str, version: Option<u64>) -> String {
    match version {
        Some(version) => format!("$iothub/twin/res/{status}/?$rid={rid}&$version={version}"),
        None => format!("$iothub/twin/res/{status}/?$rid={rid}"),
    }
}

/// `$iothub/twin/PATCH/properties/desired/?$version={n}`
pub fn desired_notice(version: u64) -> String {
    format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
}

/// `$iothub/methods/POST/{name}/?$rid={rid}`, the id in lower-case hex. The name stands as it is, since Node, Java, C# and C
/// take it so (device-protocols.md 2.12), unless it has a character that a topic does not take.
pub fn method_request(name: &str, rid: u32) -> String {
    let mut topic = String::with_capacity(40 + name.len());
    topic.push_str("$iothub/methods/POST/");
    if name.bytes().all(|byte| byte.is_ascii_graphic() && !b"%+#/?".contains(&byte)) {
        topic.push_str(name);
    } else {
        percent::encode(name, &mut topic);
    }
    // Writing to a string cannot fail.
    let _ = write!(topic, "/?$rid={rid:x}");
    topic
}

/// The topic of a cloud-to-device message under construction. It always begins with `%24.to`, because C# fails on a
/// topic without a bag and Java takes the first `%24` for its start (device-protocols.md 2.10).
#[derive(Debug)]
pub struct DeviceBound(String);

impl DeviceBound {
    /// For a device or a module.
    pub fn new(device: &str, module: Option<&str>) -> Self {
        let mut topic = format!("devices/{device}/");
        if let Some(module) = module {
            let _ = write!(topic, "modules/{module}/");
        }
        topic.push_str("messages/devicebound/");
        let mut this = Self(topic);
        this.pair("$.to", Some(&to(device, module)));
        this
    }

    /// A pair; `None` is null, which is written as the key alone.
    pub fn pair(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        if !self.0.ends_with('/') {
            self.0.push('&');
        }
        percent::encode(key, &mut self.0);
        if let Some(value) = value {
            self.0.push('=');
            percent::encode(value, &mut self.0);
        }
        self
    }

    /// A system property, if it is set.
    pub fn system(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.pair(key, Some(value)),
            None => self,
        }
    }

    /// The topic.
    pub fn finish(self) -> String {
        self.0
    }
}

/// The address that a message was sent to.
fn to(device: &str, module: Option<&str>) -> String {
    match module {
        Some(module) => format!("/devices/{device}/modules/{module}/messages/devicebound"),
        None => format!("/devices/{device}/messages/devicebound"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topic: &str, expected: Option<Result<DeviceRequest<'_>, DeviceTopicError>>) {
        assert_eq!(device_request(topic), expected, "{topic}");
    }

    #[test]
    fn what_a_device_asks_is_read_in_every_spelling() {
        let get = |rid| Some(Ok(DeviceRequest::TwinGet { rid }));
        check("$iothub/twin/GET/?$rid=1", get("1"));
        check("$iothub/twin/GET/?%24rid=a-b", get("a-b"));
        check("$iothub/twin/GET/?$rid=a%20b", get("a%20b"));
        let patch = |rid, version| Some(Ok(DeviceRequest::TwinPatch { rid, version }));
        check("$iothub/twin/PATCH/properties/reported/?$rid=x", patch("x", None));
        check("$iothub/twin/PATCH/properties/reported/?$rid=x&$version=7", patch("x", Some("7")));
        check("$iothub/twin/PATCH/properties/reported/?$version=7&$rid=x", patch("x", Some("7")));
        let answer = |status, rid| Some(Ok(DeviceRequest::MethodAnswer { status, rid }));
        check("$iothub/methods/res/200/?$rid=1f", answer(Some(200), "1f"));
        check("$iothub/methods/res/-1/?$rid=1f", answer(Some(-1), "1f"));
        check("$iothub/methods/res/9999999999/?$rid=1f", answer(None, "1f"));
        check("devices/d/messages/events/", None);
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        let refused = |why| Some(Err(why));
        check("$iothub/twin/PUT/?$rid=1", refused(DeviceTopicError::Unknown));
        check("$iothub/", refused(DeviceTopicError::Unknown));
        check("$iothub/twin/GET/", refused(DeviceTopicError::NoRequestId));
        check("$iothub/twin/GET/?$rid=", refused(DeviceTopicError::NoRequestId));
        check("$iothub/methods/res/200", refused(DeviceTopicError::NoRequestId));
    }

    #[test]
    fn the_hubs_topics_are_what_the_sdks_parse() {
        assert_eq!(twin_response(200, "7", None), "$iothub/twin/res/200/?$rid=7");
        assert_eq!(twin_response(204, "7", Some(3)), "$iothub/twin/res/204/?$rid=7&$version=3");
        assert_eq!(desired_notice(5), "$iothub/twin/PATCH/properties/desired/?$version=5");
        let command = "$iothub/methods/POST/thermostat*get!/?$rid=1";
        assert_eq!(method_request("thermostat*get!", 1), command, "a component's command");
        assert_eq!(method_request("re boot", 31), "$iothub/methods/POST/re%20boot/?$rid=1f");
    }

    #[test]
    fn a_bag_begins_with_the_address_and_is_encoded_throughout() {
        let mut topic = DeviceBound::new("dev1", None);
        topic.system("$.mid", Some("m1")).system("$.cid", None).pair("iothub-ack", Some("full"));
        topic.pair("prop1", None).pair("prop2", Some("")).pair("prop3", Some("a =/&string"));
        assert_eq!(
            topic.finish(),
            "devices/dev1/messages/devicebound/%24.to=%2Fdevices%2Fdev1%2Fmessages%2Fdevicebound&%24.mid=m1\
             &iothub-ack=full&prop1&prop2=&prop3=a%20%3D%2F%26string"
        );
        assert_eq!(
            DeviceBound::new("d#", Some("m")).finish(),
            "devices/d#/modules/m/messages/devicebound/\
             %24.to=%2Fdevices%2Fd%23%2Fmodules%2Fm%2Fmessages%2Fdevicebound"
        );
    }
}

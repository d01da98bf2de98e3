//! The topics of the hub: where a device publishes, and what it may subscribe to.
//!
//! Ids stand raw in topics (device-protocols.md 2.6) and never hold a `/`, so a topic is cut at its slashes.

/// Where a device's telemetry goes (device-protocols.md 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telemetry<'a> {
    /// Device named by the topic.
    pub device: &'a str,
    /// Module named by the topic.
    pub module: Option<&'a str>,
    /// All that follows `messages/events/`, slashes included: unencoded values hold them.
    pub bag: &'a str,
}

/// Reads `devices/{d}[/modules/{m}]/messages/events[/{bag}]`; `None` for every other topic.
pub fn telemetry(topic: &str) -> Option<Telemetry<'_>> {
    let (device, rest) = topic.strip_prefix("devices/")?.split_once('/')?;
    let (module, rest) = match rest.strip_prefix("modules/") {
        Some(rest) => {
            let (module, rest) = rest.split_once('/')?;
            (Some(module), rest)
        }
        None => (None, rest),
    };
    let after = rest.strip_prefix("messages/events")?;
    let bag = match after.strip_prefix('/') {
        Some(bag) => bag,
        None if after.is_empty() => "",
        None => return None,
    };
    if device.is_empty() || module.is_some_and(str::is_empty) {
        return None;
    }
    Some(Telemetry { device, module, bag })
}

/// A subscription that the hub knows (device-protocols.md 2.8). Filters are compared as they were written: two
/// spellings of one meaning are two subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// `devices/{d}/messages/devicebound/#`
    CloudToDevice,
    /// `devices/+/messages/devicebound/#`, the embedded C SDK's spelling of the same.
    CloudToDeviceAny,
    /// `$iothub/twin/res/#`
    TwinResponses,
    /// `$iothub/twin/PATCH/properties/desired/#`
    DesiredProperties,
    /// `$iothub/methods/POST/#`
    Methods,
    /// `$iothub/methods/POST/{name}/#`
    Method(Box<str>),
    /// `devices/{d}/modules/{m}/inputs/#`
    ModuleInputs,
    /// `devices/{d}/modules/{m}/#`
    ModuleAll,
    /// `devices/{d}/modules/{m}/messages/devicebound/#`
    ModuleCloudToDevice,
}

impl Subscription {
    /// The filter, as it was written.
    pub fn filter(&self, device: &str, module: Option<&str>) -> String {
        let module = module.unwrap_or_default();
        match self {
            Self::CloudToDevice => format!("devices/{device}/messages/devicebound/#"),
            Self::CloudToDeviceAny => "devices/+/messages/devicebound/#".to_owned(),
            Self::TwinResponses => "$iothub/twin/res/#".to_owned(),
            Self::DesiredProperties => "$iothub/twin/PATCH/properties/desired/#".to_owned(),
            Self::Methods => "$iothub/methods/POST/#".to_owned(),
            Self::Method(name) => format!("$iothub/methods/POST/{name}/#"),
            Self::ModuleInputs => format!("devices/{device}/modules/{module}/inputs/#"),
            Self::ModuleAll => format!("devices/{device}/modules/{module}/#"),
            Self::ModuleCloudToDevice => {
                format!("devices/{device}/modules/{module}/messages/devicebound/#")
            }
        }
    }
}

/// The subscription that `filter` means for this identity; `None` is to be refused with 0x80.
pub fn subscription(filter: &str, device: &str, module: Option<&str>) -> Option<Subscription> {
    if let Some(rest) = filter.strip_prefix("$iothub/") {
        return match rest {
            "twin/res/#" => Some(Subscription::TwinResponses),
            "twin/PATCH/properties/desired/#" => Some(Subscription::DesiredProperties),
            "methods/POST/#" => Some(Subscription::Methods),
            _ => one_method(rest),
        };
    }
    let rest = filter.strip_prefix("devices/")?;
    match module {
        None => match rest.strip_suffix("/messages/devicebound/#")? {
            named if named == device => Some(Subscription::CloudToDevice),
            "+" => Some(Subscription::CloudToDeviceAny),
            _ => None,
        },
        Some(module) => {
            let rest = rest.strip_prefix(device)?.strip_prefix("/modules/")?;
            match rest.strip_prefix(module)? {
                "/inputs/#" => Some(Subscription::ModuleInputs),
                "/#" => Some(Subscription::ModuleAll),
                "/messages/devicebound/#" => Some(Subscription::ModuleCloudToDevice),
                _ => None,
            }
        }
    }
}

fn one_method(rest: &str) -> Option<Subscription> {
    let name = rest.strip_prefix("methods/POST/")?.strip_suffix("/#")?;
    let plain = !name.is_empty() && !name.contains(['/', '+', '#']);
    plain.then(|| Subscription::Method(name.into()))
}

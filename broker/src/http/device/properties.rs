//! A message's properties as HTTP headers, and as the members of a batch's `properties` (device-protocols.md 4.2).

use ironhub_domain::event::{AppProperty, D2cMessage, SystemProperties};

/// Before the name of an application property.
pub(super) const APP: &str = "iothub-app-";

/// Puts a header, or a member of a batch, where it belongs; what means nothing to the hub is passed over. `name` is
/// compared without letter case; the name of an application property stays as it is. HTTP has no case in header names, so
/// those of single messages come in lower case.
pub(super) fn assign(message: &mut D2cMessage, name: &str, value: &str) {
    let own = value.to_owned();
    if let Some(slot) = slot(&mut message.system, name) {
        *slot = Some(own);
        return;
    }
    let property = match name.get(..APP.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(APP) => &name[APP.len()..],
        _ if name.eq_ignore_ascii_case("iothub-ack") => "iothub-ack",
        _ => return,
    };
    if property.is_empty() {
        return;
    }
    message.properties.push(AppProperty { name: property.to_owned(), value: Some(own) });
}

fn slot<'a>(system: &'a mut SystemProperties, name: &str) -> Option<&'a mut Option<String>> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "iothub-messageid" => &mut system.message_id,
        "iothub-correlationid" => &mut system.correlation_id,
        "iothub-userid" => &mut system.user_id,
        "iothub-to" => &mut system.to,
        "iothub-contenttype" => &mut system.content_type,
        "iothub-contentencoding" => &mut system.content_encoding,
        "iothub-expiry" => &mut system.absolute_expiry_time,
        "iothub-creation-time-utc"
        | "iothub-creationtimeutc"
        | "iothub-app-iothub-creation-time-utc" => &mut system.creation_time,
        "iothub-messageschema" => &mut system.message_schema,
        "iothub-interface-id" => &mut system.interface_id,
        "iothub-outputname" | "iothub-app-iothub-outputname" => &mut system.output_name,
        "dt-subject" => &mut system.component_name,
        _ => return None,
    })
}

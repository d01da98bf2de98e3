//! Publish topics and subscription filters.

use crate::mqtt::hub_topic::{Subscription, Telemetry, subscription, telemetry};

fn check(topic: &str, expected: Option<(&str, Option<&str>, &str)>) {
    let expected = expected.map(|(device, module, bag)| Telemetry { device, module, bag });
    assert_eq!(telemetry(topic), expected, "{topic}");
}

#[test]
fn telemetry_topics_name_device_module_and_bag() {
    check("devices/d/messages/events", Some(("d", None, "")));
    check("devices/d/messages/events/", Some(("d", None, "")));
    check("devices/d/messages/events/a=b/c&d/", Some(("d", None, "a=b/c&d/")));
    check("devices/a+b#?%20/messages/events/x", Some(("a+b#?%20", None, "x")));
    check("devices/d/modules/m/messages/events", Some(("d", Some("m"), "")));
    check("devices/d/modules/m/messages/events/%24.on=o/", Some(("d", Some("m"), "%24.on=o/")));
    check("devices/modules/messages/events/", Some(("modules", None, "")));
}

#[test]
fn other_topics_are_not_telemetry() {
    for topic in [
        "",
        "t",
        "devices",
        "devices/",
        "devices/d",
        "devices//messages/events/",
        "devices/d/messages/eventsx",
        "devices/d/messages/devicebound/",
        "devices/d/modules//messages/events/",
        "devices/d/modules/m",
        "devices/d/modules/messages/events/",
        "/devices/d/messages/events/",
        "Devices/d/messages/events/",
        "$iothub/twin/GET/?$rid=1",
    ] {
        check(topic, None);
    }
}

fn check_filter(identity: &str, filter: &str, expected: Option<Subscription>) {
    let (device, module) = match identity.split_once('/') {
        Some((device, module)) => (device, Some(module)),
        None => (identity, None),
    };
    assert_eq!(subscription(filter, device, module), expected, "{identity}: {filter}");
}

#[test]
fn each_filter_that_sdks_send_is_known() {
    use Subscription::*;
    check_filter("d", "devices/d/messages/devicebound/#", Some(CloudToDevice));
    check_filter("d", "devices/+/messages/devicebound/#", Some(CloudToDeviceAny));
    for identity in ["d", "d/m"] {
        check_filter(identity, "$iothub/twin/res/#", Some(TwinResponses));
        let desired = "$iothub/twin/PATCH/properties/desired/#";
        check_filter(identity, desired, Some(DesiredProperties));
        check_filter(identity, "$iothub/methods/POST/#", Some(Methods));
        check_filter(identity, "$iothub/methods/POST/reboot/#", Some(Method("reboot".into())));
    }
    check_filter("d/m", "devices/d/modules/m/inputs/#", Some(ModuleInputs));
    check_filter("d/m", "devices/d/modules/m/#", Some(ModuleAll));
    let to_module = "devices/d/modules/m/messages/devicebound/#";
    check_filter("d/m", to_module, Some(ModuleCloudToDevice));
}

#[test]
fn other_filters_are_refused() {
    for filter in [
        "#",
        "+",
        "devices/#",
        "devices/e/messages/devicebound/#",
        "devices/dd/messages/devicebound/#",
        "devices/d/messages/devicebound",
        "devices/d/messages/events/#",
        "devices/d/modules/m/#",
        "$iothub/#",
        "$iothub/twin/#",
        "$iothub/methods/POST/",
        "$iothub/methods/POST//#",
        "$iothub/methods/POST/+/#",
        "$iothub/methods/POST/a/b/#",
    ] {
        check_filter("d", filter, None);
    }
    for filter in [
        "devices/d/messages/devicebound/#",
        "devices/d/modules/n/#",
        "devices/d/modules/mm/#",
        "devices/e/modules/m/#",
        "devices/d/modules/m/messages/#",
    ] {
        check_filter("d/m", filter, None);
    }
}

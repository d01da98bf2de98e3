//! Where messages go.

use super::*;

/// The names of the places where a message goes, in order.
fn places(table: &RoutingTable, source: MessageSource, message: &D2cMessage) -> String {
    let (origin, twin) = (origin(), twin());
    let view = MessageView::new(message, Some(&origin), NOW, Some(&twin));
    let destinations = table.destinations(source, &view);
    let names: Vec<_> = destinations.iter().map(|place| table.name(place)).collect();
    assert_eq!(destinations.is_empty(), names.is_empty());
    names.join(" ")
}

fn logs(names: &[&str]) -> Value {
    json!({"eventHubs": names.iter().map(|name| json!({"name": name})).collect::<Value>()})
}

#[test]
fn a_new_hub_keeps_what_devices_send_and_nothing_else() {
    for table in [RoutingTable::default(), table(json!({}))] {
        assert!(table.is_default());
        for source in MessageSource::ALL {
            let expected = if source == MessageSource::Telemetry { "events" } else { "" };
            assert_eq!(places(&table, source, &message(&[])), expected, "{source:?}");
            assert_eq!(table.is_routed(source), source == MessageSource::Telemetry);
            assert!(!table.needs_twin(source));
        }
        assert_eq!(table.routing(), &Routing::default());
    }
}

#[test]
fn a_message_takes_every_route_that_it_matches_and_the_fallback_only_without_any() {
    let document = |fallback: Value| {
        json!({
            "endpoints": logs(&["alerts", "all"]),
            "routes": [
                route("a", "DeviceMessages", "level = 'alert'", &["alerts"]),
                route("b", "DeviceMessages", "level = 'alert' OR level = 'info'", &["all"]),
                route("c", "DeviceMessages", "AS_NUMBER(n) > 5", &["alerts", "all"]),
                route("d", "DeviceMessages", "built = 'in'", &["Events"]),
            ],
            "fallbackRoute": fallback,
        })
    };
    let with = table(document(json!({"source": "DeviceMessages", "isEnabled": true})));
    let disabled = table(document(json!({"isEnabled": false})));
    let without = table(document(json!(null)));
    for (properties, expected) in [
        (&[("level", "alert")][..], "alerts all"),
        (&[("level", "info")], "all"),
        (&[("level", "alert"), ("n", "6")], "alerts all"),
        (&[("built", "in"), ("level", "info")], "events all"),
        (&[("built", "in")], "events"),
        (&[("level", "debug")], ""),
        (&[], ""),
    ] {
        let message = message(properties);
        let fallback = if expected.is_empty() { "events" } else { expected };
        assert_eq!(places(&with, MessageSource::Telemetry, &message), fallback, "{properties:?}");
        for table in [&disabled, &without] {
            assert_eq!(
                places(table, MessageSource::Telemetry, &message),
                expected,
                "{properties:?}"
            );
        }
        assert_eq!(places(&with, MessageSource::TwinChange, &message), "", "{properties:?}");
    }
    assert!(![with, disabled, without].iter().any(RoutingTable::is_default));
}

#[test]
fn a_route_is_of_one_source() {
    let table = table(json!({
        "endpoints": logs(&["life"]),
        "routes": [
            route("a", "deviceLifecycleEVENTS", "opType = 'createDeviceIdentity'", &["life"]),
            route("b", "DeviceConnectionStateEvents", "true", &["events"]),
            route("c", "DeviceJobLifecycleEvents", "", &["life", "events"]),
        ],
        "fallbackRoute": {"isEnabled": true},
    }));
    let message = message(&[("opType", "createDeviceIdentity")]);
    for (source, expected) in [
        (MessageSource::Telemetry, "events"),
        (MessageSource::DeviceLifecycle, "life"),
        (MessageSource::ConnectionState, "events"),
        (MessageSource::JobLifecycle, "events life"),
        (MessageSource::TwinChange, ""),
    ] {
        assert_eq!(places(&table, source, &message), expected, "{source:?}");
        assert_eq!(table.is_routed(source), !expected.is_empty(), "{source:?}");
    }
}

#[test]
fn a_disabled_route_takes_nothing() {
    let mut disabled = route("a", "DeviceMessages", "true", &["x"]);
    disabled["isEnabled"] = false.into();
    let table = table(json!({
        "endpoints": logs(&["x"]), "routes": [disabled], "fallbackRoute": {"isEnabled": true},
    }));
    assert_eq!(places(&table, MessageSource::Telemetry, &message(&[])), "events");
    assert!(table.is_default());
}

#[test]
fn without_routes_and_fallback_nothing_is_kept() {
    let table = table(json!({"fallbackRoute": {"isEnabled": false}}));
    assert_eq!(places(&table, MessageSource::Telemetry, &message(&[])), "");
    assert!(!table.is_default() && !table.is_routed(MessageSource::Telemetry));
}

#[test]
fn a_twin_is_needed_where_a_condition_or_an_enrichment_looks_at_it() {
    let twin_route =
        route("a", "TwinChangeEvents", "is_defined(x) AND abs($Twin.tags.n) = 7", &["x"]);
    let enrichment = |endpoint: &str, value: &str| json!([{"key": "k", "value": value, "endpointNames": [endpoint]}]);
    for (document, expected) in [
        (json!({"routes": [twin_route]}), vec![MessageSource::TwinChange]),
        (
            json!({"routes": [route("a", "DeviceMessages", "$body.twin = 1 AND twin = 2", &["x"])]}),
            vec![],
        ),
        (
            json!({"enrichments": enrichment("events", "$twin.tags.a")}),
            vec![MessageSource::Telemetry],
        ),
        (json!({"enrichments": enrichment("x", "$twin.tags.a")}), vec![]),
        (json!({"enrichments": enrichment("events", "$iothubname")}), vec![]),
        (
            json!({
                "enrichments": enrichment("x", "$twin.tags.a"),
                "routes": [route("a", "DeviceLifecycleEvents", "", &["x"])],
            }),
            vec![MessageSource::DeviceLifecycle],
        ),
    ] {
        let mut full = document.clone();
        full["endpoints"] = logs(&["x"]);
        let table = table(full);
        let needed: Vec<_> =
            MessageSource::ALL.into_iter().filter(|s| table.needs_twin(*s)).collect();
        assert_eq!(needed, expected, "{document}");
    }
}

#[test]
fn every_endpoint_has_its_own_place() {
    let names: Vec<_> = (0..10).map(|i| format!("e{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let routes: Vec<_> = names
        .iter()
        .map(|name| {
            route(name, "DeviceMessages", &format!("to = '{name}' OR to = 'all'"), &[*name])
        })
        .collect();
    let table = table(json!({"endpoints": logs(&names), "routes": routes}));
    for name in &names {
        assert_eq!(places(&table, MessageSource::Telemetry, &message(&[("to", name)])), **name);
    }
    assert_eq!(
        places(&table, MessageSource::Telemetry, &message(&[("to", "all")])),
        names.join(" ")
    );
}

#[test]
fn sources_have_the_names_of_the_api() {
    for source in MessageSource::ALL {
        assert_eq!(MessageSource::of_route(source.route_name()), Some(source));
        assert_eq!(MessageSource::of_route(&source.route_name().to_uppercase()), Some(source));
    }
    assert_eq!(MessageSource::of_route("Invalid"), None);
    assert_eq!(MessageSource::of_route("telemetry"), None);
}

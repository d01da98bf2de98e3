//! What endpoints get on top.

use super::*;

fn enriched(value: &str, twin: Option<&dyn Row>) -> String {
    let table =
        table(json!({"enrichments": [{"key": "k", "value": value, "endpointNames": ["events"]}]}));
    let message = message(&[]);
    let got = table.enrich(Destination::BuiltIn, &MessageView::new(&message, None, NOW, twin));
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].0, "k");
    got[0].1.clone()
}

#[test]
fn a_value_is_a_text_the_hubs_name_or_the_twins_at_a_path() {
    let twin = twin();
    for (value, expected) in [
        ("static text, = and all", "static text, = and all"),
        ("", ""),
        ("$iothubname", "hub1"),
        ("$IotHubName", "hub1"),
        ("$twin.tags.deploymentLocation.building", "43"),
        ("$twin.tags.n", "7"),
        ("$twin.properties.reported.batteryLevel", "55"),
        ("$twin.properties.desired.telemetryConfig", r#"{"sendFrequency":"5m"}"#),
        ("$Twin.Tags.N", "7"),
        ("$twin.tags.none", "$twin.tags.none"),
        ("$Twin.tags.none", "$Twin.tags.none"),
        ("$other", "$other"),
        ("$twin", "$twin"),
        ("$body.x", "$body.x"),
    ] {
        assert_eq!(enriched(value, Some(&twin)), expected, "{value}");
    }
    assert_eq!(enriched("$twin.tags.n", None), "$twin.tags.n");
}

#[test]
fn enrichments_are_for_their_endpoints() {
    let table = table(json!({
        "endpoints": {"eventHubs": [{"name": "x"}, {"name": "y"}]},
        "enrichments": [
            {"key": "a", "value": "1", "endpointNames": ["events", "y"]},
            {"key": "b", "value": "2", "endpointNames": ["Y"]},
            {"key": "a", "value": "3", "endpointNames": ["x"]},
        ],
    }));
    let message = message(&[]);
    let view = MessageView::new(&message, None, NOW, None);
    let shown = |destination| {
        let all = table.enrich(destination, &view).into_iter();
        all.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(Destination::BuiltIn), "a=1");
    assert_eq!(shown(Destination::Endpoint(0)), "a=3");
    assert_eq!(shown(Destination::Endpoint(1)), "a=1 b=2");
    assert!(!table.is_default(), "the built-in endpoint's messages are not as they came");
}

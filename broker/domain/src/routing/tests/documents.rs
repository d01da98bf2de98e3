//! Documents to and from JSON.

use super::*;

fn full() -> Value {
    json!({
        "routes": [
            {"name": "r-1", "source": "DeviceMessages", "condition": "a = 'b'", "endpointNames": ["log"], "isEnabled": true},
            {"name": "r.2", "source": "TwinChangeEvents", "condition": "true", "endpointNames": ["hook", "events"], "isEnabled": false},
        ],
        "fallbackRoute": {"name": "$fallback", "source": "DeviceMessages", "condition": "true",
                          "endpointNames": ["events"], "isEnabled": true},
        "endpoints": {
            "eventHubs": [{"name": "log"}],
            "storageContainers": [
                {"name": "own", "containerName": "archive", "fileNameFormat": "{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}",
                 "batchFrequencyInSeconds": 100, "maxChunkSizeInBytes": 10_485_760, "encoding": "JSON"},
                {"name": "far", "containerUri": "https://x.blob.core.windows.net/c?sv=1&sig=abc",
                 "fileNameFormat": "{YYYY}-{MM}-{DD}/{HH}_{mm}/{iothub}.{partition}",
                 "batchFrequencyInSeconds": 60, "maxChunkSizeInBytes": 65536, "encoding": "Avro"},
            ],
            "webhooks": [
                {"name": "hook", "url": "https://example.com/in?x=1", "secret": "0123456789abcdef", "timeoutInSeconds": 5,
                 "maxDeliveryCount": 3, "retryDelayInSeconds": 2, "maxRetryDelayInSeconds": 60, "deadLetterEndpointName": "log"},
            ],
        },
        "enrichments": [{"key": "k", "value": "$iothubname", "endpointNames": ["events", "log"]}],
    })
}

#[test]
fn what_is_written_is_what_was_read() {
    let read = routing(full());
    assert_eq!(read.to_json(), full());
    assert_eq!(Routing::parse(full().to_string().as_bytes()), Ok(read.clone()));
    let default = Routing::default();
    assert_eq!(Routing::from_json(&default.to_json()), Ok(default));
    RoutingTable::compile(&read, "hub1").expect("it is in order");
}

#[test]
fn secrets_are_masked_for_services_and_kept_when_they_come_back_masked() {
    let current = routing(full());
    let masked = current.to_json_masked();
    let text = masked.to_string();
    assert!(!text.contains("0123456789abcdef") && !text.contains("sig=abc"), "{text}");
    assert_eq!(masked["endpoints"]["webhooks"][0]["secret"], MASKED);
    let debug = format!("{current:?}");
    assert!(!debug.contains("0123456789abcdef") && !debug.contains("sig=abc"), "{debug}");

    let mut back = routing(masked.clone());
    assert!(RoutingTable::compile(&back, "hub1").is_err(), "a mask is no secret");
    back.keep_secrets(&current);
    assert_eq!(back, current);

    let mut elsewhere = masked.clone();
    elsewhere["endpoints"]["webhooks"][0]["url"] = "https://evil.example/".into();
    elsewhere["endpoints"]["storageContainers"][1]["containerUri"] =
        "https://evil.example/c?****".into();
    let mut elsewhere = routing(elsewhere);
    elsewhere.keep_secrets(&current);
    let shown = elsewhere.to_json().to_string();
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("sig=abc"), "{shown}");

    let mut changed = masked;
    changed["endpoints"]["webhooks"][0]["secret"] = "another secret, new".into();
    let mut changed = routing(changed);
    changed.keep_secrets(&current);
    assert!(changed.to_json().to_string().contains("another secret, new"));
}

#[test]
fn what_is_left_out_has_a_default() {
    let read = routing(json!({
        "id": "ignored",
        "routes": [{"name": "r", "source": "devicemessages", "endpointNames": ["h"], "isEnabled": true, "condition": null}],
        "endpoints": [
            {"type": "webhook", "name": "h", "url": "http://localhost:8080", "secret": "0123456789abcdef", "subscriptionId": "s"},
            {"type": "EventHub", "name": "l"},
            {"type": "storageContainer", "name": "s", "containerName": "c-1"},
        ],
    }));
    assert!(!read.fallback.enabled, "without fallbackRoute, beside routes");
    assert_eq!(read.routes[0].condition, "");
    let written = read.to_json();
    assert_eq!(written["routes"][0]["condition"], "true");
    assert_eq!(
        written["endpoints"],
        json!({
            "eventHubs": [{"name": "l"}],
            "storageContainers": [{
                "name": "s", "containerName": "c-1", "fileNameFormat": "{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}",
                "batchFrequencyInSeconds": 300, "maxChunkSizeInBytes": 10_485_760, "encoding": "Avro",
            }],
            "webhooks": [{
                "name": "h", "url": "http://localhost:8080", "secret": "0123456789abcdef", "timeoutInSeconds": 30,
                "maxDeliveryCount": 20, "retryDelayInSeconds": 1, "maxRetryDelayInSeconds": 180,
            }],
        })
    );
    RoutingTable::compile(&read, "hub1").expect("defaults are in order");
    assert_eq!(routing(json!({})), Routing::default());
}

#[test]
fn blobs_are_named_by_hub_partition_and_minute() {
    let name = |format: &str| BlobNameFormat::new(format).unwrap().name("hub1", 3, NOW);
    assert_eq!(BlobNameFormat::default().name("hub1", 3, NOW), "hub1/03/2026/01/02/03/04");
    assert_eq!(
        name("a={mm}.{HH}_{DD}-{MM}/{YYYY}{partition}/{iothub}"),
        "a=04.03_02-01/202603/hub1"
    );
    for (format, why) in [
        ("", "{iothub} must stand in it once"),
        ("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}", "{mm} must stand in it once"),
        ("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}/{mm}", "{mm} must stand in it once"),
        ("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}/{x}", "it has the character '{'"),
        ("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm} ", "it has the character ' '"),
        (
            "/{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}",
            "it has an empty name or two full stops",
        ),
        (
            "../{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}",
            "it has an empty name or two full stops",
        ),
    ] {
        let expected = Err(HubError::InvalidArgument(format!("fileNameFormat: {why}")));
        assert_eq!(BlobNameFormat::new(format), expected, "{format}");
    }
    let long = format!("{}{}", "x".repeat(1000), BlobNameFormat::default().as_str());
    assert!(BlobNameFormat::new(&long).is_err());
}

#[test]
fn a_part_is_read_and_put_by_its_name_in_any_case() {
    let mut routing = Routing::default();
    let hook = br#"{"type":"webhook","url":"https://x.test/","secret":"0123456789abcdef"}"#;
    assert_eq!(routing.put_part(Part::Endpoint("Hook"), hook), Ok(true));
    assert_eq!(routing.put_part(Part::Endpoint("hook"), br#"{"type":"eventHub"}"#), Ok(false));
    assert_eq!(routing.endpoints.len(), 1);
    assert_eq!(routing.put_part(Part::Endpoint("hook"), hook), Ok(false));
    let shown = routing.part_json(Part::Endpoint("HOOK")).unwrap();
    assert_eq!((&shown["type"], &shown["secret"]), (&json!("webhook"), &json!(MASKED)));

    let route = br#"{"source":"DeviceMessages","endpointNames":["hook"],"isEnabled":true}"#;
    assert_eq!(routing.put_part(Part::Route("r"), route), Ok(true));
    let shown = routing.part_json(Part::Route("R")).unwrap();
    assert_eq!(shown["name"], "r");
    assert_eq!(routing.put_part(Part::Route("$fallback"), br#"{"isEnabled":false}"#), Ok(false));
    assert!(!routing.fallback.enabled);
    assert_eq!(routing.part_json(Part::Route("$Fallback")).unwrap()["isEnabled"], false);

    let two =
        br#"[{"value":"1","endpointNames":["hook"]},{"value":"2","endpointNames":["events"]}]"#;
    assert_eq!(routing.put_part(Part::Enrichment("k"), two), Ok(true));
    assert!(routing.part_json(Part::Enrichment("k")).unwrap().is_array());
    assert!(RoutingTable::compile(&routing, "hub1").is_ok());
    assert!(routing.remove_part(Part::Enrichment("K")));
    assert!(!routing.remove_part(Part::Enrichment("k")));
    assert!(routing.remove_part(Part::Route("r")));
    assert_eq!(routing.part_json(Part::Route("r")), None);
}

#[test]
fn a_part_whose_body_names_another_is_refused() {
    let check = |part: Part<'_>, body: &str, expected: &str| {
        let refused = Routing::default().put_part(part, body.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{body}: {refused}");
    };
    check(Part::Route("a"), r#"{"name":"b"}"#, "that in the path is \"a\"");
    check(Part::Route("a"), "[]", "no object");
    check(Part::Route("a"), "{", "not JSON");
    check(Part::Route("a"), "{}", "route \"a\": source is missing");
    check(Part::Endpoint("e"), "{}", "type is missing");
    check(Part::Enrichment("k"), r#"{"key":7}"#, "that in the path is \"k\"");
}

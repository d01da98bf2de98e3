//! What is wrong with a document, in words that name the place.

use proptest::prelude::*;

use super::*;
use crate::limits::ROUTING_JSON_BYTES_MAX;

#[track_caller]
fn check(document: Value, expected: &str) {
    let outcome = Routing::from_json(&document)
        .and_then(|routing| RoutingTable::compile(&routing, "hub1").map(|_| ()));
    assert_eq!(outcome, Err(HubError::InvalidArgument(expected.to_owned())), "{document}");
}

/// A document with a route that is in order but for these members.
fn with_route(members: Value) -> Value {
    let mut route = route("r", "DeviceMessages", "true", &["events"]);
    for (name, value) in members.as_object().unwrap() {
        route[name] = value.clone();
    }
    json!({ "routes": [route] })
}

fn with_endpoint(list: &str, endpoint: Value) -> Value {
    json!({ "endpoints": { list: [endpoint] } })
}

fn webhook(members: Value) -> Value {
    let mut webhook = json!({"name": "h", "url": "https://x/", "secret": "0123456789abcdef"});
    for (name, value) in members.as_object().unwrap() {
        webhook[name] = value.clone();
    }
    with_endpoint("webhooks", webhook)
}

fn storage(members: Value) -> Value {
    let mut storage = json!({"name": "s", "containerName": "abc"});
    for (name, value) in members.as_object().unwrap() {
        storage[name] = value.clone();
    }
    with_endpoint("storageContainers", storage)
}

#[test]
fn documents_that_are_none() {
    check(json!([]), "the routing document is no object");
    check(json!({"routes": {}}), "the routing document: routes is no array");
    check(json!({"routes": [1]}), "a route is no object");
    check(json!({"endpoints": 1}), "endpoints is no object");
    check(json!({"endpoints": [{"name": "x"}]}), "an endpoint: type is missing");
    check(
        json!({"endpoints": [{"name": "x", "type": "queue"}]}),
        "an endpoint: type is none of eventHub, storageContainer and webhook",
    );
    check(
        json!({"endpoints": {"serviceBusQueues": [{}]}}),
        "endpoints: serviceBusQueues are not supported",
    );
    let parse = |body: &[u8]| Routing::parse(body).map(|_| ()).unwrap_err().to_string();
    assert!(parse(b"{").starts_with("invalid argument: the body is not JSON: "));
    let big = " ".repeat(ROUTING_JSON_BYTES_MAX + 1);
    assert_eq!(parse(big.as_bytes()), "message has 524289 bytes, at most 524288 are allowed");
}

#[test]
fn routes() {
    let check = |members: Value, expected: &str| check(with_route(members), expected);
    check(json!({"name": null}), "a route: name is missing");
    check(json!({"name": 1}), "a route: name is no text");
    check(json!({"source": null}), "route \"r\": source is missing");
    check(
        json!({"source": "Invalid"}),
        "route \"r\": source is none of DeviceMessages, TwinChangeEvents, DeviceLifecycleEvents, DeviceConnectionStateEvents, DeviceJobLifecycleEvents",
    );
    check(json!({"isEnabled": null}), "route \"r\": isEnabled is missing");
    check(json!({"isEnabled": "yes"}), "route \"r\": isEnabled is neither true nor false");
    check(json!({"endpointNames": "events"}), "route \"r\": endpointNames is no array");
    check(
        json!({"endpointNames": [1]}),
        "route \"r\": endpointNames has an element that is no text",
    );
    check(json!({"endpointNames": []}), "route \"r\": endpointNames is empty");
    check(json!({"endpointNames": ["none"]}), "route \"r\": there is no endpoint \"none\"");
    check(
        json!({"endpointNames": vec!["events"; 12]}),
        "route \"r\": endpointNames: there are 12, at most 11 are allowed",
    );
    check(json!({"name": ""}), "route \"\": a name has 1 to 64 letters, digits, '-', '.' and '_'");
    check(
        json!({"name": "a b"}),
        "route \"a b\": a name has 1 to 64 letters, digits, '-', '.' and '_'",
    );
    check(
        json!({"condition": "level = "}),
        "route \"r\": condition: at character 9: expected an expression, found end of text",
    );
    check(
        json!({"condition": "level = 1", "isEnabled": false, "name": "$x"}),
        "route \"$x\": a name has 1 to 64 letters, digits, '-', '.' and '_'",
    );
    check(
        json!({"condition": "(", "isEnabled": false}),
        "route \"r\": condition: at character 2: expected an expression, found end of text",
    );
}

#[test]
fn numbers_and_names_of_routes_endpoints_and_enrichments() {
    let routes = |n: usize| {
        (0..n)
            .map(|i| route(&format!("r{i}"), "DeviceMessages", "", &["events"]))
            .collect::<Value>()
    };
    table(json!({"routes": routes(100)}));
    check(json!({"routes": routes(101)}), "routes: there are 101, at most 100 are allowed");
    let twice = json!([
        route("r", "DeviceMessages", "", &["events"]),
        route("R", "TwinChangeEvents", "", &["events"])
    ]);
    check(json!({"routes": twice}), "route \"R\": there are two of that name");

    let logs = |n: usize| (0..n).map(|i| json!({"name": format!("e{i}")})).collect::<Value>();
    table(json!({"endpoints": {"eventHubs": logs(10)}}));
    check(
        json!({"endpoints": {"eventHubs": logs(11)}}),
        "endpoints: there are 11, at most 10 are allowed",
    );
    for name in ["Events", "fileNotifications", "$default"] {
        let why = match name {
            "$default" => "a name has 1 to 64 letters, digits, '-', '.' and '_'",
            _ => "the name is reserved",
        };
        check(
            with_endpoint("eventHubs", json!({"name": name})),
            &format!("endpoint {name:?}: {why}"),
        );
    }
    let twice = json!({"eventHubs": [{"name": "a"}], "webhooks": [{"name": "A", "url": "http://x", "secret": "0123456789abcdef"}]});
    check(json!({"endpoints": twice}), "endpoint \"A\": there are two of that name");

    let enrichment =
        |key: &str, value: &str| json!({"key": key, "value": value, "endpointNames": ["events"]});
    let many = |n: usize| (0..n).map(|i| enrichment(&format!("k{i}"), "v")).collect::<Value>();
    table(json!({"enrichments": many(10)}));
    check(json!({"enrichments": many(11)}), "enrichments: there are 11, at most 10 are allowed");
    for (enrichments, expected) in [
        (
            json!([enrichment("a b", "v")]),
            "enrichment \"a b\": a key has letters, digits, '-', '_' and '.' only",
        ),
        (
            json!([enrichment("", "v")]),
            "enrichment \"\": a key has letters, digits, '-', '_' and '.' only",
        ),
        (
            json!([enrichment(&"k".repeat(129), "v")]),
            &format!(
                "enrichment {:?}: characters of the key: there are 129, at most 128 are allowed",
                "k".repeat(129)
            ),
        ),
        (
            json!([enrichment("k", &"v".repeat(1025))]),
            "enrichment \"k\": characters of the value: there are 1025, at most 1024 are allowed",
        ),
        (
            json!([enrichment("k", "v"), enrichment("K", "w")]),
            "enrichment \"K\": an endpoint has two of that key",
        ),
        (json!([{"key": "k", "value": "v"}]), "enrichment \"k\": endpointNames is empty"),
        (json!([{"key": "k", "endpointNames": ["events"]}]), "enrichment \"k\": value is missing"),
        (
            json!([{"key": "k", "value": "v", "endpointNames": ["none"]}]),
            "enrichment \"k\": there is no endpoint \"none\"",
        ),
        (
            json!([enrichment("k", "$twin.deviceId")]),
            "enrichment \"k\": of a twin there are $twin.tags, $twin.properties.desired and $twin.properties.reported",
        ),
        (
            json!([enrichment("k", "$twin.tags.a = 1")]),
            "enrichment \"k\": value \"$twin.tags.a = 1\" is no path",
        ),
        (
            json!([enrichment("k", "$twin.tags.a;")]),
            "enrichment \"k\": value: at character 13: unexpected character ';'",
        ),
    ] {
        check(json!({"enrichments": enrichments}), expected);
    }
}

#[test]
fn the_fallback_route() {
    for (fallback, expected) in [
        (json!(1), "fallbackRoute is no object"),
        (json!({}), "fallbackRoute: isEnabled is missing"),
        (
            json!({"isEnabled": true, "source": "TwinChangeEvents"}),
            "fallbackRoute: source can be DeviceMessages only",
        ),
        (
            json!({"isEnabled": true, "condition": "a = 1"}),
            "fallbackRoute: condition can be true only",
        ),
        (
            json!({"isEnabled": true, "endpointNames": ["x"]}),
            "fallbackRoute: endpointNames can be events only",
        ),
    ] {
        check(json!({"fallbackRoute": fallback}), expected);
    }
}

#[test]
fn endpoints() {
    check(
        with_endpoint("eventHubs", json!({"name": "l", "connectionString": "Endpoint=sb://x"})),
        "endpoint \"l\": connectionString is not supported: the event log is this hub's own",
    );
    check(with_endpoint("eventHubs", json!({})), "an endpoint: name is missing");
    for (members, why) in [
        (json!({"url": null}), ": url is missing"),
        (json!({"url": "ftp://x"}), ": url is no http or https URL"),
        (json!({"url": "https://"}), ": url is no http or https URL"),
        (json!({"url": "https:///path"}), ": url is no http or https URL"),
        (json!({"url": "https://user@x/"}), ": url is no http or https URL"),
        (json!({"url": "https://x/\u{e9}"}), ": url is no http or https URL"),
        (json!({"url": "https://x/\r\nHost: y"}), ": url is no http or https URL"),
        (
            json!({"url": format!("https://{}", "x".repeat(2048))}),
            ": bytes of url: there are 2056, at most 2048 are allowed",
        ),
        (json!({"secret": null}), ": secret is missing"),
        (json!({"secret": "short"}), ": bytes of secret is 5, not 16 to 256"),
        (json!({"timeoutInSeconds": 0}), ": timeoutInSeconds is 0, not 1 to 120"),
        (json!({"timeoutInSeconds": "5"}), ": timeoutInSeconds is no whole number"),
        (json!({"maxDeliveryCount": 101}), ": maxDeliveryCount is 101, not 1 to 100"),
        (json!({"retryDelayInSeconds": 3601}), ": retryDelayInSeconds is 3601, not 1 to 3600"),
        (
            json!({"retryDelayInSeconds": 10, "maxRetryDelayInSeconds": 9}),
            ": maxRetryDelayInSeconds is 9, not 10 to 3600",
        ),
        (
            json!({"deadLetterEndpointName": "none"}),
            ": deadLetterEndpointName: there is no endpoint \"none\"",
        ),
        (
            json!({"deadLetterEndpointName": "h"}),
            ": deadLetterEndpointName \"h\" is a webhook itself",
        ),
    ] {
        check(webhook(members), &format!("endpoint \"h\"{why}"));
    }
    for (members, why) in [
        (json!({"containerName": null}), ": containerName is missing"),
        (json!({"containerUri": "https://x/c"}), ": containerUri stands beside containerName"),
        (
            json!({"containerName": null, "containerUri": "x"}),
            ": containerUri is no http or https URL",
        ),
        (
            json!({"containerName": "Ab_c"}),
            ": containerName \"Ab_c\" is not 3 to 63 lower-case letters, digits and single hyphens between them",
        ),
        (
            json!({"connectionString": "x"}),
            ": connectionString is not supported: use containerUri with a signature",
        ),
        (json!({"batchFrequencyInSeconds": 721}), ": batchFrequencyInSeconds is 721, not 1 to 720"),
        (json!({"maxChunkSizeInBytes": 1}), ": maxChunkSizeInBytes is 1, not 65536 to 524288000"),
        (json!({"encoding": "AvroDeflate"}), ": encoding is neither Avro nor JSON"),
    ] {
        check(storage(members), &format!("endpoint \"s\"{why}"));
    }
    check(
        storage(json!({"fileNameFormat": "x"})),
        "fileNameFormat: {iothub} must stand in it once",
    );
}

proptest! {
    #[test]
    fn no_document_makes_anything_panic(
        name in any::<String>(), condition in any::<String>(), url in any::<String>(), value in any::<String>(),
    ) {
        let document = json!({
            "routes": [route(&name, "DeviceMessages", &condition, &[name.as_str()]), route("r", "DeviceMessages", &condition, &["events"])],
            "endpoints": {"eventHubs": [{"name": name}], "webhooks": [{"name": "h", "url": url, "secret": value}],
                          "storageContainers": [{"name": "s", "containerUri": url, "fileNameFormat": value}]},
            "enrichments": [{"key": name, "value": value, "endpointNames": ["events"]}],
        });
        if let Ok(routing) = Routing::from_json(&document) {
            let _ = RoutingTable::compile(&routing, "hub1");
            let written = Routing::from_json(&routing.to_json());
            prop_assert!(written.is_ok());
        }
    }
}

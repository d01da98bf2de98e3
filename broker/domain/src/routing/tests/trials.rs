//! Trials of routes, in the bodies of the original's resource manager.

use super::*;

fn hub() -> RoutingTable {
    table(json!({
        "endpoints": {"eventHubs": [{"name": "log"}]},
        "routes": [
            route("hot", "DeviceMessages", "level = 'hot'", &["log"]),
            route("twin", "DeviceMessages", "$twin.tags.floor = 1 AND $body.t > 5", &["events"]),
            route("device", "DeviceMessages", "$connectionDeviceId = 'd1'", &["events"]),
            route("life", "DeviceLifecycleEvents", "", &["log"]),
        ],
        "fallbackRoute": {"isEnabled": true},
    }))
}

#[test]
fn all_routes_are_tried_on_a_message() {
    for (body, expected) in [
        (
            json!({"routingSource": "DeviceMessages", "message": {"appProperties": {"Level": "hot"}}}),
            vec!["hot"],
        ),
        (json!({"message": {"body": "x"}}), vec!["$fallback"]),
        (json!({}), vec!["$fallback"]),
        (
            json!({
                "message": {
                    "body": "{\"t\": 6}",
                    "appProperties": {"level": "hot"},
                    "systemProperties": {"ContentType": "application/json", "contentEncoding": "utf-8", "connectionDeviceId": "d1"},
                },
                "twin": {"tags": {"floor": 1}},
            }),
            vec!["hot", "twin", "device"],
        ),
        (json!({"routingSource": "deviceLifecycleEvents"}), vec!["life"]),
        (json!({"routingSource": "TwinChangeEvents"}), vec![]),
    ] {
        let trial = Trial::parse(body.to_string().as_bytes()).unwrap();
        let answer = trial.run(&hub(), NOW);
        let routes = answer["routes"].as_array().unwrap().iter();
        let names: Vec<_> =
            routes.map(|route| route["properties"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{body}");
    }
    let answer =
        Trial::parse(b"{\"routingSource\": \"DeviceLifecycleEvents\"}").unwrap().run(&hub(), NOW);
    let mut expected = route("life", "DeviceLifecycleEvents", "true", &["log"]);
    expected["isEnabled"] = true.into();
    assert_eq!(answer, json!({"routes": [{"properties": expected}]}));
}

#[test]
fn one_route_is_tried_whether_the_hub_has_it_or_not() {
    let error = |message: &str, line: u32, column: u32| {
        let place = json!({"line": line, "column": column});
        json!([{"message": message, "severity": "error", "location": {"start": place, "end": place}}])
    };
    for (condition, result, errors) in [
        ("level = 'hot'", "true", json!([])),
        ("level = 'cold'", "false", json!([])),
        ("none = 1", "undefined", json!([])),
        ("null", "undefined", json!([])),
        ("level", "false", json!([])),
        ("", "true", json!([])),
        ("$twin.tags.floor = 1", "true", json!([])),
        ("level =", "undefined", error("expected an expression, found end of text", 1, 8)),
        ("level = 'hot' AND\n  ;", "undefined", error("unexpected character ';'", 2, 3)),
    ] {
        let body = json!({
            "route": route("new", "DeviceMessages", condition, &["anywhere"]),
            "message": {"body": "", "appProperties": {"level": "hot"}, "systemProperties": {}},
            "twin": {"tags": {"floor": 1}, "properties": {}},
        });
        let trial = TrialRoute::parse(body.to_string().as_bytes()).unwrap();
        let expected = json!({"result": result, "details": {"compilationErrors": errors}});
        assert_eq!(trial.run(NOW), expected, "{condition}");
    }
}

#[test]
fn a_trial_that_is_none_is_refused() {
    let all = |body: &str| Trial::parse(body.as_bytes()).map(|_| ()).unwrap_err().to_string();
    let one = |body: &str| TrialRoute::parse(body.as_bytes()).map(|_| ()).unwrap_err().to_string();
    assert_eq!(all("[]"), "invalid argument: the trial is no object");
    assert!(all("{").starts_with("invalid argument: the body is not JSON"));
    assert_eq!(
        all(r#"{"routingSource": "x"}"#),
        "invalid argument: the trial: routingSource is no source of routes"
    );
    assert_eq!(all(r#"{"message": 1}"#), "invalid argument: message is no object");
    assert_eq!(all(r#"{"twin": 1}"#), "invalid argument: the trial: twin is no object");
    assert_eq!(
        all(r#"{"message": {"appProperties": {"a": 1}}}"#),
        "invalid argument: message: appProperties has a value that is no text"
    );
    assert_eq!(
        all(r#"{"message": {"systemProperties": {"a": 1}}}"#),
        "invalid argument: message: systemProperties has a value that is no text"
    );
    assert_eq!(one("{}"), "invalid argument: the trial: route is missing");
    assert_eq!(
        one(r#"{"route": {"name": "r"}}"#),
        "invalid argument: route \"r\": source is missing"
    );
    let big = " ".repeat(crate::limits::ROUTING_JSON_BYTES_MAX + 1);
    assert!(all(&big).starts_with("message has"));
}

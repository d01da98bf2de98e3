//! The registry over HTTPS on the running hub: bad input gets its own error, changes nothing and disturbs nobody.

use std::time::{SystemTime, UNIX_EPOCH};

use ironhub::client::percent::encode;
use ironhub::client::sas::{KeyForm, token};

use crate::https::{FAR_FUTURE, Https, ask, head, owner_token, summary};
use crate::support::Hub;

/// Every character of the id grammar (service-protocols.md 2.4).
const GRAMMAR: &str = "azAZ09-:.+%_#*?!(),=@$'";

#[test]
fn every_bad_request_gets_its_own_error_and_changes_nothing() {
    let hub = Hub::start(&[]);
    hub.create_device("d1");
    let before = ask(&hub, "GET /devices/d1", "", "");
    let big = format!(r#"{{"x":"{}"}}"#, "y".repeat(64 * 1024));
    for (request, headers, body, expected) in [
        ("PUT /devices/new", "", "{", "400 ArgumentInvalid"),
        ("PUT /devices/new", "", "", "400 ArgumentInvalid"),
        ("PUT /devices/new", "", "[]", "400 ArgumentInvalid"),
        ("PUT /devices/new", "", r#"{"status":1}"#, "400 ArgumentInvalid"),
        ("PUT /devices/new", "", r#"{"deviceId":"other"}"#, "400 ArgumentInvalid"),
        ("PUT /devices/new", "", big.as_str(), "413 MessageTooLarge"),
        ("PUT /devices/d1", "", "{}", "409 DeviceAlreadyExists"),
        ("PUT /devices/d1", "If-Match: \"stale\"\r\n", "{}", "412 PreconditionFailed"),
        ("DELETE /devices/d1", "If-Match: \"stale\"\r\n", "", "412 PreconditionFailed"),
        ("GET /devices/unknown", "", "", "404 DeviceNotFound"),
        ("PUT /devices/unknown", "If-Match: *\r\n", "{}", "404 DeviceNotFound"),
        ("DELETE /devices/unknown", "", "", "404 DeviceNotFound"),
        ("GET /devices/%zz", "", "", "400 ArgumentInvalid"),
        ("GET /devices/%c3%28", "", "", "400 ArgumentInvalid"),
        ("GET /devices/a%20b", "", "", "400 ArgumentInvalid"),
        ("GET /devices?top=x", "", "", "400 ArgumentInvalid"),
        ("GET /nowhere", "", "", "404 GenericNotFound"),
        ("POST /devices/d1", "", "", "405 GenericMethodNotAllowed"),
        ("GET /twins/unknown", "", "", "404 DeviceNotFound"),
        ("PATCH /twins/d1", "", "{", "400 ArgumentInvalid"),
        ("GET /jobs/v2/unknown", "", "", "404 JobNotFound"),
        ("POST /devices/query", "", r#"{"query":"SELECT"}"#, "400 ArgumentInvalid"),
    ] {
        let answer = ask(&hub, request, headers, body);
        assert_eq!(summary(&answer), expected, "{request} {headers}");
        assert!(answer.contains(r#""Message":"ErrorCode:"#), "{answer}");
    }
    assert_eq!(ask(&hub, "GET /devices/d1", "", "").lines().last(), before.lines().last());
    assert_eq!(summary(&ask(&hub, "GET /devices/new", "", "")), "404 DeviceNotFound");
}

#[test]
fn only_a_good_token_of_a_policy_with_the_right_opens_the_registry() {
    let hub = Hub::start(&[]);
    let device = hub.create_device("d1");
    let device_key = device.split_once("SharedAccessKey=").unwrap().1;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let owner = |resource: &str, policy: &str, expiry| owner_token(&hub, resource, policy, expiry);
    let by_device = |policy| {
        token("localhost/devices/d1", policy, device_key, KeyForm::Decoded, FAR_FUTURE).unwrap()
    };
    for (authorization, expected) in [
        (owner("localhost", "iothubowner", FAR_FUTURE), "200"),
        (owner("localhost/devices", "iothubowner", FAR_FUTURE), "200"),
        (String::new(), "401 IotHubUnauthorized"),
        ("Bearer abc".into(), "401 IotHubUnauthorized"),
        ("SharedAccessSignature sr=localhost".into(), "401 IotHubUnauthorized"),
        (owner("localhost", "iothubowner", now - 3600), "401 IotHubUnauthorized"),
        (owner("localhost", "nobody", FAR_FUTURE), "401 IotHubUnauthorized"),
        (owner("localhost", "registryRead", FAR_FUTURE), "401 IotHubUnauthorized"),
        (owner("elsewhere", "iothubowner", FAR_FUTURE), "401 IotHubUnauthorized"),
        (owner("localhost/devices/d2", "iothubowner", FAR_FUTURE), "401 IotHubUnauthorizedAccess"),
        (by_device(""), "401 IotHubUnauthorized"),
        (by_device("iothubowner"), "401 IotHubUnauthorized"),
    ] {
        let mut client = Https::connect(&hub);
        client.send((head("GET /devices/d1", &authorization, "") + "\r\n").as_bytes());
        assert_eq!(summary(&client.rest()), expected, "{authorization}");
    }
}

#[test]
fn lying_lengths_and_broken_framing_cost_only_the_connection() {
    let hub = Hub::start(&[]);
    let token = owner_token(&hub, "localhost", "iothubowner", FAR_FUTURE);
    for (framing, body, expected) in [
        ("Content-Length: 10", "{}", "400"),
        ("Content-Length: 1", "{}", "400"),
        ("Content-Length: -1", "{}", "400"),
        ("Content-Length: 2\r\nContent-Length: 3", "{}", "400"),
        ("Content-Length: 99999999999", "{}", "413"),
        ("Transfer-Encoding: chunked", "zz\r\n{}", "400"),
        ("Transfer-Encoding: chunked", "2\r\n{}", "400"),
    ] {
        let mut client = Https::connect(&hub);
        let framing = format!("{framing}\r\n\r\n");
        client.send((head("PUT /devices/lie", &token, &framing) + body).as_bytes());
        client.finish();
        let answer = client.rest();
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{framing}{body}: {answer}");
    }
    let mut client = Https::connect(&hub);
    client.send(b"\x16\x03nonsense\r\n\r\n");
    assert_eq!(summary(&client.rest()), "400");
    assert_eq!(summary(&ask(&hub, "GET /devices/lie", "", "")), "404 DeviceNotFound");
}

#[test]
fn slow_senders_are_let_go_and_nobody_waits_for_them() {
    let hub = Hub::start(&[]);
    let token = owner_token(&hub, "localhost", "iothubowner", FAR_FUTURE);
    let starts = [
        String::new(),
        "GET /devi".to_owned(),
        head("GET /devices", "", "X-Slow: "),
        head("PUT /devices/slow", &token, "Content-Length: 10\r\n\r\n{"),
    ];
    let slow = starts.map(|start| {
        let mut client = Https::connect(&hub);
        client.send(start.as_bytes());
        client
    });
    assert_eq!(summary(&ask(&hub, "PUT /devices/quick", "", "{}")), "200");
    let answers = slow.map(|mut client| client.rest());
    assert!(answers[3].starts_with("HTTP/1.1 408"), "{}", answers[3]);
    assert_eq!(summary(&ask(&hub, "GET /devices/slow", "", "")), "404 DeviceNotFound");
}

#[test]
fn ids_of_every_character_of_the_grammar_live_and_survive_a_crash() {
    let mut hub = Hub::start(&[]);
    let ids: Vec<String> =
        GRAMMAR.chars().map(|c| format!("x{c}")).chain([GRAMMAR.to_owned()]).collect();
    for id in &ids {
        let body = serde_json::json!({ "deviceId": id }).to_string();
        let answer = ask(&hub, &format!("PUT /devices/{}", encode(id)), "", &body);
        assert_eq!(summary(&answer), "200", "{id}: {answer}");
    }
    hub.kill();
    hub.launch();
    for id in &ids {
        let answer = ask(&hub, &format!("GET /devices/{}", encode(id)), "", "");
        assert!(answer.contains(&serde_json::json!(id).to_string()), "{id}: {answer}");
    }
    let list = ask(&hub, "GET /devices/?top=1000", "", "");
    let list: serde_json::Value = serde_json::from_str(list.lines().last().unwrap()).unwrap();
    assert_eq!(list.as_array().unwrap().len(), ids.len());
}

#[test]
fn the_admin_listener_tells_health_and_metrics() {
    let hub = Hub::start(&[]);
    ask(&hub, "GET /nowhere", "", "");
    let get = |path: &str| hub.admin(path).unwrap();
    assert!(get("/health/live").starts_with("HTTP/1.1 200"));
    assert!(get("/health/ready").contains("ready"));
    let metrics = get("/metrics");
    assert!(
        metrics.contains(r#"ironhub_http_requests_total{operation="none",status="404"} 1"#),
        "{metrics}"
    );
    assert!(get("/cluster").contains("partitions"));
    assert!(get("/").starts_with("HTTP/1.1 404"));
}

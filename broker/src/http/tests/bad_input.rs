//! Every bad request gets its own error and changes nothing.

use super::*;
use crate::http::body::JSON_BODY_BYTES_MAX;

/// Without a token of the caller's own the request is as the owner's.
async fn check(request: &str, body: &str, expected: &str) {
    let hub = Hub::new();
    hub.ask("PUT /devices/d1", "{}").await;
    let before = hub.ask("GET /devices", "").await.body;
    let answer = if request.contains("Authorization") {
        hub.ask_with(request, body).await
    } else {
        hub.ask(request, body).await
    };
    assert_eq!(answer.summary(), expected, "{request} {}", &body[..body.len().min(80)]);
    assert_eq!(hub.ask("GET /devices", "").await.body, before, "{request}");
}

#[tokio::test]
async fn bodies_that_are_no_device_are_refused() {
    for body in ["", "{", "[]", "17", r#"{"deviceId":7}"#, r#"{"parentScopes":{}}"#] {
        check("PUT /devices/new", body, "400 400004").await;
        check("PUT /devices/d1\nIf-Match: *", body, "400 400004").await;
    }
    for body in [
        r#"{"deviceId":"other"}"#,
        r#"{"status":"sleeping"}"#,
        r#"{"authentication":{"type":"password"}}"#,
        r#"{"authentication":{"symmetricKey":{"primaryKey":"not base64"}}}"#,
        r#"{"authentication":{"symmetricKey":{"primaryKey":"c2hvcnQ="}}}"#,
        r#"{"authentication":{"type":"selfSigned"}}"#,
    ] {
        check("PUT /devices/new", body, "400 400004").await;
    }
    let reason = format!(r#"{{"statusReason":"{}"}}"#, "r".repeat(129));
    check("PUT /devices/new", &reason, "400 400004").await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let padded = |bytes: usize| {
        let frame = r#"{"x":""}"#.len();
        format!(r#"{{"x":"{}"}}"#, "y".repeat(bytes - frame))
    };
    check("PUT /devices/new", &padded(JSON_BODY_BYTES_MAX + 1), "413 413001").await;
    let hub = Hub::new();
    let largest = padded(JSON_BODY_BYTES_MAX);
    assert_eq!(largest.len(), JSON_BODY_BYTES_MAX);
    assert_eq!(hub.ask("PUT /devices/new", &largest).await.summary(), "200");
}

#[tokio::test]
async fn ids_outside_the_grammar_are_refused() {
    for id in ["a%20b", "a%2Fb", "a%00b", "%F0%9F%90%9D", "%zz", "a%", "%ff", "a&b", "a%5Cb"] {
        check(&format!("GET /devices/{id}"), "", "400 400004").await;
        check(&format!("PUT /devices/{id}"), "{}", "400 400004").await;
        check(&format!("DELETE /devices/{id}"), "", "400 400004").await;
    }
    check(&format!("PUT /devices/{}", "a".repeat(129)), "{}", "400 400004").await;
    check(&format!("GET /devices/{}", "a".repeat(128)), "", "404 404001").await;
}

#[tokio::test]
async fn what_is_nowhere_or_not_allowed_is_said() {
    check("GET /", "", "404 404000").await;
    check("GET /device/d1", "", "404 404000").await;
    check("GET /devices/d1/unknown", "", "404 404000").await;
    check("PATCH /devices/d1", "{}", "405 405000").await;
    check("GET /devices?top=many", "", "400 400004").await;
}

#[tokio::test]
async fn websocket_upgrades_are_refused_until_somebody_takes_them() {
    let headers = "Connection: Upgrade\nUpgrade: WebSocket";
    check(&format!("GET /$iothub/websocket\n{headers}"), "", "501 501000").await;
    check("GET /$iothub/websocket", "", "501 501000").await;
    // Other upgrades may be ignored (RFC 9110 7.8).
    check("GET /devices\nConnection: Upgrade\nUpgrade: h2c", "", "200").await;
}

#[tokio::test]
async fn without_a_good_token_nothing_is_done() {
    let good = token("iothubowner");
    let (head, tail) = good.split_once("sig=").unwrap();
    let forged = format!("{head}sig=A{}", &tail[1..]);
    for bad in [
        "Bearer abc".to_owned(),
        "SharedAccessSignature".to_owned(),
        "SharedAccessSignature nonsense".to_owned(),
        good.replace("skn=iothubowner", "skn=nobody"),
        forged,
        scoped_token("iothubowner", HOST, 1_000_000_000),
        scoped_token("iothubowner", "other.example.test", FAR_FUTURE),
        // A device's own token: signed with the right key, but of no policy.
        scoped_token("", &format!("{HOST}/devices/d1"), FAR_FUTURE),
        format!("SharedAccessSignature {}", "x".repeat(5000)),
    ] {
        for request in ["GET /devices", "GET /devices/d1", "PUT /devices/new", "DELETE /devices/d1"]
        {
            check(&format!("{request}\nAuthorization: {bad}"), "{}", "401 401003").await;
        }
    }
    let hub = Hub::new();
    assert_eq!(hub.ask_with("GET /devices", "").await.summary(), "401 401003");
    let other = good.replace("skn=iothubowner", "skn=nobody");
    let two = format!("GET /devices\nAuthorization: {good}\nAuthorization: {other}");
    assert_eq!(hub.ask_with(&two, "").await.summary(), "401 401003");
    let twice = format!("GET /devices\nAuthorization: {good}\nAuthorization: {good}");
    // Azure IoT Explorer sends it so.
    assert_eq!(hub.ask_with(&twice, "").await.summary(), "200");
}

#[tokio::test]
async fn each_call_needs_its_permission() {
    for (policy, read, write) in [
        ("iothubowner", true, true),
        ("registryReadWrite", true, true),
        ("registryRead", true, false),
        ("service", false, false),
        ("device", false, false),
    ] {
        let hub = Hub::new();
        hub.ask("PUT /devices/d1", "{}").await;
        for (request, allowed) in [
            ("GET /devices", read),
            ("GET /devices/d1", read),
            ("PUT /devices/d1\nIf-Match: *", write),
            ("DELETE /devices/d1", write),
        ] {
            let request = format!("{request}\nAuthorization: {}", token(policy));
            let summary = hub.ask_with(&request, "{}").await.summary();
            assert_eq!(summary == "401 401002", !allowed, "{policy} {request}: {summary}");
            assert_eq!(summary.starts_with('2'), allowed, "{policy} {request}: {summary}");
        }
    }
}

#[tokio::test]
async fn a_narrow_token_covers_its_own_path_only() {
    let hub = Hub::new();
    hub.ask("PUT /devices/d1", "{}").await;
    hub.ask("PUT /devices/d10", "{}").await;
    for (scope, request, expected) in [
        ("/devices", "GET /devices", "200"),
        ("/devices", "GET /devices/d1", "200"),
        ("/devices/d1", "GET /devices/d1", "200"),
        ("/devices/d1", "GET /devices/d10", "401 401002"),
        ("/devices/d1", "GET /devices", "401 401002"),
        ("/twins", "GET /devices", "401 401002"),
    ] {
        let token = scoped_token("iothubowner", &format!("{HOST}{scope}"), FAR_FUTURE);
        let answer = hub.ask_with(&format!("{request}\nAuthorization: {token}"), "").await;
        assert_eq!(answer.summary(), expected, "{scope} {request}");
    }
}

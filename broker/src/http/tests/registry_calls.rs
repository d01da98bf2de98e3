//! What the registry calls do when nothing is wrong with them.

use super::*;

#[tokio::test]
async fn a_device_is_created_read_updated_listed_and_deleted() {
    let hub = Hub::new();
    let created =
        hub.ask("PUT /devices/Dev-1?api-version=2021-04-12", r#"{"deviceId":"Dev-1"}"#).await;
    assert_eq!(created.summary(), "200");
    assert_eq!(created.body["deviceId"], "Dev-1");
    assert_eq!(created.body["authentication"]["symmetricKey"]["primaryKey"], KEY);
    assert_eq!(created.etag, format!("{:?}", created.body["etag"].as_str().unwrap()));

    let read = hub.ask("GET /Devices/Dev-1/", "").await;
    assert_eq!((read.body, read.etag), (created.body, created.etag.clone()));

    let request = format!("PUT /devices/Dev-1\nIf-Match: {}", created.etag);
    let updated = hub.ask(&request, r#"{"deviceId":"Dev-1","status":"disabled"}"#).await;
    assert_eq!(updated.summary(), "200");
    assert_eq!(updated.body["status"], "disabled");
    assert_ne!(updated.etag, created.etag);

    hub.ask("PUT /devices/Dev-0", "{}").await;
    let list = hub.ask("GET /devices/?api-version=x&top=5", "").await;
    let ids: Vec<_> = list.body.as_array().unwrap().iter().map(|d| &d["deviceId"]).collect();
    assert_eq!(ids, ["Dev-0", "Dev-1"]);
    assert_eq!(hub.ask("GET /devices?top=1", "").await.body.as_array().unwrap().len(), 1);

    let deleted = hub.ask("DELETE /devices/Dev-1\nIf-Match: \"*\"", "").await;
    assert_eq!((deleted.summary().as_str(), deleted.body), ("204", Value::Null));
    assert_eq!(hub.ask("GET /devices/Dev-1", "").await.summary(), "404 404001");
    assert_eq!(hub.ask("GET /devices/Dev-0", "").await.summary(), "200");
}

#[tokio::test]
async fn if_match_decides_between_create_and_update() {
    let hub = Hub::new();
    let put = |condition: &str| {
        let header =
            if condition.is_empty() { String::new() } else { format!("\nIf-Match: {condition}") };
        let request = format!("PUT /devices/d1{header}");
        let hub = &hub;
        async move { hub.ask(&request, "{}").await.summary() }
    };
    assert_eq!(put("\"*\"").await, "404 404001");
    assert_eq!(put("").await, "200");
    assert_eq!(put("").await, "409 409001");
    for wildcard in ["*", "\"*\"", "W/\"*\""] {
        assert_eq!(put(wildcard).await, "200", "{wildcard}");
    }
    assert_eq!(put("\"stale\"").await, "412 412001");
    for spelling in ["{}", "\"{}\"", "W/\"{}\"", "\"x\", \"{}\""] {
        let current = hub.ask("GET /devices/d1", "").await.body["etag"].clone();
        let condition = spelling.replace("{}", current.as_str().unwrap());
        assert_eq!(put(&condition).await, "200", "{condition}");
    }
}

#[tokio::test]
async fn delete_honours_its_condition_and_needs_none() {
    let hub = Hub::new();
    assert_eq!(hub.ask("DELETE /devices/d1\nIf-Match: \"*\"", "").await.summary(), "404 404001");
    hub.ask("PUT /devices/d1", "{}").await;
    assert_eq!(hub.ask("DELETE /devices/d1\nIf-Match: \"old\"", "").await.summary(), "412 412001");
    assert_eq!(hub.ask("DELETE /devices/d1", "").await.summary(), "204");
}

#[tokio::test]
async fn every_character_of_the_id_grammar_makes_a_device() {
    let hub = Hub::new();
    for character in
        (' '..='~').filter(|c| c.is_ascii_alphanumeric() || "-:.+%_#*?!(),=@$'".contains(*c))
    {
        let id = format!("x{character}y");
        let path = format!("/devices/x%{:02X}y", u32::from(character));
        let body = serde_json::json!({ "deviceId": id }).to_string();
        let created = hub.ask(&format!("PUT {path}"), &body).await;
        assert_eq!(created.summary(), "200", "{id}");
        assert_eq!(hub.ask(&format!("GET {path}"), "").await.body["deviceId"], *id);
        assert_eq!(hub.ask(&format!("DELETE {path}"), "").await.summary(), "204", "{id}");
    }
}

#[tokio::test]
async fn what_this_listener_does_not_have_says_so() {
    let hub = Hub::new();
    let answer = hub.ask("GET /$iothub/websocket", "").await;
    assert_eq!(answer.summary(), "501 501000");
    let message = answer.body["Message"].as_str().unwrap().to_owned();
    assert!(message.contains("not built yet"), "{message}");
}

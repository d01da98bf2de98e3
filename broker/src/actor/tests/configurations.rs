use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::configuration::{
    Configuration, ConfigurationId, ConfigurationRequest, DirectContent,
};
use ironhub_domain::document::DocumentKind;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::registry::{AuthenticationRequest, IfMatch, PutMode};
use serde_json::{Value, json};

use super::rig::*;
use crate::actor::{DeviceSettings, recall_connected};

fn id(name: &str) -> ConfigurationId {
    ConfigurationId::new(name).unwrap()
}

async fn put(hub: &Hub, name: &str, body: Value, if_match: Option<&str>) -> Configuration {
    let request = ConfigurationRequest::parse(id(name), body.to_string().as_bytes()).unwrap();
    let if_match = if_match.map(IfMatch::parse);
    hub.router.put_configuration(request, if_match.as_ref()).await.unwrap()
}

/// Sets these paths below the desired properties of devices.
fn device_content(target: &str, priority: u32, values: Value) -> Value {
    let paths = values.as_object().unwrap().iter();
    let content: serde_json::Map<String, Value> =
        paths.map(|(name, v)| (format!("properties.desired.{name}"), v.clone())).collect();
    json!({
        "targetCondition": target,
        "priority": priority,
        "content": { "deviceContent": content },
    })
}

/// The desired properties, and the status of each configuration.
async fn state(hub: &Hub, identity: &IdentityId) -> (Value, Value) {
    let twin = hub.router.twin(identity).await.unwrap().twin;
    let configurations = twin.service_view().remove("configurations").unwrap_or(json!({}));
    (twin.desired.values.into(), configurations)
}

async fn check(hub: &Hub, identity: &IdentityId, desired: Value, statuses: &[(&str, &str)]) {
    let (found, configurations) = state(hub, identity).await;
    let statuses: serde_json::Map<String, Value> =
        statuses.iter().map(|(id, s)| ((*id).to_owned(), json!({ "status": s }))).collect();
    assert_eq!((found, configurations), (desired, Value::Object(statuses)));
}

/// Waits until the roll-outs have brought that about.
async fn becomes(hub: &Hub, identity: &IdentityId, desired: Value) {
    while state(hub, identity).await.0 != desired {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until every configuration is rolled out: each has had its ETag changed by that, or is gone.
async fn settled(hub: &Hub) {
    let is_done = || {
        let documents = hub.router.documents(DocumentKind::Configuration).unwrap();
        documents.iter().all(|document| {
            let body: Value = serde_json::from_slice(&document.body).unwrap();
            body["rolled_out"] == true
        })
    };
    while !is_done() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_twin_that_comes_into_scope_is_configured_at_once_and_let_go_when_it_leaves() {
    run(|| async {
        let hub = Hub::new().await;
        hub.set_desired(device(), r#"{"own":1}"#).await;
        let body = device_content("tags.floor = 3", 1, json!({ "t": 66, "fan.speed": 2 }));
        put(&hub, "a", body, None).await;
        check(&hub, device(), json!({ "own": 1 }), &[]).await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        client.desired().await;
        hub.set_tags(device(), r#"{"floor":3}"#).await;
        check(&hub, device(), json!({"own":1,"t":66,"fan":{"speed":2}}), &[("a", "Applied")]).await;
        let told: Value = serde_json::from_slice(&client.desired().await.body).unwrap();
        assert_eq!(told, json!({ "t": 66, "fan": { "speed": 2 }, "$version": 3 }));
        hub.set_tags(device(), r#"{"floor":4}"#).await;
        check(&hub, device(), json!({ "own": 1 }), &[]).await;
    });
}

#[test]
fn what_somebody_else_changes_is_put_right() {
    run(|| async {
        let hub = Hub::new().await;
        put(&hub, "a", device_content("*", 1, json!({ "t": 66 })), None).await;
        let version = hub.set_desired(device(), r#"{"t":1,"u":2}"#).await;
        check(&hub, device(), json!({ "t": 66, "u": 2 }), &[("a", "Applied")]).await;
        let twin = hub.router.twin(device()).await.unwrap().twin;
        assert_eq!(twin.desired.version, version + 1);
        // As it shall be: nothing more is changed.
        hub.set_tags(device(), r#"{"x":1}"#).await;
        assert_eq!(hub.router.twin(device()).await.unwrap().twin.desired.version, version + 1);
    });
}

#[test]
fn the_higher_priority_goes_first_and_the_next_takes_over() {
    run(|| async {
        let hub = Hub::new().await;
        hub.router.start_configurations().unwrap();
        put(&hub, "low", device_content("*", 1, json!({ "t": 1, "u": 1 })), None).await;
        put(&hub, "high", device_content("*", 2, json!({ "t": 2 })), None).await;
        becomes(&hub, device(), json!({ "t": 2, "u": 1 })).await;
        put(&hub, "mute", device_content("*", 0, json!({ "t": 0 })), None).await;
        settled(&hub).await;
        let all = [("high", "Applied"), ("low", "Applied"), ("mute", "Targeted")];
        check(&hub, device(), json!({ "t": 2, "u": 1 }), &all).await;
        hub.router.delete_configuration(&id("high"), Some(&IfMatch::Any)).await.unwrap();
        becomes(&hub, device(), json!({ "t": 1, "u": 1 })).await;
        // A changed one gives up what it does not set any more.
        put(&hub, "low", device_content("*", 1, json!({ "v": 1 })), Some("*")).await;
        becomes(&hub, device(), json!({ "t": 0, "v": 1 })).await;
        hub.router.delete_configuration(&id("low"), None).await.unwrap();
        hub.router.delete_configuration(&id("mute"), None).await.unwrap();
        becomes(&hub, device(), json!({})).await;
        settled(&hub).await;
        check(&hub, device(), json!({}), &[]).await;
        assert_eq!(hub.router.documents(DocumentKind::Configuration).unwrap(), []);
    });
}

#[test]
fn modules_are_configured_by_their_own_twin_or_by_their_devices() {
    run(|| async {
        let hub = Hub::new().await;
        hub.router.start_configurations().unwrap();
        let own = json!({
            "targetCondition": "FROM devices.modules WHERE tags.kind = 'camera'",
            "content": { "moduleContent": { "properties.desired.fps": 5 } },
        });
        put(&hub, "own", own, None).await;
        let edge = json!({
            "targetCondition": "tags.floor = 3",
            "content": { "modulesContent": { "m": { "properties.desired.edge": true } } },
        });
        put(&hub, "edge", edge, None).await;
        hub.set_tags(module(), r#"{"kind":"camera"}"#).await;
        check(&hub, module(), json!({ "fps": 5 }), &[("own", "Applied")]).await;
        hub.set_tags(device(), r#"{"floor":3}"#).await;
        let both = [("edge", "Applied"), ("own", "Applied")];
        check(&hub, module(), json!({ "fps": 5, "edge": true }), &both).await;
        check(&hub, device(), json!({}), &[("edge", "Applied")]).await;
        hub.router.delete_configuration(&id("edge"), None).await.unwrap();
        becomes(&hub, module(), json!({ "fps": 5 })).await;
        settled(&hub).await;
        check(&hub, device(), json!({}), &[]).await;
        hub.set_tags(module(), r#"{"kind":null}"#).await;
        check(&hub, module(), json!({}), &[]).await;
    });
}

#[test]
fn new_devices_are_configured_when_they_are_created() {
    run(|| async {
        let hub = Hub::new().await;
        put(&hub, "a", device_content("STARTSWITH(deviceId, 'e')", 1, json!({ "t": 1 })), None)
            .await;
        hub.create("e").await;
        let e = IdentityId::device(ironhub_domain::ids::DeviceId::new("e").unwrap());
        check(&hub, &e, json!({ "t": 1 }), &[("a", "Applied")]).await;
        check(&hub, device(), json!({}), &[]).await;
    });
}

#[test]
fn a_roll_out_that_was_interrupted_goes_on_after_the_restart() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, DeviceSettings::default()).await;
        hub.create("d").await;
        hub.create("e").await;
        // Nobody rolls out here: the node dies before it begins.
        put(&hub, "a", device_content("*", 1, json!({ "t": 1 })), None).await;
        put(&hub, "b", device_content("*", 2, json!({ "u": 1 })), None).await;
        hub.set_tags(device(), r#"{"x":1}"#).await;
        hub.router.delete_configuration(&id("b"), None).await.unwrap();
        hub.stop();
        let hub = Hub::start(&disks, DeviceSettings::default()).await;
        hub.router.start_configurations().unwrap();
        settled(&hub).await;
        let e = IdentityId::device(ironhub_domain::ids::DeviceId::new("e").unwrap());
        for identity in [device(), &e] {
            check(&hub, identity, json!({ "t": 1 }), &[("a", "Applied")]).await;
        }
        let refused = hub.router.configuration(&id("b"));
        assert_eq!(refused, Err(HubError::ConfigurationNotFound("b".into())));
    });
}

#[test]
fn what_does_not_fit_is_targeted_and_leaves_the_twin_alone() {
    run(|| async {
        let hub = Hub::new().await;
        let filler = "x".repeat(4000);
        for n in 0..7 {
            hub.set_desired(device(), &json!({ format!("f{n}"): filler }).to_string()).await;
        }
        let before = state(&hub, device()).await.0;
        put(&hub, "a", device_content("*", 1, json!({ "big1": filler, "big2": filler })), None)
            .await;
        hub.set_tags(device(), r#"{"x":1}"#).await;
        check(&hub, device(), before, &[("a", "Targeted")]).await;
    });
}

#[test]
fn targets_and_applications_and_rows_of_metrics_are_counted() {
    run(|| async {
        let hub = Hub::new().await;
        hub.router.start_configurations().unwrap();
        hub.create("e").await;
        hub.set_tags(device(), r#"{"x":1}"#).await;
        let mut body = device_content("tags.x = 1", 1, json!({ "t": 1 }));
        body["metrics"] = json!({"queries": {
            "all": "SELECT deviceId FROM devices",
            "done": "SELECT deviceId FROM devices WHERE properties.desired.t = 1",
        }});
        let configuration = put(&hub, "a", body, None).await;
        settled(&hub).await;
        let results = hub.router.configuration_results(&configuration).await;
        assert_eq!((results.targeted, results.applied), (Some(1), Some(1)));
        assert_eq!(results.custom, [("all".to_owned(), 2), ("done".to_owned(), 1)].into());
    });
}

#[test]
fn a_content_for_one_device_is_written_once_and_creates_what_an_edge_device_misses() {
    run(|| async {
        let hub = Hub::new().await;
        let content = |module: &str| {
            let content = json!({
                "deviceContent": { "properties.desired.x": 1 },
                "modulesContent": { module: { "properties.desired": { "y": { "z": 2 } } } },
            });
            DirectContent::parse(content.to_string().as_bytes()).unwrap()
        };
        let apply =
            |module| hub.router.apply_configuration_content(&device().device, content(module));
        apply("m").await.unwrap();
        check(&hub, device(), json!({ "x": 1 }), &[]).await;
        check(&hub, module(), json!({ "y": { "z": 2 } }), &[]).await;
        let refused = apply("$edgeAgent").await;
        assert!(matches!(refused, Err(HubError::ModuleNotFound(_))), "{refused:?}");
        hub.update_device(|device| device.iot_edge = true).await;
        apply("$edgeAgent").await.unwrap();
        check(&hub, &module_of("$edgeAgent"), json!({ "y": { "z": 2 } }), &[]).await;
    });
}

#[test]
fn a_condition_on_presence_follows_every_connect_and_disconnect() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, DeviceSettings::default()).await;
        hub.create("d").await;
        hub.put_module(PutMode::Create, AuthenticationRequest::Sas(keys(KEY))).await;
        put(
            &hub,
            "here",
            device_content("connectionState = 'Connected'", 1, json!({"t": 1})),
            None,
        )
        .await;
        let away = json!({
            "targetCondition": "FROM devices.modules WHERE connectionState = 'Disconnected'",
            "content": { "moduleContent": { "properties.desired.away": true } },
        });
        put(&hub, "away", away, None).await;
        for _ in 0..2 {
            let client = hub.connect(device()).await;
            client.want(DESIRED);
            becomes(&hub, device(), json!({ "t": 1 })).await;
            // A device that is connected is told; first, maybe, of what it missed.
            let told =
                || async { serde_json::from_slice::<Value>(&client.desired().await.body).unwrap() };
            while told().await["t"] != 1 {}
            let camera = hub.connect(module()).await;
            becomes(&hub, module(), json!({})).await;
            drop(camera);
            becomes(&hub, module(), json!({ "away": true })).await;
            drop(client);
            becomes(&hub, device(), json!({})).await;
        }
        // Of who was connected when the node died the twin is put right by the start alone.
        let _clients = (hub.connect(device()).await, hub.connect(module()).await);
        becomes(&hub, device(), json!({ "t": 1 })).await;
        becomes(&hub, module(), json!({})).await;
        hub.stop();
        let hub = Hub::start(&disks, DeviceSettings::default()).await;
        hub.router.start_configurations().unwrap();
        recall_connected(hub.state.clone()).await;
        becomes(&hub, device(), json!({})).await;
        becomes(&hub, module(), json!({ "away": true })).await;
    });
}

#[test]
fn a_device_that_is_heard_of_is_looked_at_again() {
    run(|| async {
        let hub = Hub::new().await;
        let heard = device_content("lastActivityTime > '2000-01-01T00:00:00Z'", 1, json!({"t": 1}));
        put(&hub, "heard", heard, None).await;
        check(&hub, device(), json!({}), &[]).await;
        drop(hub.connect(device()).await);
        becomes(&hub, device(), json!({ "t": 1 })).await;
    });
}

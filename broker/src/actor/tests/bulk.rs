use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::registry::{RegenerateRequest, bulk};
use serde_json::{Value, json};

use super::rig::*;
use crate::router::request::CloseReason;

/// The faults of a bulk request: identity and code.
async fn faults(hub: &Hub, items: Value) -> Vec<String> {
    let items = bulk::parse(items.to_string().as_bytes()).unwrap();
    let faults = hub.router.bulk(items).await;
    let told = |fault: &ironhub_domain::registry::ItemFault| {
        let module = fault.module.as_deref().map(|module| format!("/{module}")).unwrap_or_default();
        format!("{}{module} {}", fault.device, fault.error.code().name)
    };
    faults.iter().map(told).collect()
}

fn id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

#[test]
fn every_mode_does_its_part_and_faults_come_in_the_order_of_the_items() {
    run(|| async {
        let hub = Hub::new().await;
        let created = faults(
            &hub,
            json!([
                {"id": "d", "importMode": "create"},
                {"id": "a", "importMode": "create", "tags": {"t": 1}},
                {"id": "a", "moduleId": "m", "properties": {"desired": {"x": 1}}},
                {"id": "gone", "importMode": "Delete"},
                {"id": "b c"},
                {"id": "b", "importMode": "update"},
                {"id": "c", "status": "disabled"},
                {"id": "d", "moduleId": "m", "importMode": "updateTwin", "tags": {"y": 2}},
            ]),
        )
        .await;
        assert_eq!(
            created,
            [
                "d DeviceAlreadyExists",
                "gone DeviceNotFound",
                "b c ArgumentInvalid",
                "b DeviceNotFound"
            ]
        );
        let twin = hub.router.twin(&id("a").into()).await.unwrap().twin;
        assert_eq!(twin.tags["t"], 1);
        let module = ironhub_domain::ids::ModuleId::new("m").unwrap();
        let twin = hub.router.twin(&IdentityId::module(id("a"), module)).await.unwrap().twin;
        assert_eq!(twin.desired.values["x"], 1);
        assert!(!hub.router.identity(&id("c")).await.unwrap().identity.is_enabled());
        assert_eq!(hub.router.twin(super::rig::module()).await.unwrap().twin.tags["y"], 2);
        let deleted = faults(
            &hub,
            json!([
                {"id": "a", "moduleId": "m", "importMode": "delete"},
                {"id": "c", "importMode": "deleteIfMatchETag", "eTag": "other"},
                {"id": "d", "importMode": "delete"},
            ]),
        )
        .await;
        assert_eq!(deleted, ["c PreconditionFailed"]);
        assert!(hub.router.modules(&id("a")).await.unwrap().is_empty());
        assert!(hub.router.identity(&id("d")).await.is_err());
    });
}

#[test]
fn a_session_is_told_of_an_imported_twin() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        let keys = json!({"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}});
        let item = json!([{
            "id": "d", "importMode": "update", "authentication": keys,
            "properties": {"desired": {"a": 1}},
        }]);
        assert!(faults(&hub, item).await.is_empty());
        assert_eq!(&client.desired().await.body[..], br#"{"$version":2,"a":1}"#);
        assert_eq!(client.sink.close_reason(), None);
    });
}

#[test]
fn new_keys_replace_the_old_and_close_their_session() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        let rotate = async |key: &str| {
            let body = json!({"policyKey": key, "devices": [
                {"id": "d"}, {"id": "d", "moduleId": "m"}, {"id": "nobody"}, {"id": "d"},
            ]});
            let request = RegenerateRequest::parse(body.to_string().as_bytes()).unwrap();
            let (rotated, faults) = hub.router.regenerate_keys(&request).await;
            let codes: Vec<_> = faults.iter().map(|fault| fault.error.code().name).collect();
            assert_eq!(codes, ["DeviceNotFound", "DeviceDefinedMultipleTimes"]);
            assert_eq!(rotated.len(), 2);
            rotated.into_iter().map(|one| one.keys).collect::<Vec<_>>()
        };
        for secondary in rotate("secondary").await {
            assert_eq!(secondary.primary, KEY);
            assert_ne!(secondary.secondary, KEY);
        }
        for client in [&of_device, &of_module] {
            assert_eq!(client.sink.close_reason(), None, "its key is still good");
        }
        rotate("swap").await;
        let new = rotate("secondary").await;
        for client in [&of_device, &of_module] {
            assert_eq!(client.sink.close_reason(), Some(CloseReason::Rekeyed));
        }
        for (identity, keys) in [device(), module()].into_iter().zip(new) {
            hub.router.authenticate(identity, &key_token(identity, &keys.primary)).await.unwrap();
            assert!(hub.router.authenticate(identity, &key_token(identity, KEY)).await.is_err());
        }
    });
}

use ironhub_domain::HubError;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::event::{D2cMessage, Event};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::job::{Job, JobId, JobRequest};
use ironhub_domain::partition::Stream;
use ironhub_domain::registry::{IfMatch, ImportItem, PutMode};
use ironhub_domain::routing::Routing;
use serde_json::{Value, json};

use super::rig::*;
use crate::partition::EventReader;

fn routing(routes: &[(&str, &str, &str)], fallback: bool) -> Routing {
    let routes: Vec<Value> = routes
        .iter()
        .enumerate()
        .map(|(n, (source, condition, endpoint))| {
            json!({
                "name": format!("r{n}"),
                "source": source,
                "condition": condition,
                "endpointNames": [endpoint],
                "isEnabled": true,
            })
        })
        .collect();
    let endpoint = |name: &str| json!({ "name": name });
    Routing::from_json(&json!({
        "endpoints": { "eventHubs": [endpoint("hot"), endpoint("rest")] },
        "routes": routes,
        "enrichments": [{ "key": "where", "value": "$twin.tags.floor", "endpointNames": ["hot"] }],
        "fallbackRoute": { "isEnabled": fallback },
    }))
    .unwrap()
}

/// The events of the device's partition in one log.
fn events(hub: &Hub, stream: u32) -> Vec<Event> {
    let owner = hub.state.directory(&device().device).owner();
    let group = owner.partition().group();
    let watermark = hub.watermarks.subscribe(group, Stream(stream)).unwrap();
    let reader = EventReader::new(hub.store.clone(), group, Stream(stream), watermark);
    reader.read(0, usize::MAX, 1000).unwrap()
}

fn property<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    let found = event.message.properties.iter().find(|property| property.name == name);
    found.and_then(|property| property.value.as_deref())
}

async fn send(client: &Client, body: &str) {
    let mut message = D2cMessage { body: body.to_owned().into(), ..D2cMessage::default() };
    message.system.content_type = Some("application/json".into());
    message.system.content_encoding = Some("utf-8".into());
    let stored = client.session.send_d2c(vec![message]).unwrap();
    assert_eq!(stored.await.unwrap(), Ok(()));
}

fn bodies(events: &[Event]) -> Vec<String> {
    events.iter().map(|e| String::from_utf8(e.message.body.to_vec()).unwrap()).collect()
}

#[test]
fn messages_go_where_their_routes_lead_and_the_rest_falls_back() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        send(&client, r#"{"t":1}"#).await;
        let two =
            [("DeviceMessages", "$body.t > 30", "hot"), ("DeviceMessages", "$body.t > 40", "rest")];
        hub.router.put_routing(routing(&two, true), None).await.unwrap();
        hub.set_tags(device(), r#"{"floor":7}"#).await;
        for t in [20, 35, 45] {
            send(&client, &format!(r#"{{"t":{t}}}"#)).await;
        }
        assert_eq!(bodies(&events(&hub, 0)), [r#"{"t":1}"#, r#"{"t":20}"#]);
        assert_eq!(bodies(&events(&hub, 1)), [r#"{"t":35}"#, r#"{"t":45}"#]);
        assert_eq!(bodies(&events(&hub, 2)), [r#"{"t":45}"#]);
        assert_eq!(property(&events(&hub, 1)[0], "where"), Some("7"));
        assert_eq!(property(&events(&hub, 2)[0], "where"), None);
        // Without fallback what no route takes is gone, and acknowledged.
        hub.router.put_routing(routing(&two, false), None).await.unwrap();
        send(&client, r#"{"t":2}"#).await;
        assert_eq!(events(&hub, 0).len(), 2);
        // Without the endpoints their events are gone.
        hub.router.put_routing(Routing::default(), None).await.unwrap();
        assert!(events(&hub, 1).is_empty() && events(&hub, 2).is_empty());
        send(&client, r#"{"t":99}"#).await;
        assert_eq!(events(&hub, 0).len(), 3);
    });
}

#[test]
fn what_happens_to_a_device_is_told_once_and_in_order() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        let all = [
            ("DeviceConnectionStateEvents", "true", "hot"),
            ("TwinChangeEvents", "true", "hot"),
            ("DeviceLifecycleEvents", "true", "hot"),
        ];
        hub.router.put_routing(routing(&all, true), None).await.unwrap();
        hub.create("d").await;
        let refused = hub.router.update_twin(
            device(),
            ironhub_domain::twin::TwinUpdate::parse_patch(br#"{"tags":{"a":1}}"#).unwrap(),
            IfMatch::parse("\"stale\""),
        );
        assert!(matches!(refused.await, Err(HubError::PreconditionFailed { .. })));
        let client = hub.connect(device()).await;
        hub.set_desired(device(), r#"{"p":1}"#).await;
        let newer = hub.connect(device()).await;
        drop(client);
        send(&newer, "{}").await;
        drop(newer);
        hub.set_tags(device(), r#"{"floor":3}"#).await;
        hub.router.delete_identity(&device().device, None).await.unwrap();
        let told = events(&hub, 1);
        let operations: Vec<_> =
            told.iter().map(|event| property(event, "opType").unwrap()).collect();
        let expected = [
            "createDeviceIdentity",
            "deviceConnected",
            "updateTwin",
            "deviceDisconnected",
            "deviceConnected",
            "deviceDisconnected",
            "updateTwin",
            "deleteDeviceIdentity",
        ];
        assert_eq!(operations, expected);
        let number = |event: &Event| {
            let body: Value = serde_json::from_slice(&event.message.body).unwrap();
            body["sequenceNumber"].as_str().map(str::to_owned)
        };
        let numbers: Vec<_> = told.iter().filter_map(number).collect();
        assert!(numbers.len() == 4 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(property(&told[6], "where"), Some("3"), "the twin as the change leaves it");
        assert_eq!(property(&told[7], "where"), Some("3"));
        assert_eq!(events(&hub, 0).len(), 1, "telemetry only");
        hub.stop();

        // The routing is there after a restart.
        let hub = Hub::start(&disks, Default::default()).await;
        hub.router.start_routing().await.unwrap();
        hub.create("d").await;
        assert_eq!(events(&hub, 1).len(), 9);
    });
}

#[test]
fn an_identity_that_comes_with_its_twin_is_told_of_too() {
    run(|| async {
        let hub = Hub::new().await;
        hub.router.delete_identity(&device().device, None).await.unwrap();
        let routes =
            [("TwinChangeEvents", "true", "hot"), ("DeviceLifecycleEvents", "true", "hot")];
        hub.router.put_routing(routing(&routes, true), None).await.unwrap();
        for (mode, floor) in [("create", 1), ("update", 2), ("update", 2), ("createOrUpdate", 3)] {
            for module in [None, Some("m")] {
                let mut item = json!({ "id": "d", "importMode": mode, "tags": { "floor": floor } });
                if let Some(module) = module {
                    item["moduleId"] = module.into();
                }
                let item = ImportItem::parse(item.to_string().as_bytes());
                assert_eq!(hub.router.bulk(vec![item]).await, [], "{mode}");
            }
        }
        let told = events(&hub, 1);
        let operation = |event: &Event| {
            let of_module = property(event, "moduleId").is_some();
            (property(event, "opType").unwrap().to_owned(), of_module)
        };
        let operations: Vec<_> = told.iter().map(operation).collect();
        let twice = |operation: &str| [false, true].map(|m| (operation.to_owned(), m));
        assert_eq!(operations[..2], twice("createDeviceIdentity"));
        assert_eq!(operations[2..4], twice("replaceTwin"));
        assert_eq!(operations[operations.len() - 2..], twice("replaceTwin"));
        for (event, floor) in told.iter().zip([1, 1, 2, 2]) {
            let body: Value = serde_json::from_slice(&event.message.body).unwrap();
            assert_eq!(body["tags"]["floor"], floor);
        }
        assert_eq!(property(&told[2], "where"), Some("2"));
    });
}

#[test]
fn a_jobs_status_is_told_whenever_it_changes() {
    run(|| async {
        let hub = Hub::new().await;
        let route = [("DeviceJobLifecycleEvents", "true", "hot")];
        hub.router.put_routing(routing(&route, true), None).await.unwrap();
        let body =
            br#"{"jobId":"d","type":"scheduleUpdateTwin","updateTwin":{"etag":"*","tags":{"a":1}},
            "queryCondition":"*","startTime":"2999-01-01T00:00:00Z"}"#;
        let id = JobId::new("d").unwrap();
        let request = JobRequest::parse(id.clone(), body, 1024).unwrap();
        hub.router.create_job(request).await.unwrap();
        hub.router.cancel_job(&id).await.unwrap();
        assert!(hub.router.cancel_job(&id).await.is_err());
        // The job has the device's name here, so it is told in the device's partition.
        let told = events(&hub, 1);
        let operations: Vec<_> = told.iter().map(|e| property(e, "opType").unwrap()).collect();
        assert_eq!(operations, ["scheduleJob", "cancelJob"]);
        assert_eq!(property(&told[0], "jobId"), Some("d"));
        assert_eq!(property(&told[0], "deviceId"), None);
        let body: Value = serde_json::from_slice(&told[1].message.body).unwrap();
        assert_eq!((&body["jobId"], &body["status"]), (&json!("d"), &json!("cancelled")));
    });
}

#[test]
fn what_a_node_did_not_come_to_tell_of_a_job_is_told_after_the_restart_and_first() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        let route = [("DeviceJobLifecycleEvents", "true", "hot")];
        let body = |name: &str| {
            let body = format!(
                r#"{{"jobId":"{name}","type":"scheduleUpdateTwin","updateTwin":{{"tags":{{"a":1}}}},
                "queryCondition":"*","startTime":"2999-01-01T00:00:00Z"}}"#
            );
            JobRequest::parse(JobId::new(name).unwrap(), body.as_bytes(), 1024).unwrap()
        };
        // The node dies between the change of the document and the event; both ids lead to one partition.
        let names = ["d", "d2", "d3", "d4", "d5"].map(|name| DeviceId::new(name).unwrap());
        let place = |name: &DeviceId| hub.state.directory(name).owner().partition().group();
        let beside = names[1..].iter().find(|name| place(name) == place(&names[0])).unwrap();
        for name in [names[0].as_str(), beside.as_str()] {
            let untold = Some(format!("correlation of {name}"));
            let job = Job { untold, ..Job::new(body(name), hub.router.now()) };
            let stored = job.to_stored().into();
            hub.router
                .put_document(DocumentKind::Job, name, stored, PutMode::Create)
                .await
                .unwrap();
        }
        hub.stop();

        let hub = Hub::start(&disks, Default::default()).await;
        hub.router.put_routing(routing(&route, true), None).await.unwrap();
        // Whatever is done with a job comes after what was to be told of it.
        hub.router.cancel_job(&JobId::new("d").unwrap()).await.unwrap();
        let told = |hub: &Hub| {
            let told = events(hub, 1);
            let operation = |event: &Event| {
                let id = event.message.system.correlation_id.clone().unwrap();
                (property(event, "opType").unwrap().to_owned(), id)
            };
            told.iter().map(operation).collect::<Vec<_>>()
        };
        let first = told(&hub);
        assert_eq!(first[0], ("scheduleJob".to_owned(), "correlation of d".to_owned()));
        assert_eq!((first.len(), first[1].0.as_str()), (2, "cancelJob"));
        // Of the other one the runner tells by itself, and once.
        actix_rt::spawn(crate::jobs::run(hub.router.clone()));
        while told(&hub).len() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        hub.router.tell_job(&JobId::new(beside.as_str()).unwrap()).await.unwrap();
        let all = told(&hub);
        assert_eq!(all[2..], [("scheduleJob".to_owned(), format!("correlation of {beside}"))]);
    });
}

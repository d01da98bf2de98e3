use bytes::Bytes;
use ironhub_domain::HubError;
use serde_json::{Value, json};

use super::rig::*;
use crate::actor::DeviceSettings;
use crate::router::request::{CloseReason, DeviceTwin};

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

async fn twin(client: &Client) -> DeviceTwin {
    client.session.twin().unwrap().await.unwrap().unwrap()
}

#[test]
fn changes_reach_a_session_that_wants_them_in_order_without_gaps() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        hub.set_desired(device(), r#"{"a":1}"#).await;
        client.session.saw_desired(twin(&client).await.desired_version);
        client.want(DESIRED);
        for n in 0..10 {
            hub.set_desired(device(), &json!({ "n": n, "a": null }).to_string()).await;
        }
        for n in 0..10 {
            let notice = client.desired().await;
            assert_eq!(notice.version, 3 + n);
            assert_eq!(json(&notice.body), json!({ "n": n, "a": null, "$version": 3 + n }));
        }
        client.want(C2D);
        hub.set_desired(device(), r#"{"a":3}"#).await;
        assert!(client.sink.is_empty(), "it does not want them any more");
        client.want(DESIRED);
        let missed = client.desired().await;
        assert_eq!(json(&missed.body), json!({ "n": 9, "a": 3, "$version": 13 }));
    });
}

#[test]
fn a_device_that_missed_changes_is_told_once_with_all_there_is() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        hub.set_desired(device(), r#"{"a":1}"#).await;
        hub.set_desired(device(), r#"{"b":2}"#).await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        assert_eq!(json(&client.desired().await.body), json!({ "a": 1, "b": 2, "$version": 3 }));
        // Saying it again, or in a new session, brings nothing that was seen.
        client.want(DESIRED);
        twin(&client).await;
        assert!(client.sink.is_empty());
        client.session.saw_desired(3);
        while hub.router.twin(device()).await.unwrap().twin.desired_seen < 3 {
            tokio::task::yield_now().await;
        }
        hub.stop();
        let hub = Hub::start(&disks, Default::default()).await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        twin(&client).await;
        assert!(client.sink.is_empty());
        drop(client);
        // What a device was shown it has seen.
        hub.set_desired(device(), r#"{"c":3}"#).await;
        let client = hub.connect(device()).await;
        assert_eq!(twin(&client).await.desired_version, 4);
        client.session.saw_desired(4);
        client.want(DESIRED);
        hub.set_desired(device(), r#"{"c":4}"#).await;
        assert_eq!(client.desired().await.version, 5);
    });
}

#[test]
fn what_may_not_have_arrived_is_sent_again_in_the_next_session() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        hub.set_desired(device(), r#"{"a":1}"#).await;
        hub.set_desired(device(), r#"{"b":2}"#).await;
        client.session.saw_desired(client.desired().await.version);
        assert_eq!(client.desired().await.version, 3);
        twin(&client).await;
        // Its connection ends before it has the second change, and nobody knows whether the answer arrived.
        drop(client);
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        assert_eq!(json(&client.desired().await.body), json!({ "a": 1, "b": 2, "$version": 3 }));
        // What a session that is over says of itself no longer counts; nor does more than there is.
        let newer = hub.connect(device()).await;
        client.session.saw_desired(3);
        newer.want(DESIRED);
        assert_eq!(newer.desired().await.version, 3);
        newer.session.saw_desired(99);
        drop(newer);
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        hub.set_desired(device(), r#"{"c":3}"#).await;
        assert_eq!(json(&client.desired().await.body), json!({ "c": 3, "$version": 4 }));
    });
}

#[test]
fn missed_changes_are_not_sent_if_the_operator_says_so() {
    run(|| async {
        let hub =
            Hub::with(DeviceSettings { notify_at_reconnect: false, ..Default::default() }).await;
        hub.set_desired(device(), r#"{"a":1}"#).await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        hub.set_desired(device(), r#"{"b":1}"#).await;
        let notice = client.desired().await;
        assert_eq!(json(&notice.body), json!({ "b": 1, "$version": 3 }));
    });
}

#[test]
fn a_sessions_requests_keep_their_order() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        let patch = |n: u64, version| {
            let patch = Bytes::from(json!({ "n": n }).to_string());
            client.session.patch_reported(patch, version).unwrap()
        };
        // Nothing is awaited in between.
        let answers =
            (patch(1, None), client.session.twin().unwrap(), patch(2, Some(2)), patch(3, Some(2)));
        let last = client.session.twin().unwrap();
        assert_eq!(answers.0.await.unwrap(), Ok(2));
        let seen = answers.1.await.unwrap().unwrap();
        let expected = json!({"desired":{"$version":1},"reported":{"n":1,"$version":2}});
        assert_eq!(json(&seen.body), expected);
        assert_eq!(answers.2.await.unwrap(), Ok(3));
        let stale = HubError::PreconditionFailed { current: "3".into() };
        assert_eq!(answers.3.await.unwrap(), Err(stale));
        assert_eq!(json(&last.await.unwrap().unwrap().body)["reported"]["n"], 2);
        for bad in ["", "[]", "7", "{", r#"{"a.b":1}"#] {
            let answer = client.session.patch_reported(Bytes::from(bad), None).unwrap();
            let refused = answer.await.unwrap().unwrap_err();
            assert!(matches!(refused, HubError::InvalidArgument(_)), "{bad}: {refused}");
        }
        let view = hub.router.twin(device()).await.unwrap();
        assert_eq!((view.twin.reported.version, view.device.connected), (3, true));
    });
}

#[test]
fn a_device_and_its_module_have_twins_of_their_own() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        of_device.want(DESIRED);
        of_module.want(DESIRED);
        hub.set_desired(module(), r#"{"of":"module"}"#).await;
        assert_eq!(json(&of_module.desired().await.body)["of"], "module");
        assert!(of_device.sink.is_empty());
        drop(of_module);
        let view = hub.router.twin(module()).await.unwrap();
        assert!(!view.device.connected && view.module.is_some());
        assert!(hub.router.twin(device()).await.unwrap().device.connected);
    });
}

#[test]
fn a_session_that_falls_behind_is_closed_and_told_all_when_it_is_back() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(DESIRED);
        hub.set_desired(device(), r#"{"a":1}"#).await;
        client.desired().await;
        client.sink.full.store(true, std::sync::atomic::Ordering::Relaxed);
        hub.set_desired(device(), r#"{"b":1}"#).await;
        assert_eq!(client.sink.closed().await, CloseReason::Slow);
        let next = hub.connect(device()).await;
        next.want(DESIRED);
        assert_eq!(json(&next.desired().await.body), json!({ "a": 1, "b": 1, "$version": 3 }));
    });
}

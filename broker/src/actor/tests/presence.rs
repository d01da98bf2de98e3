use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::device::Presence;
use ironhub_domain::event::D2cMessage;
use ironhub_domain::registry::IfMatch;

use super::rig::*;
use crate::actor::recall_connected;
use crate::partition::records;

/// The record of the device, once it says this of the connection; its actor says so at once.
async fn presence(hub: &Hub, connected: bool, above: u64) -> Presence {
    let live = hub.router.identity(&device().device).await.unwrap().connected;
    assert_eq!(live, connected);
    let owner = hub.state.directory(&device().device).owner();
    loop {
        let noted = owner.presence(device()).unwrap();
        if noted.connected == connected && noted.sequence >= above {
            return noted;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn every_connect_and_disconnect_is_noted_in_order() {
    run(|| async {
        let hub = Hub::new().await;
        assert_eq!(presence(&hub, false, 0).await.sequence, 0);
        let client = hub.connect(device()).await;
        let up = presence(&hub, true, 1).await;
        assert!(up.last_activity.0 > 0);
        let newer = hub.connect(device()).await;
        drop(client);
        // A takeover is a disconnect and a connect.
        let taken_over = presence(&hub, true, up.sequence + 2).await;
        drop(newer);
        let down = presence(&hub, false, taken_over.sequence + 1).await;
        let counts = |hub: &Hub| {
            let owner = hub.state.directory(&device().device).owner();
            records::counts(owner.store(), owner.partition().group()).unwrap()
        };
        assert_eq!(counts(&hub).connected, 0);
        hub.router.delete_identity(&device().device, Some(IfMatch::Any)).await.unwrap();
        hub.create("d").await;
        let view = hub.router.identity(&device().device).await.unwrap();
        assert_eq!((view.last_activity.0, view.connection_updated.0), (0, 0));
        let _again = hub.connect(device()).await;
        // Numbers never begin anew.
        presence(&hub, true, down.sequence + 1).await;
    });
}

#[test]
fn after_a_crash_nobody_is_connected() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        let client = hub.connect(device()).await;
        let stored = client.session.send_d2c(vec![D2cMessage::default()]).unwrap();
        assert_eq!(stored.await.unwrap(), Ok(()));
        let before = presence(&hub, true, 1).await;
        // The session's end comes too late for the node.
        let router = hub.router.clone();
        hub.stop();
        drop(client);
        assert_eq!(router.send_c2d(device(), message("1")).await, Err(HubError::ShuttingDown));

        let hub = Hub::start(&disks, Default::default()).await;
        recall_connected(hub.state.clone()).await;
        let after = presence(&hub, false, before.sequence + 1).await;
        assert_eq!(after.last_activity, before.last_activity, "what was known stays known");
    });
}

use ironhub_domain::HubError;
use ironhub_domain::device::{FilterKind, StoredSession, Subscription};
use ironhub_domain::event::D2cMessage;

use super::rig::*;
use crate::router::request::{CloseReason, SessionStart};

#[test]
fn a_newer_session_takes_over_and_fences_the_older() {
    run(|| async {
        let hub = Hub::new().await;
        let older = hub.connect(device()).await;
        let of_module = hub.connect(module()).await;
        let newer = hub.connect(device()).await;
        assert_eq!(older.sink.close_reason(), Some(CloseReason::TakenOver));
        let refused = older.session.send_d2c(vec![D2cMessage::default()]).unwrap();
        assert_eq!(refused.await.unwrap(), Err(HubError::SessionFenced));
        assert_eq!(older.session.twin().unwrap().await.unwrap(), Err(HubError::SessionFenced));
        // The end of the older one is no end of the newer one, and a module is somebody else.
        drop(older);
        for client in [&newer, &of_module] {
            let stored = client.session.send_d2c(vec![D2cMessage::default()]).unwrap();
            assert_eq!(stored.await.unwrap(), Ok(()));
            assert_eq!(client.sink.close_reason(), None);
        }
        assert!(hub.router.identity(&device().device).await.unwrap().connected);
        drop(newer);
        assert!(!hub.router.identity(&device().device).await.unwrap().connected);
        let modules = hub.router.modules(&device().device).await.unwrap();
        assert!(modules[0].connected, "its own presence");
    });
}

#[test]
fn a_stored_session_is_resumed_until_a_clean_one_forgets_it() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        let stored = StoredSession {
            subscriptions: vec![Subscription {
                kind: FilterKind::C2d,
                filter: "devices/d/messages/devicebound/#".into(),
                qos: 1,
            }],
        };
        let client = hub.connect_as(device(), SessionStart::Resume).await;
        assert_eq!(client.session.info().resumed, None);
        // A new connection asks while the answer is on its way.
        let answer = client.session.store(stored.clone()).unwrap();
        let next = hub.connect_as(device(), SessionStart::Resume).await;
        assert_eq!(answer.await.unwrap(), Ok(()));
        assert_eq!(next.session.info().resumed.as_ref(), Some(&stored));
        hub.stop();

        let hub = Hub::start(&disks, Default::default()).await;
        for (start, resumed) in [
            (SessionStart::None, None),
            (SessionStart::Resume, Some(stored)),
            (SessionStart::Clean, None),
            (SessionStart::Resume, None),
        ] {
            let client = hub.connect_as(device(), start).await;
            assert_eq!(client.session.info().resumed, resumed, "{start:?}");
        }
    });
}

#[test]
fn a_stored_session_is_told_what_it_was_sent_before_also_after_a_restart() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        for body in ["1", "2"] {
            hub.send_c2d(device(), body).await;
        }
        let sent = async |hub: &Hub, start, credit| {
            let client = hub.connect_as(device(), start).await;
            if start == SessionStart::Resume {
                client.session.store(StoredSession::default()).unwrap().await.unwrap().unwrap();
            }
            client.want_c2d(credit);
            let deliveries = client.c2d(credit as usize).await;
            let told = deliveries.iter().map(|delivery| (delivery.sequence, delivery.sent_before));
            (client, told.collect::<Vec<_>>())
        };
        let (_client, told) = sent(&hub, SessionStart::Resume, 1).await;
        assert_eq!(told, [(1, false)]);
        hub.stop();

        let hub = Hub::start(&disks, Default::default()).await;
        for (start, expected) in [
            (SessionStart::Resume, [(1, true), (2, false)]),
            (SessionStart::Resume, [(1, true), (2, true)]),
            (SessionStart::Clean, [(1, false), (2, false)]),
            (SessionStart::Resume, [(1, false), (2, false)]),
        ] {
            assert_eq!(sent(&hub, start, 2).await.1, expected, "{start:?}");
        }
    });
}

#[test]
fn what_a_session_says_is_not_lost_when_the_mailbox_is_full() {
    run(|| async {
        let hub = Hub::new().await;
        for body in ["1", "2", "3"] {
            hub.send_c2d(device(), body).await;
        }
        let client = hub.connect(device()).await;
        // Nothing else runs on this thread meanwhile, so the mailbox fills up.
        let mut asked = 0;
        while client.session.twin().is_ok() {
            asked += 1;
        }
        assert!(asked > 0);
        client.want_c2d(1);
        client.session.clear_c2d_credit();
        client.session.add_c2d_credit(2);
        assert_eq!(client.session.twin().unwrap_err(), HubError::Busy);
        assert_eq!(bodies(&client.c2d(2).await), ["1", "2"]);
        client.session.add_c2d_credit(1);
        assert_eq!(bodies(&client.c2d(1).await), ["3"]);
        while client.session.twin().is_ok() {}
        client.session.set_features(DESIRED);
        drop(client.session);
        hub.set_desired(device(), r#"{"a":1}"#).await;
        while hub.router.identity(&device().device).await.unwrap().connected {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_connect_that_nobody_waits_for_leaves_no_session() {
    run(|| async {
        let hub = Hub::new().await;
        {
            let connecting = hub.connect(device());
            let mut connecting = std::pin::pin!(connecting);
            // Polled until the actor has it, and dropped then.
            let waker = std::task::Waker::noop();
            let mut cx = std::task::Context::from_waker(waker);
            assert!(connecting.as_mut().poll(&mut cx).is_pending());
            tokio::task::yield_now().await;
        }
        while hub.router.identity(&device().device).await.unwrap().connected {
            tokio::task::yield_now().await;
        }
    });
}

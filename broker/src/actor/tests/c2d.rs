use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::c2d::{LockToken, Settlement};
use ironhub_domain::limits::C2D_QUEUE_MAX;

use super::rig::*;
use crate::actor::DeviceSettings;
use crate::router::request::{CloseReason, Features};

#[test]
fn messages_come_in_order_as_far_as_credit_goes() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want_c2d(3);
        // Some before it asks and some after.
        for body in ["1", "2"] {
            hub.send_c2d(device(), body).await;
        }
        assert_eq!(bodies(&client.c2d(2).await), ["1", "2"]);
        for n in 3..=C2D_QUEUE_MAX {
            hub.send_c2d(device(), &n.to_string()).await;
        }
        let full = hub.router.send_c2d(device(), message("no")).await;
        assert_eq!(full, Err(HubError::QueueFull { max: C2D_QUEUE_MAX }));
        assert_eq!(bodies(&client.c2d(1).await), ["3"]);
        assert!(client.sink.is_empty(), "three were asked for");
        client.session.add_c2d_credit(100);
        let rest = client.c2d(C2D_QUEUE_MAX - 3).await;
        assert!(rest.iter().map(|d| d.sequence).eq(4..=C2D_QUEUE_MAX as u64));
        let view = hub.router.identity(&device().device).await.unwrap();
        assert_eq!(view.c2d_count, C2D_QUEUE_MAX as u32, "what is locked counts");
    });
}

#[test]
fn what_is_settled_is_gone_and_what_is_abandoned_comes_again_first() {
    run(|| async {
        let hub = Hub::with(DeviceSettings { c2d_deliveries_max: 2, ..Default::default() }).await;
        let client = hub.connect(device()).await;
        for body in ["1", "2", "3"] {
            hub.send_c2d(device(), body).await;
        }
        client.want_c2d(2);
        let first = client.c2d(2).await;
        let settle = async |lock, how| {
            let answer = client.session.settle_c2d(lock, how).unwrap();
            answer.await.unwrap()
        };
        assert_eq!(settle(first[1].lock, Settlement::Complete).await, Ok(()));
        assert_eq!(settle(first[1].lock, Settlement::Complete).await, Err(HubError::LockLost));
        assert_eq!(settle(LockToken([7; 16]), Settlement::Reject).await, Err(HubError::LockLost));
        assert_eq!(settle(first[0].lock, Settlement::Abandon).await, Ok(()));
        client.session.add_c2d_credit(1);
        let again = client.c2d(1).await;
        assert_eq!((again[0].sequence, again[0].delivery_count), (1, 1));
        assert_ne!(again[0].lock, first[0].lock);
        // The second time is one too many.
        assert_eq!(settle(again[0].lock, Settlement::Abandon).await, Ok(()));
        client.session.add_c2d_credit(5);
        assert_eq!(bodies(&client.c2d(1).await), ["3"]);
    });
}

#[test]
fn an_abandoned_message_comes_again_without_more_being_said() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want_c2d(10);
        hub.send_c2d(device(), "1").await;
        for count in 0..3 {
            let delivery = client.c2d(1).await.remove(0);
            assert_eq!(delivery.delivery_count, count);
            client.session.settle_c2d(delivery.lock, Settlement::Abandon).unwrap();
        }
        // Also one that a request had.
        let delivery = client.c2d(1).await.remove(0);
        client.session.release_c2d();
        assert_eq!(client.c2d(1).await[0].delivery_count, 3, "a return does not count");
        let lost = client.session.settle_c2d(delivery.lock, Settlement::Complete).unwrap();
        assert_eq!(lost.await.unwrap(), Err(HubError::LockLost));
    });
}

#[test]
fn what_a_session_holds_returns_when_it_ends_however_it_ends() {
    run(|| async {
        let hub = Hub::new().await;
        for body in ["1", "2"] {
            hub.send_c2d(device(), body).await;
        }
        let mut client = hub.connect(device()).await;
        for round in 0..4 {
            client.want_c2d(5);
            let deliveries = client.c2d(2).await;
            assert_eq!(bodies(&deliveries), ["1", "2"], "{round}");
            assert!(deliveries.iter().all(|d| d.delivery_count == 0), "{round}");
            if round % 2 == 0 {
                drop(client);
                client = hub.connect(device()).await;
            } else {
                // It takes over, and asks before the old locks are back.
                let newer = hub.connect(device()).await;
                client = newer;
            }
        }
        // A lock that is on its way when the session ends comes back too.
        client.want_c2d(5);
        let next = hub.connect(device()).await;
        next.want_c2d(5);
        assert_eq!(bodies(&next.c2d(2).await), ["1", "2"]);
        // Not only for the next session, and not before the end.
        assert_eq!(hub.router.receive_c2d(device()).await, Ok(None));
        drop(next);
        let first = loop {
            if let Some(delivery) = hub.router.receive_c2d(device()).await.unwrap() {
                break delivery;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((bodies(std::slice::from_ref(&first))[0], first.delivery_count), ("1", 0));
    });
}

#[test]
fn a_restart_returns_what_sessions_held_and_keeps_what_requests_hold() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, Default::default()).await;
        hub.create("d").await;
        for body in ["1", "2"] {
            hub.send_c2d(device(), body).await;
        }
        let of_request = hub.router.receive_c2d(device()).await.unwrap().unwrap();
        let client = hub.connect(device()).await;
        client.want_c2d(5);
        assert_eq!(bodies(&client.c2d(1).await), ["2"]);
        hub.stop();

        let hub = Hub::start(&disks, Default::default()).await;
        assert_eq!(hub.router.receive_c2d(device()).await.unwrap(), None, "still locked");
        let client = hub.connect(device()).await;
        client.want_c2d(5);
        assert_eq!(bodies(&client.c2d(1).await), ["2"]);
        let settled = hub.router.settle_c2d(device(), of_request.lock, Settlement::Abandon).await;
        assert_eq!(settled, Ok(()));
        let again = client.c2d(1).await;
        assert_eq!((bodies(&again)[0], again[0].delivery_count), ("1", 1));
    });
}

#[test]
fn a_session_without_interest_or_credit_gets_nothing_and_costs_nothing() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        hub.send_c2d(device(), "1").await;
        client.session.add_c2d_credit(1);
        hub.send_c2d(device(), "2").await;
        assert!(client.sink.is_empty(), "it did not say that it wants any");
        client.session.clear_c2d_credit();
        client.want(C2D);
        hub.send_c2d(device(), "3").await;
        assert!(client.sink.is_empty(), "its credit is gone");
        // Nothing is locked: a request gets the first.
        let first = hub.router.receive_c2d(device()).await.unwrap().unwrap();
        assert_eq!(bodies(&[first]), ["1"]);
        client.want(Features::default());
        assert_eq!(hub.router.purge_c2d(device()).await, Ok(3));
        assert_eq!(hub.router.receive_c2d(device()).await, Ok(None));
    });
}

#[test]
fn a_session_that_cannot_take_what_it_asked_for_is_closed_and_loses_no_message() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.sink.full.store(true, std::sync::atomic::Ordering::Relaxed);
        client.want_c2d(5);
        hub.send_c2d(device(), "1").await;
        assert_eq!(client.sink.closed().await, CloseReason::Slow);
        let next = hub.connect(device()).await;
        next.want_c2d(5);
        assert_eq!(bodies(&next.c2d(1).await), ["1"]);
    });
}

#[test]
fn a_device_and_its_module_have_queues_of_their_own() {
    run(|| async {
        let hub = Hub::new().await;
        let (of_device, of_module) = (hub.connect(device()).await, hub.connect(module()).await);
        of_device.want_c2d(5);
        of_module.want_c2d(5);
        hub.send_c2d(module(), "to the module").await;
        hub.send_c2d(device(), "to the device").await;
        let (to_device, to_module) = (of_device.c2d(1).await, of_module.c2d(1).await);
        assert_eq!(bodies(&to_device), ["to the device"]);
        assert_eq!(bodies(&to_module), ["to the module"]);
        // A lock is good for its own identity only.
        let foreign =
            of_device.session.settle_c2d(to_module[0].lock, Settlement::Complete).unwrap();
        assert_eq!(foreign.await.unwrap(), Err(HubError::LockLost));
        let settle = |how| hub.router.settle_c2d(device(), to_module[0].lock, how);
        assert_eq!(settle(Settlement::Reject).await, Err(HubError::LockLost));
        let id = module().module.clone().unwrap();
        assert_eq!(hub.router.module(&device().device, &id).await.unwrap().c2d_count, 1);
    });
}

#[test]
fn an_expired_message_is_swept_also_of_a_device_that_is_not_active() {
    run(|| async {
        let hub =
            Hub::with(DeviceSettings { c2d_ttl: Duration::from_millis(1), ..Default::default() })
                .await;
        hub.send_c2d(device(), "1").await;
        for directory in hub.state.directories() {
            directory.passivate(Duration::ZERO);
        }
        let sweeper = actix_rt::spawn(crate::actor::sweep(hub.state.clone()));
        loop {
            let view = hub.router.identity(&device().device).await.unwrap();
            if view.c2d_count == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sweeper.abort();
    });
}

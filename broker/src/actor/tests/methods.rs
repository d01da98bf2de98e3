use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use ironhub_domain::HubError;
use ironhub_domain::limits::METHODS_IN_FLIGHT_MAX;
use ironhub_domain::method::{MethodAnswer, MethodCall};

use super::rig::*;
use crate::router::request::{CloseReason, Features};

/// What a call comes to whose time runs out: the clock jumps ahead while nobody else has anything to do.
async fn in_no_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::pause();
    let result = call.await;
    tokio::time::resume();
    result
}

fn call(name: &str, connect: u64, response: u64) -> MethodCall {
    MethodCall {
        name: name.into(),
        payload: Bytes::from_static(b"null"),
        response_timeout: Duration::from_secs(response),
        connect_timeout: Duration::from_secs(connect),
    }
}

fn answer(status: i32) -> MethodAnswer {
    MethodAnswer { status, payload: Bytes::from_static(b"{}") }
}

#[test]
fn every_answer_reaches_its_own_caller() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        let calls = (0..50).map(|n| {
            let name = format!("m{n}");
            let hub = &hub;
            async move { (n, hub.router.invoke_method(device(), call(&name, 0, 30)).await) }
        });
        let answers = async {
            let mut requests = Vec::new();
            for _ in 0..50 {
                requests.push(client.method().await);
            }
            for request in requests.iter().rev() {
                let status = request.name[1..].parse().unwrap();
                client.session.answer_method(request.id, answer(status));
                // Once more, and one that nobody asked for.
                client.session.answer_method(request.id, answer(-1));
                client.session.answer_method(request.id + 1000, answer(-1));
            }
        };
        let (results, ()) = tokio::join!(join_all(calls), answers);
        for (n, result) in results {
            assert_eq!(result, Ok(answer(n)));
        }
    });
}

#[test]
fn nobody_online_is_said_at_once_or_after_the_connect_timeout() {
    run(|| async {
        let hub = Hub::new().await;
        let invoke = |connect| hub.router.invoke_method(device(), call("m", connect, 5));
        let offline = |waited_seconds| Err(HubError::NotOnline { waited_seconds });
        assert_eq!(invoke(0).await, offline(0));
        // Connected is not enough.
        let client = hub.connect(device()).await;
        client.want(Features { c2d: true, desired: true, methods: false });
        assert_eq!(invoke(0).await, offline(0));
        assert_eq!(in_no_time(invoke(30)).await, offline(30));
        let unknown = module_of("nobody");
        let refused = hub.router.invoke_method(&unknown, call("m", 0, 5)).await.unwrap_err();
        assert!(matches!(refused, HubError::ModuleNotFound(_)), "{refused}");
        client.want(METHODS);
        client.session.twin().unwrap().await.unwrap().unwrap();
        assert!(client.sink.is_empty(), "a call that was given up does not run later");
    });
}

#[test]
fn a_call_waits_for_its_device_to_come_online() {
    run(|| async {
        let hub = Hub::new().await;
        let invoked = hub.router.invoke_method(device(), call("m", 300, 30));
        let device = async {
            let client = hub.connect(device()).await;
            client.want(METHODS);
            let request = client.method().await;
            client.session.answer_method(request.id, answer(7));
            client
        };
        let (result, _client) = tokio::join!(invoked, device);
        assert_eq!(result, Ok(answer(7)));
    });
}

#[test]
fn a_device_that_goes_away_fails_the_calls_under_way() {
    run(|| async {
        let hub = Hub::new().await;
        for take_over in [false, true] {
            let client = hub.connect(device()).await;
            client.want(METHODS);
            let invoked = hub.router.invoke_method(device(), call("m", 0, 300));
            let leave = async {
                client.method().await;
                match take_over {
                    true => Some(hub.connect(device()).await),
                    false => {
                        drop(client.session);
                        None
                    }
                }
            };
            let (result, newer) = tokio::join!(invoked, leave);
            assert_eq!(result, Err(HubError::DeviceWentAway));
            assert!(newer.is_none_or(|newer| newer.sink.is_empty()), "at most one run");
        }
    });
}

#[test]
fn a_late_answer_is_nobodys() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        let slow = hub.router.invoke_method(device(), call("slow", 0, 5));
        let timed_out = Err(HubError::MethodTimeout { waited_seconds: 5 });
        assert_eq!(in_no_time(slow).await, timed_out);
        let slow = client.method().await;
        let invoked = hub.router.invoke_method(device(), call("next", 0, 30));
        let answered = async {
            let next = client.method().await;
            assert_ne!(next.id, slow.id);
            client.session.answer_method(slow.id, answer(1));
            client.session.answer_method(next.id, answer(2));
        };
        let (result, ()) = tokio::join!(invoked, answered);
        assert_eq!(result, Ok(answer(2)));
    });
}

#[test]
fn calls_under_way_are_bounded_and_those_given_up_count_no_more() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        {
            let open = (0..METHODS_IN_FLIGHT_MAX)
                .map(|_| hub.router.invoke_method(device(), call("m", 0, 300)));
            let one_more = async {
                for _ in 0..METHODS_IN_FLIGHT_MAX {
                    client.method().await;
                }
                hub.router.invoke_method(device(), call("m", 0, 300)).await
            };
            tokio::select! {
                _ = join_all(open) => panic!("nobody answered"),
                refused = one_more => {
                    let max = METHODS_IN_FLIGHT_MAX;
                    assert_eq!(refused, Err(HubError::TooManyMethods { max }));
                }
            }
        }
        let invoked = hub.router.invoke_method(device(), call("m", 0, 30));
        let answered = async {
            let request = client.method().await;
            client.session.answer_method(request.id, answer(1));
        };
        assert_eq!(tokio::join!(invoked, answered).0, Ok(answer(1)));
    });
}

#[test]
fn a_deleted_device_is_waited_for_by_nobody() {
    run(|| async {
        let hub = Hub::new().await;
        let waiting = hub.router.invoke_method(device(), call("m", 300, 5));
        let of_module = hub.router.invoke_method(module(), call("m", 300, 5));
        let delete = async {
            tokio::task::yield_now().await;
            hub.router.delete_identity(&device().device, None).await
        };
        let (one, two, deleted) = tokio::join!(waiting, of_module, delete);
        assert_eq!(deleted, Ok(()));
        let gone = Err(HubError::DeviceNotFound("d".into()));
        assert_eq!((one, two), (gone.clone(), gone));
    });
}

#[test]
fn a_session_that_cannot_take_the_calls_that_wait_fails_one_and_the_others_wait_on() {
    run(|| async {
        let hub = Hub::new().await;
        let waiting = (0..3).map(|n| {
            let (hub, name) = (&hub, format!("m{n}"));
            async move { hub.router.invoke_method(device(), call(&name, 300, 30)).await }
        });
        let devices = async {
            tokio::task::yield_now().await;
            let full = hub.connect(device()).await;
            full.sink.full.store(true, std::sync::atomic::Ordering::Relaxed);
            full.want(METHODS);
            assert_eq!(full.sink.closed().await, CloseReason::Slow);
            let client = hub.connect(device()).await;
            client.want(METHODS);
            for name in ["m1", "m2"] {
                let request = client.method().await;
                assert_eq!(request.name, name);
                client.session.answer_method(request.id, answer(7));
            }
            client
        };
        let (results, _client) = tokio::join!(join_all(waiting), devices);
        assert_eq!(results, [Err(HubError::DeviceWentAway), Ok(answer(7)), Ok(answer(7))]);
    });
}

#[test]
fn a_session_that_cannot_take_a_call_is_closed() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        client.want(METHODS);
        client.sink.full.store(true, std::sync::atomic::Ordering::Relaxed);
        let result = hub.router.invoke_method(device(), call("m", 0, 30)).await;
        assert_eq!(result, Err(HubError::DeviceWentAway));
        assert_eq!(client.sink.close_reason(), Some(CloseReason::Slow));
    });
}

//! Scans take turns, and nobody else waits for them.

use std::time::Duration;

use ironhub_domain::event::D2cMessage;
use ironhub_domain::time::UnixMs;

use super::*;
use crate::actor::tests::rig::{HOST, KEY};
use crate::client::sas::{KeyForm, expiry_from_now, token};

#[test]
fn what_an_id_or_an_index_leads_to_does_not_wait_for_scans() {
    run(|| async {
        let hub = hub().await;
        index_tags(&hub, &["floor"]).await;
        let queries = hub.router.queries();
        let turns = queries.steps.turns.available_permits() as u32;
        let held = queries.steps.turns.clone().acquire_many_owned(turns).await.unwrap();
        let scan = |text: &'static str| {
            let router = hub.router.clone();
            tokio::spawn(async move { router.queries().page(text, 1000, None).await })
        };
        let rows = scan("SELECT deviceId FROM devices WHERE tags.n = 1199");
        let groups = scan("SELECT tags.n, COUNT() AS count FROM devices GROUP BY tags.n");
        for _ in 0..20 {
            let text = "SELECT * FROM devices WHERE deviceId = 'n0007'";
            assert_eq!(page(&hub, text, 10, None).await.rows.len(), 1);
            let text = "SELECT * FROM devices WHERE tags.floor = 3";
            assert_eq!(page(&hub, text, 10, None).await.rows.len(), 10);
        }
        assert!(!rows.is_finished() && !groups.is_finished());
        assert_eq!(queries.places.available_permits(), QUERIES_MAX - 2);
        // Nobody waits for this one any more: its place is free at once.
        groups.abort();
        assert!(groups.await.unwrap_err().is_cancelled());
        while queries.places.available_permits() < QUERIES_MAX - 1 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert_eq!(rows.await.unwrap().unwrap().rows.len(), 1);
    });
}

/// A hub with many devices whose scans do not get on.
pub(crate) struct Stalled {
    hub: Hub,
    _turns: tokio::sync::OwnedSemaphorePermit,
}

impl Stalled {
    pub(crate) async fn new() -> Self {
        let hub = hub().await;
        let steps = &hub.router.queries().steps;
        let turns = steps.turns.available_permits() as u32;
        let turns = steps.turns.clone().acquire_many_owned(turns).await.unwrap();
        Self { _turns: turns, hub }
    }

    pub(crate) fn router(&self) -> &crate::router::Router {
        &self.hub.router
    }

    /// Pages that are worked on.
    pub(crate) fn pages(&self) -> usize {
        QUERIES_MAX - self.hub.router.queries().places.available_permits()
    }

    /// The host, and a token of its owner.
    pub(crate) fn login() -> (&'static str, String) {
        let owner = ironhub_domain::auth::Policy::OWNER;
        (HOST, token(HOST, owner, KEY, KeyForm::Decoded, expiry_from_now()).unwrap())
    }
}

#[test]
fn a_query_knows_of_every_message_and_the_record_follows() {
    run(|| async {
        let hub = Hub::new().await;
        let client = hub.connect(device()).await;
        let text = "SELECT lastActivityTime AS at FROM devices WHERE deviceId = 'd'";
        let view = || async { hub.router.identity(&device().device).await.unwrap() };
        let connected = view().await.last_activity;
        let mut last = connected;
        for _ in 0..3 {
            while crate::actor::NodeFacts::now() <= last {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let stored = client.session.send_d2c(vec![D2cMessage::default()]).unwrap();
            assert_eq!(stored.await.unwrap(), Ok(()));
            let now = view().await.last_activity;
            assert!(now > last);
            last = now;
            let shown = format!(r#"{{"at":"{}"}}"#, last.registry_time());
            assert_eq!(names(&hub, text, 5).await, [shown]);
            let since = |at: UnixMs| {
                let at = at.registry_time();
                format!("SELECT deviceId FROM devices WHERE lastActivityTime >= '{at}'")
            };
            assert_eq!(names(&hub, &since(last), 5).await, [r#"{"deviceId":"d"}"#]);
            assert_eq!(names(&hub, &since(UnixMs(last.0 + 1)), 5).await, Vec::<String>::new());
        }
        let owner = hub.state.directory(&device().device).owner();
        let noted = || owner.presence(device()).unwrap();
        assert!(noted().last_activity < last, "no message writes a record");
        assert_eq!(owner.heard().last_activity(device()), Some(last));
        drop(client);
        while noted().connected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(noted().last_activity, last);
        while owner.heard().last_activity(device()).is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let shown = format!(r#"{{"at":"{}"}}"#, last.registry_time());
        assert_eq!(names(&hub, text, 5).await, [shown]);
    });
}

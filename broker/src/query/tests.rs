//! The engine over a hub in memory, with more devices than one step looks at.

mod jobs;
mod known;
pub(crate) mod turns;

use std::collections::BTreeSet;

use ironhub_domain::HubError;
use ironhub_domain::partition::Command;
use ironhub_domain::query::{Query, Target};
use ironhub_domain::registry::bulk;
use serde_json::{Value, json};

use super::{QUERIES_MAX, QueryPage, QueryRow};
use crate::actor::DeviceSettings;
pub(crate) use crate::actor::tests::rig::run;
use crate::actor::tests::rig::{Disks, Hub, device, module};

const DEVICES: usize = 1200;

/// The device `d` with its module `m`, and `n0000`, `n0001` … with tags and a module each tenth.
async fn hub() -> Hub {
    let hub = Hub::with(DeviceSettings::default()).await;
    let mut items = Vec::new();
    for n in 0..DEVICES {
        let status = if n % 100 == 7 { "disabled" } else { "enabled" };
        let tags = json!({"n": n, "floor": n % 20, "deep": {"half": n as f64 / 2.0}});
        items.push(json!({"id": format!("n{n:04}"), "status": status, "tags": tags}));
        if n % 10 == 0 {
            let tags = json!({"floor": n % 20});
            items.push(json!({"id": format!("n{n:04}"), "moduleId": "cam", "tags": tags}));
        }
    }
    for items in items.chunks(100) {
        let items = bulk::parse(Value::from(items).to_string().as_bytes()).unwrap();
        assert_eq!(hub.router.bulk(items).await.len(), 0);
    }
    hub
}

async fn index_tags(hub: &Hub, paths: &[&str]) {
    for directory in hub.state.directories() {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        directory.owner().partition().change(&Command::SetIndexedTags(paths)).await.unwrap();
    }
}

async fn page(hub: &Hub, text: &str, max: usize, token: Option<&str>) -> QueryPage {
    hub.router.queries().page(text, max, token).await.unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The names of the rows, page after page.
async fn names(hub: &Hub, text: &str, max: usize) -> Vec<String> {
    let (mut found, mut token): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let next = page(hub, text, max, token.as_deref()).await;
        assert!(next.rows.len() <= max, "{text}");
        assert!(next.continuation.is_none() || next.rows.len() == max, "{text}: {max}");
        found.extend(next.rows.iter().map(name));
        token = next.continuation;
        if token.is_none() {
            return found;
        }
    }
}

fn name(row: &QueryRow) -> String {
    match row {
        QueryRow::Twin(view) => match &view.module {
            Some(module) => format!("{}/{}", view.device.identity.id, module.id),
            None => view.device.identity.id.to_string(),
        },
        QueryRow::Job(row) => format!("{} of {}", row.identity, row.job),
        QueryRow::Columns(columns) => Value::from(columns.clone()).to_string(),
    }
}

fn expected(is_met: impl Fn(usize) -> bool) -> BTreeSet<String> {
    (0..DEVICES).filter(|n| is_met(*n)).map(|n| format!("n{n:04}")).collect()
}

async fn check(hub: &Hub, from: &str, condition: &str, expected: &BTreeSet<String>) {
    let text = format!("SELECT * FROM {from} WHERE {condition}");
    for max in [1000, 13] {
        let found = names(hub, &text, max).await;
        let set: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(found.len(), set.len(), "{text}: nothing twice");
        assert_eq!(set, *expected, "{text}");
    }
}

#[test]
fn the_same_is_found_by_every_way_and_on_pages_of_every_size() {
    run(|| async {
        let hub = hub().await;
        for indexed in [&[][..], &["floor", "deep.half"]] {
            index_tags(&hub, indexed).await;
            check(&hub, "devices", "tags.floor = 3", &expected(|n| n % 20 == 3)).await;
            let some = expected(|n| n % 20 == 3 || n % 20 == 4);
            check(&hub, "devices", "tags.floor IN [3, 4.0, 'x', 99]", &some).await;
            let few = expected(|n| n % 20 == 3 && n < 100);
            check(&hub, "devices", "tags.n < 100 AND tags.floor = 3", &few).await;
            check(&hub, "devices", "tags.deep.half = 4.5", &expected(|n| n == 9)).await;
            check(&hub, "devices", "tags.floor = null", &BTreeSet::new()).await;
            let modules = expected(|n| n % 20 == 10).into_iter().map(|id| id + "/cam").collect();
            check(&hub, "devices.modules", "tags.floor = 10", &modules).await;
        }
        check(&hub, "devices", "tags.n >= 0", &expected(|_| true)).await;
        check(&hub, "devices", "status = 'disabled'", &expected(|n| n % 100 == 7)).await;
        let enabled = expected(|n| n % 100 != 7);
        check(&hub, "devices", "status = 'enabled' AND deviceId != 'd'", &enabled).await;
        let three = expected(|n| [1, 700, 1199].contains(&n));
        let ids = "deviceId IN ['n1199', 'n0001', 'n0700', 'n0001', 'nobody', 'no id']";
        check(&hub, "devices", ids, &three).await;
        let modules = expected(|n| n % 10 == 0).into_iter().map(|id| id + "/cam").collect();
        check(&hub, "devices.modules", "moduleId = 'cam'", &modules).await;
        let all: Vec<String> = (0..DEVICES).map(|n| format!("'n{n:04}'")).collect();
        check(&hub, "devices.modules", &format!("deviceId IN [{}]", all[..900].join(",")), &{
            expected(|n| n % 10 == 0 && n < 900).into_iter().map(|id| id + "/cam").collect()
        })
        .await;
    });
}

#[test]
fn who_is_connected_is_found_by_index() {
    run(|| async {
        let hub = Hub::new().await;
        let text =
            "SELECT deviceId, moduleId FROM devices.modules WHERE connectionState = 'Connected'";
        let other = text.replace("= 'Connected'", "= 'Disconnected'");
        assert_eq!(names(&hub, text, 5).await, Vec::<String>::new());
        let module_client = hub.connect(module()).await;
        let row = [r#"{"deviceId":"d","moduleId":"m"}"#];
        while names(&hub, text, 5).await != row {
            tokio::task::yield_now().await;
        }
        assert_eq!(names(&hub, &other, 5).await, Vec::<String>::new());
        let devices = "SELECT deviceId FROM devices WHERE connectionState = 'Connected'";
        assert_eq!(names(&hub, devices, 5).await, Vec::<String>::new());
        drop(module_client);
        while names(&hub, text, 5).await == row {
            tokio::task::yield_now().await;
        }
        assert_eq!(names(&hub, &other, 5).await, row);
    });
}

#[test]
fn top_counts_over_pages_and_groups_are_one_page() {
    run(|| async {
        let hub = hub().await;
        for max in [1, 10, 25, 26, 1000] {
            let found = names(&hub, "SELECT TOP 25 deviceId FROM devices", max).await;
            assert_eq!(found.len(), 25, "{max}");
        }
        let text =
            "SELECT tags.floor, COUNT() AS n FROM devices WHERE tags.n >= 0 GROUP BY tags.floor";
        let groups = page(&hub, text, 3, None).await;
        assert_eq!((groups.rows.len(), groups.continuation, groups.item_type), (20, None, "Raw"));
        let sum = page(&hub, "SELECT SUM(tags.n) AS sum FROM devices", 1, None).await;
        let total = DEVICES * (DEVICES - 1) / 2;
        assert_eq!(name(&sum.rows[0]), format!(r#"{{"sum":{total}}}"#));
    });
}

#[test]
fn a_page_of_large_twins_has_fewer_rows() {
    run(|| async {
        let hub = Hub::new().await;
        let items: Vec<Value> = (0..100)
            .map(|n| {
                let text = "x".repeat(3000);
                let desired: serde_json::Map<String, Value> =
                    (0..9).map(|key| (format!("k{key}"), text.clone().into())).collect();
                json!({"id": format!("n{n:04}"), "properties": {"desired": desired}})
            })
            .collect();
        for items in items.chunks(10) {
            let items = bulk::parse(Value::from(items).to_string().as_bytes()).unwrap();
            assert_eq!(hub.router.bulk(items).await.len(), 0);
        }
        let first = page(&hub, "SELECT * FROM devices", 1000, None).await;
        assert!((10..100).contains(&first.rows.len()), "{}", first.rows.len());
        assert!(first.continuation.is_some());
        let ids = page(&hub, "SELECT deviceId FROM devices", 1000, None).await;
        assert_eq!((ids.rows.len(), ids.continuation), (101, None));
    });
}

#[test]
fn targets_are_listed_counted_and_told_one_by_one() {
    run(|| async {
        let hub = hub().await;
        let queries = hub.router.queries();
        for (text, count) in [
            ("tags.floor = 3", 60),
            ("*", DEVICES + 1),
            ("deviceId = 'n0001'", 1),
            ("FROM devices.modules WHERE tags.floor = 10", 60),
            ("FROM devices.modules", DEVICES / 10 + 1),
        ] {
            let target = Target::of_job(text).unwrap();
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let (more, next) = queries.targets(&target, after, 50).await.unwrap();
                assert!(more.len() <= 50);
                found.extend(more);
                after = next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found.len(), count, "{text}");
            assert_eq!(queries.count_targets(&target).await.unwrap(), count as u64, "{text}");
            assert!(queries.is_target(&found[0], &target).unwrap(), "{text}");
            let is_other = queries.is_target(module(), &target).unwrap();
            assert_eq!(is_other, text == "FROM devices.modules", "{text}");
        }
        let nothing = Target::of_configuration("").unwrap();
        assert_eq!(queries.targets(&nothing, None, 5).await.unwrap(), (Vec::new(), None));
        assert!(!queries.is_target(device(), &nothing).unwrap());
        for (text, rows) in [
            ("SELECT deviceId FROM devices WHERE tags.n < 7", 7),
            ("SELECT TOP 3 deviceId FROM devices", 3),
            (
                "SELECT tags.floor, COUNT() AS n FROM devices WHERE tags.n < 7 GROUP BY tags.floor",
                7,
            ),
        ] {
            let query = Query::parse(text).unwrap();
            assert_eq!(queries.count_rows(&query).await.unwrap(), rows, "{text}");
        }
        let counts = queries.counts().unwrap();
        assert_eq!((counts.devices, counts.disabled), (DEVICES as u64 + 1, 12));
    });
}

#[test]
fn a_token_leads_on_after_a_restart_and_where_the_row_is_gone() {
    run(|| async {
        let disks = Disks::new();
        let hub = Hub::start(&disks, DeviceSettings::default()).await;
        for n in 0..6 {
            hub.create(&format!("n{n}")).await;
        }
        let text = "SELECT deviceId FROM devices";
        let first = page(&hub, text, 2, None).await;
        let last = &name(&first.rows[1])[13..15];
        let last = ironhub_domain::ids::DeviceId::new(last).unwrap();
        hub.router.delete_identity(&last, None).await.unwrap();
        hub.stop();
        let hub = Hub::start(&disks, DeviceSettings::default()).await;
        let rest = page(&hub, text, 10, first.continuation.as_deref()).await;
        let found: BTreeSet<String> = first.rows.iter().chain(&rest.rows).map(name).collect();
        assert_eq!((found.len(), rest.rows.len()), (6, 4));
    });
}

#[test]
fn only_so_many_queries_run_at_a_time() {
    run(|| async {
        let hub = Hub::new().await;
        let queries = hub.router.queries();
        let text = "SELECT * FROM devices";
        let all = queries.places.clone().acquire_many_owned(QUERIES_MAX as u32).await.unwrap();
        assert_eq!(queries.page(text, 1, None).await.err(), Some(HubError::Busy));
        drop(all);
        assert_eq!(page(&hub, text, 1, None).await.rows.len(), 1);
        let error = queries.page("SELECT", 1, None).await.err();
        assert!(matches!(error, Some(HubError::InvalidArgument(_))), "{error:?}");
    });
}

//! What is counted without looking at rows is what looking at every row counts.

use super::*;
use crate::query::known::Sight;
use crate::query::selection::Selection;

/// Whether the partitions know, all of them.
fn is_known(hub: &Hub, text: &str) -> bool {
    let query = Query::parse(text).unwrap();
    let Some(sight) = Sight::of_counts(&query) else { return false };
    let selection = Selection::Query(query);
    let knows = |directory: &crate::actor::Directory| {
        sight.devices(directory.owner(), &selection).unwrap().is_some()
    };
    hub.state.directories().iter().all(knows)
}

fn rows(page: QueryPage) -> Vec<String> {
    page.rows.iter().map(name).collect()
}

async fn check(hub: &Hub, what: &str, condition: &str, group: &str, known: bool) {
    let grouped = if group.is_empty() { String::new() } else { format!(" GROUP BY {group}") };
    let both = format!("({condition}) AND deviceId != ''");
    let text = |condition: &str| format!("SELECT {what} FROM devices WHERE {condition}{grouped}");
    let short = match condition {
        "true" => format!("SELECT {what} FROM devices{grouped}"),
        condition => text(condition),
    };
    assert_eq!(is_known(hub, &short), known, "{short}");
    assert!(!is_known(hub, &text(&both)), "{both}");
    let (counted, looked) =
        (page(hub, &short, 9, None).await, page(hub, &text(&both), 9, None).await);
    assert_eq!(rows(counted), rows(looked), "{short}");
}

#[test]
fn counts_that_are_kept_are_those_of_a_scan() {
    run(|| async {
        let hub = hub().await;
        let client = hub.connect(device()).await;
        while hub.router.queries().counts().unwrap().connected == 0 {
            tokio::task::yield_now().await;
        }
        let n = "COUNT() AS n";
        for indexed in [&[][..], &["floor"]] {
            index_tags(&hub, indexed).await;
            let is_indexed = !indexed.is_empty();
            check(&hub, n, "true", "", true).await;
            check(&hub, "COUNT(), COUNT() AS again", "true", "", true).await;
            check(&hub, n, "status = 'enabled'", "", true).await;
            check(&hub, n, "NOT status = 'enabled'", "", true).await;
            check(&hub, n, "status IN ['disabled', 'other']", "", true).await;
            check(&hub, n, "STARTSWITH(connectionState, 'Conn')", "", true).await;
            check(&hub, n, "connectionState = 'Disconnected'", "", true).await;
            check(&hub, "status, COUNT() AS n", "true", "status", true).await;
            check(&hub, "status, COUNT() AS n", "status = 'disabled'", "status", true).await;
            check(&hub, n, "status = 'other'", "status", true).await;
            check(&hub, n, "connectionState = 'Connected' AND status = 'enabled'", "", false).await;
            check(&hub, "MAX(status) AS m", "true", "", false).await;
            check(&hub, n, "tags.floor = 3", "", is_indexed).await;
            check(&hub, n, "tags.floor = 3.0 AND tags.floor = 4", "", is_indexed).await;
            check(&hub, n, "tags.floor IN [3, 5, 'x']", "", is_indexed).await;
            check(
                &hub,
                "tags.floor, COUNT() AS n",
                "tags.floor IN [3, 5]",
                "tags.floor",
                is_indexed,
            )
            .await;
            // `d` has no floor, and nothing tells it from one whose floor is null.
            check(&hub, n, "tags.floor > 3", "", false).await;
            check(&hub, n, "tags.floor = null", "", false).await;
            check(&hub, "tags.floor, COUNT() AS n", "true", "tags.floor", false).await;
        }
        drop(client);
        hub.router.delete_identity(&device().device, None).await.unwrap();
        check(&hub, n, "tags.floor > 3", "", true).await;
        check(&hub, "tags.floor, COUNT() AS n", "true", "tags.floor", true).await;
        // Texts that begin alike share an entry.
        for end in ["a", "b"] {
            hub.create(end).await;
            let tags = format!(r#"{{"floor": "{}{end}"}}"#, "x".repeat(200));
            let id = ironhub_domain::ids::DeviceId::new(end).unwrap();
            hub.set_tags(&id.into(), &tags).await;
        }
        check(&hub, "tags.floor, COUNT() AS n", "true", "tags.floor", false).await;
        check(&hub, n, &format!("tags.floor = '{}a'", "x".repeat(200)), "", false).await;
        check(&hub, n, "tags.floor = 3", "", true).await;
        let target = |text: &str| Target::of_job(text).unwrap();
        let queries = hub.router.queries();
        for (text, count) in [("*", 1202), ("status = 'disabled'", 12), ("tags.floor = 3", 60)] {
            assert_eq!(queries.count_targets(&target(text)).await.unwrap(), count, "{text}");
        }
    });
}

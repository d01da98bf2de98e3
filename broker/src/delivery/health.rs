//! How deliveries go, for whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironhub_domain::time::UnixMs;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::actor::NodeFacts;
use crate::metrics::delivery as meters;

/// How deliveries to each endpoint have gone since this node started: nothing of it is stored. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    records: Arc<Mutex<BTreeMap<String, Record>>>,
    since: UnixMs,
}

/// Counts from now on.
impl Default for Health {
    fn default() -> Self {
        Self { records: Arc::default(), since: NodeFacts::now() }
    }
}

/// Of one endpoint. There are as many as the routing has endpoints.
#[derive(Default)]
struct Record {
    delivered: u64,
    retried: u64,
    dead_lettered: u64,
    dropped: u64,
    succeeded: Option<UnixMs>,
    failed: Option<(UnixMs, String)>,
    /// Messages that wait, by partition.
    backlog: BTreeMap<u32, u64>,
    /// Partitions whose last attempt failed.
    failing: std::collections::BTreeSet<u32>,
}

impl Health {
    fn of<T>(&self, endpoint: &str, change: impl FnOnce(&mut Record) -> T) -> T {
        change(self.records.lock().entry(endpoint.to_ascii_lowercase()).or_default())
    }

    /// An endpoint took messages.
    pub(super) fn delivered(&self, endpoint: &str, partition: u32, count: u64, now: UnixMs) {
        meters::delivered(endpoint, count);
        self.of(endpoint, |record| {
            record.delivered += count;
            record.succeeded = Some(now);
            record.failing.remove(&partition);
        });
    }

    /// An endpoint did not take them, and why.
    pub(super) fn failed(&self, endpoint: &str, partition: u32, why: &str, now: UnixMs) {
        meters::retried(endpoint);
        self.of(endpoint, |record| {
            record.retried += 1;
            record.failed = Some((now, why.to_owned()));
            record.failing.insert(partition);
        });
    }

    /// Messages went to the dead letters.
    pub(super) fn dead_lettered(&self, endpoint: &str, count: u64) {
        meters::dead_lettered(endpoint, count);
        self.of(endpoint, |record| record.dead_lettered += count);
    }

    /// Messages are gone: nobody took them, or they were too old.
    pub(super) fn dropped(&self, endpoint: &str, count: u64) {
        meters::dropped(endpoint, count);
        self.of(endpoint, |record| record.dropped += count);
    }

    /// So many messages of a partition wait.
    pub(super) fn waiting(&self, endpoint: &str, partition: u32, count: u64) {
        let all = self.of(endpoint, |record| {
            record.backlog.insert(partition, count);
            record.backlog.values().sum()
        });
        meters::backlog(endpoint, all);
    }

    /// Forgets endpoints that are gone; `is_there` gets their names in lower case.
    pub(super) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.records.lock().retain(|endpoint, _| {
            let stays = is_there(endpoint);
            if !stays {
                meters::backlog(endpoint, 0);
            }
            stays
        });
    }

    /// What is known of an endpoint, with the names of the original's resource manager and a few of ours. `healthStatus` is
    /// `healthy`, `unhealthy` (the last attempt of a partition failed) or `unknown` (nothing was sent yet, or the endpoint is an
    /// event log).
    pub fn report(&self, endpoint: &str) -> Value {
        self.of(endpoint, |record| {
            let last_attempt = record.succeeded.max(record.failed.as_ref().map(|(at, _)| *at));
            let status = match last_attempt {
                None => "unknown",
                Some(_) if record.failing.is_empty() => "healthy",
                Some(_) => "unhealthy",
            };
            let time = |at: Option<UnixMs>| at.map(UnixMs::iso8601);
            json!({
                "endpointId": endpoint,
                "healthStatus": status,
                "lastKnownError": record.failed.as_ref().map(|(_, why)| why),
                "lastKnownErrorTime": time(record.failed.as_ref().map(|(at, _)| *at)),
                "lastSuccessfulSendAttemptTime": time(record.succeeded),
                "lastSendAttemptTime": time(last_attempt),
                "backlog": record.backlog.values().sum::<u64>(),
                "delivered": record.delivered,
                "failedAttempts": record.retried,
                "deadLettered": record.dead_lettered,
                "dropped": record.dropped,
                "countingSince": self.since.iso8601(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_unhealthy_while_the_last_attempt_of_a_partition_failed() {
        let health = Health::default();
        let check = |status: &str| {
            assert_eq!(health.report("Hook")["healthStatus"], status);
        };
        check("unknown");
        health.failed("hook", 0, "503", UnixMs(1));
        check("unhealthy");
        health.delivered("HOOK", 1, 3, UnixMs(2));
        check("unhealthy");
        health.delivered("hook", 0, 2, UnixMs(3));
        check("healthy");
        health.waiting("hook", 0, 7);
        health.waiting("hook", 1, 1);
        health.waiting("hook", 0, 4);
        let report = health.report("hook");
        assert_eq!(report["delivered"], 5);
        assert_eq!(report["failedAttempts"], 1);
        assert_eq!(report["backlog"], 5);
        assert_eq!(report["lastKnownError"], "503");
        assert_eq!(report["lastSendAttemptTime"], UnixMs(3).iso8601());
        health.keep(|name| name != "hook");
        check("unknown");
    }
}

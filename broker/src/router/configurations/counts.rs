//! What is counted of configurations: rows of their queries, from a moment ago.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use ironhub_domain::configuration::{Configuration, MetricResults};
use ironhub_domain::query::Query;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Router, has_modules};
use crate::actor::configuration_target;

/// Results that are younger are shown as they are.
const FRESH: Duration = Duration::from_secs(1);
/// So long a reader waits for younger ones; then older ones are shown, or none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The newest results of each configuration. As many as there are configurations: others are forgotten.
#[derive(Default)]
pub(in crate::router) struct Counts {
    of: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    /// Of which version they are.
    etag: String,
    results: watch::Receiver<Option<(Instant, MetricResults)>>,
    /// Somebody counts.
    is_counting: bool,
}

impl Counts {
    pub(super) async fn results(
        &self,
        router: &Router,
        configuration: &Configuration,
    ) -> MetricResults {
        let mut results = match self.current(router, configuration) {
            Ok(fresh) => return fresh,
            Err(counting) => counting,
        };
        // Whoever counts goes on without this reader.
        let counted = timeout(PATIENCE, results.changed()).await;
        if let Ok(Err(_)) = counted {
            tracing::debug!(id = %configuration.id, "a configuration was not counted");
        }
        let shown = results.borrow().clone();
        shown.map(|(_, results)| results).unwrap_or_default()
    }

    /// Fresh results, or where they will be.
    fn current(
        &self,
        router: &Router,
        configuration: &Configuration,
    ) -> Result<MetricResults, watch::Receiver<Option<(Instant, MetricResults)>>> {
        let mut of = self.of.lock();
        let id = configuration.id.as_str();
        let known = of.get(id).filter(|entry| entry.etag == configuration.etag());
        let mut before = None;
        if let Some(entry) = known {
            before = entry.results.borrow().clone();
            if let Some((at, results)) = &before
                && at.elapsed() < FRESH
            {
                return Ok(results.clone());
            }
            if entry.is_counting {
                return Err(entry.results.clone());
            }
        }
        let (sender, results) = watch::channel(before);
        let etag = configuration.etag();
        let entry = Entry { etag: etag.clone(), results: results.clone(), is_counting: true };
        of.insert(id.to_owned(), entry);
        let (router, configuration) = (router.clone(), configuration.clone());
        tokio::spawn(async move {
            let counted = router.count(&configuration).await;
            let mut of = router.state.counts().of.lock();
            let _ = sender.send(Some((Instant::now(), counted)));
            match router.configuration(&configuration.id) {
                Ok(now) if now.etag() == etag => {
                    if let Some(entry) = of.get_mut(configuration.id.as_str())
                        && entry.etag == etag
                    {
                        entry.is_counting = false;
                    }
                }
                Ok(_) => {}
                Err(_) => drop(of.remove(configuration.id.as_str())),
            }
        });
        Err(results)
    }
}

impl Router {
    /// What cannot be counted is left out.
    async fn count(&self, configuration: &Configuration) -> MetricResults {
        let id = &configuration.id;
        let targeted = match configuration_target(configuration) {
            Ok(target) => self.queries().count_targets(&target).await.ok(),
            Err(_) => None,
        };
        let applied = self.count_query(&configuration.applied_query()).await;
        let mut custom = BTreeMap::new();
        for (name, query) in &configuration.metrics {
            custom.extend(self.count_query(query).await.map(|count| (name.clone(), count)));
        }
        tracing::debug!(%id, modules = has_modules(configuration), ?targeted, ?applied, "counted");
        MetricResults { targeted, applied, custom }
    }

    async fn count_query(&self, text: &str) -> Option<u64> {
        let query = Query::parse(text).ok()?;
        self.queries().count_rows(&query).await.ok()
    }
}

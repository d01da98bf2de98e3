//! Configurations of automatic device management: kept as documents of the hub, rolled out to the twins that they target,
//! and counted (service-protocols.md 2.11).
//!
//! [`stored`] is what is kept of one, [`rollout`] brings twins into line, [`counts`] is what services see of its progress.

mod counts;
mod direct;
mod rollout;
mod stored;

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::configuration::{
    Configuration, ConfigurationId, ConfigurationItem, ConfigurationRequest, MetricResults,
    TargetSource, TrialRequest, delete, put,
};
use ironhub_domain::document::DocumentKind;
use ironhub_domain::query::{Query, Target};
use ironhub_domain::registry::{IfMatch, PutMode};
use ironhub_domain::time::UnixMs;

use super::Router;
use super::local::HubState;
use crate::actor::{Configurations, NodeFacts, configuration_target};
use crate::partition::reader::hub_error;
use crate::partition::records;
use stored::Stored;

pub(super) use counts::Counts;

/// A put that another one overtook is tried anew so often.
const TRIES: usize = 5;

/// What the hub keeps of configurations; the ETag is the document's, not the configuration's.
struct Kept {
    stored: Stored,
    etag: String,
}

impl HubState {
    /// Takes the configurations as they are applied now.
    pub(super) fn refresh_configurations(&self) -> Result<(), HubError> {
        let _one_at_a_time = self.refreshing();
        let all = self.kept_configurations()?;
        let all = all.iter().filter_map(|kept| kept.stored.configuration());
        self.facts().configurations.store(Arc::new(Configurations::new(all)));
        Ok(())
    }

    fn kept_configurations(&self) -> Result<Vec<Kept>, HubError> {
        let documents =
            records::documents(self.store(), DocumentKind::Configuration).map_err(hub_error)?;
        documents.iter().map(Kept::read).collect()
    }

    fn kept_configuration(&self, id: &str) -> Result<Option<Kept>, HubError> {
        let document = records::document(self.store(), DocumentKind::Configuration, id);
        document.map_err(hub_error)?.as_ref().map(Kept::read).transpose()
    }
}

impl Kept {
    fn read(document: &ironhub_domain::document::Document) -> Result<Self, HubError> {
        Ok(Self { stored: Stored::read(document)?, etag: document.etag.clone() })
    }
}

impl Router {
    /// The configurations in the order of their ids.
    pub fn configurations(&self) -> Result<Vec<Configuration>, HubError> {
        let all = self.state.kept_configurations()?;
        Ok(all.into_iter().filter_map(|kept| kept.stored.into_configuration()).collect())
    }

    /// One configuration; `ConfigurationNotFound`.
    pub fn configuration(&self, id: &ConfigurationId) -> Result<Configuration, HubError> {
        let kept = self.state.kept_configuration(id.as_str())?;
        let found = kept.and_then(|kept| kept.stored.into_configuration());
        found.ok_or_else(|| HubError::ConfigurationNotFound(id.as_str().to_owned()))
    }

    /// Creates a configuration, or with a condition changes one; twins follow in the background, and those that change after
    /// this returned at once. `ConfigurationAlreadyExists`, `ConfigurationNotFound`, `PreconditionFailed`,
    /// `TooManyConfigurations`, `InvalidArgument`.
    pub async fn put_configuration(
        &self,
        request: ConfigurationRequest,
        if_match: Option<&IfMatch>,
    ) -> Result<Configuration, HubError> {
        for _ in 0..TRIES {
            let kept = self.state.kept_configurations()?;
            // Which of two was created later decides between them, so no two were at the same time.
            let newest = kept.iter().filter_map(|kept| kept.stored.configuration());
            let newest = newest.map(|one| UnixMs(one.created.0 + 1)).max().unwrap_or_default();
            let now = NodeFacts::now().max(newest);
            let count = kept.iter().filter(|kept| kept.stored.configuration().is_some()).count();
            let kept = kept.into_iter().find(|kept| kept.stored.id() == &request.id);
            let existing = kept.as_ref().and_then(|kept| kept.stored.configuration());
            let configuration = put(existing, count, request.clone(), if_match, now)?;
            check(&configuration)?;
            let stored = Stored::new(configuration);
            match self.store_configuration(&stored, kept.map(|kept| kept.etag)).await {
                Err(error) if was_overtaken(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => return self.configuration(&request.id),
            }
        }
        Err(HubError::Busy)
    }

    /// Carries out a line of an import: creates the configuration, or changes it if it is as the line wants it to be before.
    /// Fails as [`Self::put_configuration`] does.
    pub async fn import_configuration(&self, item: &ConfigurationItem) -> Result<(), HubError> {
        for _ in 0..TRIES {
            let kept = self.state.kept_configuration(item.request.id.as_str())?;
            let exists = kept.is_some_and(|kept| kept.stored.configuration().is_some());
            let precondition = exists.then_some(&item.precondition);
            match self.put_configuration(item.request.clone(), precondition).await {
                // It came or went meanwhile.
                Err(
                    HubError::ConfigurationAlreadyExists(_) | HubError::ConfigurationNotFound(_),
                ) => {}
                other => return other.map(drop),
            }
        }
        Err(HubError::Busy)
    }

    /// Deletes a configuration; what it set goes from the twins in the background. `ConfigurationNotFound`,
    /// `PreconditionFailed`.
    pub async fn delete_configuration(
        &self,
        id: &ConfigurationId,
        if_match: Option<&IfMatch>,
    ) -> Result<(), HubError> {
        for _ in 0..TRIES {
            let kept = self.state.kept_configuration(id.as_str())?;
            let existing = kept.as_ref().and_then(|kept| kept.stored.configuration());
            delete(existing, id, if_match)?;
            let etag = kept.map(|kept| kept.etag);
            match self.store_configuration(&Stored::deleted(id.clone()), etag).await {
                Err(error) if was_overtaken(&error) => {}
                other => return other,
            }
        }
        Err(HubError::Busy)
    }

    /// Keeps it if the document is still that of the ETag, or if there is still none.
    async fn store_configuration(
        &self,
        stored: &Stored,
        etag: Option<String>,
    ) -> Result<(), HubError> {
        let mode = match etag {
            None => PutMode::Create,
            Some(etag) => PutMode::Update(IfMatch::parse(&etag)),
        };
        let id = stored.id().as_str();
        let body = stored.write()?;
        self.put_document(DocumentKind::Configuration, id, body, mode).await.map(|_| ())
    }

    /// What is counted of a configuration, from a moment ago; what takes long to count is missing at first.
    pub async fn configuration_results(&self, configuration: &Configuration) -> MetricResults {
        self.state.counts().results(self, configuration).await
    }

    /// Which of these are no conditions and queries: the answer to a trial.
    pub fn try_configuration(&self, trial: &TrialRequest) -> serde_json::Value {
        let target = trial.target.as_deref().map(Target::of_configuration);
        let target = target.and_then(Result::err);
        let wrong = trial.metrics.iter().filter_map(|(name, query)| {
            Some((name.clone(), check_query(query).err()?.to_string()))
        });
        let target = target.map(|error| error.to_string());
        TrialRequest::result_json(target.as_deref(), &wrong.collect())
    }
}

/// Whether condition and queries are any.
fn check(configuration: &Configuration) -> Result<(), HubError> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| {
        HubError::InvalidArgument(format!("{what}: {error}"))
    };
    configuration_target(configuration).map_err(|error| wrong("targetCondition", &error))?;
    for (name, query) in &configuration.metrics {
        check_query(query).map_err(|error| wrong(&format!("metric {name:?}"), &error))?;
    }
    Ok(())
}

fn check_query(text: &str) -> Result<(), ironhub_domain::query::QueryError> {
    Query::parse(text).map(|_| ())
}

fn was_overtaken(error: &HubError) -> bool {
    matches!(
        error,
        HubError::PreconditionFailed { .. }
            | HubError::ConfigurationAlreadyExists(_)
            | HubError::ConfigurationNotFound(_)
    )
}

/// Where its targets are: `devices` or `devices.modules`.
fn has_modules(configuration: &Configuration) -> bool {
    configuration.target().source == TargetSource::Modules
}

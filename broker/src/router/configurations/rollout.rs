//! Brings twins into line after a configuration was put or deleted.
//!
//! A twin that changes is brought into line by its actor; this is for all the others. Only twins that a configuration targets
//! or has been applied to are looked at, and only the actors of those that are not as they should be are asked. Until all of
//! that is done the document says so: a node that dies in between begins again when it starts, and what was done already
//! costs it a look only. At every start all configurations are gone through, for twins that had changed just before the node
//! died.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use ironhub_domain::HubError;
use ironhub_domain::document::DocumentKind;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::query::{Condition, Dialect, Source, Target};
use ironhub_domain::registry::IfMatch;

use super::{Kept, Router};
use crate::actor::configuration_target;
use crate::metrics::configurations as meters;

/// Twins that are looked up at a time.
const PAGE: usize = 256;
/// Actors that are asked at a time.
const ASKED_MAX: usize = 16;
/// What could not be done is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Router {
    /// Follows the stored configurations from here on. At the start, before anybody connects.
    pub(crate) fn start_configurations(&self) -> Result<(), HubError> {
        self.state.refresh_configurations()?;
        actix_rt::spawn(self.clone().keep_rolled_out());
        Ok(())
    }

    async fn keep_rolled_out(self) {
        let mut changes = self.watch_documents(DocumentKind::Configuration);
        let mut is_first = true;
        loop {
            changes.mark_unchanged();
            let done = self.roll_out_all(is_first).await;
            match done {
                Ok(()) => {
                    is_first = false;
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
                Err(HubError::ShuttingDown) => return,
                Err(error) => {
                    tracing::warn!(%error, "a configuration is not rolled out yet");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    /// Rolls out what has not been, or everything.
    async fn roll_out_all(&self, everything: bool) -> Result<(), HubError> {
        for kept in self.state.kept_configurations()? {
            if kept.stored.is_rolled_out() && !everything {
                continue;
            }
            let id = kept.stored.id().clone();
            meters::rolling_out(true);
            let done = self.roll_out(&kept).await;
            meters::rolling_out(false);
            done?;
            if !kept.stored.is_rolled_out() {
                tracing::info!(%id, "a configuration is rolled out");
                self.note_rolled_out(kept).await?;
            }
        }
        Ok(())
    }

    /// If the configuration was changed meanwhile this is not noted, and the change brings the next round.
    async fn note_rolled_out(&self, kept: Kept) -> Result<(), HubError> {
        let id = kept.stored.id().as_str().to_owned();
        let noted = match kept.stored.configuration() {
            Some(_) => self.store_configuration(&kept.stored.rolled_out(), Some(kept.etag)).await,
            None => {
                let condition = IfMatch::parse(&kept.etag);
                self.delete_document(DocumentKind::Configuration, &id, condition).await
            }
        };
        match noted {
            Err(error) if super::was_overtaken(&error) => Ok(()),
            other => other,
        }
    }

    async fn roll_out(&self, kept: &Kept) -> Result<(), HubError> {
        let wrong = |error: &dyn std::fmt::Display| HubError::Internal(error.to_string());
        if let Some(configuration) = kept.stored.configuration() {
            let target = configuration_target(configuration).map_err(|error| wrong(&error))?;
            self.visit(&target).await?;
        }
        // Those who have it and maybe should not.
        let text = format!("IS_DEFINED(configurations.[[{}]].status)", kept.stored.id());
        for source in [Source::Devices, Source::Modules] {
            let condition = Condition::parse(&text, Dialect::Rows(source));
            let condition = condition.map_err(|error| wrong(&error))?;
            self.visit(&Target::Where(source, condition)).await?;
        }
        Ok(())
    }

    /// Brings all these into line. Also if some cannot be all others are, and the error is the first one's.
    async fn visit(&self, target: &Target) -> Result<(), HubError> {
        let (mut after, mut outcome) = (None, Ok(()));
        loop {
            let (found, next) = self.queries().targets(target, after, PAGE).await?;
            let asked: Vec<_> = stream::iter(self.not_configured(found).await?)
                .map(|identity| self.configure(identity))
                .buffer_unordered(ASKED_MAX)
                .collect()
                .await;
            outcome = asked.into_iter().fold(outcome, Result::and);
            after = next;
            if after.is_none() {
                return outcome;
            }
        }
    }

    async fn not_configured(
        &self,
        mut identities: Vec<IdentityId>,
    ) -> Result<Vec<IdentityId>, HubError> {
        let state = self.state.clone();
        let look = move || {
            identities.retain(|identity| {
                let owner = state.directory(&identity.device).owner();
                // Whoever cannot be read is asked, and says why.
                !owner.is_configured(identity).unwrap_or(false)
            });
            identities
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|error| HubError::Internal(error.to_string()))
    }

    async fn configure(&self, identity: IdentityId) -> Result<(), HubError> {
        let configured = match self.registered(&identity.device) {
            Ok(handle) => handle.configure(identity.module).await,
            Err(error) => Err(error),
        };
        meters::configured(configured.is_ok());
        match configured {
            Err(HubError::DeviceNotFound(_) | HubError::ModuleNotFound(_)) => Ok(()),
            other => other,
        }
    }
}

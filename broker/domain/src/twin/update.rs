//! What is asked to be changed in a twin, and what becomes of it.

use bytes::Bytes;

use crate::HubError;
use crate::limits::TwinLimits;
use crate::registry::IfMatch;
use crate::time::UnixMs;
use crate::twin::check::check;
use crate::twin::document::{Object, Section, Twin};
use crate::twin::merge::merge;
use crate::twin::metadata::{Metadata, Stamp};
use crate::twin::size::check_growth;

/// A change of one section.
#[derive(Clone, Debug, PartialEq)]
pub enum SectionChange {
    /// JSON merge patch: null deletes.
    Patch(Object),
    /// The whole section anew; a null in it is a member that is not there.
    Replace(Object),
}

/// What a service asks for; a section that is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinUpdate {
    /// `tags`
    pub tags: Option<SectionChange>,
    /// `properties.desired`
    pub desired: Option<SectionChange>,
}

/// What a device is told of a change of its desired properties (device-protocols.md 2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredNotice {
    /// The new `$version`.
    pub version: u64,
    /// JSON: the patch as the service sent it, or the whole section, with `$version`.
    pub body: Bytes,
}

/// A twin that was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct TwinChange {
    /// As it is now.
    pub twin: Twin,
    /// What the device must be told, if the desired properties changed.
    pub notice: Option<DesiredNotice>,
}

impl Twin {
    /// Changes tags and desired properties, all or nothing. Every section that is given counts as changed, even if it is
    /// what it was; an update without any changes nothing, no version either.
    ///
    /// Refused if the ETag is none of those asked for, if a member breaks a rule, or if a section grows beyond its limit.
    pub fn update(
        mut self,
        update: TwinUpdate,
        precondition: &IfMatch,
        limits: &TwinLimits,
        now: UnixMs,
    ) -> Result<TwinChange, HubError> {
        precondition.check_tag(&self.etag())?;
        if update == TwinUpdate::default() {
            return Ok(TwinChange { twin: self, notice: None });
        }
        if let Some(change) = update.tags {
            self.tags = change_values("tags", &self.tags, change, limits.tags_bytes_max)?;
        }
        let mut notice = None;
        if let Some(change) = update.desired {
            notice = Some(self.desired.change(change, limits.desired_bytes_max, now)?);
        }
        self.version += 1;
        self.etag_counter += 1;
        Ok(TwinChange { twin: self, notice })
    }

    /// Merges a patch into the reported properties.
    ///
    /// Refused if their `$version` is not `if_version`, if a member breaks a rule, or if they grow beyond their limit.
    pub fn patch_reported(
        mut self,
        patch: Object,
        if_version: Option<u64>,
        limits: &TwinLimits,
        now: UnixMs,
    ) -> Result<TwinChange, HubError> {
        let section = &mut self.reported;
        if if_version.is_some_and(|version| version != section.version) {
            return Err(HubError::PreconditionFailed { current: section.version.to_string() });
        }
        section.metadata.merge(&patch, Stamp { updated: now, version: None });
        section.values = change_values(
            "properties.reported",
            &section.values,
            SectionChange::Patch(patch),
            limits.reported_bytes_max,
        )?;
        section.version += 1;
        self.version += 1;
        Ok(TwinChange { twin: self, notice: None })
    }

    /// Puts whole reported properties in the place of those that are there, as an import does.
    ///
    /// Refused if a member breaks a rule, or if they grow beyond their limit.
    pub fn replace_reported(
        mut self,
        values: Object,
        limits: &TwinLimits,
        now: UnixMs,
    ) -> Result<TwinChange, HubError> {
        let section = &mut self.reported;
        section.metadata = Metadata::default();
        section.metadata.merge(&values, Stamp { updated: now, version: None });
        section.values = change_values(
            "properties.reported",
            &section.values,
            SectionChange::Replace(values),
            limits.reported_bytes_max,
        )?;
        section.version += 1;
        self.version += 1;
        Ok(TwinChange { twin: self, notice: None })
    }

    /// Notes that the identity has the desired properties of this version, or of a newer one already. A version that they
    /// never had, as that of an identity since deleted, counts as the newest. Whether that was news.
    pub fn see_desired(&mut self, version: u64) -> bool {
        let seen = version.min(self.desired.version);
        let is_news = seen > self.desired_seen;
        self.desired_seen = self.desired_seen.max(seen);
        is_news
    }
}

impl Section {
    /// Changes the desired properties; what the device is told.
    fn change(
        &mut self,
        change: SectionChange,
        counted_max: usize,
        now: UnixMs,
    ) -> Result<DesiredNotice, HubError> {
        let version = self.version + 1;
        let stamp = Stamp { updated: now, version: Some(version) };
        let told = match &change {
            SectionChange::Patch(patch) => {
                self.metadata.merge(patch, stamp);
                Some(DesiredNotice::new(patch, version))
            }
            SectionChange::Replace(values) => {
                self.metadata = Metadata::default();
                self.metadata.merge(values, stamp);
                None
            }
        };
        self.values = change_values("properties.desired", &self.values, change, counted_max)?;
        self.version = version;
        Ok(told.unwrap_or_else(|| self.notice()))
    }
}

fn change_values(
    name: &str,
    old: &Object,
    change: SectionChange,
    counted_max: usize,
) -> Result<Object, HubError> {
    let (mut new, patch) = match change {
        SectionChange::Patch(patch) => (old.clone(), patch),
        SectionChange::Replace(values) => (Object::new(), values),
    };
    check(name, &patch)?;
    merge(&mut new, patch);
    check_growth(name, old, &new, counted_max)?;
    Ok(new)
}

//! What an onlooker knows of one device's twin who sees only commands and answers.

use std::collections::BTreeMap;

use ironhub_domain::HubError;
use ironhub_domain::partition::{Outcome, PatchReported, UpdateTwin};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::{Object, SectionChange, Twin, TwinChange};
use ironhub_proto as proto;

/// One twin.
pub struct TwinLedger {
    version: u64,
    desired_version: u64,
    reported_version: u64,
    /// The newest `$version` of the desired properties that the device was told.
    desired_seen: u64,
    etag: String,
    desired: BTreeMap<String, serde_json::Value>,
    reported: BTreeMap<String, serde_json::Value>,
}

impl TwinLedger {
    /// The twin of a new device.
    pub fn new(created: UnixMs) -> Self {
        let twin = Twin::new(created);
        Self {
            version: twin.version,
            desired_version: twin.desired.version,
            reported_version: twin.reported.version,
            desired_seen: twin.desired_seen,
            etag: twin.etag(),
            desired: BTreeMap::new(),
            reported: BTreeMap::new(),
        }
    }

    /// The current ETag.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The current `$version` of the reported properties.
    pub fn reported_version(&self) -> u64 {
        self.reported_version
    }

    /// The current `$version` of the desired properties.
    pub fn desired_version(&self) -> u64 {
        self.desired_version
    }

    /// The device was told up to this version, if there is one.
    pub fn seen(&mut self, version: u64) {
        self.desired_seen = self.desired_seen.max(version.min(self.desired_version));
    }

    /// Checks the answer to a service's change, which always has desired properties in it.
    pub fn updated(&mut self, command: &UpdateTwin, outcome: &Outcome) -> Result<(), String> {
        let matches = match &command.precondition {
            IfMatch::Any => true,
            IfMatch::Tags(tags) => tags.contains(&self.etag),
        };
        let Some(change) = accepted(matches, &self.etag, outcome)? else { return Ok(()) };
        match &command.update.desired {
            Some(SectionChange::Replace(values)) => {
                self.desired.clear();
                merge(&mut self.desired, values);
            }
            Some(SectionChange::Patch(patch)) => merge(&mut self.desired, patch),
            None => return Err("the workload changes desired properties".into()),
        }
        self.version += 1;
        self.desired_version += 1;
        let etag = change.twin.etag();
        if etag == self.etag {
            return Err(format!("the ETag is still {etag}"));
        }
        self.etag = etag;
        // Desired patches without gaps: what the device is told has the version that follows.
        let told = change.notice.as_ref().map(|notice| notice.version);
        if told != Some(self.desired_version) {
            return Err(format!("told of version {told:?}, it is {}", self.desired_version));
        }
        self.agrees(&change.twin)
    }

    /// Checks the answer to a device's change.
    pub fn reported(&mut self, command: &PatchReported, outcome: &Outcome) -> Result<(), String> {
        let matches = command.if_version.is_none_or(|version| version == self.reported_version);
        let current = self.reported_version.to_string();
        let Some(change) = accepted(matches, &current, outcome)? else { return Ok(()) };
        merge(&mut self.reported, &command.patch);
        self.version += 1;
        self.reported_version += 1;
        self.agrees(&change.twin)
    }

    fn agrees(&self, twin: &Twin) -> Result<(), String> {
        let numbers = (twin.version, twin.desired.version, twin.reported.version);
        let known = (self.version, self.desired_version, self.reported_version);
        if numbers != known {
            return Err(format!("versions are {known:?}, answered {numbers:?}"));
        }
        if !equal(&self.desired, &twin.desired.values)
            || !equal(&self.reported, &twin.reported.values)
        {
            return Err(format!("version {} has other values: {twin:?}", self.version));
        }
        Ok(())
    }

    /// Compares with what is stored.
    pub fn check(&self, record: &proto::TwinRecord) -> Result<(), String> {
        let version = |section: &Option<proto::TwinSection>| {
            section.as_ref().map_or(0, |section| section.version)
        };
        let stored = (record.version, version(&record.desired), version(&record.reported));
        let known = (self.version, self.desired_version, self.reported_version);
        if stored != known {
            return Err(format!("versions are {known:?}, stored are {stored:?}"));
        }
        match (self.desired_seen, record.desired_seen) {
            (known, stored) if known == stored => Ok(()),
            (known, stored) => Err(format!("desired {known} was seen, stored is {stored}")),
        }
    }
}

/// The change, if it had to be made and was; an error if the answer is the wrong one of the two.
fn accepted<'a>(
    matches: bool,
    current: &str,
    outcome: &'a Outcome,
) -> Result<Option<&'a TwinChange>, String> {
    match (matches, outcome) {
        (true, Outcome::Twin(change)) => Ok(Some(change)),
        (false, Outcome::Refused(HubError::PreconditionFailed { current: told }))
            if told == current =>
        {
            Ok(None)
        }
        (matches, outcome) => {
            Err(format!("the precondition holds: {matches}, answered {outcome:?}"))
        }
    }
}

fn merge(values: &mut BTreeMap<String, serde_json::Value>, patch: &Object) {
    for (name, value) in patch {
        if value.is_null() {
            values.remove(name);
        } else {
            values.insert(name.clone(), value.clone());
        }
    }
}

fn equal(known: &BTreeMap<String, serde_json::Value>, values: &Object) -> bool {
    known.len() == values.len() && known.iter().all(|(name, value)| values.get(name) == Some(value))
}

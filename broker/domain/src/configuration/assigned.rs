//! What configurations have made of one twin; stored with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::configuration::id::ConfigurationId;
use crate::configuration::path::DesiredPath;
use crate::twin::Object;

/// `configurations.[[id]].status`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentStatus {
    /// `Targeted`: nothing that it sets is in force; others go before it.
    Targeted,
    /// `Applied`: something of what it sets is in force, or it sets nothing here.
    Applied,
}

impl AssignmentStatus {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Targeted => "Targeted",
            Self::Applied => "Applied",
        }
    }
}

/// One configuration on one twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// How far it is.
    pub status: AssignmentStatus,
    /// The values that are there for its sake, in order.
    pub owned: Vec<DesiredPath>,
}

/// All configurations of one twin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned(pub BTreeMap<ConfigurationId, Assignment>);

impl Assigned {
    /// Whether there is none, and so nothing to store.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How far the configuration of that id is, if it is one of them.
    pub fn status(&self, id: &str) -> Option<AssignmentStatus> {
        let found = self.0.iter().find(|(known, _)| known.as_str() == id);
        found.map(|(_, assignment)| assignment.status)
    }

    /// The member `configurations` of the twin as services see it.
    pub fn json(&self) -> Value {
        let status = |assignment: &Assignment| json!({"status": assignment.status.as_str()});
        let members = self.0.iter().map(|(id, one)| (id.as_str().to_owned(), status(one)));
        members.collect::<Object>().into()
    }

    /// What is to be stored where the twin could not be changed to `wanted`, because it would have been too large: the
    /// values stay with those that have them, and who is new is `Targeted`.
    pub fn not_changed_to(&self, wanted: &Self) -> Self {
        let new = wanted.0.keys().map(|id| {
            let targeted = Assignment { status: AssignmentStatus::Targeted, owned: Vec::new() };
            (id.clone(), targeted)
        });
        let mut kept: BTreeMap<_, _> = new.collect();
        kept.extend(self.0.clone());
        Self(kept)
    }
}

//! What an item asks to be done with its identity.

/// `importMode` (service-protocols.md 2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportMode {
    /// `create`: the identity must be new.
    Create,
    /// `update`: it must exist.
    Update,
    /// `updateIfMatchETag`: it must exist with the item's `eTag`.
    UpdateIfMatch,
    /// `createOrUpdate`: what an item asks for that says nothing, in files and in bulk requests: C# leaves it out then.
    #[default]
    CreateOrUpdate,
    /// `createOrUpdateIfMatchETag`: it is new, or has the item's `eTag`.
    CreateOrUpdateIfMatch,
    /// `delete`
    Delete,
    /// `deleteIfMatchETag`
    DeleteIfMatch,
    /// `updateTwin`: the identity stays, its twin is patched.
    UpdateTwin,
    /// `updateTwinIfMatchETag`: if the twin has the item's `twinETag`.
    UpdateTwinIfMatch,
}

impl ImportMode {
    const ALL: [Self; 9] = [
        Self::Create,
        Self::Update,
        Self::UpdateIfMatch,
        Self::CreateOrUpdate,
        Self::CreateOrUpdateIfMatch,
        Self::Delete,
        Self::DeleteIfMatch,
        Self::UpdateTwin,
        Self::UpdateTwinIfMatch,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::UpdateIfMatch => "updateIfMatchETag",
            Self::CreateOrUpdate => "createOrUpdate",
            Self::CreateOrUpdateIfMatch => "createOrUpdateIfMatchETag",
            Self::Delete => "delete",
            Self::DeleteIfMatch => "deleteIfMatchETag",
            Self::UpdateTwin => "updateTwin",
            Self::UpdateTwinIfMatch => "updateTwinIfMatchETag",
        }
    }

    /// Reads the word, in any case: Node writes `Delete`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| text.eq_ignore_ascii_case(mode.as_str()))
    }
}

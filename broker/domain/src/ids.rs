//! Identifiers, checked once where they enter.

use std::fmt;
use std::sync::Arc;

use crate::limits::DEVICE_ID_CHARS_MAX;

/// An id breaks the grammar of the identity registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// No characters.
    #[error("id is empty")]
    Empty,
    /// Too long.
    #[error("id has {0} characters, at most {DEVICE_ID_CHARS_MAX} are allowed")]
    TooLong(usize),
    /// A character outside the grammar.
    #[error(
        "id has the character {0:?}; allowed are ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '"
    )]
    Character(char),
}

/// A device's id: 1 to 128 characters, case-sensitive (device-protocols.md 1.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// Checks the grammar.
    pub fn new(text: &str) -> Result<Self, IdError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A module's id within its device; same grammar.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(Arc<str>);

impl ModuleId {
    /// Checks the grammar.
    pub fn new(text: &str) -> Result<Self, IdError> {
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whatever connects under a name of its own: a device, or one of its modules.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityId {
    /// The device, which owns its modules.
    pub device: DeviceId,
    /// The module, if it is one.
    pub module: Option<ModuleId>,
}

impl IdentityId {
    /// A device itself.
    pub fn device(device: DeviceId) -> Self {
        Self { device, module: None }
    }

    /// A module of a device.
    pub fn module(device: DeviceId, module: ModuleId) -> Self {
        Self { device, module: Some(module) }
    }

    /// Where it is in the hub's resources: `devices/{id}`, and `devices/{id}/modules/{id}` for a module
    /// (device-protocols.md 1.2).
    pub fn path(&self) -> String {
        match &self.module {
            None => format!("devices/{}", self.device),
            Some(module) => format!("devices/{}/modules/{module}", self.device),
        }
    }
}

impl From<DeviceId> for IdentityId {
    fn from(device: DeviceId) -> Self {
        Self::device(device)
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => self.device.fmt(f),
        }
    }
}

impl fmt::Debug for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    let chars = text.chars().count();
    if chars > DEVICE_ID_CHARS_MAX {
        return Err(IdError::TooLong(chars));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-:.+%_#*?!(),=@$'".contains(*c)) {
        Some(bad) => Err(IdError::Character(bad)),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}
text_id!(DeviceId);
text_id!(ModuleId);

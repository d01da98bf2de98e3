//! Members of a JSON object, read one by one; errors name the object and the member.

use serde_json::Value;

use crate::HubError;
use crate::twin::Object;

/// An object and what errors call it.
pub(in crate::routing) struct Fields<'a> {
    what: String,
    members: &'a Object,
}

impl<'a> Fields<'a> {
    pub(in crate::routing) fn of(
        what: impl Into<String>,
        value: &'a Value,
    ) -> Result<Self, HubError> {
        let what = what.into();
        match value {
            Value::Object(members) => Ok(Self { what, members }),
            _ => Err(HubError::InvalidArgument(format!("{what} is no object"))),
        }
    }

    pub(in crate::routing) fn wrong<T>(&self, name: &str, why: &str) -> Result<T, HubError> {
        Err(HubError::InvalidArgument(format!("{}: {name} {why}", self.what)))
    }

    /// The same object, called by its name.
    pub(super) fn renamed(&self, what: String) -> Self {
        Self { what, members: self.members }
    }

    pub(in crate::routing) fn value(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(in crate::routing) fn text(&self, name: &str) -> Result<Option<&'a str>, HubError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong(name, "is no text"),
        }
    }

    pub(in crate::routing) fn needed_text(&self, name: &str) -> Result<&'a str, HubError> {
        match self.text(name)? {
            Some(text) => Ok(text),
            None => self.wrong(name, "is missing"),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, HubError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => self.wrong(name, "is neither true nor false"),
        }
    }

    pub(super) fn number(&self, name: &str, default: u64) -> Result<u64, HubError> {
        match self.value(name) {
            None => Ok(default),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(number),
                None => self.wrong(name, "is no whole number"),
            },
        }
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], HubError> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => self.wrong(name, "is no array"),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, HubError> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            _ => self.wrong(name, "has an element that is no text"),
        };
        self.list(name)?.iter().map(text).collect()
    }

    /// The members of an object in it; none if it is not there.
    pub(in crate::routing) fn members(&self, name: &str) -> Result<Option<&'a Object>, HubError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => self.wrong(name, "is no object"),
        }
    }
}

//! Where in the desired properties a value is.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use crate::twin::Object;

/// Names of members, one below the other, with dots between them: twin keys have none. Never empty.
///
/// In order, a path comes right before all that lie below it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DesiredPath(String);

impl DesiredPath {
    /// Reads `a.b.c`; `None` if a name is empty. Whether a twin may have the names is checked elsewhere.
    pub fn parse(text: &str) -> Option<Self> {
        text.split('.').all(|name| !name.is_empty()).then(|| Self(text.to_owned()))
    }

    /// `a.b.c`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// The paths above this one, the nearest first.
    pub fn above(&self) -> impl Iterator<Item = Self> {
        self.0.rmatch_indices('.').map(|(dot, _)| Self(self.0[..dot].to_owned()))
    }

    /// Whether this lies below `other`.
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('.'))
    }

    /// The path of a member of what is here.
    pub(super) fn member(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    /// A path of one name.
    pub(super) fn root(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// What is here, if anything.
    pub fn get<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        let mut names = self.names();
        let mut value = object.get(names.next()?)?;
        for name in names {
            value = value.as_object()?.get(name)?;
        }
        Some(value)
    }

    /// Puts a value here; what is on the way and no object becomes one.
    pub(super) fn set(&self, object: &mut Object, value: Value) {
        *self.place(object) = value;
    }

    /// Makes sure that an object is here.
    pub(super) fn set_object(&self, object: &mut Object) {
        let place = self.place(object);
        if !place.is_object() {
            *place = Value::Object(Object::new());
        }
    }

    fn place<'a>(&self, object: &'a mut Object) -> &'a mut Value {
        let mut names = self.names();
        let first = names.next().unwrap_or_default();
        let mut place = object.entry(first).or_insert(Value::Null);
        for name in names {
            if !place.is_object() {
                *place = Value::Object(Object::new());
            }
            // It is an object now, and of an object a member that is missing is made.
            place = &mut place[name];
        }
        place
    }
}

impl Ord for DesiredPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(other.names())
    }
}

impl PartialOrd for DesiredPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DesiredPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DesiredPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

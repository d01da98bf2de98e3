//! An item that came to nothing, and how that is told.

use serde_json::{Value, json};

use super::{ImportItem, ImportMode};
use crate::HubError;
use crate::limits::{DEVICE_ID_CHARS_MAX, IMPORT_ERROR_CHARS_MAX};
use crate::twin::Object;

/// Why an item was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFault {
    /// The device as the item names it; empty if it does not, and then it may be no id.
    pub device: String,
    /// The module as the item names it.
    pub module: Option<String>,
    /// What was to be done, if that is known.
    pub mode: Option<ImportMode>,
    /// Why.
    pub error: HubError,
}

impl ItemFault {
    /// An item that could be read and not be carried out.
    pub fn of(item: &ImportItem, error: HubError) -> Self {
        let identity = item.operation.identity();
        Self {
            device: identity.device.as_str().to_owned(),
            module: identity.module.map(|module| module.as_str().to_owned()),
            mode: Some(item.mode),
            error,
        }
    }

    /// What is no JSON object has no name to be found by, so it is repeated: the first [`IMPORT_ERROR_CHARS_MAX`]
    /// characters of it.
    pub(super) fn unread(json: &[u8], error: &HubError) -> Self {
        let start = &json[..json.len().min(IMPORT_ERROR_CHARS_MAX * 4)];
        let start: String =
            String::from_utf8_lossy(start).chars().take(IMPORT_ERROR_CHARS_MAX).collect();
        let why = format!("{error}, in: {start}");
        Self { device: String::new(), module: None, mode: None, error: HubError::Malformed(why) }
    }

    /// An element of `errors` in the answer to a bulk request: the code by its name (service-protocols.md 2.5).
    pub fn bulk_json(&self) -> Value {
        let mut object = self.named("deviceId");
        if let Some(mode) = self.mode {
            object.insert("operation".into(), mode.as_str().into());
        }
        object.insert("errorCode".into(), self.error.code().name.into());
        object.insert("errorStatus".into(), self.error.told().into());
        object.into()
    }

    /// An element of `errors` in the answer to a regeneration of keys (service-protocols.md 2.3).
    pub fn regenerate_json(&self) -> Value {
        let mut object = self.named("id");
        object.insert("errorCode".into(), self.error.code().name.into());
        object.insert("errorStatus".into(), self.error.told().into());
        object.into()
    }

    /// A line of `importErrors.log`, without its end: the code by its number, as logs of the original have it. Beyond the
    /// original's it says which line of the import it is about; the first is 1.
    pub fn log_line(&self, line: u64) -> String {
        let mut object = match self.device.is_empty() {
            true => Object::new(),
            false => self.named("deviceId"),
        };
        object.insert("line".into(), line.into());
        object.insert("errorCode".into(), self.error.code().number.into());
        object.insert("errorStatus".into(), self.error.told().into());
        Value::Object(object).to_string()
    }

    fn named(&self, name: &str) -> Object {
        // Both may be anything.
        let short = |text: &str| text.chars().take(DEVICE_ID_CHARS_MAX).collect::<String>();
        let mut object = Object::new();
        object.insert(name.into(), short(&self.device).into());
        let module = self.module.as_deref().map(short);
        object.insert("moduleId".into(), json!(module));
        object
    }
}

//! `POST /devices/{id}/applyConfigurationContent`: a content for one edge device, written at once and not kept applied
//! (service-protocols.md 2.11).

use std::collections::BTreeMap;

use crate::HubError;
use crate::configuration::content::{Settings, parse_modules};
use crate::configuration::request::object;
use crate::ids::ModuleId;
use crate::limits::CONFIGURATION_JSON_BYTES_MAX;
use crate::twin::SectionChange;
use crate::twin::parse::read;

/// What becomes of the desired properties: of whom they are given as a whole, they are replaced, else patched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DirectContent {
    /// Of the device itself.
    pub device: Option<SectionChange>,
    /// Of its modules. Whether they exist is not known here.
    pub modules: BTreeMap<ModuleId, SectionChange>,
}

impl DirectContent {
    /// Reads and checks the body: `modulesContent`, `deviceContent`, or both.
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        let body = read(body, CONFIGURATION_JSON_BYTES_MAX)?;
        let wrong = |why: &str| HubError::InvalidArgument(why.into());
        if body.get("moduleContent").is_some_and(|content| !content.is_null()) {
            return Err(wrong("moduleContent names no module: use modulesContent"));
        }
        let device = match object(&body, "deviceContent")? {
            Some(content) if !content.is_empty() => {
                Some(change(Settings::parse("deviceContent", content)?))
            }
            Some(_) | None => None,
        };
        let modules = match object(&body, "modulesContent")? {
            Some(content) => parse_modules(content)?,
            None => BTreeMap::new(),
        };
        let modules: BTreeMap<_, _> =
            modules.into_iter().map(|(id, settings)| (id, change(settings))).collect();
        if device.is_none() && modules.is_empty() {
            return Err(wrong("there is neither modulesContent nor deviceContent"));
        }
        Ok(Self { device, modules })
    }
}

fn change(settings: Settings) -> SectionChange {
    let values = settings.patch();
    if settings.is_base { SectionChange::Replace(values) } else { SectionChange::Patch(values) }
}

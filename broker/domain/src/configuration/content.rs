//! What a configuration sets.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::HubError;
use crate::configuration::id::ConfigurationId;
use crate::configuration::path::DesiredPath;
use crate::configuration::resolve::Contender;
use crate::ids::{IdentityId, ModuleId};
use crate::limits::{CONFIGURATION_MODULES_MAX, CONFIGURATION_PATHS_MAX};
use crate::time::UnixMs;
use crate::twin::{Object, check};

/// `content`: exactly one of three, as it was sent and checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `deviceContent`: for the twins of devices.
    Device(Object),
    /// `moduleContent`: for the twins of modules.
    Module(Object),
    /// `modulesContent`: for the twins of several modules of each device, by the module's id.
    Modules(Object),
}

/// Makes a content of what was sent.
type Make = fn(Object) -> Content;

const KINDS: [(&str, Make); 3] = [
    ("deviceContent", Content::Device),
    ("moduleContent", Content::Module),
    ("modulesContent", Content::Modules),
];

impl Content {
    /// Reads and checks a content: paths below `properties.desired` with their values. Of kinds that are null, absent or
    /// empty one may be there beside the one that says something.
    pub fn parse(mut object: Object) -> Result<Self, HubError> {
        let mut found = Vec::new();
        for (name, make) in KINDS {
            match object.remove(name) {
                None | Some(Value::Null) => {}
                Some(Value::Object(content)) => found.push((content.is_empty(), make(content))),
                Some(_) => return Err(wrong(format!("content.{name} is not an object"))),
            }
        }
        if found.len() > 1 {
            found.retain(|(is_empty, _)| !is_empty);
        }
        let [(_, content)] = <[_; 1]>::try_from(found).map_err(|_| {
            wrong(
                "content has not exactly one of deviceContent, moduleContent, modulesContent"
                    .into(),
            )
        })?;
        content.settings()?;
        Ok(content)
    }

    /// `deviceContent`, `moduleContent` or `modulesContent`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Device(_) => KINDS[0].0,
            Self::Module(_) => KINDS[1].0,
            Self::Modules(_) => KINDS[2].0,
        }
    }

    /// As it was sent.
    pub const fn object(&self) -> &Object {
        match self {
            Self::Device(object) | Self::Module(object) | Self::Modules(object) => object,
        }
    }

    /// What is set: of the identity that is targeted, and of modules by name.
    fn settings(&self) -> Result<(Settings, BTreeMap<ModuleId, Settings>), HubError> {
        match self {
            Self::Device(object) | Self::Module(object) => {
                Ok((Settings::parse(self.kind(), object)?, BTreeMap::new()))
            }
            Self::Modules(modules) => Ok((Settings::default(), parse_modules(modules)?)),
        }
    }
}

/// The settings of each module that `modulesContent` names.
pub(super) fn parse_modules(modules: &Object) -> Result<BTreeMap<ModuleId, Settings>, HubError> {
    if modules.len() > CONFIGURATION_MODULES_MAX {
        return Err(wrong(format!(
            "modulesContent names more than {CONFIGURATION_MODULES_MAX} modules"
        )));
    }
    let mut settings = BTreeMap::new();
    for (name, paths) in modules {
        let id = ModuleId::new(name)?;
        let Value::Object(paths) = paths else {
            return Err(wrong(format!("modulesContent.{id} is not an object")));
        };
        let name = format!("modulesContent.{id}");
        settings.insert(id, Settings::parse(&name, paths)?);
    }
    Ok(settings)
}

/// The values that are set on one twin. A value that is an object is taken apart: each value in it is one of its own, so
/// that configurations share an object and quarrel only about the same value. No path lies below another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The values: neither null nor an object with members.
    pub values: BTreeMap<DesiredPath, Value>,
    /// The desired properties as a whole are given, not parts of them. Of the base deployments of an edge device's module
    /// one counts, while parts of others may be laid over it.
    pub is_base: bool,
}

impl Settings {
    /// Reads paths with their values. A null is a value that is not there.
    pub(super) fn parse(name: &str, content: &Object) -> Result<Self, HubError> {
        let mut settings = Self::default();
        for (path, value) in content {
            let below = path.strip_prefix("properties.desired").ok_or_else(|| {
                wrong(format!("{name}: {:?} does not begin with properties.desired", shown(path)))
            })?;
            if let Some(below) = below.strip_prefix('.').and_then(DesiredPath::parse) {
                settings.add(below, value)?;
            } else if below.is_empty()
                && let Value::Object(members) = value
            {
                settings.is_base = true;
                members
                    .iter()
                    .try_for_each(|(key, value)| settings.add(DesiredPath::root(key), value))?;
            } else {
                return Err(wrong(format!("{name}: {:?} is no path of a value", shown(path))));
            }
        }
        check::check(name, &settings.patch())?;
        let mut paths = settings.values.keys().zip(settings.values.keys().skip(1));
        if let Some((above, below)) = paths.find(|(above, below)| below.is_below(above)) {
            return Err(wrong(format!("{name}: {above} is a value and has {below} below it")));
        }
        Ok(settings)
    }

    fn add(&mut self, path: DesiredPath, value: &Value) -> Result<(), HubError> {
        match value {
            Value::Null => Ok(()),
            Value::Object(members) if !members.is_empty() => {
                members.iter().try_for_each(|(key, value)| self.add(path.member(key), value))
            }
            _ if self.values.len() == CONFIGURATION_PATHS_MAX => {
                Err(wrong(format!("more than {CONFIGURATION_PATHS_MAX} values for one twin")))
            }
            value => match self.values.insert(path.clone(), value.clone()) {
                None => Ok(()),
                Some(_) => Err(wrong(format!("{path} is set twice"))),
            },
        }
    }

    /// The merge patch that sets them all.
    pub fn patch(&self) -> Object {
        let mut patch = Object::new();
        self.values.iter().for_each(|(path, value)| path.set(&mut patch, value.clone()));
        patch
    }
}

/// A configuration made ready for many twins.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    pub(super) id: ConfigurationId,
    pub(super) priority: u32,
    pub(super) created: UnixMs,
    pub(super) for_modules: bool,
    own: Settings,
    modules: BTreeMap<ModuleId, Settings>,
}

impl Prepared {
    pub(super) fn new(
        id: ConfigurationId,
        priority: u32,
        created: UnixMs,
        content: &Content,
    ) -> Self {
        // It was checked when it came.
        let (own, modules) = content.settings().unwrap_or_default();
        let for_modules = matches!(content, Content::Module(_));
        Self { id, priority, created, for_modules, own, modules }
    }

    /// Which.
    pub fn id(&self) -> &ConfigurationId {
        &self.id
    }

    /// What it is for an identity that its condition is met by, or whose device meets it: `None` if it does not set
    /// anything on such an identity. A device with contents for its modules is told of them without a value of its own.
    pub fn contender(&self, identity: &IdentityId) -> Option<Contender<'_>> {
        static NOTHING: LazyLock<Settings> = LazyLock::new(Settings::default);
        let settings = match &identity.module {
            None if self.for_modules => None,
            None if self.modules.is_empty() => Some(&self.own),
            None => Some(&*NOTHING),
            Some(_) if self.for_modules => Some(&self.own),
            Some(module) => self.modules.get(module),
        }?;
        Some(Contender { id: &self.id, priority: self.priority, created: self.created, settings })
    }

    /// The modules of each targeted device that it has contents for.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleId> {
        self.modules.keys()
    }
}

/// Of a path that is far too long nobody needs to see more.
fn shown(path: &str) -> String {
    path.chars().take(128).collect()
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}

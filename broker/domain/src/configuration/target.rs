//! Which twins a configuration is for.

use crate::HubError;
use crate::configuration::content::Content;

/// Where the condition is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetSource {
    /// `devices`
    Devices,
    /// `devices.modules`
    Modules,
}

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetCondition {
    /// None: the condition is empty.
    Nothing,
    /// All: it is `*`.
    All,
    /// Those that meet a WHERE expression.
    Where(String),
}

/// A target condition, read. Whether its expression is one is for the query language to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub source: TargetSource,
    /// Which.
    pub condition: TargetCondition,
}

impl Target {
    /// Reads a condition that stands alone: one for modules begins with `FROM devices.modules`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let (source, rest) = match strip_word(text, "from") {
            Some(rest) => match strip_word(rest, "devices.modules") {
                Some(rest) => (TargetSource::Modules, strip_where(rest)),
                None => (
                    TargetSource::Devices,
                    strip_word(rest, "devices").map(strip_where).unwrap_or(text),
                ),
            },
            None => (TargetSource::Devices, text),
        };
        let condition = match rest {
            "" if text.is_empty() => TargetCondition::Nothing,
            "" | "*" => TargetCondition::All,
            expression => TargetCondition::Where(expression.to_owned()),
        };
        Self { source, condition }
    }

    /// Reads the condition of a configuration with this content; refused if it is for the other kind of twin. `*` and
    /// nothing are for both.
    pub fn of(text: &str, content: &Content) -> Result<Self, HubError> {
        let for_modules = matches!(content, Content::Module(_));
        let wanted = if for_modules { TargetSource::Modules } else { TargetSource::Devices };
        let target = Self::parse(text);
        if target.source == wanted {
            return Ok(target);
        }
        if for_modules && matches!(text.trim(), "" | "*") {
            return Ok(Self { source: wanted, ..target });
        }
        Err(HubError::InvalidArgument(match for_modules {
            true => "the targetCondition of moduleContent begins with FROM devices.modules".into(),
            false => format!("the targetCondition of {} is for devices", content.kind()),
        }))
    }

    /// The query that finds them, empty if there are none.
    pub fn query(&self) -> String {
        let select = self.source.select();
        match &self.condition {
            TargetCondition::Nothing => String::new(),
            TargetCondition::All => select.to_owned(),
            TargetCondition::Where(expression) => format!("{select} where {expression}"),
        }
    }
}

impl TargetSource {
    /// The beginning of a query that names them.
    pub const fn select(self) -> &'static str {
        match self {
            Self::Devices => "select deviceId from devices",
            Self::Modules => "select deviceId, moduleId from devices.modules",
        }
    }
}

fn strip_where(text: &str) -> &str {
    strip_word(text, "where").unwrap_or(text)
}

/// The text behind a word that it begins with, in any case.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(word.len())?;
    let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (first.eq_ignore_ascii_case(word) && ends).then(|| rest.trim_start())
}

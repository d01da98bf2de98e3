//! The body of `PUT /configurations/{id}`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::HubError;
use crate::configuration::content::Content;
use crate::configuration::id::ConfigurationId;
use crate::configuration::target::Target;
use crate::limits::{
    CONFIGURATION_JSON_BYTES_MAX, CONFIGURATION_LABEL_CHARS_MAX, CONFIGURATION_LABELS_MAX,
    CONFIGURATION_METRICS_MAX, QUERY_CHARS_MAX,
};
use crate::twin::Object;
use crate::twin::parse::read;

/// What a service asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationRequest {
    /// The id of the path.
    pub id: ConfigurationId,
    /// `schemaVersion`; `1.0` if absent.
    pub schema_version: String,
    /// `labels`
    pub labels: BTreeMap<String, String>,
    /// `content`
    pub content: Content,
    /// `targetCondition`; empty if absent, which targets nothing.
    pub target_condition: String,
    /// `priority`; 0 if absent.
    pub priority: u32,
    /// `metrics.queries`
    pub metrics: BTreeMap<String, String>,
}

impl ConfigurationRequest {
    /// Reads and checks a body. What the hub writes itself (`systemMetrics`, `metrics.results`, times, `etag`) and what is
    /// unknown is passed over. Whether conditions and queries are any is for the query language to say.
    pub fn parse(id: ConfigurationId, body: &[u8]) -> Result<Self, HubError> {
        let mut body = read(body, CONFIGURATION_JSON_BYTES_MAX)?;
        if let Some(named) = text(&body, "id")?
            && named != id.as_str()
        {
            return Err(wrong(format!("id in the body is not {id} of the path")));
        }
        let content = match body.remove("content") {
            Some(Value::Object(content)) => Content::parse(content)?,
            Some(_) | None => return Err(wrong("content is missing, or not an object".into())),
        };
        let target_condition = query(&body, "targetCondition")?.unwrap_or_default();
        Target::of(&target_condition, &content)?;
        let schema_version = text(&body, "schemaVersion")?.unwrap_or_else(|| "1.0".to_owned());
        check_label("schemaVersion", &schema_version)?;
        Ok(Self {
            id,
            schema_version,
            labels: labels(&body)?,
            content,
            target_condition,
            priority: priority(&body)?,
            metrics: metrics(&body)?,
        })
    }
}

fn labels(body: &Object) -> Result<BTreeMap<String, String>, HubError> {
    let Some(labels) = object(body, "labels")? else {
        return Ok(BTreeMap::new());
    };
    if labels.len() > CONFIGURATION_LABELS_MAX {
        return Err(wrong(format!("more than {CONFIGURATION_LABELS_MAX} labels")));
    }
    let label = |name: &String| {
        check_label("the name of a label", name)?;
        let value = text(labels, name)?.unwrap_or_default();
        check_label("a label", &value)?;
        Ok((name.clone(), value))
    };
    labels.keys().map(label).collect()
}

fn metrics(body: &Object) -> Result<BTreeMap<String, String>, HubError> {
    let Some(metrics) = object(body, "metrics")? else {
        return Ok(BTreeMap::new());
    };
    match object(metrics, "queries")? {
        Some(queries) => parse_queries(queries),
        None => Ok(BTreeMap::new()),
    }
}

/// Metric queries by name.
pub(super) fn parse_queries(queries: &Object) -> Result<BTreeMap<String, String>, HubError> {
    if queries.len() > CONFIGURATION_METRICS_MAX {
        return Err(wrong(format!("more than {CONFIGURATION_METRICS_MAX} metrics")));
    }
    let metric = |name: &String| {
        check_label("the name of a metric", name)?;
        Ok((name.clone(), query(queries, name)?.unwrap_or_default()))
    };
    queries.keys().map(metric).collect()
}

fn priority(body: &Object) -> Result<u32, HubError> {
    const MAX: u64 = i32::MAX as u64;
    match body.get("priority") {
        None | Some(Value::Null) => Ok(0),
        Some(number) => match number.as_u64().filter(|number| *number <= MAX) {
            Some(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
            None => Err(wrong(format!("priority is not a whole number of 0 to {MAX}"))),
        },
    }
}

fn check_label(what: &str, text: &str) -> Result<(), HubError> {
    if text.chars().count() <= CONFIGURATION_LABEL_CHARS_MAX {
        return Ok(());
    }
    Err(wrong(format!("{what} has more than {CONFIGURATION_LABEL_CHARS_MAX} characters")))
}

pub(super) fn query(body: &Object, name: &str) -> Result<Option<String>, HubError> {
    let query = text(body, name)?;
    match query.as_ref().is_some_and(|query| query.chars().count() > QUERY_CHARS_MAX) {
        false => Ok(query),
        true => Err(wrong(format!("{name} has more than {QUERY_CHARS_MAX} characters"))),
    }
}

pub(super) fn object<'a>(body: &'a Object, name: &str) -> Result<Option<&'a Object>, HubError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(wrong(format!("{name} is not an object"))),
    }
}

fn text(body: &Object, name: &str) -> Result<Option<String>, HubError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(format!("{name} is no text"))),
    }
}

fn wrong(why: String) -> HubError {
    HubError::InvalidArgument(why)
}

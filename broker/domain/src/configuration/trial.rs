//! `POST /configurations/testQueries`: are these conditions and queries any? (service-protocols.md 2.11)

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::HubError;
use crate::configuration::request::{object, parse_queries, query};
use crate::limits::CONFIGURATION_JSON_BYTES_MAX;
use crate::twin::parse::read;

/// What is to be tried; the query language says how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRequest {
    /// `targetCondition`, if there is one, as it was sent: an error names a position in it.
    pub target: Option<String>,
    /// `customMetricQueries`, by name.
    pub metrics: BTreeMap<String, String>,
}

impl TrialRequest {
    /// Reads the body.
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        let body = read(body, CONFIGURATION_JSON_BYTES_MAX)?;
        let target = query(&body, "targetCondition")?;
        let metrics = match object(&body, "customMetricQueries")? {
            Some(queries) => parse_queries(queries)?,
            None => BTreeMap::new(),
        };
        Ok(Self { target, metrics })
    }

    /// The answer's body: what is wrong with the condition, and what with those metrics that something is wrong with.
    pub fn result_json(target: Option<&str>, metrics: &BTreeMap<String, String>) -> Value {
        json!({"targetConditionError": target, "customMetricQueryErrors": metrics})
    }
}

//! A configuration as services read it (service-protocols.md 2.11).

use serde_json::{Value, json};

use crate::configuration::metrics::MetricResults;
use crate::configuration::record::Configuration;
use crate::twin::Object;

impl Configuration {
    /// The JSON of a configuration, with what was counted of it.
    pub fn json(&self, results: &MetricResults) -> Value {
        let mut content = Object::new();
        content.insert(self.content.kind().into(), self.content.object().clone().into());
        let mut system = Object::new();
        for (name, count) in
            [("targetedCount", results.targeted), ("appliedCount", results.applied)]
        {
            if let Some(count) = count {
                system.insert(name.into(), count.into());
            }
        }
        json!({
            "id": self.id.as_str(),
            "schemaVersion": self.schema_version,
            "labels": self.labels,
            "content": content,
            "targetCondition": self.target_condition,
            "priority": self.priority,
            "createdTimeUtc": self.created.iso8601(),
            "lastUpdatedTimeUtc": self.updated.iso8601(),
            "etag": self.etag(),
            "systemMetrics": {
                "results": system,
                "queries": {
                    "targetedCount": self.targeted_query(), "appliedCount": self.applied_query(),
                },
            },
            "metrics": {"results": results.custom, "queries": self.metrics},
        })
    }
}

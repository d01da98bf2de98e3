//! What is counted of a configuration (service-protocols.md 2.11).

use std::collections::BTreeMap;

use crate::configuration::record::Configuration;

/// Numbers of rows, as somebody counted them; what was not counted is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricResults {
    /// `targetedCount`
    pub targeted: Option<u64>,
    /// `appliedCount`
    pub applied: Option<u64>,
    /// The configuration's own, by name.
    pub custom: BTreeMap<String, u64>,
}

impl Configuration {
    /// The query whose rows are the twins it targets; empty if it targets none.
    pub fn targeted_query(&self) -> String {
        self.target().query()
    }

    /// The query whose rows are the twins it is applied to.
    pub fn applied_query(&self) -> String {
        let select = self.target().source.select();
        format!("{select} where configurations.[[{}]].status = 'Applied'", self.id)
    }
}

//! Metrics of the broker: names and descriptions, one file per concern. Labels have few values, never a device id.

pub mod configurations;
pub mod connections;
pub mod delivery;
pub mod device;
pub mod http;
pub mod process;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Installs the recorder; `/metrics` renders through the handle.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    const SECONDS: [f64; 12] =
        [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("seconds".into()), &SECONDS)?
        .install_recorder()?;
    configurations::describe();
    connections::describe();
    delivery::describe();
    device::describe();
    http::describe();
    process::describe();
    Ok(handle)
}

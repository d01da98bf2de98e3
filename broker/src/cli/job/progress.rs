//! Waiting for a job, with a bar that shows how far it is.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::count;
use crate::client::{ClientError, RestClient};

/// How often the hub is asked.
const EVERY: Duration = Duration::from_millis(500);

/// The job when it has ended. The bar draws itself on standard error, and only on a terminal.
pub(super) async fn until_ended(rest: &RestClient, id: &str) -> Result<Value, ClientError> {
    let bar = bar();
    loop {
        let job = rest.job(id).await?;
        let status = job["status"].as_str().unwrap_or_default().to_owned();
        if ["completed", "failed", "cancelled"].contains(&status.as_str()) {
            bar.finish_and_clear();
            return Ok(job);
        }
        bar.set_length(count(&job, "deviceCount"));
        bar.set_position(count(&job, "succeededCount") + count(&job, "failedCount"));
        bar.set_message(status);
        tokio::time::sleep(EVERY).await;
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} devices, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

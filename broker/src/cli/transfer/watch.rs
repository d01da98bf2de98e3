//! A job, watched to its end.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::cli::CommandError;
use crate::cli::output::text;
use crate::client::RestClient;

/// How often to look how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Begins a job and waits for its end; what it was then. Who interrupts the command cancels the job.
pub(super) async fn carry_out(
    rest: &RestClient,
    request: &Value,
    doing: &'static str,
) -> Result<Value, CommandError> {
    let mut job = rest.create_transfer(request).await?;
    let id = text(&job["jobId"]);
    let bar = bar(100, doing);
    let ended = loop {
        bar.set_position(job["progress"].as_u64().unwrap_or_default());
        let status = text(&job["status"]);
        if ["completed", "failed", "cancelled"].contains(&status.as_str()) {
            break Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = tokio::signal::ctrl_c() => {
                rest.cancel_transfer(&id).await?;
                break Err(CommandError::Refused("interrupted: the job was cancelled".into()));
            }
        }
        job = rest.transfer(&id).await?;
    };
    bar.finish_and_clear();
    ended?;
    match text(&job["status"]).as_str() {
        "completed" => Ok(job),
        status => {
            let why = text(&job["failureReason"]);
            let said = if why.is_empty() { String::new() } else { format!(": {why}") };
            Err(CommandError::Refused(format!("job {id} ended as {status}{said}")))
        }
    }
}

/// A bar on standard error, if that is a terminal.
pub(super) fn bar(length: u64, doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {percent} % {elapsed}");
    // The template is right; without it the bar would only look different.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style.progress_chars("=> ")).with_message(doing)
}

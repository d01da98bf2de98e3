//! `ironhub c2d feedback`.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::connection::{ConnectionArgs, HubConnection};
use crate::cli::output::{println, text};
use crate::cli::{CommandError, hint};

/// How often is asked whether there is more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) const EXAMPLES: &str = "\
What is there now; what was printed is gone from the hub:
  ironhub c2d feedback

All that arrives, until Ctrl-C; the hub collects feedback for up to 15 s:
  ironhub c2d feedback --follow

One JSON object per line, for a program; the end of the next message:
  ironhub c2d feedback --follow --json --count 1 | jq -r .statusCode";

/// Options of `c2d feedback`.
#[derive(Clone, Debug, Args)]
pub struct FeedbackArgs {
    /// Wait for more
    #[arg(long)]
    pub follow: bool,
    /// End when there were so many; the rest of what the hub gave at once is printed, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// One JSON object per record and line
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

pub(super) async fn run(args: &FeedbackArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let rest = hub.rest();
    let mut seen = 0;
    while args.count.is_none_or(|count| seen < count) {
        match rest.feedback().await? {
            Some(batch) => {
                for record in &batch.records {
                    println(&if args.json { record.to_string() } else { line(record) })?;
                    seen += 1;
                }
                // Only now: what could not be printed is given to somebody else.
                rest.complete_feedback(&batch.lock).await?;
            }
            None if args.follow => tokio::time::sleep(LOOK_EVERY).await,
            None => break,
        }
    }
    if seen == 0 {
        hint("No feedback. The hub collects it for up to 15 s: ironhub c2d feedback --follow");
    }
    Ok(())
}

/// When, which device, which message, what.
fn line(record: &Value) -> String {
    let fields = ["enqueuedTimeUtc", "deviceId", "originalMessageId", "statusCode"];
    fields.map(|field| text(&record[field])).join("\t")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_who_which_and_what() {
        let record = json!({
            "originalMessageId": "m1", "enqueuedTimeUtc": "2026-11-22T20:14:24Z",
            "statusCode": "Success", "description": "Success", "deviceId": "d1",
        });
        assert_eq!(line(&record), "2026-11-22T20:14:24Z\td1\tm1\tSuccess");
    }
}

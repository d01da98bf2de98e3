//! `ironhub method invoke`: a direct method of one device or of many at once.

use std::io::IsTerminal;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{escaped, print_json};
use super::{CommandError, coloured_stdout, table};
use crate::client::{ClientError, MethodRequest, Target};

/// Calls that wait for their devices at a time.
const CALLS_MAX: usize = 32;
/// So many devices are worth a progress bar.
const PROGRESS_FROM: usize = 4;
/// A device that answers with such a status says that it could not (the numbers are HTTP's by habit).
const STATUS_FAILED: i64 = 400;

const EXAMPLES: &str = "\
Ask one device to do something, and print its answer:
  ironhub method invoke reboot dev1 --payload '{\"delay\":5}'";

/// Call direct methods.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct MethodArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MethodCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum MethodCommand {
    /// Call a method of one device, or of many at the same time
    #[command(after_help = INVOKE_EXAMPLES)]
    Invoke(InvokeArgs),
}

const INVOKE_EXAMPLES: &str = "\
One device; the hub waits up to 60 s for it to connect, and 10 s for its answer:
  ironhub method invoke reboot dev1 --payload '{\"delay\":5}' --connect-timeout 60 --timeout 10

Every device that there is, 32 at a time:
  ironhub method invoke reboot $(ironhub device list | cut -f1)

Only the payload of its answer:
  ironhub method invoke getStatus dev1 --json | jq '.[0].payload'

Exit code 1 if any device could not be called, or answered with a status of 400 or more.";

/// Options of `method invoke`.
#[derive(Clone, Debug, Args)]
pub struct InvokeArgs {
    /// The method's name, as the device knows it
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// The devices' ids
    #[arg(value_name = "ID", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub ids: Vec<String>,
    /// The method of this module of each device
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub module: Option<String>,
    /// What the device gets, JSON [default: nothing]
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    pub payload: Option<Value>,
    /// How long a device may take to answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=300))]
    pub timeout: u64,
    /// How long to wait for a device that is not connected, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub connect_timeout: u64,
    /// Print the answers as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// What became of one call.
struct Called<'a> {
    device: &'a str,
    answer: Result<Value, ClientError>,
}

/// Carries the command out.
pub async fn run(args: &MethodArgs) -> Result<(), CommandError> {
    let MethodCommand::Invoke(args) = &args.command;
    let hub = HubConnection::find(&args.connection)?;
    let (rest, progress) = (hub.rest(), progress(args.ids.len()));
    let request = MethodRequest {
        name: args.name.clone(),
        payload: args.payload.clone(),
        response_timeout: Duration::from_secs(args.timeout),
        connect_timeout: Duration::from_secs(args.connect_timeout),
    };
    let call = async |device| {
        let target = Target { device, module: args.module.as_deref() };
        let answer = rest.invoke(target, &request).await;
        progress.inc(1);
        Called { device, answer }
    };
    let calls = args.ids.iter().map(|id| call(id.as_str()));
    let called: Vec<Called<'_>> = stream::iter(calls).buffered(CALLS_MAX).collect().await;
    progress.finish_and_clear();
    print(&called, args.json)?;
    match called.iter().filter(|called| called.failed()).count() {
        0 => Ok(()),
        failed => {
            let all = called.len();
            Err(CommandError::Refused(format!("{failed} of {all} calls did not succeed")))
        }
    }
}

impl Called<'_> {
    fn failed(&self) -> bool {
        match &self.answer {
            Ok(answer) => answer["status"].as_i64().is_none_or(|status| status >= STATUS_FAILED),
            Err(_) => true,
        }
    }

    fn json(&self) -> Value {
        match &self.answer {
            Ok(answer) => json!({
                "deviceId": self.device, "status": answer["status"], "payload": answer["payload"],
            }),
            Err(error) => json!({"deviceId": self.device, "error": error.to_string()}),
        }
    }

    fn row(&self) -> Vec<String> {
        let (status, answer) = match &self.answer {
            Ok(answer) => (answer["status"].to_string(), answer["payload"].to_string()),
            Err(error) => ("failed".to_owned(), error.to_string()),
        };
        vec![self.device.to_owned(), status, escaped(&answer)]
    }
}

fn print(called: &[Called<'_>], json: bool) -> Result<(), CommandError> {
    if json {
        return print_json(&called.iter().map(Called::json).collect());
    }
    let rows: Vec<Vec<String>> = called.iter().map(Called::row).collect();
    let out = std::io::stdout();
    let heading = ["ID", "STATUS", "ANSWER"];
    Ok(table::write(&mut out.lock(), &heading, &rows, out.is_terminal(), coloured_stdout())?)
}

/// Draws itself on standard error, and only on a terminal.
fn progress(calls: usize) -> ProgressBar {
    if calls < PROGRESS_FROM {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(calls).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:40} {pos}/{len} devices, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn json_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("it is not JSON ({error}); a text needs quotes: '\"text\"'"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        method: MethodArgs,
    }

    fn check(line: &str, expected: &str) {
        let found = match Line::try_parse_from(line.split_whitespace()) {
            Ok(Line { method: MethodArgs { command: MethodCommand::Invoke(args) } }) => {
                format!("{} {:?} {:?} {}", args.name, args.ids, args.payload, args.timeout)
            }
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{line}: {found}");
    }

    #[test]
    fn a_call_names_a_method_and_devices() {
        check("m invoke reboot d1 d2", r#"reboot ["d1", "d2"] None 30"#);
        check("m invoke r d --payload 5 --timeout 5", r#"r ["d"] Some(Number(5)) 5"#);
        check("m invoke reboot", "Usage");
        check("m invoke r d --payload hello", "a text needs quotes");
        check("m invoke r d --timeout 4", "5..=300");
        check("m invoke r d --connect-timeout 301", "0..=300");
    }

    #[test]
    fn an_answer_is_a_row_and_a_status_of_400_or_more_is_a_failure() {
        let called = |answer| Called { device: "d1", answer };
        let good = called(Ok(json!({"status": 200, "payload": {"ok": true}})));
        assert_eq!(good.row(), ["d1", "200", r#"{"ok":true}"#]);
        assert!(!good.failed());
        assert!(called(Ok(json!({"status": 404, "payload": null}))).failed());
        let refused = called(Err(ClientError::Refused {
            status: 404,
            name: "DeviceNotOnline".into(),
            message: "it is away".into(),
        }));
        assert!(refused.failed());
        assert_eq!(refused.row(), ["d1", "failed", "it is away (DeviceNotOnline, HTTP 404)"]);
        assert_eq!(refused.json()["error"], "it is away (DeviceNotOnline, HTTP 404)");
    }
}

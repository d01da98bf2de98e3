//! `ironhub job list|show|create|cancel|wait`.

mod create;
mod progress;

use std::io::IsTerminal;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{escaped, print_json, println, text};
use super::{CommandError, coloured_stdout, hint, table};

const EXAMPLES: &str = "\
Change the twins of all devices on a floor, and watch it happen:
  ironhub job create twin lights --where 'tags.floor = 1' --desired '{\"light\":\"on\"}' --wait

Call a method of every device, tonight:
  ironhub job create method reboot --where '*' --start 2026-12-01T02:00:00Z

What runs, what ran, and how far it is:
  ironhub job list
  ironhub job show lights";

/// Work with jobs, which do one thing to many devices.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct JobArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: JobCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum JobCommand {
    /// List jobs, the newest first
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show one job and its progress
    #[command(after_help = SHOW_EXAMPLES)]
    Show(OneArgs),
    /// Make a job
    #[command(subcommand, after_help = create::EXAMPLES)]
    Create(create::CreateCommand),
    /// End a job: targets that it has not begun with are left alone
    #[command(after_help = CANCEL_EXAMPLES)]
    Cancel(OneArgs),
    /// Wait until a job has ended
    #[command(after_help = WAIT_EXAMPLES)]
    Wait(OneArgs),
}

const LIST_EXAMPLES: &str = "\
All, or those that run:
  ironhub job list
  ironhub job list --status running

Their ids, for a script:
  ironhub job list --json | jq -r '.[].jobId'";

const SHOW_EXAMPLES: &str = "\
For people, or all of it as JSON:
  ironhub job show lights
  ironhub job show lights --json | jq .deviceJobStatistics

What became of it on each device:
  ironhub query \"SELECT * FROM devices.jobs WHERE jobId = 'lights'\"";

const CANCEL_EXAMPLES: &str = "\
What was done stays done:
  ironhub job cancel lights";

const WAIT_EXAMPLES: &str = "\
A progress bar on a terminal, the job when it has ended:
  ironhub job wait lights

Exit code 1 if the job failed, was cancelled, or failed on any device:
  ironhub job wait lights --json > lights.json || echo 'look at lights.json'";

/// Options of `job list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Only jobs of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = ["twin", "method"])]
    pub job_type: Option<String>,
    /// Only jobs in this state
    #[arg(long, value_name = "STATUS", value_parser = ["scheduled", "queued", "running", "completed", "failed", "cancelled"])]
    pub status: Option<String>,
    /// Print the jobs as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of the commands about one job.
#[derive(Clone, Debug, Args)]
pub struct OneArgs {
    /// The job's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Print the whole job as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &JobArgs) -> Result<(), CommandError> {
    match &args.command {
        JobCommand::List(args) => list(args).await,
        JobCommand::Show(args) => {
            let hub = HubConnection::find(&args.connection)?;
            print(&hub.rest().job(&args.id).await?, args.json)
        }
        JobCommand::Create(command) => create::run(command).await,
        JobCommand::Cancel(args) => {
            let hub = HubConnection::find(&args.connection)?;
            print(&hub.rest().cancel_job(&args.id).await?, args.json)
        }
        JobCommand::Wait(args) => {
            let hub = HubConnection::find(&args.connection)?;
            wait(&hub, &args.id, args.json).await
        }
    }
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let job_type = args.job_type.as_deref().map(|name| match name {
        "twin" => "scheduleUpdateTwin",
        _ => "scheduleDeviceMethod",
    });
    let jobs = hub.rest().jobs(job_type, args.status.as_deref()).await?;
    if args.json {
        return print_json(&Value::Array(jobs));
    }
    let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
    let out = std::io::stdout();
    let heading = ["ID", "TYPE", "STATUS", "TARGETS", "DONE", "FAILED", "START"];
    table::write(&mut out.lock(), &heading, &rows, out.is_terminal(), coloured_stdout())?;
    if rows.is_empty() {
        hint("No jobs. Make one: ironhub job create --help");
    }
    Ok(())
}

/// Waits, prints the job, and says whether it did all that it should.
async fn wait(hub: &HubConnection, id: &str, json: bool) -> Result<(), CommandError> {
    let job = progress::until_ended(&hub.rest(), id).await?;
    print(&job, json)?;
    let failed = count(&job, "failedCount");
    match job["status"].as_str() {
        Some("completed") if failed == 0 => Ok(()),
        Some("completed") => {
            Err(CommandError::Refused(format!("the job failed on {failed} of its targets")))
        }
        status => {
            let why = escaped(&text(&job["failureReason"]));
            let why = if why.is_empty() { why } else { format!(": {why}") };
            Err(CommandError::Refused(format!("the job was {}{why}", status.unwrap_or("lost"))))
        }
    }
}

fn count(job: &Value, name: &str) -> u64 {
    job["deviceJobStatistics"][name].as_u64().unwrap_or_default()
}

fn row(job: &Value) -> Vec<String> {
    let kind = match job["type"].as_str() {
        Some("scheduleUpdateTwin") => "twin".to_owned(),
        Some("scheduleDeviceMethod") => "method".to_owned(),
        _ => text(&job["type"]),
    };
    let number = |name| count(job, name).to_string();
    vec![
        text(&job["jobId"]),
        kind,
        text(&job["status"]),
        number("deviceCount"),
        number("succeededCount"),
        number("failedCount"),
        text(&job["startTime"]),
    ]
}

fn print(job: &Value, json: bool) -> Result<(), CommandError> {
    match json {
        true => print_json(job),
        false => println(render(job, coloured_stdout()).trim_end()),
    }
}

/// What of a job is worth a line, if there is something of it.
fn render(job: &Value, coloured: bool) -> String {
    let (on, off) = if coloured { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let targets = match count(job, "deviceCount") {
        0 => String::new(),
        all => {
            let done = count(job, "succeededCount");
            let failed = count(job, "failedCount");
            let running = count(job, "runningCount");
            format!("{done} of {all} done, {failed} failed, {running} under way")
        }
    };
    let condition = match text(&job["queryCondition"]) {
        all if all.trim().is_empty() => "*".to_owned(),
        condition => condition,
    };
    let action = match &job["updateTwin"] {
        Value::Null => job["cloudToDeviceMethod"]["methodName"].clone(),
        update => update.to_string().into(),
    };
    let mut out = String::new();
    for (name, value) in [
        ("Job", text(&job["jobId"])),
        ("Type", text(&job["type"])),
        ("What", text(&action)),
        ("Where", condition),
        ("Status", text(&job["status"])),
        ("Targets", targets),
        ("Start", text(&job["startTime"])),
        ("End", text(&job["endTime"])),
        ("Reason", text(&job["failureReason"])),
        ("Message", text(&job["statusMessage"])),
    ] {
        if !value.is_empty() {
            out += &format!("{on}{name:9}{off}{}\n", escaped(&value));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_see_what_there_is_of_a_job() {
        let job = json!({
            "jobId": "j", "type": "scheduleUpdateTwin", "updateTwin": {"tags": {"a": "\u{9b}"}},
            "queryCondition": "", "status": "running", "startTime": "2026-11-22T20:13:21.631Z",
            "deviceJobStatistics": {"deviceCount": 9, "succeededCount": 4, "failedCount": 1,
                "runningCount": 2, "pendingCount": 2},
        });
        assert_eq!(
            render(&job, false),
            "Job      j\nType     scheduleUpdateTwin\nWhat     {\"tags\":{\"a\":\"\\u{9b}\"}}\nWhere    *\n\
             Status   running\nTargets  4 of 9 done, 1 failed, 2 under way\n\
             Start    2026-11-22T20:13:21.631Z\n"
        );
        assert_eq!(row(&job)[1..6], ["twin", "running", "9", "4", "1"]);
    }
}

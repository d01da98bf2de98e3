//! `ironhub job create twin|method`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{print, wait};
use crate::cli::connection::{ConnectionArgs, HubConnection};
use crate::cli::{CommandError, hint};

pub(super) const EXAMPLES: &str = "\
Twins of devices that a condition chooses:
  ironhub job create twin lights --where 'tags.floor = 1' --desired '{\"light\":\"on\"}'

A method of two devices:
  ironhub job create method reboot --where \"deviceId IN ['dev1', 'dev2']\"";

/// What a job may do.
#[derive(Clone, Debug, Subcommand)]
pub enum CreateCommand {
    /// Change tags and desired properties of many devices
    #[command(after_help = TWIN_EXAMPLES)]
    Twin(TwinArgs),
    /// Call a method of many devices
    #[command(after_help = METHOD_EXAMPLES)]
    Method(MethodArgs),
}

const TWIN_EXAMPLES: &str = "\
Merge, as `ironhub twin update` does; null removes:
  ironhub job create twin move --where \"tags.room = 'old'\" --tags '{\"room\":\"new\",\"desk\":null}'

Modules of many devices:
  ironhub job create twin zoom --where \"FROM devices.modules WHERE moduleId = 'camera'\" \\
    --desired '{\"zoom\":2}'

Every device; wait until all is done:
  ironhub job create twin all --where '*' --desired '{\"interval\":10}' --wait";

const METHOD_EXAMPLES: &str = "\
Call reboot of all devices that are connected, and wait for their answers:
  ironhub job create method reboot --where \"connectionState = 'Connected'\" --wait

With a payload, at a given time, and no longer than ten minutes:
  ironhub job create method update --payload '{\"to\":\"1.2\"}' --where 'tags.floor = 1' \\
    --start 2026-12-01T02:00:00Z --max-seconds 600";

/// What every job has.
#[derive(Clone, Debug, Args)]
pub struct ForAll {
    /// Which devices: a condition of the query language, or * for all
    #[arg(long = "where", value_name = "CONDITION", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub condition: String,
    /// When to begin, in ISO 8601 [default: now]
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// How long the job may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_seconds: u64,
    /// Wait until the job has ended
    #[arg(long)]
    pub wait: bool,
    /// Print the whole job as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `job create twin`.
#[derive(Clone, Debug, Args)]
#[group(id = "job_sections", required = true, multiple = true, args = ["desired", "tags"])]
pub struct TwinArgs {
    /// The new job's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Desired properties, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub desired: Option<Value>,
    /// Tags, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub tags: Option<Value>,
    /// For which devices, when.
    #[command(flatten)]
    pub for_all: ForAll,
}

/// Options of `job create method`.
#[derive(Clone, Debug, Args)]
pub struct MethodArgs {
    /// The method's name, as the devices know it
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// The new job's id [default: the method's name and the time]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: Option<String>,
    /// What each device gets, JSON [default: nothing]
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    pub payload: Option<Value>,
    /// How long a device may take to answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=300))]
    pub timeout: u64,
    /// How long to wait for a device that is not connected, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=300))]
    pub connect_timeout: u64,
    /// For which devices, when.
    #[command(flatten)]
    pub for_all: ForAll,
}

pub(super) async fn run(command: &CreateCommand) -> Result<(), CommandError> {
    let (id, job, for_all) = match command {
        CreateCommand::Twin(args) => (args.id.clone(), twin(args), &args.for_all),
        CreateCommand::Method(args) => {
            let id = args.id.clone().unwrap_or_else(|| id_of(&args.name));
            (id, method(args), &args.for_all)
        }
    };
    let hub = HubConnection::find(&for_all.connection)?;
    let made = hub.rest().create_job(&id, &job).await?;
    if for_all.wait {
        return wait(&hub, &id, for_all.json).await;
    }
    print(&made, for_all.json)?;
    hint(&format!("\nWatch it: ironhub job wait {id}"));
    Ok(())
}

/// Letters, digits and `-` of the name: more than an id may have stands in names of methods.
fn id_of(method: &str) -> String {
    let now = time::OffsetDateTime::now_utc();
    let letters = method.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40);
    let name: String = letters.collect();
    format!("{name}-{}", now.unix_timestamp_nanos() / 1_000_000)
}

/// What the hub is sent.
fn twin(args: &TwinArgs) -> Value {
    let mut update = Map::from_iter([("etag".to_owned(), Value::from("*"))]);
    if let Some(tags) = &args.tags {
        update.insert("tags".into(), tags.clone());
    }
    if let Some(desired) = &args.desired {
        update.insert("properties".into(), json!({ "desired": desired }));
    }
    job("scheduleUpdateTwin", "updateTwin", update.into(), &args.for_all)
}

/// What the hub is sent.
fn method(args: &MethodArgs) -> Value {
    let call = json!({
        "methodName": args.name,
        "payload": args.payload,
        "responseTimeoutInSeconds": args.timeout,
        "connectTimeoutInSeconds": args.connect_timeout,
    });
    job("scheduleDeviceMethod", "cloudToDeviceMethod", call, &args.for_all)
}

fn job(kind: &str, name: &str, action: Value, for_all: &ForAll) -> Value {
    let mut job = json!({
        "type": kind,
        "queryCondition": for_all.condition,
        "maxExecutionTimeInSeconds": for_all.max_seconds,
    });
    job[name] = action;
    if let Some(start) = &for_all.start {
        job["startTime"] = start.as_str().into();
    }
    job
}

fn json_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err("it must be a JSON object, like '{\"interval\":10}'".into()),
        Err(error) => Err(format!("it is not JSON ({error}); quote it: '{{\"interval\":10}}'")),
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
        #[command(subcommand)]
        create: CreateCommand,
    }

    fn check(line: &str, expected: Result<Value, &str>) {
        match Line::try_parse_from(line.split_whitespace()) {
            Ok(Line { create: CreateCommand::Twin(args) }) => {
                assert_eq!(Ok(twin(&args)), expected, "{line}");
            }
            Ok(Line { create: CreateCommand::Method(args) }) => {
                assert_eq!(Ok(method(&args)), expected, "{line}");
            }
            Err(error) => {
                let part = expected.expect_err(line);
                assert!(error.to_string().contains(part), "{line}: {error}");
            }
        }
    }

    #[test]
    fn a_job_sends_what_was_given() {
        check(
            r#"create twin j --where * --tags {"a":1} --start 2026-12-01T02:00:00Z"#,
            Ok(json!({"type": "scheduleUpdateTwin", "queryCondition": "*",
                "updateTwin": {"etag": "*", "tags": {"a": 1}},
                "maxExecutionTimeInSeconds": 3600, "startTime": "2026-12-01T02:00:00Z"})),
        );
        check(
            "create method m --where tags.a=1 --timeout 5 --max-seconds 60",
            Ok(json!({"type": "scheduleDeviceMethod", "queryCondition": "tags.a=1",
                "cloudToDeviceMethod": {"methodName": "m", "payload": null,
                    "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0},
                "maxExecutionTimeInSeconds": 60})),
        );
        check("create twin j --where *", Err("--desired"));
        check("create twin j --tags {}", Err("--where"));
        check("create twin j --where * --tags [1]", Err("must be a JSON object"));
        check("create method m --where * --timeout 4", Err("4 is not in 5..=300"));
    }

    #[test]
    fn an_id_made_of_a_method_is_one() {
        let id = id_of("get*Status!");
        assert!(id.starts_with("getStatus-") && id.len() > "getStatus-".len(), "{id}");
    }
}

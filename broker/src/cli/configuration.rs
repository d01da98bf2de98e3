//! `ironhub configuration list|show|create|update|delete|metrics`: what many twins are to be like.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{print_json, println, text};
use super::{CommandError, coloured_stdout, hint, table};

const EXAMPLES: &str = "\
Every device on the third floor gets these desired properties, now and when it comes there:
  ironhub configuration create chill --where 'tags.floor = 3' --desired '{\"chiller\":{\"t\":66}}'

See how far that is:
  ironhub configuration metrics chill";

/// Say what the twins of many devices are to be like.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct ConfigurationArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigurationCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigurationCommand {
    /// List the configurations with how many twins they are for and applied to
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show a configuration as JSON
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Create a configuration
    #[command(after_help = CREATE_EXAMPLES)]
    Create(PutArgs),
    /// Change a configuration: what is not given stays
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(UpdateArgs),
    /// Delete a configuration; what it set goes from the twins. Asks nothing
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(DeleteArgs),
    /// Show what is counted of a configuration
    #[command(after_help = METRICS_EXAMPLES)]
    Metrics(MetricsArgs),
}

const LIST_EXAMPLES: &str = "\
In columns, as JSON, or for a script (a pipe gets tabs and no heading):
  ironhub configuration list
  ironhub configuration list --json
  ironhub configuration list | cut -f1";

const SHOW_EXAMPLES: &str = "\
To keep it, and to create it elsewhere:
  ironhub configuration show chill > chill.json
  ironhub configuration create chill --file chill.json";

const CREATE_EXAMPLES: &str = "\
Of two that set the same property the one with the higher priority counts:
  ironhub configuration create all --where '*' --desired '{\"interval\":60}'
  ironhub configuration create lab --where 'tags.room = 12' --desired '{\"interval\":5}' --priority 10

With a number to watch:
  ironhub configuration create fw --where '*' --desired '{\"firmware\":\"2.1\"}' \\
    --metric \"done=SELECT deviceId FROM devices WHERE properties.reported.firmware = '2.1'\"

Anything else, modules among it, from a file as the API has it (- is standard input):
  ironhub configuration create edge --file edge.json";

const UPDATE_EXAMPLES: &str = "\
  ironhub configuration update chill --where 'tags.floor = 4'
  ironhub configuration update chill --desired '{\"chiller\":{\"t\":70}}'

Only if nobody changed it since it was looked at:
  ETAG=$(ironhub configuration show chill | jq -r .etag)
  ironhub configuration update chill --priority 5 --if-match \"$ETAG\"";

const DELETE_EXAMPLES: &str = "\
  ironhub configuration delete chill";

const METRICS_EXAMPLES: &str = "\
In columns, or as JSON:
  ironhub configuration metrics chill
  ironhub configuration metrics chill --json | jq .appliedCount";

/// Options of `configuration list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Print the configurations as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `configuration show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The configuration's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// What a configuration is, as far as it is given.
#[derive(Clone, Debug, Args)]
pub struct Parts {
    /// Which devices: what could stand behind WHERE, * for all
    #[arg(long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// Desired properties of the devices, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub desired: Option<Value>,
    /// Higher goes before lower
    #[arg(long, value_name = "NUMBER")]
    pub priority: Option<u32>,
    /// A label; may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub labels: Vec<(String, String)>,
    /// A query whose rows are counted; may be given more than once
    #[arg(long = "metric", value_name = "NAME=QUERY", value_parser = pair)]
    pub metrics: Vec<(String, String)>,
    /// The configuration in JSON, other options go before what is in it; - is standard input
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Options of `configuration create`.
#[derive(Clone, Debug, Args)]
pub struct PutArgs {
    /// The configuration's id: no capitals
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// What it is.
    #[command(flatten)]
    pub parts: Parts,
    /// Print the whole configuration as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `configuration update`.
#[derive(Clone, Debug, Args)]
pub struct UpdateArgs {
    /// What shall be.
    #[command(flatten)]
    pub put: PutArgs,
    /// Only if its ETag is still this
    #[arg(long, value_name = "ETAG")]
    pub if_match: Option<String>,
}

/// Options of `configuration delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The configuration's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `configuration metrics`.
#[derive(Clone, Debug, Args)]
pub struct MetricsArgs {
    /// The configuration's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Print the numbers as a JSON object
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &ConfigurationArgs) -> Result<(), CommandError> {
    match &args.command {
        ConfigurationCommand::List(args) => {
            let all = HubConnection::find(&args.connection)?.rest().configurations().await?;
            if args.json {
                return print_json(&all.into());
            }
            let rows: Vec<_> = all.iter().map(row).collect();
            let heading = ["ID", "PRIORITY", "TARGETED", "APPLIED", "CONDITION"];
            print_table(&heading, &rows)
        }
        ConfigurationCommand::Show(args) => {
            let hub = HubConnection::find(&args.connection)?;
            print_json(&hub.rest().configuration(&args.id).await?)
        }
        ConfigurationCommand::Create(args) => {
            let configuration = composed(json!({}), &args.parts)?;
            let hub = HubConnection::find(&args.connection)?;
            let made = hub.rest().put_configuration(&args.id, &configuration, None).await?;
            print_put(&made, args.json)
        }
        ConfigurationCommand::Update(UpdateArgs { put, if_match }) => {
            let hub = HubConnection::find(&put.connection)?;
            let before = hub.rest().configuration(&put.id).await?;
            let seen = text(&before["etag"]);
            let etag = if_match.as_deref().unwrap_or(&seen);
            let wanted = composed(before, &put.parts)?;
            let made = hub.rest().put_configuration(&put.id, &wanted, Some(etag)).await?;
            print_put(&made, put.json)
        }
        ConfigurationCommand::Delete(args) => {
            HubConnection::find(&args.connection)?.rest().delete_configuration(&args.id).await?;
            hint("What it set goes from the twins in the background.");
            Ok(())
        }
        ConfigurationCommand::Metrics(args) => {
            let hub = HubConnection::find(&args.connection)?;
            let numbers = numbers(&hub.rest().configuration(&args.id).await?);
            if args.json {
                return print_json(&numbers.into());
            }
            let row = |(name, number): (&String, &Value)| vec![name.clone(), number.to_string()];
            print_table(&["METRIC", "ROWS"], &numbers.iter().map(row).collect::<Vec<_>>())
        }
    }
}

/// What is sent: what the file says, over what was there before; over both what the options say.
fn composed(mut configuration: Value, parts: &Parts) -> Result<Value, CommandError> {
    if let Some(file) = &parts.file {
        let read = match file.as_os_str() == "-" {
            true => std::io::read_to_string(std::io::stdin().by_ref()),
            false => std::fs::read_to_string(file),
        };
        let wrong = |error: &dyn std::fmt::Display| {
            CommandError::Usage(format!("--file {}: {error}", file.display()))
        };
        let said: Value = serde_json::from_str(&read.map_err(|error| wrong(&error))?)
            .map_err(|error| wrong(&error))?;
        let Value::Object(said) = said else { return Err(wrong(&"it is not a JSON object")) };
        for (name, value) in said {
            configuration[name] = value;
        }
    }
    // The id of the command line counts.
    if let Value::Object(members) = &mut configuration {
        members.remove("id");
    }
    if let Some(condition) = &parts.condition {
        configuration["targetCondition"] = condition.as_str().into();
    }
    if let Some(priority) = parts.priority {
        configuration["priority"] = priority.into();
    }
    if let Some(desired) = &parts.desired {
        let members = desired.as_object().into_iter().flatten();
        let paths: Map<String, Value> = members
            .map(|(name, value)| (format!("properties.desired.{name}"), value.clone()))
            .collect();
        configuration["content"] = json!({ "deviceContent": paths });
    }
    for (name, value) in &parts.labels {
        configuration["labels"][name] = value.as_str().into();
    }
    for (name, query) in &parts.metrics {
        configuration["metrics"]["queries"][name] = query.as_str().into();
    }
    if configuration["content"].is_null() {
        return Err(CommandError::Usage("give --desired, or --file with a content".into()));
    }
    Ok(configuration)
}

fn row(configuration: &Value) -> Vec<String> {
    let counted = &configuration["systemMetrics"]["results"];
    let number = |value: &Value| value.as_u64().map_or("-".to_owned(), |number| number.to_string());
    vec![
        text(&configuration["id"]),
        number(&configuration["priority"]),
        number(&counted["targetedCount"]),
        number(&counted["appliedCount"]),
        text(&configuration["targetCondition"]),
    ]
}

/// The hub's own numbers, then those of the configuration.
fn numbers(configuration: &Value) -> Map<String, Value> {
    let results = |part: &str| configuration[part]["results"].as_object().cloned();
    let mut numbers = results("systemMetrics").unwrap_or_default();
    numbers.extend(results("metrics").unwrap_or_default());
    numbers
}

fn print_put(configuration: &Value, json: bool) -> Result<(), CommandError> {
    if json {
        return print_json(configuration);
    }
    println(&text(&configuration["id"]))?;
    hint("\nTwins follow in the background: ironhub configuration metrics ID says how far.");
    Ok(())
}

fn print_table(heading: &[&str], rows: &[Vec<String>]) -> Result<(), CommandError> {
    let mut out = std::io::stdout();
    let aligned = out.is_terminal();
    Ok(table::write(&mut out, heading, rows, aligned, coloured_stdout())?)
}

fn json_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err("it must be a JSON object, like '{\"interval\":10}'".into()),
        Err(error) => Err(format!("it is not JSON ({error}); quote it: '{{\"interval\":10}}'")),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        parts: Parts,
    }

    fn check(before: Value, line: &[&str], expected: Result<Value, &str>) {
        let parts = Line::try_parse_from([&["x"], line].concat()).unwrap().parts;
        let found = composed(before, &parts).map_err(|error| error.to_string());
        match expected {
            Ok(expected) => assert_eq!(found, Ok(expected), "{line:?}"),
            Err(part) => assert!(found.as_ref().unwrap_err().contains(part), "{found:?}"),
        }
    }

    #[test]
    fn options_are_the_parts_of_a_configuration() {
        let content = json!({"deviceContent": {"properties.desired.a": {"b": 1}}});
        check(
            json!({}),
            &["--where", "*", "--desired", r#"{"a":{"b":1}}"#, "--priority", "3", "--label", "x=y"],
            Ok(
                json!({"targetCondition": "*", "priority": 3, "labels": {"x": "y"}, "content": content}),
            ),
        );
        check(
            json!({"id": "c", "priority": 1, "content": content, "metrics": {"queries": {"n": "q"}}}),
            &["--metric", "m=SELECT a FROM devices WHERE b = 1"],
            Ok(json!({"priority": 1, "content": content, "metrics": {"queries": {
                "n": "q", "m": "SELECT a FROM devices WHERE b = 1",
            }}})),
        );
        check(json!({}), &["--where", "*"], Err("--desired"));
    }
}

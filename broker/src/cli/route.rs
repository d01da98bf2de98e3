//! `ironhub route list|show|set|create|delete|test`: which messages go where.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{print_json, println, text};
use super::{CommandError, c2d, coloured_stdout, hint, table};
use crate::client::RoutingList;

const EXAMPLES: &str = "\
Send alarms to a log of their own, and what no route takes to the built-in one as before:
  ironhub endpoint create event-log alarms
  ironhub route create alarms --condition \"level = 'high'\" --endpoint alarms
  ironhub route create '$fallback'

See which routes a message would take:
  ironhub route test --property level=high";

/// Say which messages go where.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct RouteArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RouteCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum RouteCommand {
    /// List the routes, the fallback route last
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show a route, or everything: routes, endpoints and enrichments, as JSON
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Replace everything by what a file says
    #[command(after_help = SET_EXAMPLES)]
    Set(SetArgs),
    /// Add a route, or replace the one of that name
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// Delete a route; asks nothing
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(DeleteArgs),
    /// Ask which routes a message would take, without sending one
    #[command(after_help = TEST_EXAMPLES)]
    Test(Box<TestArgs>),
}

const LIST_EXAMPLES: &str = "\
In columns, as JSON, or for a script (a pipe gets tabs and no heading):
  ironhub route list
  ironhub route list --json
  ironhub route list | cut -f1";

const SHOW_EXAMPLES: &str = "\
One route, or the whole document (secrets are masked):
  ironhub route show alarms
  ironhub route show > routing.json";

const SET_EXAMPLES: &str = "\
Change the whole in an editor; secrets that are masked stay as they are:
  ironhub route show > routing.json
  ironhub route set routing.json

- is standard input.";

const CREATE_EXAMPLES: &str = "\
Everything that devices send, to the built-in endpoint and another:
  ironhub route create copy --endpoint events --endpoint archive

A part of it, by its properties, its JSON body or the sender's twin:
  ironhub route create hot --condition '$body.temperature > 30 AND $twin.tags.floor = 2' --endpoint hot

What happens to devices:
  ironhub route create twins --source TwinChangeEvents --endpoint events

The fallback route takes what no other route took, to the built-in endpoint:
  ironhub route create '$fallback'";

const DELETE_EXAMPLES: &str = "\
What it took goes by the fallback route, if that is enabled:
  ironhub route delete alarms

Deleting a route that does not exist is no error, so scripts can repeat it.";

const TEST_EXAMPLES: &str = "\
By the hub's routes, or by a condition that is not among them:
  ironhub route test --property level=high --body '{\"t\":31}' --system contentType=application/json
  ironhub route test --condition \"level = 'high'\" --property level=low";

/// Where messages come from, as the API calls it.
const SOURCES: [&str; 5] = [
    "DeviceMessages",
    "TwinChangeEvents",
    "DeviceLifecycleEvents",
    "DeviceConnectionStateEvents",
    "DeviceJobLifecycleEvents",
];

/// Options of `route list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Print the routes as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `route show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The route's name [default: everything]
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: Option<String>,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `route set`.
#[derive(Clone, Debug, Args)]
pub struct SetArgs {
    /// A routing document in JSON; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print the document as the hub has it then
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `route create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The route's name: letters, digits, - . _
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// What it takes messages of
    #[arg(long, value_name = "SOURCE", value_parser = SOURCES, ignore_case = true, default_value = SOURCES[0])]
    pub source: String,
    /// Which of them
    #[arg(long, value_name = "CONDITION", default_value = "true")]
    pub condition: String,
    /// Where they go; can be given several times
    #[arg(long = "endpoint", value_name = "NAME", default_value = "events")]
    pub endpoints: Vec<String>,
    /// Add it disabled
    #[arg(long)]
    pub disabled: bool,
    /// Print the route as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `route delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The route's name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `route test`.
#[derive(Clone, Debug, Args)]
pub struct TestArgs {
    /// What the message is of
    #[arg(long, value_name = "SOURCE", value_parser = SOURCES, ignore_case = true, default_value = SOURCES[0])]
    pub source: String,
    /// Its body
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// An application property; can be given several times
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = c2d::property)]
    pub properties: Vec<(String, String)>,
    /// A system property (contentType, messageId …); can be given several times
    #[arg(long = "system", value_name = "NAME=VALUE", value_parser = c2d::property)]
    pub system: Vec<(String, String)>,
    /// The sender's twin: a JSON object with tags and properties
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub twin: Option<Value>,
    /// Try this condition instead of the hub's routes
    #[arg(long, value_name = "CONDITION")]
    pub condition: Option<String>,
    /// Print the whole answer as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &RouteArgs) -> Result<(), CommandError> {
    match &args.command {
        RouteCommand::List(args) => list(args).await,
        RouteCommand::Show(args) => show(args).await,
        RouteCommand::Set(args) => set(args).await,
        RouteCommand::Create(args) => create(args).await,
        RouteCommand::Delete(args) => delete(args).await,
        RouteCommand::Test(args) => test(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let (document, _) = hub.rest().routing().await?;
    let mut routes = document["routes"].as_array().cloned().unwrap_or_default();
    routes.push(document["fallbackRoute"].clone());
    if args.json {
        return print_json(&Value::Array(routes));
    }
    let row = |route: &Value| {
        let endpoints = route["endpointNames"].as_array().into_iter().flatten().map(text);
        vec![
            text(&route["name"]),
            if route["isEnabled"] == true { "enabled" } else { "disabled" }.to_owned(),
            text(&route["source"]),
            endpoints.collect::<Vec<_>>().join(","),
            text(&route["condition"]),
        ]
    };
    let rows: Vec<_> = routes.iter().map(row).collect();
    let out = std::io::stdout();
    let aligned = out.is_terminal();
    let heading = ["NAME", "STATUS", "SOURCE", "ENDPOINTS", "CONDITION"];
    Ok(table::write(&mut out.lock(), &heading, &rows, aligned, coloured_stdout())?)
}

async fn show(args: &ShowArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    match &args.name {
        Some(name) => print_json(&hub.rest().routing_part(RoutingList::Routes, name).await?),
        None => print_json(&hub.rest().routing().await?.0),
    }
}

async fn set(args: &SetArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let unusable = |reason: String| {
        CommandError::Usage(format!("cannot use {}: {reason}", args.file.display()))
    };
    let mut bytes = Vec::new();
    let read = match args.file.as_os_str() == "-" {
        true => std::io::stdin().read_to_end(&mut bytes),
        false => std::fs::File::open(&args.file).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|error| unusable(error.to_string()))?;
    let document: Value = serde_json::from_slice(&bytes)
        .map_err(|error| unusable(format!("it is not JSON: {error}")))?;
    let stored = hub.rest().put_routing(&document).await?;
    match args.json {
        true => print_json(&stored),
        false => {
            let count = |list: &Value| list.as_array().map_or(0, Vec::len);
            eprintln!("{} routes are set", count(&stored["routes"]));
            Ok(())
        }
    }
}

async fn create(args: &CreateArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let route = json!({
        "name": args.name,
        "source": args.source,
        "condition": args.condition,
        "endpointNames": args.endpoints,
        "isEnabled": !args.disabled,
    });
    let route = hub.rest().put_routing_part(RoutingList::Routes, &args.name, &route).await?;
    if args.json {
        return print_json(&route);
    }
    eprintln!("{} is set", args.name);
    hint(
        "What no route takes goes to the built-in endpoint only if the fallback route is enabled.",
    );
    Ok(())
}

async fn delete(args: &DeleteArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    match hub.rest().delete_routing_part(RoutingList::Routes, &args.name).await? {
        true => eprintln!("deleted {}", args.name),
        false => eprintln!("{} does not exist: nothing to delete", args.name),
    }
    Ok(())
}

async fn test(args: &TestArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let answer = hub.rest().try_routes(&trial(args)).await?;
    if args.json {
        return print_json(&answer);
    }
    if args.condition.is_none() {
        let mut routes = answer["routes"].as_array().into_iter().flatten();
        return routes.try_for_each(|route| println(&text(&route["properties"]["name"])));
    }
    let errors = answer["details"]["compilationErrors"].as_array();
    if let Some(error) = errors.and_then(|errors| errors.first()) {
        let start = &error["location"]["start"];
        let place = format!("line {}, column {}", start["line"], start["column"]);
        return Err(CommandError::Refused(format!("{place}: {}", text(&error["message"]))));
    }
    println(&text(&answer["result"]))
}

/// The body of the call.
fn trial(args: &TestArgs) -> Value {
    let members = |pairs: &[(String, String)]| -> Map<String, Value> {
        pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()
    };
    let mut trial = json!({
        "routingSource": args.source,
        "message": {
            "body": args.body.as_deref().unwrap_or_default(),
            "appProperties": members(&args.properties),
            "systemProperties": members(&args.system),
        },
        "twin": args.twin.clone().unwrap_or_else(|| json!({})),
    });
    if let Some(condition) = &args.condition {
        trial["route"] = json!({
            "name": "tried", "source": args.source, "condition": condition,
            "endpointNames": ["events"], "isEnabled": true,
        });
    }
    trial
}

fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("it is no JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

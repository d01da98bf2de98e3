//! `ironhub endpoint list|show|create|delete`: where routes lead, beside the built-in endpoint.

use std::io::IsTerminal;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{print_json, println, text};
use super::{CommandError, coloured_stdout, hint, table};
use crate::client::RoutingList;

const EXAMPLES: &str = "\
A log of its own, a server that is called, and blobs:
  ironhub endpoint create event-log alarms
  ironhub endpoint create webhook notify --url https://example.test/iot
  ironhub endpoint create storage archive --container archive

Routes lead there: ironhub route create --help";

/// Work with the endpoints that routes lead to.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct EndpointArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EndpointCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum EndpointCommand {
    /// List the endpoints and how deliveries to them go
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Show an endpoint and how deliveries to it go, as JSON
    #[command(after_help = SHOW_EXAMPLES)]
    Show(NamedArgs),
    /// Add an endpoint, or replace the one of that name
    #[command(after_help = EXAMPLES, arg_required_else_help = true)]
    Create(CreateArgs),
    /// Delete an endpoint and what waits for it; asks nothing
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(NamedArgs),
}

const LIST_EXAMPLES: &str = "\
In columns, as JSON, or for a script (a pipe gets tabs and no heading):
  ironhub endpoint list
  ironhub endpoint list --json
  ironhub endpoint list | cut -f1";

const SHOW_EXAMPLES: &str = "\
Why does nothing arrive?
  ironhub endpoint show notify | jq -r .health.lastKnownError";

const DELETE_EXAMPLES: &str = "\
Routes must lead elsewhere first:
  ironhub route delete alarms
  ironhub endpoint delete alarms

Deleting an endpoint that does not exist is no error, so scripts can repeat it.";

const LOG_EXAMPLES: &str = "\
It is read as the built-in one is, with its name as EntityPath in the connection string:
  ironhub endpoint create event-log alarms";

const WEBHOOK_EXAMPLES: &str = "\
A secret is made and printed; with it the server checks who calls (Standard Webhooks):
  SECRET=$(ironhub endpoint create webhook notify --url https://example.test/iot)

What the server never takes goes to another endpoint instead of being dropped:
  ironhub endpoint create event-log dead
  ironhub endpoint create webhook notify --url https://example.test/iot --dead-letters dead";

const STORAGE_EXAMPLES: &str = "\
A container of the hub's own storage, or another storage account's by a URL with a signature:
  ironhub endpoint create storage archive --container archive
  ironhub endpoint create storage cloud --container-uri 'https://account.blob.example/c?sv=…&sig=…'

Every minute, as Avro:
  ironhub endpoint create storage archive --container archive --batch-seconds 60 --encoding avro";

/// Options of `endpoint list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Print the endpoints as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `endpoint show` and `endpoint delete`.
#[derive(Clone, Debug, Args)]
pub struct NamedArgs {
    /// The endpoint's name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `endpoint create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// What kind.
    #[command(subcommand)]
    pub kind: Kind,
}

/// Kinds of endpoints.
#[derive(Clone, Debug, Subcommand)]
pub enum Kind {
    /// An event log of the hub
    #[command(after_help = LOG_EXAMPLES)]
    EventLog(NewArgs),
    /// A server that takes messages over HTTP
    #[command(after_help = WEBHOOK_EXAMPLES)]
    Webhook(WebhookArgs),
    /// Blobs in a container
    #[command(after_help = STORAGE_EXAMPLES)]
    Storage(StorageArgs),
}

/// What every new endpoint has.
#[derive(Clone, Debug, Args)]
pub struct NewArgs {
    /// The endpoint's name: letters, digits, - . _
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Print the endpoint as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `endpoint create webhook`.
#[derive(Clone, Debug, Args)]
pub struct WebhookArgs {
    /// What every endpoint has.
    #[command(flatten)]
    pub new: NewArgs,
    /// Where the server is: https:// or http://
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// What signs the requests, 16 to 256 bytes [default: made, and printed]
    #[arg(long, value_name = "TEXT")]
    pub secret: Option<String>,
    /// Seconds that the server may take to answer [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// How often a message is sent until it is given up [default: 20]
    #[arg(long, value_name = "N")]
    pub attempts: Option<u64>,
    /// Seconds between the first attempts; each pause is twice the one before [default: 1]
    #[arg(long, value_name = "SECONDS")]
    pub pause: Option<u64>,
    /// The longest pause in seconds [default: 180]
    #[arg(long, value_name = "SECONDS")]
    pub pause_max: Option<u64>,
    /// The endpoint that gets what the server never takes [default: it is dropped]
    #[arg(long, value_name = "NAME")]
    pub dead_letters: Option<String>,
}

/// Options of `endpoint create storage`.
#[derive(Clone, Debug, Args)]
pub struct StorageArgs {
    /// What every endpoint has.
    #[command(flatten)]
    pub new: NewArgs,
    /// A container of the hub's own storage; it is made when the first blob comes
    #[arg(long, value_name = "NAME", required_unless_present = "container_uri")]
    pub container: Option<String>,
    /// A container's URL with its signature
    #[arg(long, value_name = "URL", conflicts_with = "container")]
    pub container_uri: Option<String>,
    /// How messages are written
    #[arg(long, value_enum, default_value = "json")]
    pub encoding: Encoding,
    /// Seconds that messages are gathered for a blob [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub batch_seconds: Option<u64>,
    /// Bytes that are gathered for a blob [default: 10485760]
    #[arg(long, value_name = "BYTES")]
    pub batch_bytes: Option<u64>,
    /// What blobs are called [default: {iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}]
    #[arg(long, value_name = "FORMAT")]
    pub name_format: Option<String>,
}

/// How messages are written to blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// A JSON object on each line
    Json,
    /// An Avro container file
    Avro,
}

/// Carries the command out.
pub async fn run(args: &EndpointArgs) -> Result<(), CommandError> {
    match &args.command {
        EndpointCommand::List(args) => list(args).await,
        EndpointCommand::Show(args) => show(args).await,
        EndpointCommand::Create(args) => create(&args.kind).await,
        EndpointCommand::Delete(args) => delete(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let (document, _) = hub.rest().routing().await?;
    let mut endpoints = Vec::new();
    for (list, kind) in
        [("eventHubs", "event-log"), ("webhooks", "webhook"), ("storageContainers", "storage")]
    {
        for mut endpoint in document["endpoints"][list].as_array().cloned().unwrap_or_default() {
            let health = hub.rest().endpoint_health(&text(&endpoint["name"])).await?;
            endpoint["type"] = kind.into();
            endpoint["health"] = health;
            endpoints.push(endpoint);
        }
    }
    if args.json {
        return print_json(&Value::Array(endpoints));
    }
    let row = |endpoint: &Value| {
        let health = &endpoint["health"];
        let place = ["url", "containerName", "containerUri"].map(|member| text(&endpoint[member]));
        vec![
            text(&endpoint["name"]),
            text(&endpoint["type"]),
            text(&health["healthStatus"]),
            health["backlog"].to_string(),
            health["deadLettered"].to_string(),
            health["dropped"].to_string(),
            place.concat(),
        ]
    };
    let rows: Vec<_> = endpoints.iter().map(row).collect();
    let out = std::io::stdout();
    let aligned = out.is_terminal();
    if aligned && rows.is_empty() {
        hint(
            "There is only the built-in endpoint, events. Add one: ironhub endpoint create --help",
        );
        return Ok(());
    }
    let heading = ["NAME", "KIND", "HEALTH", "WAITING", "DEAD LETTERS", "DROPPED", "PLACE"];
    Ok(table::write(&mut out.lock(), &heading, &rows, aligned, coloured_stdout())?)
}

async fn show(args: &NamedArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let mut endpoint = hub.rest().routing_part(RoutingList::Endpoints, &args.name).await?;
    endpoint["health"] = hub.rest().endpoint_health(&args.name).await?;
    print_json(&endpoint)
}

async fn create(kind: &Kind) -> Result<(), CommandError> {
    let (new, body, secret) = match kind {
        Kind::EventLog(new) => (new, json!({ "type": "eventHub" }), None),
        Kind::Webhook(args) => {
            let made = args.secret.is_none().then(new_secret);
            (&args.new, webhook(args, made.as_deref()), made)
        }
        Kind::Storage(args) => (&args.new, storage(args), None),
    };
    let hub = HubConnection::find(&new.connection)?;
    let list = RoutingList::Endpoints;
    let mut endpoint = hub.rest().put_routing_part(list, &new.name, &body).await?;
    if new.json {
        if let Some(secret) = secret {
            endpoint["secret"] = secret.into();
        }
        return print_json(&endpoint);
    }
    if let Some(secret) = secret {
        println(&secret)?;
    }
    eprintln!("{} is set", new.name);
    hint(&format!("Lead a route there: ironhub route create NAME --endpoint {}", new.name));
    Ok(())
}

fn new_secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(rand::random::<[u8; 32]>()))
}

/// What is `None` is the hub's to choose.
fn webhook(args: &WebhookArgs, made: Option<&str>) -> Value {
    json!({
        "type": "webhook",
        "url": args.url,
        "secret": args.secret.as_deref().or(made),
        "timeoutInSeconds": args.timeout,
        "maxDeliveryCount": args.attempts,
        "retryDelayInSeconds": args.pause,
        "maxRetryDelayInSeconds": args.pause_max,
        "deadLetterEndpointName": args.dead_letters,
    })
}

fn storage(args: &StorageArgs) -> Value {
    json!({
        "type": "storageContainer",
        "containerName": args.container,
        "containerUri": args.container_uri,
        "encoding": match args.encoding {
            Encoding::Json => "JSON",
            Encoding::Avro => "Avro",
        },
        "batchFrequencyInSeconds": args.batch_seconds,
        "maxChunkSizeInBytes": args.batch_bytes,
        "fileNameFormat": args.name_format,
    })
}

async fn delete(args: &NamedArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    match hub.rest().delete_routing_part(RoutingList::Endpoints, &args.name).await? {
        true => eprintln!("deleted {}", args.name),
        false => eprintln!("{} does not exist: nothing to delete", args.name),
    }
    Ok(())
}

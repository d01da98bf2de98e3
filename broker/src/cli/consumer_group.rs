//! `ironhub consumer-group list|create|delete`: who reads the events beside whom.

use std::io::IsTerminal;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{print_json, text};
use super::{CommandError, coloured_stdout, table};

const EXAMPLES: &str = "\
Let a second program read all events at its own pace:
  ironhub consumer-group create audit
  ironhub events --consumer-group audit";

/// Work with the consumer groups of the hub's events.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct ConsumerGroupArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConsumerGroupCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum ConsumerGroupCommand {
    /// List the consumer groups
    List(ListArgs),
    /// Create a consumer group
    Create(NameArgs),
    /// Delete a consumer group; whoever reads with it is cut off
    Delete(NameArgs),
}

/// Options of `consumer-group list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Print the groups as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `consumer-group create` and `delete`.
#[derive(Clone, Debug, Args)]
pub struct NameArgs {
    /// Its name: up to 50 letters, digits and . - _
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out. Creating one that exists and deleting one that does not are no errors.
pub async fn run(args: &ConsumerGroupArgs) -> Result<(), CommandError> {
    match &args.command {
        ConsumerGroupCommand::List(args) => list(args).await,
        ConsumerGroupCommand::Create(args) => {
            let hub = HubConnection::find(&args.connection)?;
            hub.rest().put_consumer_group(&args.name).await?;
            eprintln!("{} is there", args.name);
            Ok(())
        }
        ConsumerGroupCommand::Delete(args) => {
            let hub = HubConnection::find(&args.connection)?;
            match hub.rest().delete_consumer_group(&args.name).await {
                Ok(()) => eprintln!("deleted {}", args.name),
                Err(error) if error.is_not_found() => {
                    eprintln!("{} does not exist: nothing to delete", args.name);
                }
                Err(error) => return Err(error.into()),
            }
            Ok(())
        }
    }
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let groups = HubConnection::find(&args.connection)?.rest().consumer_groups().await?;
    if args.json {
        return print_json(&Value::Array(groups));
    }
    let row = |group: &Value| vec![text(&group["name"]), text(&group["properties"]["created"])];
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    let out = std::io::stdout();
    let aligned = out.is_terminal();
    Ok(table::write(&mut out.lock(), &["NAME", "CREATED"], &rows, aligned, coloured_stdout())?)
}

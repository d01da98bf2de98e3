//! `ironhub policy list|show|create|regenerate|delete|sas`: who may do what with the hub.

use std::io::IsTerminal;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::connection::{ConnectionArgs, HubConnection};
use super::lifetime::{expiry, lifetime};
use super::output::{print_json, println, text};
use super::{CommandError, coloured_stdout, hint, table};
use crate::client::sas::{KeyForm, token};

const EXAMPLES: &str = "\
A policy for a program that reads twins and calls methods, and what that program needs:
  ironhub policy create backend --rights ServiceConnect
  ironhub policy show backend

A token for somebody who shall have no key, good for a day:
  ironhub policy sas backend --ttl 24h";

/// Work with shared access policies. This needs a policy with every permission, as iothubowner is.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the policies
    List(ListArgs),
    /// Show a policy's connection string
    Show(ShowArgs),
    /// Create a policy, or change what one allows
    Create(CreateArgs),
    /// Give a policy a new key
    #[command(after_help = REGENERATE_EXAMPLES)]
    Regenerate(RegenerateArgs),
    /// Delete a policy; asks nothing
    Delete(DeleteArgs),
    /// Print a SAS token that a policy's key has signed
    Sas(SasArgs),
}

const REGENERATE_EXAMPLES: &str = "\
Change the keys without an interruption: let everybody use the secondary key, then
  ironhub policy regenerate backend --key primary
let everybody use the new primary key, then
  ironhub policy regenerate backend --key secondary";

/// Options of `policy list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Print the policies as a JSON array, keys included
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `policy show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Its name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Print the whole policy as JSON, keys included
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `policy create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// Its name: up to 64 letters, digits and - . _
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// What it allows, with commas: RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect
    #[arg(long, value_name = "RIGHTS", required = true)]
    pub rights: String,
    /// Print the whole policy as JSON, keys included
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Which key, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// A new primary key
    Primary,
    /// A new secondary key
    Secondary,
    /// The keys change places
    Swap,
}

/// Options of `policy regenerate`.
#[derive(Clone, Debug, Args)]
pub struct RegenerateArgs {
    /// Its name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Which key
    #[arg(long, value_name = "KEY", value_enum)]
    pub key: Key,
    /// Print the whole policy as JSON, keys included
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `policy delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// Its name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `policy sas`.
#[derive(Clone, Debug, Args)]
pub struct SasArgs {
    /// Its name
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// How long it is good: seconds, or a time like 15m, 12h, 30d
    #[arg(long, alias = "seconds", value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    pub ttl: Duration,
    /// Only for this path of the hub, like devices/dev1 [default: all of it]
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Sign with the secondary key
    #[arg(long)]
    pub secondary: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &PolicyArgs) -> Result<(), CommandError> {
    match &args.command {
        PolicyCommand::List(args) => list(args).await,
        PolicyCommand::Show(args) => {
            let hub = HubConnection::find(&args.connection)?;
            let policy = hub.rest().policy(&args.name).await?;
            show(&hub, &policy, args.json)
        }
        PolicyCommand::Create(args) => {
            let hub = HubConnection::find(&args.connection)?;
            let policy = hub.rest().put_policy(&args.name, &args.rights).await?;
            show(&hub, &policy, args.json)
        }
        PolicyCommand::Regenerate(args) => {
            let hub = HubConnection::find(&args.connection)?;
            let key = match args.key {
                Key::Primary => "primary",
                Key::Secondary => "secondary",
                Key::Swap => "swap",
            };
            let policy = hub.rest().regenerate_policy_key(&args.name, key).await?;
            hint("Tokens that the old key signed are worth nothing from here on.");
            show(&hub, &policy, args.json)
        }
        PolicyCommand::Delete(args) => delete(args).await,
        PolicyCommand::Sas(args) => sas(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let policies = HubConnection::find(&args.connection)?.rest().policies().await?;
    if args.json {
        return print_json(&Value::Array(policies));
    }
    let row = |policy: &Value| vec![text(&policy["keyName"]), text(&policy["rights"])];
    let rows: Vec<Vec<String>> = policies.iter().map(row).collect();
    let out = std::io::stdout();
    let aligned = out.is_terminal();
    Ok(table::write(&mut out.lock(), &["NAME", "RIGHTS"], &rows, aligned, coloured_stdout())?)
}

fn show(hub: &HubConnection, policy: &Value, json: bool) -> Result<(), CommandError> {
    if json {
        return print_json(policy);
    }
    println(&format!(
        "HostName={};SharedAccessKeyName={};SharedAccessKey={}",
        hub.service.host,
        text(&policy["keyName"]),
        text(&policy["primaryKey"])
    ))
}

async fn delete(args: &DeleteArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    match hub.rest().delete_policy(&args.name).await {
        Ok(()) => eprintln!("deleted {}", args.name),
        Err(error) if error.is_not_found() => {
            eprintln!("{} does not exist: nothing to delete", args.name);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn sas(args: &SasArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let policy = hub.rest().policy(&args.name).await?;
    let key = if args.secondary { "secondaryKey" } else { "primaryKey" };
    let host = &hub.service.host;
    let resource = match &args.path {
        Some(path) => format!("{host}/{}", path.trim_matches('/')),
        None => host.clone(),
    };
    let expiry = expiry(args.ttl);
    println(&token(&resource, &args.name, &text(&policy[key]), KeyForm::Decoded, expiry)?)
}

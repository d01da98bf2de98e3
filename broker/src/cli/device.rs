//! `ironhub device create|show|list|delete|sas`; `simulate` is a module of its own.

mod sas;

use std::io::IsTerminal;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{print_json, println, text};
use super::{CommandError, coloured_stdout, hint, simulate, table};

const EXAMPLES: &str = "\
Register a device; its connection string is all that its program needs:
  ironhub device create dev1

Keep it for a script:
  DEVICE=$(ironhub device create dev1)

See what the hub knows about it, and about all:
  ironhub device show dev1
  ironhub device list

Play it, to see how a hub and a back end get on with devices:
  ironhub device simulate dev1";

/// Work with device identities.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct DeviceArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DeviceCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum DeviceCommand {
    /// Register a device and print its connection string
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// Show one device
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// List devices
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Delete a device and everything the hub keeps for it; asks nothing
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(DeleteArgs),
    /// Print a SAS token for a device or module
    #[command(after_help = sas::EXAMPLES)]
    Sas(Box<sas::SasArgs>),
    /// Play devices: they send, answer methods, take messages and follow their twins
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(Box<simulate::SimulateArgs>),
}

const CREATE_EXAMPLES: &str = "\
With keys made by the hub:
  ironhub device create dev1

With a key that the device already has (base64 of 16 to 64 bytes):
  ironhub device create dev1 --primary-key \"$(head -c 32 /dev/urandom | base64)\"

The whole identity as JSON:
  ironhub device create dev1 --json";

const SHOW_EXAMPLES: &str = "\
All that the hub knows, or one field of it:
  ironhub device show dev1
  ironhub device show dev1 --json | jq -r .authentication.symmetricKey.primaryKey";

const LIST_EXAMPLES: &str = "\
In columns, as JSON, or for a script (a pipe gets tabs and no heading):
  ironhub device list
  ironhub device list --top 10 --json
  ironhub device list | cut -f1";

const DELETE_EXAMPLES: &str = "\
Its connection is closed at once:
  ironhub device delete dev1

Deleting a device that does not exist is no error, so scripts can repeat it.";

/// Options of `device create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The device's id: 1 to 128 ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ $ '
    #[arg(value_name = "ID")]
    pub id: String,
    /// Register it disabled: it cannot connect until it is enabled
    #[arg(long)]
    pub disabled: bool,
    /// Its primary key, base64 of 16 to 64 bytes [default: made by the hub]
    #[arg(long, value_name = "BASE64")]
    pub primary_key: Option<String>,
    /// Its secondary key [default: made by the hub]
    #[arg(long, value_name = "BASE64")]
    pub secondary_key: Option<String>,
    /// Print the whole identity as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `device show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The device's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print the whole identity as JSON, keys included
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `device list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// At most so many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = LIST_MAX as u16, value_parser = clap::value_parser!(u16).range(1..=LIST_MAX as i64))]
    pub top: u16,
    /// Print the identities as a JSON array, keys included
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `device delete`.
#[derive(Clone, Debug, Args)]
pub struct DeleteArgs {
    /// The device's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Most devices that the hub returns at once (service-protocols.md 2.3).
const LIST_MAX: usize = 1000;

/// Carries the command out.
pub async fn run(args: &DeviceArgs) -> Result<(), CommandError> {
    match &args.command {
        DeviceCommand::Create(args) => create(args).await,
        DeviceCommand::Show(args) => show(args).await,
        DeviceCommand::List(args) => list(args).await,
        DeviceCommand::Delete(args) => delete(args).await,
        DeviceCommand::Sas(args) => sas::sas(args).await,
        DeviceCommand::Simulate(args) => simulate::run(args).await,
    }
}

async fn create(args: &CreateArgs) -> Result<(), CommandError> {
    if args.id.is_empty() {
        return Err(CommandError::Usage("the device id is empty".into()));
    }
    let hub = HubConnection::find(&args.connection)?;
    let wanted = json!({
        "deviceId": args.id,
        "status": if args.disabled { "disabled" } else { "enabled" },
        "authentication": {
            "type": "sas",
            // An empty key means "make one" (service-protocols.md 2.4).
            "symmetricKey": {
                "primaryKey": args.primary_key.as_deref().unwrap_or_default(),
                "secondaryKey": args.secondary_key.as_deref().unwrap_or_default(),
            },
        },
    });
    let device = hub.rest().create_device(&args.id, &wanted).await?;
    if args.json {
        return print_json(&device);
    }
    println(&device_connection_string(&hub.service.host, &device))?;
    hint(&format!(
        "\n{} is registered{}. Its program connects with the string above and trusts {}.\n\
         Watch what it sends: ironhub events",
        args.id,
        if args.disabled { ", but disabled" } else { "" },
        hub.trust.ca_file.as_ref().map_or("the hub's CA".into(), |path| path.display().to_string()),
    ));
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let device = hub.rest().device(&args.id).await?;
    if args.json {
        return print_json(&device);
    }
    let rows = [
        ("Device", text(&device["deviceId"])),
        ("Status", text(&device["status"])),
        ("Reason", text(&device["statusReason"])),
        ("Connection", text(&device["connectionState"])),
        ("Last activity", moment(&device["lastActivityTime"])),
        ("Authentication", text(&device["authentication"]["type"])),
        ("ETag", text(&device["etag"])),
        ("Generation", text(&device["generationId"])),
        ("Connection string", device_connection_string(&hub.service.host, &device)),
    ];
    let (on, off) = if coloured_stdout() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        println(&format!("{on}{name:18}{off}{value}"))?;
    }
    Ok(())
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let devices = hub.rest().devices(usize::from(args.top)).await?;
    if args.json {
        return print_json(&Value::Array(devices));
    }
    let rows: Vec<Vec<String>> = devices.iter().map(row).collect();
    let out = std::io::stdout();
    let aligned = out.is_terminal();
    let heading = ["ID", "STATUS", "CONNECTION", "LAST ACTIVITY"];
    if aligned && rows.is_empty() {
        hint("No devices yet. Register one: ironhub device create dev1");
        return Ok(());
    }
    table::write(&mut out.lock(), &heading, &rows, aligned, coloured_stdout())?;
    if rows.len() == usize::from(args.top) {
        hint(&format!("\nThese are the first {}; there may be more.", args.top));
    }
    Ok(())
}

async fn delete(args: &DeleteArgs) -> Result<(), CommandError> {
    if args.id.is_empty() {
        // An empty id would be another path: that of the whole list.
        return Err(CommandError::Usage("the device id is empty".into()));
    }
    let hub = HubConnection::find(&args.connection)?;
    match hub.rest().delete_device(&args.id).await {
        Ok(()) => eprintln!("deleted {}", args.id),
        Err(error) if error.is_device_not_found() => {
            eprintln!("{} does not exist: nothing to delete", args.id);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// What a device's program is given (service-protocols.md 1.4).
fn device_connection_string(host: &str, device: &Value) -> String {
    let id = device["deviceId"].as_str().unwrap_or_default();
    match device["authentication"]["symmetricKey"]["primaryKey"].as_str() {
        Some(key) if !key.is_empty() => {
            format!("HostName={host};DeviceId={id};SharedAccessKey={key}")
        }
        Some(_) | None => format!("HostName={host};DeviceId={id};x509=true"),
    }
}

fn row(device: &Value) -> Vec<String> {
    vec![
        text(&device["deviceId"]),
        text(&device["status"]),
        text(&device["connectionState"]),
        moment(&device["lastActivityTime"]),
    ]
}

/// A timestamp, or `never` for the one that means it (service-protocols.md 2.1).
fn moment(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.starts_with("0001-01-01") => "never".to_owned(),
        Some(text) => text.to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_string_is_what_device_sdks_take() {
        let device = json!({
            "deviceId": "d1",
            "authentication": {"symmetricKey": {"primaryKey": "a2s="}, "type": "sas"},
        });
        assert_eq!(
            device_connection_string("localhost", &device),
            "HostName=localhost;DeviceId=d1;SharedAccessKey=a2s="
        );
        let device = json!({"deviceId": "d1", "authentication": {"type": "selfSigned"}});
        assert_eq!(device_connection_string("h", &device), "HostName=h;DeviceId=d1;x509=true");
    }

    #[test]
    fn a_row_says_never_for_what_never_happened() {
        let device = json!({
            "deviceId": "d1",
            "status": "enabled",
            "connectionState": "Disconnected",
            "lastActivityTime": "0001-01-01T00:00:00Z",
        });
        assert_eq!(row(&device), ["d1", "enabled", "Disconnected", "never"]);
    }
}

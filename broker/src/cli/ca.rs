//! `ironhub ca add|list|remove`: the authorities that devices may be certified by.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{print_json, text};
use super::{CommandError, coloured_stdout, hint, table};

/// Largest file that is looked at: a certificate is a hundredth of it.
const FILE_BYTES_MAX: u64 = 256 * 1024;

const EXAMPLES: &str = "\
Let devices in whose certificates your authority has signed:
  ironhub ca add factory factory-ca.pem

Such a device is registered with the authentication type certificateAuthority, and its
certificate's common name is its device id.";

/// Work with the authorities that devices may be certified by.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct CaArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CaCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Add an authority, or renew the one of that name
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddArgs),
    /// List the authorities
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Remove an authority; asks nothing
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove(RemoveArgs),
}

const ADD_EXAMPLES: &str = "\
The file holds one certificate in PEM; its private key stays where it is:
  ironhub ca add factory factory-ca.pem

Who adds an authority vouches for it: everybody whom it certifies may be a device.
This needs a policy with every permission, as iothubowner is.";

const LIST_EXAMPLES: &str = "\
In columns, or all that the hub knows:
  ironhub ca list
  ironhub ca list --json | jq -r '.[].properties.expiry'";

const REMOVE_EXAMPLES: &str = "\
Devices that it has certified stay connected, and cannot connect anew:
  ironhub ca remove factory

Removing an authority that does not exist is no error, so scripts can repeat it.";

/// Options of `ca add`.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// What to call it here
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Its certificate, PEM
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print the whole authority as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `ca list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Print the authorities as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `ca remove`.
#[derive(Clone, Debug, Args)]
pub struct RemoveArgs {
    /// What it is called here
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &CaArgs) -> Result<(), CommandError> {
    match &args.command {
        CaCommand::Add(args) => add(args).await,
        CaCommand::List(args) => list(args).await,
        CaCommand::Remove(args) => remove(args).await,
    }
}

async fn add(args: &AddArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let unusable = |reason: &str| {
        let file = args.file.display();
        CommandError::Usage(format!("cannot use {file}: {reason}. Give a certificate in PEM"))
    };
    let size = std::fs::metadata(&args.file).map_err(|error| unusable(&error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(unusable("it is far too long for a certificate"));
    }
    let pem = std::fs::read(&args.file).map_err(|error| unusable(&error.to_string()))?;
    let authority = hub.rest().put_certificate(&args.name, &pem).await?;
    if args.json {
        return print_json(&authority);
    }
    let properties = &authority["properties"];
    eprintln!(
        "added {}: {}, until {}",
        args.name,
        text(&properties["subject"]),
        text(&properties["expiry"])
    );
    Ok(())
}

async fn list(args: &ListArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let authorities = hub.rest().certificates().await?;
    if args.json {
        return print_json(&Value::Array(authorities));
    }
    let rows: Vec<Vec<String>> = authorities.iter().map(row).collect();
    let out = std::io::stdout();
    let aligned = out.is_terminal();
    if aligned && rows.is_empty() {
        hint("No authorities yet. Add one: ironhub ca add NAME FILE");
        return Ok(());
    }
    let heading = ["NAME", "SUBJECT", "EXPIRES", "VERIFIED", "THUMBPRINT"];
    Ok(table::write(&mut out.lock(), &heading, &rows, aligned, coloured_stdout())?)
}

async fn remove(args: &RemoveArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    match hub.rest().delete_certificate(&args.name).await {
        Ok(()) => eprintln!("removed {}", args.name),
        Err(error) if error.is_not_found() => {
            eprintln!("{} does not exist: nothing to remove", args.name);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn row(authority: &Value) -> Vec<String> {
    let properties = &authority["properties"];
    let verified = if properties["isVerified"] == true { "yes" } else { "no" };
    vec![
        text(&authority["name"]),
        text(&properties["subject"]),
        text(&properties["expiry"]),
        verified.to_owned(),
        text(&properties["thumbprint"]),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_whose_certificate_it_is_and_until_when() {
        let authority = json!({"name": "factory", "properties": {
            "subject": "CN=Factory", "expiry": "2030-01-01T00:00:00Z", "isVerified": true,
            "thumbprint": "AB",
        }});
        assert_eq!(row(&authority), ["factory", "CN=Factory", "2030-01-01T00:00:00Z", "yes", "AB"]);
    }
}

//! `ironhub storage sas`: the URL of a container, with the signature that opens it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use ironhub_domain::time::UnixMs;
use serde_json::json;

use super::connection::ConnectionError;
use super::hub_files::HubFiles;
use super::output::{print_json, println};
use super::{CommandError, hint};
use crate::blob::sas::{ALL, Resource, SasKey};
use crate::blob::{ContainerName, KEY_FILE};

/// Where `ironhub serve` puts its data.
const DATA_DIR: &str = "data";
/// Longest life of a signature: what is to work for longer has the connection string.
const DAYS_MAX: u64 = 365;

const EXAMPLES: &str = "\
Give a colleague a container to read from until tomorrow:
  ironhub storage sas --container exports --permissions rl --expires 24h

Everything else about the storage is done with any client for Azure Blob Storage, by the connection
string in DIR/hub.env.";

/// Work with the hub's own storage: containers of blobs on its disk.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct StorageArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StorageCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum StorageCommand {
    /// Print the URL of a container with a signature that opens it
    #[command(after_help = SAS_EXAMPLES)]
    Sas(SasArgs),
}

const SAS_EXAMPLES: &str = "\
A URL for an export and a later import of the registry:
  ironhub storage sas --container exports

The signature is made here with the hub's key (DIR/blob.key): this command works on the hub's own
machine, as the user that runs the hub, whether the hub runs or not.

With `c` among its permissions the URL also makes the container, if it does not exist.";

/// Options of `storage sas`.
#[derive(Clone, Debug, Args)]
pub struct SasArgs {
    /// The container
    #[arg(long, value_name = "NAME", value_parser = container)]
    pub container: ContainerName,
    /// What its holder may do: r(ead), c(reate), w(rite), d(elete), l(ist)
    #[arg(long, value_name = "LETTERS", default_value = ALL, value_parser = permissions)]
    pub permissions: String,
    /// For how long: a number with m, h or d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = life)]
    pub expires: u64,
    /// Print URL, token and end as JSON
    #[arg(long)]
    pub json: bool,
    /// Data directory of the hub, which is on this machine [default: ./data]
    #[arg(long, env = "IRONHUB_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Carries out the command.
pub fn run(args: &StorageArgs) -> Result<(), CommandError> {
    match &args.command {
        StorageCommand::Sas(args) => sas(args, now()),
    }
}

fn now() -> UnixMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn sas(args: &SasArgs, now: UnixMs) -> Result<(), CommandError> {
    // A variable that is set to nothing says nothing.
    let named = args.data_dir.as_deref().filter(|dir| !dir.as_os_str().is_empty());
    let dir = named.unwrap_or(Path::new(DATA_DIR));
    let until = UnixMs(now.0.saturating_add(args.expires));
    let (url, token) = signed(dir, &args.container, &args.permissions, until)?;
    if args.json {
        return print_json(&json!({
            "url": url,
            "sasToken": token,
            "container": args.container.as_str(),
            "permissions": args.permissions,
            "expires": until.iso8601(),
        }));
    }
    println(&url)?;
    hint("Who has this URL has the container: keep it as you keep a key.");
    Ok(())
}

/// URL and token, made with the key of the hub whose data lies in `dir`.
fn signed(
    dir: &Path,
    container: &ContainerName,
    permissions: &str,
    until: UnixMs,
) -> Result<(String, String), CommandError> {
    let path = dir.join(KEY_FILE);
    let key = SasKey::read(&path).map_err(|error| {
        CommandError::Usage(format!(
            "cannot read {}: {error}. This command signs with the hub's own key, so it works on the hub's machine \
             only, as the user that runs the hub: name its data directory with --data-dir DIR",
            path.display()
        ))
    })?;
    let missing = || ConnectionError::NotFound { looked_at: dir.join("hub.env") };
    let files = HubFiles::read(dir)?.ok_or_else(missing)?;
    let string = files.storage.ok_or_else(missing)?;
    let endpoint = string.split(';').find_map(|part| part.strip_prefix("BlobEndpoint="));
    let endpoint = endpoint.ok_or_else(missing)?;
    let token = key.token(Resource::Container(container), permissions, until);
    Ok((format!("{endpoint}/{container}{token}"), token))
}

fn container(text: &str) -> Result<ContainerName, String> {
    ContainerName::new(text).map_err(|error| error.to_string())
}

/// The letters, each once, in the order that tokens have them.
fn permissions(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|letter| !ALL.contains(letter)) {
        return Err(format!("some of the letters {ALL} are needed, and no other"));
    }
    Ok(ALL.chars().filter(|letter| text.contains(*letter)).collect())
}

/// Milliseconds of `90m`, `1h`, `30d`.
fn life(text: &str) -> Result<u64, String> {
    const MINUTE: u64 = 60_000;
    let wrong = || format!("a number of minutes, hours or days up to {DAYS_MAX}d: 90m, 1h, 30d");
    let (number, factor) = [('m', MINUTE), ('h', 60 * MINUTE), ('d', 24 * 60 * MINUTE)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let ms = number.checked_mul(factor).ok_or_else(wrong)?;
    if (MINUTE..=DAYS_MAX * 24 * 60 * MINUTE).contains(&ms) { Ok(ms) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_with_a_unit() {
        for (text, ms) in
            [("1m", 60_000), ("90m", 5_400_000), ("1h", 3_600_000), ("365d", 31_536_000_000)]
        {
            assert_eq!(life(text), Ok(ms), "{text}");
        }
        for text in
            ["", "1", "h", "0m", "-1h", "1.5h", "366d", "1hh", "1 h", "99999999999999999999d"]
        {
            assert!(life(text).is_err(), "{text}");
        }
    }

    #[test]
    fn permissions_are_letters_in_one_order() {
        assert_eq!(permissions("lwr").unwrap(), "rwl");
        assert_eq!(permissions("rcwdl").unwrap(), "rcwdl");
        for text in ["", "x", "r w", "R"] {
            assert!(permissions(text).is_err(), "{text}");
        }
    }

    #[test]
    fn without_the_hubs_key_it_says_where_it_works() {
        let nowhere = Path::new("no such directory");
        let name = ContainerName::new("abc").unwrap();
        let error = signed(nowhere, &name, "r", UnixMs(0)).unwrap_err().to_string();
        assert!(error.contains("blob.key") && error.contains("--data-dir"), "{error}");
    }
}

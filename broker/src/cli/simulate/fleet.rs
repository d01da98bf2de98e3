//! Which devices are played, and with which keys.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::telemetry::Telemetry;
use super::transport::Identity;
use super::{DEVICES_MAX, Protocol, SimulateArgs};
use crate::cli::CommandError;
use crate::cli::connection::{DeviceAddresses, DeviceConnection, HubConnection};
use crate::client::device_http::property_header;
use crate::client::{DeviceConnectionString, RestClient, Trust};

/// Identities that are looked up at a time.
const LOOKUPS_MAX: usize = 16;

/// Who takes part, and where they connect.
#[derive(Debug)]
pub struct Fleet {
    /// The devices, at least one.
    pub members: Vec<Identity>,
    /// The hub's listeners.
    pub addresses: DeviceAddresses,
    /// What vouches for the hub.
    pub trust: Trust,
}

impl Fleet {
    /// Finds the devices that the options mean, and creates them where that is asked for.
    pub async fn gather(args: &SimulateArgs, telemetry: &Telemetry) -> Result<Self, CommandError> {
        if args.protocol == Protocol::Https {
            // Better now than from every device at its first message.
            for (name, value) in &args.properties {
                property_header(name, value)?;
            }
        }
        let identity = |account| Identity {
            account,
            content_type: telemetry.content_type(),
            properties: args.properties.clone(),
        };
        if let Some(DeviceConnection { account, addresses, trust }) =
            DeviceConnection::find(&args.connection)?
        {
            if !args.ids.is_empty() || args.count.is_some() || args.create {
                return Err(CommandError::Usage(
                    "the connection string is one device's: it can neither name other devices nor create them".into(),
                ));
            }
            return Ok(Self { members: vec![identity(account)], addresses, trust });
        }
        let ids = ids(args)?;
        let hub = HubConnection::find(&args.connection)?;
        let rest = hub.rest();
        let accounts = ids.iter().map(|id| account(&rest, id, args.create));
        let accounts: Vec<_> = stream::iter(accounts).buffered(LOOKUPS_MAX).try_collect().await?;
        let members = accounts.into_iter().map(identity).collect();
        Ok(Self { members, addresses: hub.devices, trust: hub.trust })
    }
}

/// The names, each once.
fn ids(args: &SimulateArgs) -> Result<Vec<String>, CommandError> {
    let usage = |text: String| Err(CommandError::Usage(text));
    let ids: Vec<String> = match (args.count, &args.prefix) {
        (Some(count), prefix) => {
            let prefix = prefix.as_deref().unwrap_or("sim-");
            (1..=count).map(|number| format!("{prefix}{number}")).collect()
        }
        (None, Some(_)) => return usage("--prefix is for the names of --count N devices".into()),
        (None, None) => args.ids.clone(),
    };
    if ids.is_empty() {
        return usage(
            "which devices? Name them, or give --count N, or --connection-string of one device"
                .into(),
        );
    }
    if ids.len() > DEVICES_MAX {
        return usage(format!("at most {DEVICES_MAX} devices at a time"));
    }
    let mut seen = HashSet::new();
    match ids.iter().find(|id| !seen.insert(id.as_str())) {
        // The hub lets one connection of a device live: they would only push each other out.
        Some(twice) => usage(format!("{twice} is named twice")),
        None => Ok(ids),
    }
}

async fn account(
    rest: &RestClient,
    id: &str,
    create: bool,
) -> Result<DeviceConnectionString, CommandError> {
    let device = match rest.device(id).await {
        Ok(device) => device,
        Err(error) if error.is_device_not_found() && create => {
            let keys = json!({"primaryKey": "", "secondaryKey": ""});
            let wanted = json!({
                "deviceId": id, "authentication": {"type": "sas", "symmetricKey": keys},
            });
            rest.create_device(id, &wanted).await?
        }
        Err(error) if error.is_device_not_found() => {
            return Err(CommandError::Refused(format!(
                "{error}; --create registers those that do not exist"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let host = rest.account.host.clone();
    match key(&device) {
        Some(key) => {
            Ok(DeviceConnectionString { host, port: None, device: id.to_owned(), key: key.into() })
        }
        None => Err(CommandError::Refused(format!(
            "{id} has no key: devices with certificates cannot be played"
        ))),
    }
}

fn key(device: &Value) -> Option<&str> {
    let key = device["authentication"]["symmetricKey"]["primaryKey"].as_str();
    key.filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn check(line: &str, expected: &str) {
        let args = Line::try_parse_from(line.split_whitespace()).unwrap().simulate;
        let found = match ids(&args) {
            Ok(ids) => ids.join(" "),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{line}: {found}");
    }

    #[test]
    fn devices_are_named_or_counted_each_once() {
        check("s a b", "a b");
        check("s --count 3", "sim-1 sim-2 sim-3");
        check("s --count 1 --prefix x", "x1");
        check("s a --prefix x", "--prefix is for");
        check("s", "which devices?");
        check("s a b a", "a is named twice");
        let many: Vec<String> = (0..=DEVICES_MAX).map(|n| n.to_string()).collect();
        check(&format!("s {}", many.join(" ")), "at most 500");
    }

    #[test]
    fn only_a_device_with_a_key_can_be_played() {
        let device = |keys: Value| json!({"authentication": {"symmetricKey": keys}});
        assert_eq!(key(&device(json!({"primaryKey": "a2s="}))), Some("a2s="));
        assert_eq!(key(&device(json!({"primaryKey": null}))), None);
        assert_eq!(key(&json!({})), None);
    }
}

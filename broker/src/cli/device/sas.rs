//! `ironhub device sas`: a token with which a program is a device or module without having its key.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::CommandError;
use crate::cli::connection::{ConnectionArgs, HubConnection};
use crate::cli::lifetime::{expiry, lifetime};
use crate::cli::output::{println, text};
use crate::client::sas::{KeyForm, token};

pub(super) const EXAMPLES: &str = "\
For a program that shall be the device for a day and have no key:
  ironhub device sas dev1 --ttl 24h

For a module, signed with its secondary key, or with the key of a policy that may connect devices:
  ironhub device sas dev1 --module camera --secondary
  ironhub device sas dev1 --policy device

What a token is good for ends when the key that signed it is replaced.";

/// Options of `device sas`.
#[derive(Clone, Debug, Args)]
pub struct SasArgs {
    /// The device's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// For this module of the device
    #[arg(long, value_name = "NAME")]
    pub module: Option<String>,
    /// How long it is good: seconds, or a time like 15m, 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    pub ttl: Duration,
    /// Sign with this shared access policy's key and not the device's own
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Sign with the secondary key
    #[arg(long)]
    pub secondary: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub(super) async fn sas(args: &SasArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let rest = hub.rest();
    let identity = match &args.module {
        Some(module) => rest.module(&args.id, module).await?,
        None => rest.device(&args.id).await?,
    };
    let name = if args.secondary { "secondaryKey" } else { "primaryKey" };
    let key = match &args.policy {
        Some(policy) => text(&rest.policy(policy).await?[name]),
        None => own_key(&identity, name)?,
    };
    let resource = resource(&hub.service.host, &args.id, args.module.as_deref());
    let policy = args.policy.as_deref().unwrap_or_default();
    println(&token(&resource, policy, &key, KeyForm::Decoded, expiry(args.ttl))?)
}

fn own_key(identity: &Value, name: &str) -> Result<String, CommandError> {
    let key = text(&identity["authentication"]["symmetricKey"][name]);
    if key.is_empty() {
        let kind = text(&identity["authentication"]["type"]);
        return Err(CommandError::Refused(format!(
            "it has no keys of its own (authentication {kind}): name a policy with --policy"
        )));
    }
    Ok(key)
}

/// What the token opens (device-protocols.md 1.2).
fn resource(host: &str, device: &str, module: Option<&str>) -> String {
    match module {
        Some(module) => format!("{host}/devices/{device}/modules/{module}"),
        None => format!("{host}/devices/{device}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_opens_the_identity_and_nothing_above_it() {
        assert_eq!(resource("h", "d#1", None), "h/devices/d#1");
        assert_eq!(resource("h", "d", Some("m")), "h/devices/d/modules/m");
    }

    #[test]
    fn an_identity_without_keys_signs_nothing() {
        let sas =
            json!({"authentication": {"type": "sas", "symmetricKey": {"primaryKey": "a2s="}}});
        assert_eq!(own_key(&sas, "primaryKey").ok().as_deref(), Some("a2s="));
        let certificate = json!({"authentication": {"type": "selfSigned",
            "symmetricKey": {"primaryKey": null}}});
        let refused = own_key(&certificate, "primaryKey").err().map(|error| error.to_string());
        assert!(refused.is_some_and(|why| why.contains("selfSigned")));
    }
}

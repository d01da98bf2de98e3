//! `ironhub twin show|update`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::connection::{ConnectionArgs, HubConnection};
use super::output::{escaped, print_json, println, text};
use super::{CommandError, coloured_stdout, hint};
use crate::client::Target;

const EXAMPLES: &str = "\
What a device was told, and what it says of itself:
  ironhub twin show dev1

Tell it something; it gets this at once, or when it connects:
  ironhub twin update dev1 --desired '{\"interval\":10}'";

/// Work with the twins of devices and modules.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct TwinArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TwinCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum TwinCommand {
    /// Show tags, desired and reported properties
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Change tags and desired properties
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(UpdateArgs),
}

const SHOW_EXAMPLES: &str = "\
For people, or all of it as JSON, or one property:
  ironhub twin show dev1
  ironhub twin show dev1 --module camera --json
  ironhub twin show dev1 --json | jq .properties.reported";

const UPDATE_EXAMPLES: &str = "\
Merge: what is not named stays, null removes:
  ironhub twin update dev1 --desired '{\"interval\":10,\"old\":null}' --tags '{\"floor\":2}'

Put these desired properties in place of all that were there:
  ironhub twin update dev1 --desired '{\"interval\":10}' --replace

Only if nobody changed the twin since it was looked at:
  ETAG=$(ironhub twin show dev1 --json | jq -r .etag)
  ironhub twin update dev1 --tags '{\"floor\":3}' --if-match \"$ETAG\"";

/// Options of `twin show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The device's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// The twin of this module of the device
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub module: Option<String>,
    /// Print the whole twin as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Options of `twin update`.
#[derive(Clone, Debug, Args)]
#[group(id = "sections", required = true, multiple = true, args = ["desired", "tags"])]
pub struct UpdateArgs {
    /// The device's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// The twin of this module of the device
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub module: Option<String>,
    /// Desired properties, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub desired: Option<Value>,
    /// Tags, a JSON object; the device does not see them
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub tags: Option<Value>,
    /// Put the given sections in place of the old ones instead of merging into them
    #[arg(long)]
    pub replace: bool,
    /// Only if the twin's ETag is still this
    #[arg(long, value_name = "ETAG")]
    pub if_match: Option<String>,
    /// Print the whole new twin as JSON
    #[arg(long)]
    pub json: bool,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &TwinArgs) -> Result<(), CommandError> {
    match &args.command {
        TwinCommand::Show(args) => {
            let hub = HubConnection::find(&args.connection)?;
            let target = Target { device: &args.id, module: args.module.as_deref() };
            let twin = hub.rest().twin(target).await?;
            print(&twin, args.json)
        }
        TwinCommand::Update(args) => {
            let hub = HubConnection::find(&args.connection)?;
            let target = Target { device: &args.id, module: args.module.as_deref() };
            let etag = args.if_match.as_deref();
            let twin = hub.rest().update_twin(target, &patch(args), args.replace, etag).await?;
            print(&twin, args.json)?;
            hint("\nThe device gets what is desired at once, or when it connects and asks.");
            Ok(())
        }
    }
}

/// What the hub is sent.
fn patch(args: &UpdateArgs) -> Value {
    let mut patch = Map::new();
    if let Some(tags) = &args.tags {
        patch.insert("tags".into(), tags.clone());
    }
    if let Some(desired) = &args.desired {
        patch.insert("properties".into(), serde_json::json!({ "desired": desired }));
    }
    Value::Object(patch)
}

fn json_object(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err("it must be a JSON object, like '{\"interval\":10}'".into()),
        Err(error) => Err(format!("it is not JSON ({error}); quote it: '{{\"interval\":10}}'")),
    }
}

fn print(twin: &Value, json: bool) -> Result<(), CommandError> {
    match json {
        true => print_json(twin),
        false => println(render(twin, coloured_stdout()).trim_end()),
    }
}

/// A heading for each section and its properties below; what the hub keeps for itself only with `--json`.
fn render(twin: &Value, coloured: bool) -> String {
    let (on, off) = if coloured { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut out = String::new();
    for (name, key) in [
        ("Device", "deviceId"),
        ("Module", "moduleId"),
        ("Connection", "connectionState"),
        ("ETag", "etag"),
    ] {
        let value = text(&twin[key]);
        if !value.is_empty() {
            out += &format!("{on}{name:12}{off}{value}\n");
        }
    }
    let properties = &twin["properties"];
    for (name, section) in [
        ("Tags", &twin["tags"]),
        ("Desired", &properties["desired"]),
        ("Reported", &properties["reported"]),
    ] {
        let version = section["$version"].as_u64();
        let version = version.map_or(String::new(), |version| format!(" (version {version})"));
        out += &format!("{on}{name}{off}{version}\n");
        let members = section.as_object().into_iter().flatten();
        for (name, value) in members.filter(|(name, _)| !name.starts_with('$')) {
            out += &format!("  {}\n", escaped(&format!("{name}: {value}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        twin: TwinArgs,
    }

    fn check(line: &str, expected: Result<Value, &str>) {
        match Line::try_parse_from(line.split_whitespace()) {
            Ok(Line { twin: TwinArgs { command: TwinCommand::Update(args) } }) => {
                assert_eq!(Ok(patch(&args)), expected, "{line}");
            }
            Ok(other) => panic!("{line}: {other:?}"),
            Err(error) => {
                let part = expected.expect_err(line);
                assert!(error.to_string().contains(part), "{line}: {error}");
            }
        }
    }

    #[test]
    fn an_update_sends_the_sections_that_were_given() {
        check(r#"twin update d --tags {"a":1}"#, Ok(json!({"tags": {"a": 1}})));
        check(
            r#"twin update d --tags {} --desired {"b":null}"#,
            Ok(json!({"tags": {}, "properties": {"desired": {"b": null}}})),
        );
        check("twin update d", Err("--desired"));
        check("twin update d --desired [1]", Err("must be a JSON object"));
        check("twin update d --desired {interval:10}", Err("quote it"));
        check("twin", Err("Usage"));
    }

    #[test]
    fn people_see_properties_without_metadata() {
        let twin = json!({
            "deviceId": "d1", "moduleId": "", "etag": "AAE=", "connectionState": "Connected",
            "tags": {"floor": 2, "a\u{9b}b": "\u{9b}"},
            "properties": {
                "desired": {"interval": 10, "$version": 3, "$metadata": {}},
                "reported": {"$version": 1},
            },
        });
        assert_eq!(
            render(&twin, false),
            "Device      d1\nConnection  Connected\nETag        AAE=\nTags\n  a\\u{9b}b: \"\\u{9b}\"\n  floor: 2\n\
             Desired (version 3)\n  interval: 10\nReported (version 1)\n"
        );
    }
}

//! `ironhub c2d send`.

use std::io::Read;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use ironhub_domain::time::UnixMs;

use crate::cli::connection::{ConnectionArgs, HubConnection};
use crate::cli::output::println;
use crate::cli::{CommandError, hint};
use crate::client::OutgoingMessage;

/// Most that is read of standard input; the hub takes 64 KiB with everything.
const BODY_BYTES_MAX: u64 = 64 * 1024;

pub(super) const EXAMPLES: &str = "\
A text; the id that the message got is printed:
  ironhub c2d send dev1 'hello'

JSON with properties, that must be received within ten minutes:
  ironhub c2d send dev1 '{\"led\":\"on\"}' --content-type application/json \\
      --property room=kitchen --property level=2 --expiry 600

A file, and a report of what becomes of it:
  ironhub c2d send dev1 - --ack full < message.bin
  ironhub c2d feedback --follow

HTTPS carries only ASCII in properties, and the names in lower case.";

/// Options of `c2d send`.
#[derive(Clone, Debug, Args)]
pub struct SendArgs {
    /// The device's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// The content; - reads standard input [default: empty]
    #[arg(value_name = "BODY")]
    pub body: Option<String>,
    /// An application property; may be repeated
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    pub properties: Vec<(String, String)>,
    /// The message's id, which feedback names [default: made up]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub message_id: Option<String>,
    /// Id of the message that this one answers
    #[arg(long, value_name = "ID")]
    pub correlation_id: Option<String>,
    /// Of which ends the hub should tell: success, failure, both
    #[arg(long, value_name = "WHICH", default_value = "none")]
    pub ack: Ack,
    /// What the content is, like application/json
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// Drop it unless it is received within so many seconds [default: an hour, or as the hub is set]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=172_800))]
    pub expiry: Option<u64>,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Which ends of a message are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Ack {
    /// Nothing is
    None,
    /// That the device completed it
    Positive,
    /// That it expired, was rejected, purged or tried too often
    Negative,
    /// All of these
    Full,
}

pub(super) async fn run(args: &SendArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.connection)?;
    let body = match args.body.as_deref() {
        Some("-") => read_input(&mut std::io::stdin().lock())?,
        Some(text) => Bytes::copy_from_slice(text.as_bytes()),
        None => Bytes::new(),
    };
    let id = args.message_id.clone().unwrap_or_else(fresh_id);
    let message = message(args, &id, body, SystemTime::now());
    hub.rest().send_c2d(&args.id, message).await?;
    println(&id)?;
    if args.ack != Ack::None {
        hint("\nSee what becomes of it: ironhub c2d feedback --follow");
    }
    Ok(())
}

fn message(args: &SendArgs, id: &str, body: Bytes, now: SystemTime) -> OutgoingMessage {
    let mut system = vec![("iothub-messageid", id.to_owned())];
    let ack = match args.ack {
        Ack::None => None,
        Ack::Positive => Some("positive"),
        Ack::Negative => Some("negative"),
        Ack::Full => Some("full"),
    };
    for (name, value) in [
        ("iothub-ack", ack.map(str::to_owned)),
        ("iothub-correlationid", args.correlation_id.clone()),
        ("iothub-contenttype", args.content_type.clone()),
        ("iothub-expiry", args.expiry.map(|seconds| moment(now + Duration::from_secs(seconds)))),
    ] {
        system.extend(value.map(|value| (name, value)));
    }
    OutgoingMessage { system, properties: args.properties.clone(), body }
}

fn moment(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).iso8601()
}

fn fresh_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn read_input(input: &mut impl Read) -> Result<Bytes, CommandError> {
    let mut body = Vec::new();
    let read = input.take(BODY_BYTES_MAX + 1).read_to_end(&mut body);
    read.map_err(|error| CommandError::Usage(format!("cannot read standard input: {error}")))?;
    if body.len() as u64 > BODY_BYTES_MAX {
        let text = format!("the content is over {BODY_BYTES_MAX} bytes, more than a message holds");
        return Err(CommandError::Usage(text));
    }
    Ok(body.into())
}

pub(in crate::cli) fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        send: SendArgs,
    }

    fn check(line: &str, expected: &str) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let found = match Line::try_parse_from(line.split_whitespace()) {
            Ok(Line { send }) => {
                let OutgoingMessage { system, properties, .. } =
                    message(&send, "m1", Bytes::new(), at);
                let headers = system
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .chain(properties.iter().map(|(name, value)| format!("app {name}: {value}")));
                headers.collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{line}: {found}");
    }

    #[test]
    fn options_become_headers() {
        check("send d hello", "iothub-messageid: m1");
        check("send d --ack full", "iothub-messageid: m1, iothub-ack: full");
        check("send d --expiry 60", "iothub-expiry: 2023-11-14T22:14:20");
        check("send d --property a=b=c --property d=", "app a: b=c, app d: ");
        check("send d --property a", "NAME=VALUE");
        check("send d --ack maybe", "possible values");
        check("send d --expiry 0", "1..=172800");
    }

    #[test]
    fn a_content_that_no_message_holds_is_not_read_whole() {
        let read =
            |size: u64| read_input(&mut std::io::repeat(7).take(size)).map(|body| body.len());
        assert_eq!(read(BODY_BYTES_MAX).ok(), Some(65_536));
        assert!(matches!(read(u64::MAX), Err(CommandError::Usage(_))));
    }
}

//! `ironhub c2d send|purge|feedback`: messages to devices.

mod feedback;
mod send;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::CommandError;
use super::connection::{ConnectionArgs, HubConnection};
use super::output::println;
pub(super) use send::property;

const EXAMPLES: &str = "\
Put a message into a device's queue, and see what became of it:
  ironhub c2d send dev1 'hello' --ack full
  ironhub c2d feedback --follow";

/// Send messages to devices.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct C2dArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: C2dCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum C2dCommand {
    /// Send a device a message; it waits in the device's queue until it is received
    #[command(after_help = send::EXAMPLES)]
    Send(send::SendArgs),
    /// Empty a device's queue and print how many messages were in it
    #[command(after_help = PURGE_EXAMPLES)]
    Purge(PurgeArgs),
    /// Show what became of messages that were sent with --ack
    #[command(after_help = feedback::EXAMPLES)]
    Feedback(feedback::FeedbackArgs),
}

const PURGE_EXAMPLES: &str = "\
The device never sees what was waiting for it:
  ironhub c2d purge dev1";

/// Options of `c2d purge`.
#[derive(Clone, Debug, Args)]
pub struct PurgeArgs {
    /// The device's id
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Carries the command out.
pub async fn run(args: &C2dArgs) -> Result<(), CommandError> {
    match &args.command {
        C2dCommand::Send(args) => send::run(args).await,
        C2dCommand::Purge(args) => {
            let hub = HubConnection::find(&args.connection)?;
            println(&hub.rest().purge_c2d(&args.id).await?.to_string())
        }
        C2dCommand::Feedback(args) => feedback::run(args).await,
    }
}

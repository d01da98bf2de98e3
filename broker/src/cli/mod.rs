//! The command line: `ironhub serve` is the hub, everything else is a client of a hub's public endpoints.
//!
//! Results go to standard output, everything meant for a person to standard error, hints only to a terminal. Exit codes:
//! 0 done, 1 the hub refused or could not be reached, 2 the command cannot be carried out as it was given.

mod amqp_frames;
pub mod c2d;
pub mod ca;
pub mod configuration;
pub mod connection;
pub mod consumer_group;
pub mod device;
pub mod endpoint;
pub mod events;
mod hub_files;
pub mod job;
mod lifetime;
pub mod method;
mod output;
pub mod policy;
pub mod query;
pub mod route;
pub mod simulate;
pub mod storage;
mod table;
pub mod transfer;
pub mod twin;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::client::ClientError;
use connection::ConnectionError;

/// Exit code of a command that the hub refused, or that could not reach it.
pub const EXIT_REFUSED: u8 = 1;
/// Exit code of a command that cannot be carried out as given.
pub const EXIT_USAGE: u8 = 2;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Start a hub on this machine, data in ./data:
  ironhub serve

In another terminal, register a device and watch what it sends:
  ironhub device create dev1
  ironhub events

Tell it something, ask it something:
  ironhub twin update dev1 --desired '{\"interval\":10}'
  ironhub method invoke reboot dev1

Every command explains itself: ironhub device create --help";

/// An IoT hub that devices and back ends written for Azure IoT Hub use unchanged.
#[derive(Debug, Parser)]
#[command(name = "ironhub", version, about, styles = STYLES, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a hub on this machine
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<crate::config::ServeArgs>),
    /// Create, show, list, delete and simulate devices
    Device(device::DeviceArgs),
    /// Watch the messages that devices send, as they arrive
    Events(events::EventsArgs),
    /// Show and change the twins of devices and modules
    Twin(twin::TwinArgs),
    /// Find devices and modules, and count them
    Query(query::QueryArgs),
    /// Call direct methods, of one device or of many
    Method(method::MethodArgs),
    /// Send messages to devices and see what became of them
    C2d(c2d::C2dArgs),
    /// Do one thing to many devices: change twins, call methods
    Job(job::JobArgs),
    /// Say what the twins of many devices are to be like, and keep them so
    Configuration(Box<configuration::ConfigurationArgs>),
    /// Say which authorities may certify devices
    Ca(ca::CaArgs),
    /// Say who may do what with the hub
    Policy(policy::PolicyArgs),
    /// Say who reads the events beside whom
    ConsumerGroup(consumer_group::ConsumerGroupArgs),
    /// Say which messages go where
    Route(route::RouteArgs),
    /// Add and watch the places that routes lead to
    Endpoint(endpoint::EndpointArgs),
    /// Write the whole registry, keys included, to a file or container
    Export(Box<transfer::ExportArgs>),
    /// Create, change and delete devices and modules by the lines of a file
    Import(Box<transfer::ImportArgs>),
    /// Open containers of the hub's own storage to others
    Storage(storage::StorageArgs),
}

const SERVE_EXAMPLES: &str = "\
Data in ./data, the name localhost, the usual ports:
  ironhub serve

Port 443 needs a right that ordinary users do not have; use another one:
  ironhub serve --https-listen 127.0.0.1:8443

On first start DIR/ca.pem and DIR/hub.env are written: what clients must trust, and the
connection strings that back ends use. The other commands find them by themselves when run
in the same directory.";

/// Why a client command ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It does not say which hub, or says it wrongly.
    #[error("{0}")]
    Connection(#[from] ConnectionError),
    /// An argument is wrong in a way that only the command itself can see.
    #[error("{0}")]
    Usage(String),
    /// The hub refused, or could not be reached.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The hub said no over AMQP, or the connection to it was lost; the text says which.
    #[error("{0}")]
    Refused(String),
    /// Standard output is gone.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

impl CommandError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Connection(_) | Self::Usage(_) => EXIT_USAGE,
            Self::Client(ClientError::ConnectionString(_) | ClientError::Header { .. }) => {
                EXIT_USAGE
            }
            Self::Client(_) | Self::Refused(_) | Self::Output(_) => EXIT_REFUSED,
        }
    }
}

/// The whole program: reads the command line and carries it out.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => match crate::app::run(*args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("{error:#}"));
                ExitCode::from(EXIT_REFUSED)
            }
        },
        Command::Device(args) => finish(run_client(device::run(&args))),
        Command::Events(args) => finish(run_client(events::run(&args))),
        Command::Twin(args) => finish(run_client(twin::run(&args))),
        Command::Query(args) => finish(run_client(query::run(&args))),
        Command::Method(args) => finish(run_client(method::run(&args))),
        Command::C2d(args) => finish(run_client(c2d::run(&args))),
        Command::Configuration(args) => finish(run_client(configuration::run(&args))),
        Command::Job(args) => finish(run_client(job::run(&args))),
        Command::Ca(args) => finish(run_client(ca::run(&args))),
        Command::Policy(args) => finish(run_client(policy::run(&args))),
        Command::ConsumerGroup(args) => finish(run_client(consumer_group::run(&args))),
        Command::Route(args) => finish(run_client(route::run(&args))),
        Command::Endpoint(args) => finish(run_client(endpoint::run(&args))),
        Command::Export(args) => finish(run_client(transfer::export(&args))),
        Command::Import(args) => finish(run_client(transfer::import(&args))),
        Command::Storage(args) => finish(storage::run(&args)),
    }
}

/// Client commands wait for one connection at a time: one thread is enough for them.
fn run_client(command: impl Future<Output = Result<(), CommandError>>) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)
}

/// Says on standard error why a command failed, and turns it into the exit code.
fn finish(outcome: Result<(), CommandError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough (`| head`) is no failure.
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn complain(text: &str) {
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (on, off) = if coloured { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    eprintln!("{on}error:{off} {text}");
}

/// A remark for a person; nobody else gets to see it.
pub(crate) fn hint(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}

/// Whether standard output is a terminal that wants colour.
pub(crate) fn coloured_stdout() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

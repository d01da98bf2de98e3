//! Measures a hub from outside, over its public protocols only.
//!
//! Shares no code with the broker, so a mistake there cannot hide here. Each subcommand is a scenario in
//! [`scenario`]; [`session`] and [`mqtt`] speak to the broker, [`report`] shows the figures.

use std::process::ExitCode;

use clap::Parser as _;

mod http;
mod mqtt;
mod process;
mod registry;
mod report;
mod sas;
mod scenario;
mod service;
mod session;
mod target;
mod tls;
mod websocket;

const EXAMPLES: &str = "\
Examples:
  ironhub-loadtest d2c --data-dir /var/lib/ironhub --create --pid $(pgrep -x ironhub)
  ironhub-loadtest connect --tls --data-dir /var/lib/ironhub --create --connections 10000 --pid $(pgrep -x ironhub)
  ironhub-loadtest registry --data-dir /var/lib/ironhub --devices 1000000 --pid $(pgrep -x ironhub)
  ironhub-loadtest disk --dir /var/lib/ironhub
  ironhub-loadtest d2c --no-auth --port 1884 --json          # mosquitto beside it

Exit status: 0 without errors, 1 when messages or connections failed or the run could not start, 2 for
wrong options. Progress and notes go to standard error, the report to standard output.";

/// Load generator for Ironhub and other MQTT 3.1.1 brokers
#[derive(Debug, clap::Parser)]
#[command(name = "ironhub-loadtest", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    D2c(Box<scenario::d2c::D2cArgs>),
    Connect(Box<scenario::connect::ConnectArgs>),
    Disk(scenario::disk::DiskArgs),
    Registry(Box<scenario::registry::RegistryArgs>),
    Sink(scenario::sink::SinkArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                match cli.scenario {
                    Scenario::D2c(args) => scenario::d2c::run(*args).await,
                    Scenario::Connect(args) => scenario::connect::run(*args).await,
                    Scenario::Disk(args) => scenario::disk::run(args).await,
                    Scenario::Registry(args) => scenario::registry::run(*args).await,
                    Scenario::Sink(args) => scenario::sink::run(args).await,
                }
            })
        });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

//! `ironhub events`: shows what devices send, read from the Event Hubs-compatible endpoint like any consumer does.

mod account;
mod consumer;
mod position;
mod show;

use std::io::Write;

use clap::Args;

use super::connection::{ConnectionArgs, HubConnection};
use super::{CommandError, coloured_stdout, hint};
use consumer::Consumer;
use position::StartAt;

const EXAMPLES: &str = "\
Everything that arrives from now on, until Ctrl-C:
  ironhub events

From the beginning of what the hub keeps; the last hour:
  ironhub events --from earliest
  ironhub events --from time:2026-01-31T08:00:00Z

One JSON object per line, for a program; the first ten:
  ironhub events --json --from earliest --count 10 | jq .body";

/// Options of `ironhub events`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EventsArgs {
    /// Only this partition [default: all]
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// The consumer group to read as
    #[arg(long, value_name = "NAME", default_value = "$Default")]
    pub consumer_group: String,
    /// Where to start: earliest, latest, time:RFC3339, and with --partition offset:N or sequence:N
    #[arg(long, value_name = "POSITION", default_value = "latest")]
    pub from: StartAt,
    /// One JSON object per event and line
    #[arg(long)]
    pub json: bool,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Which hub.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Reads and prints until there were enough events, or for ever.
pub async fn run(args: &EventsArgs) -> Result<(), CommandError> {
    if args.partition.is_none() && args.from.is_of_one_partition() {
        return Err(CommandError::Usage(
            "each partition counts offsets and sequence numbers for itself: say which with --partition N".into(),
        ));
    }
    let hub = HubConnection::find(&args.connection)?;
    let mut consumer = Consumer::connect(&hub).await?;
    let partitions = match args.partition {
        Some(one) => vec![one],
        None => (0..consumer.partition_count().await?).collect(),
    };
    for partition in &partitions {
        consumer.receive(*partition, &args.consumer_group, &args.from.selector()).await?;
    }
    consumer.attached().await?;
    hint(&format!(
        "Reading {} of {} as {}. Ctrl-C ends.",
        match args.partition {
            Some(partition) => format!("partition {partition}"),
            None => format!("{} partitions", partitions.len()),
        },
        hub.amqps.host,
        args.consumer_group
    ));
    let coloured = coloured_stdout();
    let mut left = args.count;
    while left != Some(0) {
        let event = consumer.next().await?;
        let line = if args.json { event.json().to_string() } else { event.line(coloured) };
        writeln!(std::io::stdout(), "{line}")?;
        left = left.map(|left| left - 1);
    }
    consumer.close().await;
    Ok(())
}

//! Every bound of the partition engine, with its reason.

use std::time::Duration;

/// Length of one engine tick.
pub const TICK: Duration = Duration::from_millis(100);
/// A leader shows itself every so many ticks.
pub const HEARTBEAT_TICKS: usize = 2;
/// A follower that heard nothing for this many ticks may campaign.
pub const ELECTION_TICKS_MIN: usize = 10;
/// ... and at the latest after one tick less than this many.
pub const ELECTION_TICKS_MAX: usize = 20;
/// Ticks after which the replies of a former leader's unresolved entries are answered with "unknown".
pub const UNRESOLVED_TICKS_MAX: u64 = 2 * ELECTION_TICKS_MAX as u64;
/// Ticks after which a snapshot that brought no answer is given up and sent anew.
pub const SNAPSHOT_ANSWER_TICKS_MAX: u64 = 50;

/// Bytes of one command. A command larger than an entry would hold up its group for too long.
pub const COMMAND_BYTES_MAX: usize = 4 << 20;
/// An entry takes further commands while it holds less than this; the rest goes into the next entry.
pub const ENTRY_BYTES_FULL: usize = 1 << 20;
/// Commands in one entry: bounds what one apply step hands to the state machine.
pub const ENTRY_COMMANDS_MAX: usize = 16_384;
/// Commands of one group that wait for their entry.
pub const GROUP_QUEUE_COMMANDS_MAX: usize = 32_768;
/// Bytes of commands of one group that wait for their entry.
pub const GROUP_QUEUE_BYTES_MAX: usize = 32 << 20;
/// Bytes of commands of all groups of a node that wait for their entry.
pub const NODE_QUEUE_BYTES_MAX: usize = 256 << 20;
/// Read barriers of one group that wait for an answer.
pub const GROUP_BARRIERS_MAX: usize = 32_768;

/// Bytes of log entries in one message to a follower.
pub const APPEND_BYTES_MAX: u64 = 1 << 20;
/// Append messages to one follower that are under way.
pub const APPENDS_INFLIGHT_MAX: usize = 128;
/// Bytes that a leader appends to a group's log without a quorum having them.
pub const UNCOMMITTED_BYTES_MAX: u64 = 64 << 20;
/// A log write takes further groups while its entries hold less than this; the rest goes into the next write.
pub const WRITE_BYTES_FULL: u64 = 64 << 20;
/// Bytes of committed entries that one transaction applies (at least one entry).
pub const APPLY_BYTES_MAX: u64 = 4 << 20;
/// Bytes of newest entries that a group with peers keeps in memory although they are durable and applied.
pub const TAIL_KEPT_BYTES: usize = 1 << 20;
/// Bytes of newest entries of a group in memory above which durable ones are read from the log instead.
pub const TAIL_BYTES_MAX: usize = 64 << 20;

/// Log bytes of a node since the last state flush that ask for the next one, so that the log can be cut.
pub const FLUSH_BYTES: u64 = 256 << 20;
/// Ticks after which applied state is flushed however little it is.
pub const FLUSH_TICKS: u64 = 600;
/// Entries that stay in the log for a follower that lags, where a snapshot would cost more.
pub const LAGGARD_ENTRIES_KEPT: u64 = 4_096;
/// Bytes of one group's state in a snapshot. The whole of it travels in one message; sending it in pieces
/// belongs to the networked cluster.
pub const SNAPSHOT_BYTES_MAX: usize = 256 << 20;

/// Inputs that wait for the engine thread.
pub const INBOX_INPUTS_MAX: usize = 65_536;
/// Bytes of commands that wait for the engine thread.
pub const INBOX_BYTES_MAX: usize = 256 << 20;
/// Inputs that one engine turn takes before it polls.
pub const TURN_INPUTS_MAX: usize = 16_384;

const _: () = assert!(HEARTBEAT_TICKS < ELECTION_TICKS_MIN);
const _: () = assert!(ELECTION_TICKS_MIN < ELECTION_TICKS_MAX);
const _: () = assert!(COMMAND_BYTES_MAX <= GROUP_QUEUE_BYTES_MAX);
const _: () = assert!(COMMAND_BYTES_MAX + ENTRY_BYTES_FULL <= UNCOMMITTED_BYTES_MAX as usize);

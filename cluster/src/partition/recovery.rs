//! Brings log and state of every group together when a node starts.

use std::collections::HashMap;
use std::sync::Arc;

use raft::eraftpb::ConfState;

use super::config::EngineConfig;
use super::error::NodeError;
use super::record::Applied;
use super::tail::TailStorage;
use crate::log::{GroupLog, GroupWrite, HardState, LogStart, LogStore, LogWrite};
use crate::machine::GroupId;
use crate::storage::StateStore;

/// Where every group's history begins. The first configuration is in no log, so a newcomer must not find a log that
/// starts at 1: it is brought in by a snapshot instead.
const FIRST_INDEX: u64 = 5;
const FIRST_TERM: u64 = 1;

/// A group as it stands after recovery.
pub(super) struct Recovered {
    pub(super) storage: TailStorage,
    pub(super) applied: Applied,
}

/// Recovers groups, or makes the ones that are new. What it had to repair is durable when it returns.
pub(super) fn recover(
    config: &EngineConfig,
    groups: &[GroupId],
    log: &Arc<dyn LogStore>,
    state: &Arc<dyn StateStore>,
) -> Result<Vec<Recovered>, NodeError> {
    let found: HashMap<GroupId, GroupLog> = log.groups().into_iter().collect();
    let mut first_states = Vec::new();
    let mut repair = LogWrite::default();
    let mut plans = Vec::with_capacity(groups.len());
    for &group in groups {
        let applied = Applied::load(group, &**state).map_err(NodeError::storage(group))?;
        let known = found.get(&group);
        let plan = match applied {
            Some(applied) => reconcile(group, applied, known.copied().unwrap_or_default(), &**log)?,
            None => match (known, &config.bootstrap) {
                (None, Some(voters)) => {
                    let voters: Vec<u64> = voters.iter().map(|node| node.0).collect();
                    let members = ConfState::from((voters, Vec::new()));
                    let applied = Applied { index: FIRST_INDEX, term: FIRST_TERM, members };
                    first_states.push(applied.put(group));
                    Plan::replaced(applied, HardState::default())
                }
                (None, None) => Plan::kept(Applied::default(), GroupLog::default()),
                // A newcomer that voted or saw a term before its first snapshot was durable.
                (Some(known), _) if known.last_index == 0 => Plan::kept(Applied::default(), *known),
                (Some(known), _) => {
                    let what = format!(
                        "the log ends at {} but the state of this partition is gone",
                        known.last_index
                    );
                    return Err(NodeError::inconsistent(group, what));
                }
            },
        };
        if plan.repair {
            repair.groups.push((
                group,
                GroupWrite {
                    hard_state: Some(plan.hard_state),
                    reset_to: Some(plan.start),
                    entries: Vec::new(),
                },
            ));
        }
        plans.push(plan);
    }
    if !repair.groups.is_empty() {
        let node = groups.first().copied().unwrap_or(GroupId(0));
        if !first_states.is_empty() {
            state.write(&first_states).map_err(NodeError::storage(node))?;
        }
        // State before log: a state ahead of its log is repaired at the next start, a log ahead of its state is not.
        state.flush().map_err(NodeError::storage(node))?;
        log.write(&repair)?;
    }
    Ok(groups
        .iter()
        .zip(plans)
        .map(|(&group, plan)| Recovered {
            storage: TailStorage::new(
                group,
                Arc::clone(log),
                plan.hard_state,
                plan.applied.members.clone(),
                plan.start,
                plan.last_index,
            ),
            applied: plan.applied,
        })
        .collect())
}

struct Plan {
    applied: Applied,
    hard_state: HardState,
    start: LogStart,
    last_index: u64,
    repair: bool,
}

impl Plan {
    fn kept(applied: Applied, log: GroupLog) -> Self {
        let mut hard_state = log.hard_state;
        // The commit index is written lazily; what is applied was committed.
        hard_state.commit = hard_state.commit.max(applied.index).min(log.last_index);
        Self { applied, hard_state, start: log.start, last_index: log.last_index, repair: false }
    }

    /// The log is replaced by the position that the state stands for.
    fn replaced(applied: Applied, mut hard_state: HardState) -> Self {
        let start = LogStart { index: applied.index, term: applied.term };
        if hard_state.term < applied.term {
            hard_state.term = applied.term;
            hard_state.vote = 0;
        }
        hard_state.commit = applied.index;
        Self { applied, hard_state, start, last_index: start.index, repair: true }
    }
}

/// A group with state: its log must reach from the state onwards.
fn reconcile(
    group: GroupId,
    applied: Applied,
    known: GroupLog,
    log: &dyn LogStore,
) -> Result<Plan, NodeError> {
    if applied.index < known.start.index {
        let what = format!(
            "state is applied up to {}, but the log starts behind {}: flushed state was lost",
            applied.index, known.start.index
        );
        return Err(NodeError::inconsistent(group, what));
    }
    // State that the log does not know comes from a snapshot whose log reset was cut off by a crash. The state was
    // flushed before, so the log follows it.
    let in_log =
        applied.index <= known.last_index && log.term(group, applied.index)? == applied.term;
    if !in_log {
        return Ok(Plan::replaced(applied, known.hard_state));
    }
    Ok(Plan::kept(applied, known))
}

//! A network that loses, delays, doubles, reorders and separates, as a seed decides.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;

use crate::machine::NodeId;

/// Shortest way of a message, in microseconds.
const DELAY_MIN: u64 = 50;
/// Usual longest way.
const DELAY_USUAL: u64 = 3_000;
/// Longest way of a message that is held up.
const DELAY_MAX: u64 = 800_000;

/// The links between nodes.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Directions in which nothing passes.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Chance that a message is lost.
    pub loss: f64,
    /// Chance that it arrives twice.
    pub double: f64,
    /// Chance that it is held up for long, so that later ones overtake it.
    pub late: f64,
}

impl Network {
    /// Lets nothing pass from `from` to `to`.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    /// Separates a node from all others, in both directions or one.
    pub fn isolate(
        &mut self,
        node: NodeId,
        others: impl Iterator<Item = NodeId>,
        outbound_only: bool,
    ) {
        for other in others.filter(|other| *other != node) {
            self.cut(node, other);
            if !outbound_only {
                self.cut(other, node);
            }
        }
    }

    /// Joins everything again; losses and delays stay.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Makes the network faultless.
    pub fn calm(&mut self) {
        *self = Self::default();
    }

    /// After how many microseconds copies of a message arrive: none if it is lost.
    pub fn deliveries(&self, from: NodeId, to: NodeId, rng: &mut StdRng) -> Vec<u64> {
        if self.cut.contains(&(from, to)) || rng.random_bool(self.loss) {
            return Vec::new();
        }
        let copies = if rng.random_bool(self.double) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let longest = if rng.random_bool(self.late) { DELAY_MAX } else { DELAY_USUAL };
                rng.random_range(DELAY_MIN..=longest)
            })
            .collect()
    }

    /// Whether messages pass from `from` to `to`.
    pub fn passes(&self, from: NodeId, to: NodeId) -> bool {
        !self.cut.contains(&(from, to))
    }
}

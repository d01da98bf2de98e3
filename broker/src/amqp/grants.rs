//! What a connection's client has proved: the union of its good tokens (service-protocols.md 3.3).

use ironhub_domain::auth::{Permissions, Principal};
use ironhub_domain::time::UnixMs;

/// Tokens that one connection may hold. A client of many partitions puts one for each.
pub(super) const GRANTS_MAX: usize = 2_048;

/// The client holds as many tokens as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection holds {GRANTS_MAX} tokens, which is the limit")]
pub(super) struct TooMany;

#[derive(Debug)]
struct Grant {
    audience: Box<str>,
    principal: Principal,
}

/// The tokens of a connection.
#[derive(Debug)]
pub(super) struct Grants {
    grants: Vec<Grant>,
    /// How long a token counts after its end.
    grace_ms: u64,
}

impl Grants {
    pub(super) fn new(grace_ms: u64) -> Self {
        Self { grants: Vec::new(), grace_ms }
    }

    /// Takes a good token; a newer one for the same audience replaces the older, so renewal keeps links.
    pub(super) fn put(
        &mut self,
        audience: &str,
        principal: Principal,
        now: UnixMs,
    ) -> Result<(), TooMany> {
        let grace_ms = self.grace_ms;
        self.grants.retain(|grant| {
            !grant.audience.eq_ignore_ascii_case(audience) && now < ends(&grant.principal, grace_ms)
        });
        if self.grants.len() >= GRANTS_MAX {
            return Err(TooMany);
        }
        self.grants.push(Grant { audience: audience.into(), principal });
        Ok(())
    }

    /// Whether there is any token that still counts.
    pub(super) fn any(&self, now: UnixMs) -> bool {
        self.grants.iter().any(|grant| now < ends(&grant.principal, self.grace_ms))
    }

    /// Whether some token that still counts allows this on one of these paths, which are names of one thing.
    pub(super) fn allow(&self, permission: Permissions, paths: &[&str], now: UnixMs) -> bool {
        self.grants.iter().any(|grant| {
            now < ends(&grant.principal, self.grace_ms)
                && paths.iter().any(|path| grant.principal.may(permission, path))
        })
    }

    /// When the next token stops to count.
    pub(super) fn next_end(&self, now: UnixMs) -> Option<UnixMs> {
        let ends = self.grants.iter().map(|grant| ends(&grant.principal, self.grace_ms));
        ends.filter(|end| now < *end).min()
    }
}

fn ends(principal: &Principal, grace_ms: u64) -> UnixMs {
    UnixMs(principal.expires.0.saturating_add(grace_ms))
}

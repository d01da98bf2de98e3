//! What a connection's client has proved: the union of its good tokens (service-protocols.md 3.3, device-protocols.md 3.3).

use ironhub_domain::auth::{Permissions, Principal};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::time::UnixMs;

/// Tokens that one connection may hold. A client of many partitions, or of many devices, puts one for each.
pub(super) const GRANTS_MAX: usize = 2_048;

/// The client holds as many tokens as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection holds {GRANTS_MAX} tokens, which is the limit")]
pub(super) struct TooMany;

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// A shared access policy.
    Policy(Principal),
    /// A device or module.
    Identity(IdentityId),
}

impl Bearer {
    /// Whether it may act as this identity.
    pub(super) fn may_act_as(&self, identity: &IdentityId) -> bool {
        match self {
            Self::Identity(own) => own == identity,
            Self::Policy(principal) => principal.may(Permissions::DEVICE_CONNECT, &identity.path()),
        }
    }

    /// Whether a token of the other for the same audience takes this one's place.
    fn gives_way_to(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Policy(_), Self::Policy(_)) => true,
            (Self::Identity(old), Self::Identity(new)) => old == new,
            (Self::Policy(_), Self::Identity(_)) | (Self::Identity(_), Self::Policy(_)) => false,
        }
    }
}

#[derive(Debug)]
struct Grant {
    audience: Box<str>,
    bearer: Bearer,
    /// The token itself, which the owner of a device wants to see; none if it is good for no device.
    token: Option<Box<str>>,
    ends: UnixMs,
}

/// The tokens of a connection.
#[derive(Debug)]
pub(super) struct Grants {
    grants: Vec<Grant>,
    /// How long a token counts after its end if it had come to that when it was put: clocks differ.
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
        bearer: Bearer,
        token: &str,
        expires: UnixMs,
        now: UnixMs,
    ) -> Result<(), TooMany> {
        self.grants.retain(|grant| {
            let same = grant.audience.eq_ignore_ascii_case(audience);
            !(same && grant.bearer.gives_way_to(&bearer)) && now < grant.ends
        });
        if self.grants.len() >= GRANTS_MAX {
            return Err(TooMany);
        }
        let for_devices = match &bearer {
            Bearer::Identity(_) => true,
            Bearer::Policy(principal) => {
                principal.permissions.contains(Permissions::DEVICE_CONNECT)
            }
        };
        if self.grants.is_empty() {
            // Most connections have one token; a vector's first growth would make room for four.
            self.grants.reserve_exact(1);
        }
        self.grants.push(Grant {
            audience: audience.into(),
            bearer,
            token: for_devices.then(|| token.into()),
            ends: if now < expires {
                expires
            } else {
                UnixMs(expires.0.saturating_add(self.grace_ms))
            },
        });
        Ok(())
    }

    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether there is any token that still counts.
    pub(super) fn any(&self, now: UnixMs) -> bool {
        self.live(now).next().is_some()
    }

    /// Whether some token that still counts allows this on one of these paths, which are names of one thing.
    pub(super) fn allow(&self, permission: Permissions, paths: &[&str], now: UnixMs) -> bool {
        self.live(now).any(|grant| match &grant.bearer {
            Bearer::Policy(principal) => paths.iter().any(|path| principal.may(permission, path)),
            Bearer::Identity(_) => false,
        })
    }

    /// A token that still counts and lets its bearer act as this identity: the newest one.
    pub(super) fn token_of(&self, identity: &IdentityId, now: UnixMs) -> Option<&str> {
        let mut live = self.live(now);
        live.rfind(|grant| grant.bearer.may_act_as(identity))?.token.as_deref()
    }

    /// When the next token stops to count.
    pub(super) fn next_end(&self, now: UnixMs) -> Option<UnixMs> {
        self.live(now).map(|grant| grant.ends).min()
    }

    fn live(&self, now: UnixMs) -> impl DoubleEndedIterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| now < grant.ends)
    }
}

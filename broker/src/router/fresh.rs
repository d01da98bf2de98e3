//! What a new or changed identity needs and no rule may make up: drawn once, by the node that proposes the change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::registry::Fresh;
use ironhub_domain::time::UnixMs;
use rand::RngCore;

use crate::bootstrap::new_key;

/// Random keys, a random ETag, and a generation id: the time in the original's form, 100 ns since the year 1, made unique
/// by random digits below the millisecond.
pub(super) fn fresh(now: UnixMs) -> Fresh {
    const UNIX_EPOCH_MS: u64 = 62_135_596_800_000;
    let mut random = [0u8; 8];
    rand::rng().fill_bytes(&mut random);
    let below_ms = u64::from_be_bytes(random) % 10_000;
    Fresh {
        generation: ((UNIX_EPOCH_MS + now.0) * 10_000 + below_ms).to_string(),
        etag: STANDARD.encode(random),
        keys: SymmetricKeys { primary: new_key(), secondary: new_key() },
        now,
    }
}

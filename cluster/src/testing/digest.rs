//! One number for all rows under a key prefix: equal state, equal number, on every machine and store.

use std::ops::ControlFlow;

use crate::storage::{Area, StateStore, StorageError};

/// Hash (64-bit FNV-1a, lengths included) of every row of both areas whose key starts with `prefix`.
pub fn digest(store: &dyn StateStore, prefix: &[u8]) -> Result<u64, StorageError> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut feed = |bytes: &[u8]| {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in length.iter().chain(bytes) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for (mark, area) in [(b"r", Area::Records), (b"e", Area::Events)] {
        feed(mark);
        store.scan(area, prefix, &prefix_end(prefix), &mut |key, value| {
            feed(key);
            feed(value);
            ControlFlow::Continue(())
        })?;
    }
    Ok(hash)
}

/// The first key after all keys that start with `prefix`; for an empty prefix, a key above any that is in use.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0xff; 64]
}

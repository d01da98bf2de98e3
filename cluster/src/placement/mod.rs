//! Who owns what: pure functions from keys to partitions (and, with more nodes, from partitions to nodes).

/// The device partition, 0.., that a key belongs to: a stable hash that never changes, since stored records live where
/// it once sent them (FNV-1a, 64 bits, with the finishing mix of SplitMix64 so that short keys spread evenly).
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    // The remainder is below `partitions`, so it fits.
    (hash % u64::from(partitions.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn the_hash_is_frozen() {
        // Changing these would send stored devices to partitions that do not hold them.
        let got: Vec<u32> = ["dev1", "dev2", "", "sensor-0001"]
            .iter()
            .map(|k| partition_of(k.as_bytes(), 32))
            .collect();
        assert_eq!(got, FROZEN);
    }

    const FROZEN: [u32; 4] = [5, 15, 27, 9];

    #[test]
    fn keys_spread_evenly() {
        let mut counts = [0u32; 32];
        for n in 0..32_000 {
            counts[partition_of(format!("device-{n}").as_bytes(), 32) as usize] += 1;
        }
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
    }
}

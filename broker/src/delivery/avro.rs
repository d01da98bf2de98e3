//! Avro container files with the original's schema (Apache Avro 1.12, "Object Container Files"), not compressed. Pure.

use ironhub_domain::event::Event;

use super::render;

/// What the original writes.
const SCHEMA: &str = r#"{"type":"record","name":"Message","namespace":"Microsoft.Azure.Devices","fields":[{"name":"EnqueuedTimeUtc","type":"string"},{"name":"Properties","type":{"type":"map","values":"string"}},{"name":"SystemProperties","type":{"type":"map","values":"string"}},{"name":"Body","type":["null","bytes"]}]}"#;

/// Between blocks; made anew for each file.
pub(super) type Sync = [u8; 16];

/// What a file begins with.
pub(super) fn header(sync: &Sync) -> Vec<u8> {
    let mut out = b"Obj\x01".to_vec();
    write_map(&mut out, [("avro.codec", "null"), ("avro.schema", SCHEMA)].into_iter());
    out.extend_from_slice(sync);
    out
}

/// A block of events.
pub(super) fn block(events: &[Event], sync: &Sync) -> Vec<u8> {
    let mut records = Vec::new();
    for event in events {
        write_bytes(&mut records, event.enqueued.iso8601().as_bytes());
        let properties = event.message.properties.iter();
        write_map(
            &mut records,
            properties.map(|p| (p.name.as_str(), p.value.as_deref().unwrap_or_default())),
        );
        let system = render::system(event);
        write_map(&mut records, system.iter().map(|(name, value)| (*name, value.as_str())));
        write_long(&mut records, 1);
        write_bytes(&mut records, &event.message.body);
    }
    let mut out = Vec::with_capacity(records.len() + 40);
    write_long(&mut out, events.len() as i64);
    write_bytes(&mut out, &records);
    out.extend_from_slice(sync);
    out
}

/// Zigzag, seven bits a byte, the lowest first.
fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// One block of all entries, if there are any, and the end.
fn write_map<'a>(out: &mut Vec<u8>, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    let entries: Vec<_> = entries.collect();
    if !entries.is_empty() {
        write_long(out, entries.len() as i64);
    }
    for (key, value) in entries {
        write_bytes(out, key.as_bytes());
        write_bytes(out, value.as_bytes());
    }
    write_long(out, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::render::tests::sample;

    #[test]
    fn numbers_are_those_of_the_specification() {
        for (number, bytes) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ] {
            let mut out = Vec::new();
            write_long(&mut out, number);
            assert_eq!(out, bytes, "{number}");
        }
    }

    #[test]
    fn a_file_is_a_header_and_blocks_with_the_same_mark_behind_each() {
        let sync = [7; 16];
        let header = header(&sync);
        assert!(header.starts_with(b"Obj\x01\x04\x14avro.codec\x08null\x16avro.schema"));
        assert!(header.ends_with(&[0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]));
        let block = block(&[sample(0, "ab", false), sample(1, "cd", false)], &sync);
        assert_eq!(block[0], 4, "two records");
        let records = &block[3..block.len() - 16];
        let size = u64::from(block[1] & 0x7f) | u64::from(block[2]) << 7;
        assert_eq!(size / 2, records.len() as u64);
        assert!(
            records.starts_with(b"\x302026-01-02T03:04:05.678Z\x04\x0alevel\x08high\x08none\0\0")
        );
        assert!(records.ends_with(b"\x02\x04cd"), "the second branch of the union, the body");
    }
}

//! The fuzz targets over the committed corpus and a fixed number of mutations of it: what a plain test run can afford.
//! The same seed gives the same inputs: `FUZZ_SEED=7 FUZZ_RUNS=1000000 cargo test --test fuzz_bounded`.

#![allow(clippy::unwrap_used)]

mod targets;

use std::path::Path;

/// Runs per target unless `FUZZ_RUNS` says otherwise.
const RUNS: u64 = 200_000;
/// Longest input that mutation makes.
const INPUT_BYTES_MAX: usize = 2048;

#[test]
fn amqp_connection() {
    check("amqp_connection", targets::amqp_connection::run);
}

#[test]
fn amqp_value() {
    check("amqp_value", targets::amqp_value::run);
}

#[test]
fn mqtt_packet() {
    check("mqtt_packet", targets::mqtt_packet::run);
}

#[test]
fn property_bag() {
    check("property_bag", targets::property_bag::run);
}

#[test]
fn username() {
    check("username", targets::username::run);
}

#[test]
fn websocket_frame() {
    check("websocket_frame", targets::websocket_frame::run);
}

fn check(name: &str, run: fn(&[u8])) {
    let corpus = corpus(name);
    corpus.iter().for_each(|input| run(input));
    let seed = number("FUZZ_SEED", 1);
    for round in 0..number("FUZZ_RUNS", RUNS) {
        let input = mutate(&corpus, &mut Random(seed << 32 ^ round));
        let ran = std::panic::catch_unwind(|| run(&input));
        assert!(ran.is_ok(), "{name}: seed {seed} round {round}: {}", input.escape_ascii());
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

/// The committed inputs of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).expect("the target's corpus");
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}: empty", folder.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }
}

/// Bytes that mean something to one of the decoders.
const TELLING: &[u8] =
    b"\x00\x01\x02\x04\x10\x30\x32\x40\x53\x70\x7f\x80\x82\xa0\xc0\xd0\xe0\xff%=&/?$#+\n";

fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len());
        let length = random.below(input.len() - at).min(1 + random.below(16));
        match random.below(8) {
            0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
            1 if !input.is_empty() => input[at] = TELLING[random.below(TELLING.len())],
            2 => input.insert(at, TELLING[random.below(TELLING.len())]),
            3 if !input.is_empty() => input[at] = random.next() as u8,
            4 => drop(input.drain(at..at + length)),
            5 => input.truncate(at),
            6 => {
                let copied = input[at..at + length].to_vec();
                let to = random.below(input.len());
                drop(input.splice(to..to, copied));
            }
            _ => {
                let other = &corpus[random.below(corpus.len())];
                input.truncate(at);
                input.extend_from_slice(&other[random.below(other.len())..]);
            }
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

//! Property bags: reading does not panic, and what was read, written again, reads the same.

use ironhub_wire::mqtt::device_topic::device_request;
use ironhub_wire::mqtt::percent;
use ironhub_wire::mqtt::property_bag::{PAIRS_MAX, Pair, pairs};

/// The input as text, as a topic is when the bag is reached.
pub fn run(data: &[u8]) {
    let Ok(bag) = std::str::from_utf8(data) else { return };
    if let Some(Ok(request)) = device_request(bag) {
        assert!(!format!("{request:?}").is_empty());
    }
    let read: Vec<_> = pairs(bag).collect();
    assert!(read.len() <= PAIRS_MAX + 1);
    let Ok(read) = read.into_iter().collect::<Result<Vec<Pair<'_>>, _>>() else { return };
    let mut again = String::new();
    for pair in &read {
        assert!(!pair.key.is_empty());
        if !again.is_empty() {
            again.push('&');
        }
        percent::encode(&pair.key, &mut again);
        if let Some(value) = &pair.value {
            again.push('=');
            percent::encode(value, &mut again);
        }
    }
    let reread: Vec<_> = pairs(&again).map(Result::unwrap).collect();
    assert_eq!(reread, read);
}

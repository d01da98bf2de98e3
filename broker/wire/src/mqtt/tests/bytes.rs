//! Hex scripts: `10 04 'MQTT' 04` is one packet; texts in quotes are their bytes.

/// Bytes of a script.
pub fn bytes(script: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in script.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        for word in part.split_whitespace() {
            bytes.push(u8::from_str_radix(word, 16).expect("a hex byte"));
        }
    }
    bytes
}

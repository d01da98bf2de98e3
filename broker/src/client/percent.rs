//! Percent-encoding of one path segment or one token field.

use std::fmt::Write;

/// Everything but RFC 3986's unreserved characters becomes `%XX`, upper case.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn only_unreserved_characters_stand_for_themselves() {
        assert_eq!(encode("aZ0-._~"), "aZ0-._~");
        assert_eq!(encode("a/b+c=d e#%"), "a%2Fb%2Bc%3Dd%20e%23%25");
    }
}

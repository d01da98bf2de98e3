//! User names: reading does not panic, and the names that come out are the client id's.

use ironhub_wire::mqtt::username::{MODEL_ID_BYTES_MAX, parse};

/// Client id, line feed, user name.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((client_id, username)) = text.split_once('\n') else { return };
    let Ok(name) = parse(username, client_id) else { return };
    assert!(!name.host.is_empty() && !name.host.contains('/'));
    let identity = match name.module {
        Some(module) => format!("{}/{module}", name.device),
        None => name.device.to_owned(),
    };
    assert_eq!(identity, client_id);
    assert!(username.starts_with(&format!("{}/{client_id}", name.host)));
    assert!(name.model_id.is_none_or(|id| !id.is_empty() && id.len() <= MODEL_ID_BYTES_MAX));
}

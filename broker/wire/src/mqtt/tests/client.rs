//! The client's side of the codec, written apart from the decoder so that they can disagree.

/// A text or binary field with its two-byte length.
pub fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Fixed header and body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128).unwrap();
        length /= 128;
        out.push(if length == 0 { digit } else { digit + 128 });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// A will: topic, message, QoS, retain.
pub type Will = (String, Vec<u8>, u8, bool);

/// CONNECT of MQTT 3.1.1.
pub fn connect(
    clean: bool,
    keep_alive: u16,
    client_id: &str,
    will: Option<&Will>,
    username: Option<&str>,
    password: Option<&[u8]>,
) -> Vec<u8> {
    let mut flags = if clean { 2 } else { 0 };
    if let Some((_, _, qos, retain)) = will {
        flags += 4 + qos * 8 + if *retain { 32 } else { 0 };
    }
    flags += if password.is_some() { 64 } else { 0 } + if username.is_some() { 128 } else { 0 };
    let mut body = Vec::new();
    field(&mut body, b"MQTT");
    body.extend_from_slice(&[4, flags]);
    body.extend_from_slice(&keep_alive.to_be_bytes());
    field(&mut body, client_id.as_bytes());
    if let Some((topic, message, ..)) = will {
        field(&mut body, topic.as_bytes());
        field(&mut body, message);
    }
    if let Some(username) = username {
        field(&mut body, username.as_bytes());
    }
    if let Some(password) = password {
        field(&mut body, password);
    }
    packet(0x10, &body)
}

/// PUBLISH; `id` only above QoS 0.
pub fn publish(topic: &str, id: u16, qos: u8, dup: bool, retain: bool, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    field(&mut body, topic.as_bytes());
    if 0 < qos {
        body.extend_from_slice(&id.to_be_bytes());
    }
    body.extend_from_slice(payload);
    packet(0x30 + if dup { 8 } else { 0 } + qos * 2 + u8::from(retain), &body)
}

/// SUBSCRIBE with a QoS per filter.
pub fn subscribe(id: u16, filters: &[(String, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for (filter, qos) in filters {
        field(&mut body, filter.as_bytes());
        body.push(*qos);
    }
    packet(0x82, &body)
}

/// UNSUBSCRIBE.
pub fn unsubscribe(id: u16, filters: &[String]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for filter in filters {
        field(&mut body, filter.as_bytes());
    }
    packet(0xa2, &body)
}

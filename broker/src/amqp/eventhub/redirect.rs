//! Clients that know only the hub's own name are sent to the event hub (service-protocols.md 4.9).

use ironhub_wire::amqp::{Error, Map, Text, Value, condition};

/// The error that sends a client to `address` (a path that begins with the entity's name) on `host`.
pub(in crate::amqp) fn redirect(host: &str, port: u16, path: &str) -> Error {
    let text = |text: &str| Value::String(Text::from(text));
    let address = format!("amqps://{host}:{port}/{path}");
    let info = Map::default()
        .with("hostname", text(host))
        .with("network-host", text(host))
        .with("port", Value::Int(port.into()))
        .with("address", text(&address));
    Error::new(condition::REDIRECT, format!("the event hub is at {address}")).with_info(info)
}

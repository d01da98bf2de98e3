//! MQTT and AMQP over WebSocket on the HTTPS listener (RFC 6455; device-protocols.md 2.13 and 3.13, service-protocols.md 3.2).
//!
//! The subprotocol decides who serves the connection; both endpoints take both. What the frontends get is the plain byte
//! stream of [`stream::FrameStream`], so they know nothing of WebSocket. Read next: `handshake.rs`, `stream.rs`.

pub mod handshake;
pub mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;

use crate::amqp::AmqpContext;
use crate::http::{Reply, Serve, UpgradeHandler};
use crate::metrics::http::answered;
use crate::mqtt::MqttContext;
use handshake::Subprotocol;
use stream::FrameStream;

/// Takes connections out of HTTP and gives them to the frontends.
pub struct WebSockets {
    /// Serves subprotocol `mqtt`.
    pub mqtt: Arc<MqttContext>,
    /// Serves subprotocol `AMQPWSB10`.
    pub amqp: Arc<AmqpContext>,
}

impl UpgradeHandler for WebSockets {
    fn wants(&self, request: &Request<Incoming>) -> bool {
        handshake::is_endpoint(request.uri().path())
            || crate::http::wants_websocket(request.headers())
    }

    fn upgrade(&self, request: &Request<Incoming>) -> (Reply, Option<Serve>) {
        let (reply, subprotocol) = handshake::answer(request);
        let label = subprotocol.map_or("websocket", Subprotocol::label);
        answered(label, reply.status().as_u16());
        (reply, subprotocol.map(|subprotocol| self.server(subprotocol)))
    }
}

impl WebSockets {
    fn server(&self, subprotocol: Subprotocol) -> Serve {
        match subprotocol {
            Subprotocol::Mqtt => {
                let context = self.mqtt.clone();
                Box::new(move |stream, early, peer| {
                    Box::pin(crate::mqtt::serve(FrameStream::new(stream, early), peer, context))
                })
            }
            Subprotocol::Amqp => {
                let context = self.amqp.clone();
                Box::new(move |stream, early, peer| {
                    Box::pin(crate::amqp::serve(FrameStream::new(stream, early), peer, context))
                })
            }
        }
    }
}

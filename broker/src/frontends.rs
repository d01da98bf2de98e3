//! Opens every listener and hands accepted connections to their frontends, on every worker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use anyhow::Context;

use crate::amqp::AmqpContext;
use crate::config::{ListenAddr, Listeners};
use crate::http::{AdminContext, HttpContext};
use crate::mqtt::MqttContext;
use crate::net::accept::{self, Gate};
use crate::net::certificates::write_with_mode;
use crate::net::tls::{Certificate, server_config};

/// The sockets of a node, bound and not yet accepting.
pub struct Bound {
    sockets: BTreeMap<&'static str, std::net::TcpListener>,
}

impl Bound {
    /// Binds every listener that is not off; the first refusal ends the start with a message that says what to do.
    pub fn bind(listeners: &Listeners) -> anyhow::Result<Self> {
        let wanted = [
            ("mqtt", "--mqtt-listen", listeners.mqtt),
            ("mqtts", "--mqtts-listen", listeners.mqtts),
            ("amqps", "--amqps-listen", listeners.amqps),
            ("https", "--https-listen", listeners.https),
            ("admin", "--admin-listen", listeners.admin),
        ];
        let mut sockets = BTreeMap::new();
        for (name, flag, at) in wanted {
            if let ListenAddr::At(addr) = at {
                sockets.insert(name, accept::bind(name, flag, addr)?);
            }
        }
        Ok(Self { sockets })
    }

    /// Name and address of each listener, as they really are.
    pub fn addresses(&self) -> anyhow::Result<BTreeMap<&'static str, SocketAddr>> {
        let address = |(name, socket): (&&'static str, &std::net::TcpListener)| {
            Ok((*name, socket.local_addr()?))
        };
        self.sockets.iter().map(address).collect()
    }

    /// Writes `listeners.json`: `{"mqtts":"0.0.0.0:8883",…}`.
    pub fn write_addresses(&self, dir: &Path) -> anyhow::Result<()> {
        write_with_mode(
            &dir.join("listeners.json"),
            &serde_json::to_vec_pretty(&self.addresses()?)?,
            0o644,
        )
    }

    /// Starts accepting on every worker; the admin listener runs where this is called.
    pub fn serve(self, workers: &[ArbiterHandle], frontends: &Frontends) -> anyhow::Result<()> {
        let plain_alpn = server_config(frontends.certificate.clone(), &[])?;
        let http_alpn = server_config(frontends.certificate.clone(), &[b"h2", b"http/1.1"])?;
        for (name, socket) in self.sockets {
            let gate = frontends.gate.clone();
            if name == "admin" {
                let context = frontends.admin.clone();
                actix_rt::spawn(accept::plain(socket, gate, move |stream, peer| {
                    crate::http::serve_admin(stream, peer, context.clone())
                }));
                continue;
            }
            for worker in workers {
                let socket =
                    socket.try_clone().with_context(|| format!("sharing the {name} listener"))?;
                let (gate, deadline) = (gate.clone(), frontends.handshake_timeout);
                let started = match name {
                    "mqtt" => {
                        let context = frontends.mqtt.clone();
                        worker.spawn_fn(move || {
                            let handle = move |stream, peer| {
                                crate::mqtt::serve(stream, peer, context.clone())
                            };
                            actix_rt::spawn(accept::plain(socket, gate, handle));
                        })
                    }
                    "mqtts" => {
                        let (context, tls) = (frontends.mqtt.clone(), plain_alpn.clone());
                        worker.spawn_fn(move || {
                            let handle = move |stream, peer| {
                                crate::mqtt::serve(stream, peer, context.clone())
                            };
                            actix_rt::spawn(accept::tls(socket, gate, tls, deadline, handle));
                        })
                    }
                    "amqps" => {
                        let (context, tls) = (frontends.amqp.clone(), plain_alpn.clone());
                        worker.spawn_fn(move || {
                            let handle = move |stream, peer| {
                                crate::amqp::serve(stream, peer, context.clone())
                            };
                            actix_rt::spawn(accept::tls(socket, gate, tls, deadline, handle));
                        })
                    }
                    _ => {
                        let (context, tls) = (frontends.http.clone(), http_alpn.clone());
                        worker.spawn_fn(move || {
                            let handle = move |stream, peer| {
                                crate::http::serve(stream, peer, context.clone())
                            };
                            actix_rt::spawn(accept::tls(socket, gate, tls, deadline, handle));
                        })
                    }
                };
                anyhow::ensure!(started, "a worker thread is gone");
            }
        }
        Ok(())
    }
}

/// What the frontends need to serve.
pub struct Frontends {
    /// MQTT.
    pub mqtt: Arc<MqttContext>,
    /// AMQP.
    pub amqp: Arc<AmqpContext>,
    /// HTTPS.
    pub http: Arc<HttpContext>,
    /// Health and metrics.
    pub admin: Arc<AdminContext>,
    /// The serving certificate.
    pub certificate: Arc<Certificate>,
    /// The bound on connections.
    pub gate: Arc<Gate>,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
}

/// The hub's host as clients of its HTTPS listener name it.
pub(crate) fn https_host(hostname: &str, addresses: &BTreeMap<&'static str, SocketAddr>) -> String {
    match addresses.get("https").map(SocketAddr::port) {
        None | Some(443) => hostname.to_owned(),
        Some(port) => format!("{hostname}:{port}"),
    }
}

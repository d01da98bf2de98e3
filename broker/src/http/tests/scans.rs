//! Queries that take long, and clients that do not wait for them.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, duplex};

use super::*;
use crate::http::listener::serve;
use crate::query::tests::run;
use crate::query::tests::turns::Stalled;

#[test]
fn a_scan_whose_client_closes_its_connection_ends() {
    run(|| async {
        let hub = Stalled::new().await;
        for text in [
            "SELECT deviceId FROM devices WHERE tags.n = 1199",
            "SELECT tags.n, COUNT() AS count FROM devices GROUP BY tags.n",
        ] {
            let (mut client, stream) = duplex(64 * 1024);
            let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
            let context = HttpContext { hub: Some(hub.router().clone()), ..context(None) };
            let context = HttpContext { registry: Arc::new(hub.router().clone()), ..context };
            actix_rt::spawn(serve(stream, peer.into(), Arc::new(context)));
            let (host, token) = Stalled::login();
            let body = serde_json::json!({ "query": text }).to_string();
            let head = format!(
                "POST /devices/query HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\nContent-Length: {}",
                body.len()
            );
            client.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
            while hub.pages() == 0 {
                tokio::task::yield_now().await;
            }
            drop(client);
            while hub.pages() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
}

//! Acknowledge and forget: the cheapest broker there can be, to find the generator's own ceiling.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::mqtt::{self, Request};

/// Bytes first set aside per connection for what was read and not yet decoded.
const READ_BYTES: usize = 16 * 1024;
/// Accepts every MQTT client on loopback, acknowledges every message and keeps none
#[derive(Debug, Clone, clap::Args)]
pub struct SinkArgs {
    /// Port; 0 picks a free one. The address is printed on standard output
    #[arg(long, default_value_t = 1883)]
    port: u16,
}

/// Serves until Ctrl-C.
pub async fn run(args: SinkArgs) -> anyhow::Result<bool> {
    let _ = crate::process::raise_file_limit();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    println!("listening on {}", listener.local_addr()?);
    let serve = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of files or the client is gone: later accepts may do better.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            };
            tokio::task::spawn_local(async move {
                // A broken connection ends itself and nothing else.
                let _ = absorb(stream).await;
            });
        }
    };
    LocalSet::new()
        .run_until(async {
            tokio::select! {
                () = serve => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        })
        .await;
    Ok(true)
}

/// One connection, to its end.
async fn absorb(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut held, mut answer) = (Vec::with_capacity(READ_BYTES), Vec::new());
    loop {
        if stream.read_buf(&mut held).await? == 0 {
            return Ok(());
        }
        let mut used = 0;
        loop {
            let next = mqtt::next_request(&held[used..]).map_err(std::io::Error::other)?;
            let Some((request, length)) = next else { break };
            used += length;
            match request {
                Request::Connect => answer.extend_from_slice(&mqtt::CONNACK_ACCEPTED),
                Request::Publish(Some(id)) => {
                    let [high, low] = id.to_be_bytes();
                    answer.extend_from_slice(&[0x40, 2, high, low]);
                }
                Request::Publish(None) => {}
                Request::Ping => answer.extend_from_slice(&mqtt::PINGRESP),
                Request::Disconnect => return Ok(()),
            }
        }
        held.drain(..used);
        // The decoder refuses packets that are too long, so what is left is bounded by the longest one.
        held.reserve(READ_BYTES);
        stream.write_all(&answer).await?;
        answer.clear();
    }
}

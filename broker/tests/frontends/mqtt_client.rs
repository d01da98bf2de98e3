//! One MQTT client on a blocking socket, for bytes that no MQTT library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use ironhub::client::sas::{KeyForm, token};

use crate::https::FAR_FUTURE;
use crate::packets;
use crate::support::{Hub, PATIENCE, wait_for};

/// CONNACK without a stored session.
pub const ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];

/// A registered device and its key.
pub struct Device {
    pub id: String,
    pub key: String,
}

impl Device {
    /// Registers it.
    pub fn create(hub: &Hub, id: &str) -> Self {
        let account = hub.create_device(id);
        let key = account.split_once("SharedAccessKey=").unwrap().1.to_owned();
        Self { id: id.to_owned(), key }
    }

    /// A token of the device's key for any resource.
    pub fn token(&self, resource: &str, expiry: u64) -> String {
        token(resource, "", &self.key, KeyForm::Decoded, expiry).unwrap()
    }

    /// A CONNECT that is right in everything.
    pub fn connect(&self) -> Vec<u8> {
        self.connect_with(60, None)
    }

    /// The same with another keep alive, or a will.
    pub fn connect_with(&self, keep_alive: u16, will: Option<&packets::Will>) -> Vec<u8> {
        let token = self.token(&format!("localhost/devices/{}", self.id), FAR_FUTURE);
        self.connect_as(keep_alive, will, &token)
    }

    /// The same with another token.
    pub fn connect_as(
        &self,
        keep_alive: u16,
        will: Option<&packets::Will>,
        token: &str,
    ) -> Vec<u8> {
        let name = format!("localhost/{}/?api-version=2021-04-12", self.id);
        packets::connect(false, keep_alive, &self.id, will, Some(&name), Some(token.as_bytes()))
    }

    /// A PUBLISH of QoS 1 on the device's own topic.
    pub fn publish(&self, id: u16, payload: &[u8]) -> Vec<u8> {
        packets::publish(&self.topic(), id, 1, false, false, payload)
    }

    /// Where its telemetry goes.
    pub fn topic(&self) -> String {
        format!("devices/{}/messages/events/", self.id)
    }
}

/// A connection.
pub struct Mqtt(pub TcpStream);

impl Mqtt {
    /// Connects the socket only.
    pub fn dial(hub: &Hub) -> Self {
        let tcp = TcpStream::connect(hub.address("mqtt")).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        Self(tcp)
    }

    /// Connects and is let in.
    pub fn open(hub: &Hub, connect: &[u8]) -> Self {
        let mut client = Self::dial(hub);
        client.send(connect);
        assert_eq!(client.read(4), ACCEPTED);
        client
    }

    /// Sends; a hub that has closed already is found out by what it answered.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.0.write_all(bytes) {
            Ok(()) => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            Err(error) => panic!("sending: {error}"),
        }
    }

    /// The next bytes.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("an answer of the hub");
        bytes
    }

    /// Says that nothing more comes.
    pub fn finish(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// Everything until the hub closes; it must close in time.
    pub fn rest(&mut self) -> Vec<u8> {
        let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            match self.0.read(&mut chunk) {
                Ok(0) => return answer,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return answer,
                Err(error) => panic!("the hub does not close: {error}"),
            }
        }
    }
}

/// A counter of the hub's metrics: the sum over its labels.
pub fn counter(hub: &Hub, name: &str) -> u64 {
    let metrics = hub.admin("/metrics").unwrap();
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let is_it = rest.starts_with(['{', ' ']);
        is_it.then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64)
    };
    metrics.lines().filter_map(value).sum()
}

/// Waits until the hub has stored this many messages since it started.
pub fn wait_for_stored(hub: &Hub, count: u64) {
    wait_for(&format!("{count} stored messages"), || {
        (counter(hub, "ironhub_d2c_accepted_total") == count).then_some(())
    });
}

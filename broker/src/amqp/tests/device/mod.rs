//! Devices on links, against owners in memory.

mod bad_input;
mod c2d;
mod identity;
mod many;
mod methods;
mod owners;
mod sasl;
mod telemetry;
mod tokens;
mod twin;

use ironhub_wire::amqp::performative::{Performative, ReceiverSettleMode, SenderSettleMode};
use ironhub_wire::amqp::{Attach, Map, Role, Source, Target, Text, Value};

pub use owners::Owners;

use super::client::Client;
use super::hub::{HOST, Hub, KEY};
use crate::client::sas::{KeyForm, token};

/// Far in the future, in seconds.
const FAR: u64 = 4_000_000_000;

/// A token signed with an identity's own key; `path` as `devices/dev1`.
pub fn own_token(path: &str, expiry: u64) -> String {
    token(&format!("{HOST}/{path}"), "", KEY, KeyForm::Decoded, expiry).expect("a token")
}

impl Client {
    /// Puts an identity's own token; the status.
    pub async fn put_own(&mut self, path: &str) -> i64 {
        self.put(&format!("{HOST}/{path}"), own_token(path, FAR)).await
    }

    /// Attaches and expects that it is granted; the answer.
    pub async fn attached(&mut self, handle: u32, role: Role, address: &str) -> Box<Attach> {
        self.attach(handle, role, address).await;
        self.answer_to_attach(handle).await
    }

    pub async fn answer_to_attach(&mut self, handle: u32) -> Box<Attach> {
        let wanted = |p: &Performative| matches!(p, Performative::Attach(a) if a.handle == handle);
        let (answer, _) = self.expect(wanted).await;
        let Performative::Attach(answer) = answer else { panic!("an attach") };
        let granted = match answer.role {
            Role::Receiver => answer.target.as_ref().is_some_and(|t| t.address.is_some()),
            Role::Sender => answer.source.as_ref().is_some_and(|s| s.address.is_some()),
        };
        assert!(granted, "{answer:?}");
        answer
    }
}

impl Hub {
    /// A connection with the token of `dev1`, on links 0 and 1.
    pub async fn connect_device(&self) -> Client {
        let mut client = self.connect().await;
        client.open_cbs().await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        client
    }
}

/// An attach with the settle modes that a client asks for.
pub fn modes(
    handle: u32,
    role: Role,
    address: &str,
    snd: SenderSettleMode,
    rcv: ReceiverSettleMode,
) -> Attach {
    let address = Some(Text::from(address));
    let (source, target) = match role {
        Role::Sender => (None, address),
        Role::Receiver => (address, None),
    };
    Attach {
        handle,
        role,
        snd_settle_mode: Some(snd),
        rcv_settle_mode: Some(rcv),
        source: Some(Source { address: source, ..Source::default() }),
        target: Some(Target { address: target, ..Target::default() }),
        ..Attach::default()
    }
}

/// Adds the correlation id of a pair of links.
pub fn paired(attach: Attach, id: &str) -> Attach {
    let key = "com.microsoft:channel-correlation-id";
    let properties = Map::default().with(key, Value::String(Text::from(id)));
    Attach { properties: Some(properties), ..attach }
}

//! Commands as clients order them: with a clock that jumps about, fresh tokens, and numbers that tell them apart.

use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties, Holder, LockToken, Settlement};
use ironhub_domain::device::{DeviceStatus, FilterKind, StoredSession, Subscription};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::limits::TwinLimits;
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::partition::{Command, EnqueueC2d, PatchReported, UpdateTwin};
use ironhub_domain::registry::{DeviceRequest, Fresh, IfMatch, PutDevice, PutMode};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::{Object, SectionChange, TwinUpdate};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Abandoning a message this often ends it.
const DELIVERIES_MAX: u32 = 2;

/// Whoever makes commands.
#[derive(Default)]
pub struct Orders {
    clock: u64,
    now: UnixMs,
    tokens: u128,
}

impl Orders {
    /// Time goes on; the next proposer's clock is a little before or behind.
    pub fn tick(&mut self, rng: &mut StdRng) {
        self.clock += rng.random_range(0..600);
        self.now = UnixMs(self.clock + 10_000 - rng.random_range(0..4_000));
    }

    pub fn put(&self, id: DeviceId, number: u64, enabled: bool) -> Command {
        let status = if enabled { DeviceStatus::Enabled } else { DeviceStatus::Disabled };
        Command::PutDevice(Box::new(PutDevice {
            mode: PutMode::CreateOrUpdate(IfMatch::Any),
            request: DeviceRequest { status, ..DeviceRequest::new(id) },
            fresh: Fresh {
                generation: number.to_string(),
                etag: format!("etag-{number}"),
                keys: SymmetricKeys::default(),
                now: self.now,
            },
        }))
    }

    pub fn delete(&self, id: DeviceId) -> Command {
        Command::DeleteDevice { id, precondition: IfMatch::Any }
    }

    pub fn send(&self, device: DeviceId, number: u64, rng: &mut StdRng) -> Command {
        let modes = [AckMode::None, AckMode::Positive, AckMode::Negative, AckMode::Full];
        let system =
            C2dProperties { message_id: Some(format!("m{number}")), ..C2dProperties::default() };
        let message = C2dMessage {
            system,
            ack: modes.choose(rng).copied().unwrap_or_default(),
            properties: Vec::new(),
            body: vec![7; rng.random_range(0..100)].into(),
        };
        let ttl = if rng.random_bool(0.2) { 5_000..60_000 } else { 60_000..900_000 };
        Command::EnqueueC2d(Box::new(EnqueueC2d {
            identity: device.into(),
            message,
            expires: UnixMs(self.now.0 + rng.random_range(ttl)),
            now: self.now,
        }))
    }

    pub fn lock(&mut self, device: DeviceId, holder: Holder, rng: &mut StdRng) -> Command {
        let tokens = (0..rng.random_range(1..4)).map(|_| {
            self.tokens += 1;
            LockToken(self.tokens.to_be_bytes())
        });
        Command::LockC2d {
            identity: device.into(),
            tokens: tokens.collect(),
            holder,
            now: self.now,
        }
    }

    /// What only a live session may say.
    pub fn speak(
        &self,
        device: DeviceId,
        token: Option<LockToken>,
        reported_version: u64,
        rng: &mut StdRng,
    ) -> Command {
        let identity = device.into();
        match rng.random_range(0..10) {
            0 => Command::PutSession {
                identity,
                session: rng.random_bool(0.7).then(|| session(rng)),
            },
            1..4 => Command::PatchReported(Box::new(PatchReported {
                identity,
                patch: patch(rng),
                if_version: rng
                    .random_bool(0.4)
                    .then(|| reported_version.saturating_sub(rng.random_range(0..2))),
                limits: TwinLimits::DEFAULT,
                now: self.now,
            })),
            _ => Command::SettleC2d {
                identity,
                lock: token.unwrap_or(LockToken([0xff; 16])),
                settlement: match rng.random_range(0..5) {
                    0 => Settlement::Complete,
                    1 => Settlement::Reject,
                    _ => Settlement::Abandon,
                },
                deliveries_max: DELIVERIES_MAX,
                now: self.now,
            },
        }
    }

    pub fn release(&self, device: DeviceId) -> Command {
        Command::ReleaseC2d { identity: device.into(), now: self.now }
    }

    pub fn sweep(&self, device: DeviceId) -> Command {
        Command::SweepC2d { identity: device.into(), now: self.now }
    }

    pub fn purge(&self, device: DeviceId) -> Command {
        Command::PurgeC2d { identity: device.into(), now: self.now }
    }

    pub fn drop_feedback(&self, sequences: Vec<u64>) -> Command {
        Command::DropNotices { kind: NoticeKind::Feedback, sequences }
    }

    pub fn update_twin(&self, device: DeviceId, etag: &str, rng: &mut StdRng) -> Command {
        let desired = if rng.random_bool(0.8) {
            SectionChange::Patch(patch(rng))
        } else {
            let mut values = patch(rng);
            values.retain(|_, value| !value.is_null());
            SectionChange::Replace(values)
        };
        let precondition = match rng.random_range(0..4) {
            0 | 1 => IfMatch::Any,
            2 => IfMatch::Tags(vec![etag.to_owned()]),
            _ => IfMatch::Tags(vec!["AAAAAAAAAAA=".to_owned()]),
        };
        Command::UpdateTwin(Box::new(UpdateTwin {
            identity: device.into(),
            update: TwinUpdate { tags: None, desired: Some(desired) },
            precondition,
            limits: TwinLimits::DEFAULT,
            now: self.now,
        }))
    }
}

fn session(rng: &mut StdRng) -> StoredSession {
    let subscription = Subscription {
        kind: FilterKind::C2d,
        filter: "devices/device-0/messages/devicebound/#".into(),
        qos: 1,
    };
    StoredSession { subscriptions: vec![subscription; rng.random_range(0..4)] }
}

fn patch(rng: &mut StdRng) -> Object {
    let mut patch = Object::new();
    for _ in 0..rng.random_range(1..4) {
        let name = ["a", "b", "c", "d"].choose(rng).copied().unwrap_or("a");
        let value = if rng.random_bool(0.3) {
            serde_json::Value::Null
        } else {
            rng.random_range(0..1_000_000).into()
        };
        patch.insert(name.to_owned(), value);
    }
    patch
}

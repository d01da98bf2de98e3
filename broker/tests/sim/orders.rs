//! Commands as clients order them: with a clock that jumps about, fresh tokens, and numbers that tell them apart.

use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties, Holder, LockToken, Settlement};
use ironhub_domain::device::{DeviceStatus, FilterKind, StoredSession, Subscription};
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::limits::TwinLimits;
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::partition::{Command, EnqueueC2d, PatchReported, UpdateTwin};
use ironhub_domain::registry::{
    AuthenticationRequest, DeviceRequest, Fresh, IfMatch, ModuleRequest, PutDevice, PutMode,
    PutModule,
};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::{Object, SectionChange, TwinUpdate};
use ironhub_domain::upload::{UploadResult, UploadTicket};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Abandoning a message this often ends it.
const DELIVERIES_MAX: u32 = 2;

/// The modules that a device may have.
pub fn modules() -> [ModuleId; 2] {
    ["m0", "m1"].map(|id| ModuleId::new(id).expect("a good id"))
}

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
            fresh: self.fresh(number),
        }))
    }

    fn fresh(&self, number: u64) -> Fresh {
        Fresh {
            generation: number.to_string(),
            etag: format!("etag-{number}"),
            keys: SymmetricKeys::default(),
            now: self.now,
        }
    }

    pub fn delete(&self, id: DeviceId) -> Command {
        Command::DeleteDevice { id, precondition: IfMatch::Any }
    }

    pub fn send(&self, identity: IdentityId, number: u64, rng: &mut StdRng) -> Command {
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
            identity,
            message,
            expires: UnixMs(self.now.0 + rng.random_range(ttl)),
            now: self.now,
        }))
    }

    pub fn lock(&mut self, identity: IdentityId, holder: Holder, rng: &mut StdRng) -> Command {
        let tokens = (0..rng.random_range(1..4)).map(|_| {
            self.tokens += 1;
            LockToken(self.tokens.to_be_bytes())
        });
        Command::LockC2d { identity, tokens: tokens.collect(), holder, now: self.now }
    }

    /// What only a live session may say.
    pub fn speak(
        &self,
        identity: IdentityId,
        token: Option<LockToken>,
        reported_version: u64,
        rng: &mut StdRng,
    ) -> Command {
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

    pub fn release(&self, identity: IdentityId) -> Command {
        Command::ReleaseC2d { identity, now: self.now }
    }

    pub fn sweep(&self, identity: IdentityId) -> Command {
        Command::SweepC2d { identity, now: self.now }
    }

    pub fn purge(&self, identity: IdentityId) -> Command {
        Command::PurgeC2d { identity, now: self.now }
    }

    pub fn put_module(&self, device: DeviceId, id: ModuleId, number: u64) -> Command {
        let authentication = AuthenticationRequest::Sas(SymmetricKeys::default());
        Command::PutModule(Box::new(PutModule {
            mode: PutMode::CreateOrUpdate(IfMatch::Any),
            request: ModuleRequest { device, id, authentication, managed_by: None },
            fresh: self.fresh(number),
        }))
    }

    pub fn delete_module(&self, device: DeviceId, module: ModuleId) -> Command {
        Command::DeleteModule { device, module, precondition: IfMatch::Any }
    }

    pub fn open_upload(&self, device: DeviceId, number: u64, rng: &mut StdRng) -> Command {
        let ttl = if rng.random_bool(0.3) { 5_000..60_000 } else { 600_000..3_600_000 };
        let ticket = UploadTicket {
            correlation_id: format!("u{number}"),
            blob_name: format!("{device}/{number}"),
            expires: UnixMs(self.now.0 + rng.random_range(ttl)),
        };
        Command::OpenUpload { device, ticket, now: self.now }
    }

    pub fn close_upload(&self, device: DeviceId, open: &str, rng: &mut StdRng) -> Command {
        let (bytes, last_updated) = (rng.random_range(0..100), self.now);
        let stored =
            UploadResult::Stored { blob_uri: format!("https://h/{open}"), bytes, last_updated };
        Command::CloseUpload {
            device,
            correlation_id: open.to_owned(),
            result: if rng.random_bool(0.7) { stored } else { UploadResult::Failed },
            notify: rng.random_bool(0.8),
            now: self.now,
        }
    }

    pub fn see_desired(&self, identity: IdentityId, newest: u64, rng: &mut StdRng) -> Command {
        Command::SeeDesired {
            identity,
            version: (newest + 1).saturating_sub(rng.random_range(0..4)),
        }
    }

    pub fn drop_notices(&self, kind: NoticeKind, sequences: Vec<u64>) -> Command {
        Command::DropNotices { kind, sequences }
    }

    pub fn update_twin(&self, identity: IdentityId, etag: &str, rng: &mut StdRng) -> Command {
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
            identity,
            update: TwinUpdate { tags: None, desired: Some(desired) },
            assigned: None,
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

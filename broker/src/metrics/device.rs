//! Devices: sessions, messages, refusals.

use std::sync::OnceLock;

use ironhub_domain::HubError;
use ironhub_domain::c2d::Settlement;
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// D2C messages acknowledged, that is: durable and applied.
pub const D2C_ACCEPTED: &str = "ironhub.d2c.accepted.total";
/// D2C messages refused, by error.
pub const D2C_REFUSED: &str = "ironhub.d2c.refused.total";
/// Messages and events that no route took, and that were dropped.
pub const UNROUTED: &str = "ironhub.routing.unrouted.total";
/// Messages that enrichments made too large for an endpoint, and that it did not get.
pub const ENRICHED_TOO_LARGE: &str = "ironhub.routing.enriched_too_large.total";
/// Devices with a live session.
pub const CONNECTED: &str = "ironhub.devices.connected";
/// Device actors in memory.
pub const ACTIVE: &str = "ironhub.devices.active";
/// Sessions let in, by frontend.
pub const CONNECTS: &str = "ironhub.connects.total";
/// Sessions refused, by error.
pub const CONNECTS_REFUSED: &str = "ironhub.connects.refused.total";
/// Sessions closed because a newer one of the same device came.
pub const TAKEOVERS: &str = "ironhub.takeovers.total";

/// Cloud-to-device messages taken into queues.
pub const C2D_ENQUEUED: &str = "ironhub.c2d.enqueued.total";
/// Cloud-to-device messages locked and sent to devices, each as often as it was.
pub const C2D_DELIVERED: &str = "ironhub.c2d.delivered.total";
/// Deliveries that devices settled, by how.
pub const C2D_SETTLED: &str = "ironhub.c2d.settled.total";
/// Direct methods sent to devices.
pub const METHODS_DISPATCHED: &str = "ironhub.methods.dispatched.total";
/// Direct methods that devices answered while their callers waited.
pub const METHODS_ANSWERED: &str = "ironhub.methods.answered.total";

pub(super) fn describe() {
    describe_counter!(D2C_ACCEPTED, Unit::Count, "D2C messages acknowledged after commit");
    describe_counter!(D2C_REFUSED, Unit::Count, "D2C messages refused");
    describe_counter!(UNROUTED, Unit::Count, "messages that no route took");
    describe_counter!(
        ENRICHED_TOO_LARGE,
        Unit::Count,
        "messages that enrichments made too large for an endpoint"
    );
    describe_gauge!(CONNECTED, Unit::Count, "devices with a live session");
    describe_gauge!(ACTIVE, Unit::Count, "device actors in memory");
    describe_counter!(CONNECTS, Unit::Count, "sessions let in");
    describe_counter!(CONNECTS_REFUSED, Unit::Count, "sessions refused");
    describe_counter!(
        TAKEOVERS,
        Unit::Count,
        "sessions closed because a newer one of the same device came"
    );
    describe_counter!(C2D_ENQUEUED, Unit::Count, "cloud-to-device messages taken into queues");
    describe_counter!(C2D_DELIVERED, Unit::Count, "cloud-to-device messages sent to devices");
    describe_counter!(C2D_SETTLED, Unit::Count, "cloud-to-device messages settled by devices");
    describe_counter!(METHODS_DISPATCHED, Unit::Count, "direct methods sent to devices");
    describe_counter!(METHODS_ANSWERED, Unit::Count, "direct methods answered by devices");
}

pub(crate) fn c2d_enqueued() {
    static HANDLE: OnceLock<Counter> = OnceLock::new();
    HANDLE.get_or_init(|| counter!(C2D_ENQUEUED)).increment(1);
}

pub(crate) fn c2d_delivered(count: u32) {
    static HANDLE: OnceLock<Counter> = OnceLock::new();
    HANDLE.get_or_init(|| counter!(C2D_DELIVERED)).increment(count.into());
}

pub(crate) fn c2d_settled(how: Settlement) {
    let how = match how {
        Settlement::Complete => "complete",
        Settlement::Reject => "reject",
        Settlement::Abandon => "abandon",
    };
    counter!(C2D_SETTLED, "how" => how).increment(1);
}

pub(crate) fn method_dispatched() {
    counter!(METHODS_DISPATCHED).increment(1);
}

pub(crate) fn method_answered() {
    counter!(METHODS_ANSWERED).increment(1);
}

pub(crate) fn d2c_accepted(count: u64) {
    static HANDLE: OnceLock<Counter> = OnceLock::new();
    HANDLE.get_or_init(|| counter!(D2C_ACCEPTED)).increment(count);
}

pub(crate) fn d2c_refused(count: u64, error: &HubError) {
    counter!(D2C_REFUSED, "error" => kind(error)).increment(count);
}

pub(crate) fn unrouted() {
    static HANDLE: OnceLock<Counter> = OnceLock::new();
    HANDLE.get_or_init(|| counter!(UNROUTED)).increment(1);
}

pub(crate) fn enriched_too_large() {
    counter!(ENRICHED_TOO_LARGE).increment(1);
}

fn connected() -> &'static Gauge {
    static HANDLE: OnceLock<Gauge> = OnceLock::new();
    HANDLE.get_or_init(|| gauge!(CONNECTED))
}

pub(crate) fn session_opened(protocol: &'static str) {
    connected().increment(1.0);
    counter!(CONNECTS, "protocol" => protocol).increment(1);
}

pub(crate) fn session_closed() {
    connected().decrement(1.0);
}

pub(crate) fn session_refused(protocol: &'static str, error: &HubError) {
    counter!(CONNECTS_REFUSED, "protocol" => protocol, "error" => kind(error)).increment(1);
}

pub(crate) fn takeover() {
    counter!(TAKEOVERS).increment(1);
}

pub(crate) fn active(count: usize) {
    gauge!(ACTIVE).set(count as f64);
}

/// The error's name as a label.
fn kind(error: &HubError) -> &'static str {
    match error {
        HubError::InvalidId(_) => "invalid_id",
        HubError::DeviceNotFound(_) => "device_not_found",
        HubError::DeviceAlreadyExists(_) => "device_already_exists",
        HubError::ModuleNotFound(_) => "module_not_found",
        HubError::ModuleAlreadyExists(_) => "module_already_exists",
        HubError::TooManyModules { .. } => "too_many_modules",
        HubError::CertificateNotFound(_) => "certificate_not_found",
        HubError::PolicyNotFound(_) => "policy_not_found",
        HubError::JobNotFound(_) => "job_not_found",
        HubError::JobAlreadyExists(_) => "job_already_exists",
        HubError::JobFinished(_) => "job_finished",
        HubError::TooManyJobs { .. } => "too_many_jobs",
        HubError::ConfigurationNotFound(_) => "configuration_not_found",
        HubError::ConfigurationAlreadyExists(_) => "configuration_already_exists",
        HubError::TooManyConfigurations { .. } => "too_many_configurations",
        HubError::DefinedTwice(_) => "defined_twice",
        HubError::TooManyItems { .. } => "too_many_items",
        HubError::Malformed(_) => "malformed",
        HubError::QueueFull { .. } => "queue_full",
        HubError::LockLost => "lock_lost",
        HubError::InvalidExpiry(_) => "invalid_expiry",
        HubError::NotOnline { .. } => "not_online",
        HubError::DeviceWentAway => "device_went_away",
        HubError::MethodTimeout { .. } => "method_timeout",
        HubError::TooManyMethods { .. } => "too_many_methods",
        HubError::UploadNotFound(_) => "upload_not_found",
        HubError::UploadExpired => "upload_expired",
        HubError::UploadBlobMissing(_) => "upload_blob_missing",
        HubError::TooManyUploads { .. } => "too_many_uploads",
        HubError::DeviceDisabled(_) => "device_disabled",
        HubError::PreconditionFailed { .. } => "precondition_failed",
        HubError::Unauthorized(_) => "unauthorized",
        HubError::Forbidden(_) => "forbidden",
        HubError::InvalidArgument(_) => "invalid_argument",
        HubError::MessageTooLarge { .. } => "message_too_large",
        HubError::SessionFenced => "session_fenced",
        HubError::Busy => "busy",
        HubError::NoLeader { .. } => "no_leader",
        HubError::OutcomeUnknown => "outcome_unknown",
        HubError::StorageFull => "storage_full",
        HubError::ShuttingDown => "shutting_down",
        HubError::Internal(_) => "internal",
    }
}

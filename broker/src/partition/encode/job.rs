//! Rows and counts of jobs, and the commands that change them.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::job::{
    DeviceJob, DeviceJobError, DeviceJobStatus, JobId, JobStatistics, JobType,
};
use ironhub_domain::method::MethodAnswer;
use ironhub_domain::partition::{DeviceJobNote, JobCommand, JobTending};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use ironhub_proto::note_device_job_command::Note;
use prost::Message;

use super::command::{read, unreadable};
use super::{damaged, identity, twin};

pub(crate) fn encode(row: &DeviceJob) -> Vec<u8> {
    proto::DeviceJobRecord {
        job_type: type_to_proto(row.job_type).into(),
        status: status_to_proto(row.status).into(),
        start_ms: row.start.map(|time| time.0),
        end_ms: row.end.map(|time| time.0),
        created_ms: row.created.0,
        updated_ms: row.updated.0,
        answer: row.outcome.as_ref().map(answer_to_proto),
        failure: row.error.as_ref().map(failure_to_proto),
    }
    .encode_to_vec()
}

pub(crate) fn decode(
    job: JobId,
    identity: IdentityId,
    bytes: &[u8],
) -> Result<DeviceJob, StorageError> {
    let record =
        proto::DeviceJobRecord::decode(bytes).map_err(|error| damaged("job row", error))?;
    let status = status_from_proto(record.status());
    Ok(DeviceJob {
        identity,
        job,
        job_type: type_from_proto(record.job_type())
            .ok_or_else(|| damaged("job row", "no type"))?,
        status: status.ok_or_else(|| damaged("job row", "no status"))?,
        start: record.start_ms.map(UnixMs),
        end: record.end_ms.map(UnixMs),
        created: UnixMs(record.created_ms),
        updated: UnixMs(record.updated_ms),
        outcome: record.answer.map(answer_from_proto),
        error: record.failure.map(failure_from_proto),
    })
}

pub(crate) fn encode_counts(counts: &JobStatistics) -> Vec<u8> {
    let JobStatistics { devices, failed, succeeded, running, pending } = *counts;
    proto::JobCountsRecord { devices, failed, succeeded, running, pending }.encode_to_vec()
}

pub(crate) fn decode_counts(bytes: &[u8]) -> Result<JobStatistics, StorageError> {
    let proto::JobCountsRecord { devices, failed, succeeded, running, pending } =
        proto::JobCountsRecord::decode(bytes).map_err(|error| damaged("job counts", error))?;
    Ok(JobStatistics { devices, failed, succeeded, running, pending })
}

const fn type_to_proto(job_type: JobType) -> proto::JobType {
    match job_type {
        JobType::UpdateTwin => proto::JobType::UpdateTwin,
        JobType::DeviceMethod => proto::JobType::DeviceMethod,
        JobType::Export => proto::JobType::Export,
        JobType::Import => proto::JobType::Import,
    }
}

const fn type_from_proto(job_type: proto::JobType) -> Option<JobType> {
    match job_type {
        proto::JobType::UpdateTwin => Some(JobType::UpdateTwin),
        proto::JobType::DeviceMethod => Some(JobType::DeviceMethod),
        proto::JobType::Export => Some(JobType::Export),
        proto::JobType::Import => Some(JobType::Import),
        proto::JobType::Unspecified => None,
    }
}

const fn status_to_proto(status: DeviceJobStatus) -> proto::DeviceJobStatus {
    match status {
        DeviceJobStatus::Pending => proto::DeviceJobStatus::Pending,
        DeviceJobStatus::Scheduled => proto::DeviceJobStatus::Scheduled,
        DeviceJobStatus::Running => proto::DeviceJobStatus::Running,
        DeviceJobStatus::Completed => proto::DeviceJobStatus::Completed,
        DeviceJobStatus::Failed => proto::DeviceJobStatus::Failed,
        DeviceJobStatus::Canceled => proto::DeviceJobStatus::Canceled,
    }
}

const fn status_from_proto(status: proto::DeviceJobStatus) -> Option<DeviceJobStatus> {
    match status {
        proto::DeviceJobStatus::Pending => Some(DeviceJobStatus::Pending),
        proto::DeviceJobStatus::Scheduled => Some(DeviceJobStatus::Scheduled),
        proto::DeviceJobStatus::Running => Some(DeviceJobStatus::Running),
        proto::DeviceJobStatus::Completed => Some(DeviceJobStatus::Completed),
        proto::DeviceJobStatus::Failed => Some(DeviceJobStatus::Failed),
        proto::DeviceJobStatus::Canceled => Some(DeviceJobStatus::Canceled),
        proto::DeviceJobStatus::Unspecified => None,
    }
}

fn answer_to_proto(answer: &MethodAnswer) -> proto::DeviceJobAnswer {
    proto::DeviceJobAnswer { status: answer.status, payload: answer.payload.clone() }
}

fn answer_from_proto(answer: proto::DeviceJobAnswer) -> MethodAnswer {
    MethodAnswer { status: answer.status, payload: answer.payload }
}

fn failure_to_proto(error: &DeviceJobError) -> proto::DeviceJobFailure {
    proto::DeviceJobFailure { code: error.code.clone(), description: error.description.clone() }
}

fn failure_from_proto(failure: proto::DeviceJobFailure) -> DeviceJobError {
    DeviceJobError { code: failure.code, description: failure.description }
}

mod kind {
    pub(super) const TARGET: u8 = 0x50;
    pub(super) const UPDATE_TWIN: u8 = 0x51;
    pub(super) const NOTE: u8 = 0x52;
    pub(super) const TEND: u8 = 0x53;
}

/// Its kind and its message.
pub(super) fn encode_command(command: &JobCommand) -> (u8, Vec<u8>) {
    let name = |job: &JobId| job.as_str().to_owned();
    match command {
        JobCommand::Target { job, job_type, identities, now } => {
            let message = proto::TargetJobCommand {
                job_id: name(job),
                job_type: type_to_proto(*job_type).into(),
                identities: identities.iter().map(identity::to_proto).collect(),
                now_ms: now.0,
            };
            (kind::TARGET, message.encode_to_vec())
        }
        JobCommand::UpdateTwin { job, update } => {
            let update = Some(twin::update_to_proto(update));
            let message = proto::UpdateTwinOfJobCommand { job_id: name(job), update };
            (kind::UPDATE_TWIN, message.encode_to_vec())
        }
        JobCommand::Note { job, identity, note, now } => {
            let message = proto::NoteDeviceJobCommand {
                job_id: name(job),
                identity: Some(identity::to_proto(identity)),
                note: note_to_proto(note),
                now_ms: now.0,
            };
            (kind::NOTE, message.encode_to_vec())
        }
        JobCommand::Tend { job, how, after, now } => {
            let message = proto::TendJobCommand {
                job_id: name(job),
                how: tending_to_proto(*how).into(),
                after: after.as_ref().map(identity::to_proto),
                now_ms: now.0,
            };
            (kind::TEND, message.encode_to_vec())
        }
    }
}

pub(super) fn decode_command(kind: u8, message: &[u8]) -> Result<JobCommand, HubError> {
    Ok(match kind {
        kind::TARGET => {
            let message: proto::TargetJobCommand = read(message)?;
            let job_type = type_from_proto(message.job_type());
            let identities = message.identities.into_iter();
            let identities = identities.map(|one| identity::from_proto(Some(one)));
            JobCommand::Target {
                job: JobId::new(&message.job_id)?,
                job_type: job_type.ok_or_else(|| unreadable("no job type"))?,
                identities: identities.collect::<Result<_, _>>()?,
                now: UnixMs(message.now_ms),
            }
        }
        kind::UPDATE_TWIN => {
            let message: proto::UpdateTwinOfJobCommand = read(message)?;
            let update = message.update.ok_or_else(|| unreadable("no update"))?;
            let update = Box::new(twin::update_from_proto(update)?);
            JobCommand::UpdateTwin { job: JobId::new(&message.job_id)?, update }
        }
        kind::NOTE => {
            let message: proto::NoteDeviceJobCommand = read(message)?;
            JobCommand::Note {
                job: JobId::new(&message.job_id)?,
                identity: identity::from_proto(message.identity)?,
                note: note_from_proto(message.note),
                now: UnixMs(message.now_ms),
            }
        }
        kind::TEND => {
            let message: proto::TendJobCommand = read(message)?;
            let how = tending_from_proto(message.how());
            let after = message.after.map(|after| identity::from_proto(Some(after)));
            JobCommand::Tend {
                job: JobId::new(&message.job_id)?,
                how: how.ok_or_else(|| unreadable("unknown tending of a job"))?,
                after: after.transpose()?,
                now: UnixMs(message.now_ms),
            }
        }
        other => return Err(unreadable(format!("unknown kind {other:#04x}"))),
    })
}

/// A start is none of the two.
fn note_to_proto(note: &DeviceJobNote) -> Option<Note> {
    match note {
        DeviceJobNote::Start => None,
        DeviceJobNote::Finish(Ok(answer)) => Some(Note::Answer(answer_to_proto(answer))),
        DeviceJobNote::Finish(Err(error)) => Some(Note::Failure(failure_to_proto(error))),
    }
}

fn note_from_proto(note: Option<Note>) -> DeviceJobNote {
    match note {
        None => DeviceJobNote::Start,
        Some(Note::Answer(answer)) => DeviceJobNote::Finish(Ok(answer_from_proto(answer))),
        Some(Note::Failure(error)) => DeviceJobNote::Finish(Err(failure_from_proto(error))),
    }
}

const fn tending_to_proto(how: JobTending) -> proto::JobTending {
    match how {
        JobTending::Cancel => proto::JobTending::Cancel,
        JobTending::Expire => proto::JobTending::Expire,
        JobTending::Resume => proto::JobTending::Resume,
        JobTending::Forget => proto::JobTending::Forget,
    }
}

const fn tending_from_proto(how: proto::JobTending) -> Option<JobTending> {
    match how {
        proto::JobTending::Cancel => Some(JobTending::Cancel),
        proto::JobTending::Expire => Some(JobTending::Expire),
        proto::JobTending::Resume => Some(JobTending::Resume),
        proto::JobTending::Forget => Some(JobTending::Forget),
        proto::JobTending::Unspecified => None,
    }
}

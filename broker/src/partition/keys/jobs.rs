//! Rows of jobs: the job's id, zero byte, device, zero byte, module if it is one. And the counts of a job's rows. No id has a
//! zero byte.

use ironhub_cluster::GroupId;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_domain::job::JobId;

use super::{key, split_identity};

const ROW: u8 = 0x50;
const COUNTS: u8 = 0x51;

fn start(group: GroupId, job: &JobId, end: u8) -> Vec<u8> {
    key(group, ROW, &[job.as_str().as_bytes(), &[end]].concat())
}

/// What became of a job on one identity.
pub(in crate::partition) fn row(group: GroupId, job: &JobId, identity: &IdentityId) -> Vec<u8> {
    let mut key = start(group, job, 0);
    key.extend_from_slice(identity.device.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(identity.module.as_ref().map_or("", ModuleId::as_str).as_bytes());
    key
}

/// The rows of a job behind `after` lie between these two.
pub(in crate::partition) fn rows(
    group: GroupId,
    job: &JobId,
    after: Option<&IdentityId>,
) -> (Vec<u8>, Vec<u8>) {
    let from = match after {
        Some(after) => {
            let mut from = row(group, job, after);
            from.push(0);
            from
        }
        None => start(group, job, 0),
    };
    (from, start(group, job, 1))
}

/// The rows of all jobs behind `after` lie between these two.
pub(in crate::partition) fn all_rows(
    group: GroupId,
    after: Option<(&JobId, &IdentityId)>,
) -> (Vec<u8>, Vec<u8>) {
    let from = match after {
        Some((job, identity)) => rows(group, job, Some(identity)).0,
        None => key(group, ROW, &[]),
    };
    (from, key(group, ROW + 1, &[]))
}

/// The rows that a job has of a device and its modules lie between these two; behind `after`, which is one of them, if that
/// is given.
pub(in crate::partition) fn rows_of_device(
    group: GroupId,
    job: &JobId,
    device: &DeviceId,
    after: Option<&IdentityId>,
) -> (Vec<u8>, Vec<u8>) {
    let mut to = row(group, job, &device.clone().into());
    let from = match after {
        Some(after) => rows(group, job, Some(after)).0,
        None => to.clone(),
    };
    // Ids are ASCII.
    to.push(0xff);
    (from, to)
}

/// The job and the identity in a key that [`row`] made.
pub(in crate::partition) fn of_row(key: &[u8]) -> Option<(JobId, IdentityId)> {
    let rest = key.get(5..)?;
    let at = rest.iter().position(|byte| *byte == 0)?;
    let job = JobId::new(std::str::from_utf8(&rest[..at]).ok()?).ok()?;
    Some((job, split_identity(&rest[at + 1..])?))
}

/// How many rows a job has.
pub(in crate::partition) fn counts(group: GroupId, job: &JobId) -> Vec<u8> {
    key(group, COUNTS, job.as_str().as_bytes())
}

/// The counts of the jobs behind `after` lie between these two.
pub(in crate::partition) fn all_counts(
    group: GroupId,
    after: Option<&JobId>,
) -> (Vec<u8>, Vec<u8>) {
    let from = match after {
        Some(after) => {
            let mut from = counts(group, after);
            from.push(0);
            from
        }
        None => key(group, COUNTS, &[]),
    };
    (from, key(group, COUNTS + 1, &[]))
}

/// The job in a key that [`counts`] made.
pub(in crate::partition) fn of_counts(key: &[u8]) -> Option<JobId> {
    JobId::new(std::str::from_utf8(key.get(5..)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_in_the_order_of_jobs_and_identities_and_name_both() {
        let group = GroupId(3);
        let job = |id: &str| JobId::new(id).unwrap();
        let device = |id: &str| IdentityId::device(DeviceId::new(id).unwrap());
        let module = |id: &str, module: &str| {
            IdentityId::module(DeviceId::new(id).unwrap(), ModuleId::new(module).unwrap())
        };
        let rows_of = [
            (job("a"), device("x")),
            (job("a"), module("x", "m")),
            (job("a"), device("x!")),
            (job("a"), device("y")),
            (job("a+"), device("x")),
            (job("b"), device("a")),
        ];
        let keys: Vec<_> =
            rows_of.iter().map(|(job, identity)| row(group, job, identity)).collect();
        assert!(keys.is_sorted());
        for (n, (job, identity)) in rows_of.iter().enumerate() {
            assert_eq!(of_row(&keys[n]), Some((job.clone(), identity.clone())));
            for (m, other) in keys.iter().enumerate() {
                let inside = |(from, to): (Vec<u8>, Vec<u8>)| (from..to).contains(other);
                let same = rows_of[m].0 == *job;
                assert_eq!(inside(rows(group, job, None)), same, "{n} {m}");
                assert_eq!(inside(rows(group, job, Some(identity))), same && m > n, "{n} {m}");
                let device = &identity.device;
                let of_device = same && rows_of[m].1.device == *device;
                assert_eq!(inside(rows_of_device(group, job, device, None)), of_device, "{n} {m}");
                let behind = rows_of_device(group, job, device, Some(identity));
                assert_eq!(inside(behind), of_device && m > n, "{n} {m}");
                assert_eq!(inside(all_rows(group, Some((job, identity)))), m > n, "{n} {m}");
            }
        }
        assert_eq!(of_row(b"short"), None);
    }
}

//! Rows of devices.jobs by device: found in each job, not by looking at all rows.

use ironhub_domain::ids::IdentityId;
use ironhub_domain::job::{JobId, JobType};
use ironhub_domain::partition::JobCommand;
use ironhub_domain::time::UnixMs;

use super::*;
use crate::actor::tests::rig::module_of;

async fn target(hub: &Hub, job: &str, identities: Vec<IdentityId>) {
    for identity in identities {
        let command = Command::Job(JobCommand::Target {
            job: JobId::new(job).unwrap(),
            job_type: JobType::UpdateTwin,
            identities: vec![identity.clone()],
            now: UnixMs(5),
        });
        let owner = hub.state.directory(&identity.device).owner();
        owner.partition().change(&command).await.unwrap();
    }
}

fn of(id: &str) -> IdentityId {
    IdentityId::device(ironhub_domain::ids::DeviceId::new(id).unwrap())
}

#[test]
fn the_rows_of_a_device_are_found_in_every_job_and_on_pages_of_every_size() {
    run(|| async {
        let hub = Hub::new().await;
        for n in 0..8 {
            hub.create(&format!("n{n}")).await;
        }
        for job in ["a", "b", "b+", "c"] {
            target(&hub, job, (0..8).map(|n| of(&format!("n{n}"))).collect()).await;
        }
        target(&hub, "b", vec![of("d"), module_of("m"), module_of("m2")]).await;
        let rows = |jobs: &[&str], names: &[&str]| -> BTreeSet<String> {
            let row = |job: &&str| names.iter().map(|name| format!("{name} of {job}")).collect();
            jobs.iter().flat_map(|job| -> Vec<String> { row(job) }).collect()
        };
        let all = ["a", "b", "b+", "c"];
        for (condition, expected) in [
            ("deviceId = 'n3'", rows(&all, &["n3"])),
            ("deviceId = 'd'", rows(&["b"], &["d", "d/m", "d/m2"])),
            ("deviceId IN ['n1', 'd', 'n7', 'none', 'no id']", {
                let mut both = rows(&all, &["n1", "n7"]);
                both.extend(rows(&["b"], &["d", "d/m", "d/m2"]));
                both
            }),
            ("deviceId = 'd' AND jobId = 'b'", rows(&["b"], &["d", "d/m", "d/m2"])),
            ("deviceId = 'd' AND jobId = 'a'", BTreeSet::new()),
            ("deviceId = 'n2' AND jobId IN ['a', 'c']", rows(&["a", "c"], &["n2"])),
        ] {
            let text = format!("SELECT * FROM devices.jobs WHERE {condition}");
            for max in [1, 2, 100] {
                let found = names(&hub, &text, max).await;
                let set: BTreeSet<String> = found.iter().cloned().collect();
                assert_eq!((found.len(), &set), (set.len(), &expected), "{text}: {max}");
            }
        }
    });
}

#[test]
fn looking_for_a_device_goes_on_behind_any_number_of_looks() {
    run(|| async {
        let hub = Hub::new().await;
        for job in ["a", "b", "c"] {
            target(&hub, job, vec![of("d"), module_of("m")]).await;
        }
        target(&hub, "b", vec![module_of("m2")]).await;
        let owner = hub.state.directory(&device().device).owner();
        let (store, group) = (owner.store(), owner.partition().group());
        let devices = ["a", "d", "e"].map(|id| of(id).device);
        for max in [1, 2, 3, 4, 100] {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let chunk =
                    crate::query::job_rows::of_devices(store, group, &devices, after.as_ref(), max);
                let chunk = chunk.unwrap();
                found.extend(chunk.candidates.iter().map(crate::query::way::Candidate::key));
                after = chunk.looked_to;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found.len(), 7, "{max}");
            assert!(found.is_sorted(), "{max}");
        }
    });
}

//! Names that the hub gives: written in any case they mean the same, and results show the canonical spelling. Names that
//! users give, in tags and properties, count as written.

use super::Source;
use super::expression::{Path, Step};

/// Where a condition stands, which decides what its names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// In a query, over the rows of this source.
    Rows(Source),
    /// In a route: a name is an application property, `$name` a system property or else an application property of that
    /// name, `$body` begins a path into the body and `$twin` one into the sender's twin (service-protocols.md 4.11).
    /// Names may have hyphens.
    Routing,
}

/// The members of a twin row.
const TWIN: [&str; 22] = [
    "deviceId",
    "moduleId",
    "status",
    "statusReason",
    "statusUpdateTime",
    "statusUpdatedTime",
    "connectionState",
    "connectionStateUpdatedTime",
    "lastActivityTime",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "capabilities",
    "etag",
    "deviceEtag",
    "version",
    "modelId",
    "deviceScope",
    "parentScopes",
    "x509Thumbprint",
    "tags",
    "properties",
    "configurations",
];

/// Their members, as far as the hub names them.
const TWIN_MEMBERS: [(&str, &[&str]); 3] = [
    ("capabilities", &["iotEdge"]),
    ("x509Thumbprint", &["primaryThumbprint", "secondaryThumbprint"]),
    ("properties", &["desired", "reported"]),
];

/// The members of a row of `devices.jobs` (service-protocols.md 2.7).
const JOB: [&str; 11] = [
    "deviceId",
    "moduleId",
    "jobId",
    "jobType",
    "status",
    "startTimeUtc",
    "endTimeUtc",
    "createdDateTimeUtc",
    "lastUpdatedDateTimeUtc",
    "outcome",
    "error",
];

/// System properties that a route may name (service-protocols.md 4.11), and its two documents.
const SYSTEM: [&str; 16] = [
    "$messageId",
    "$correlationId",
    "$userId",
    "$to",
    "$contentType",
    "$contentEncoding",
    "$enqueuedTime",
    "$connectionDeviceId",
    "$connectionModuleId",
    "$connectionDeviceGenerationId",
    "$connectionAuthMethod",
    "$dt-dataschema",
    "$dt-subject",
    "$creation-time-utc",
    "$body",
    "$twin",
];

/// Gives a path its canonical form: without the name of the source in front, and the hub's names as the hub writes them.
/// Otherwise what is wrong with it.
pub(super) fn resolve(path: &mut Path, dialect: Dialect) -> Result<(), String> {
    match dialect {
        Dialect::Routing => {
            spell(&mut path.steps, 0, &SYSTEM);
            if path.root() == Some("$twin") {
                resolve_twin(&mut path.steps[1..]);
            }
            Ok(())
        }
        Dialect::Rows(source) => {
            remove_prefix(&mut path.steps, source);
            match source {
                Source::Devices | Source::Modules => resolve_twin(&mut path.steps),
                Source::Jobs => return resolve_job(&mut path.steps),
            }
            Ok(())
        }
    }
}

fn resolve_twin(steps: &mut [Step]) {
    spell(steps, 0, &TWIN);
    let members = TWIN_MEMBERS.iter().find(|(owner, _)| is_named(steps.first(), owner));
    if let Some((_, members)) = members {
        spell(steps, 1, members);
    }
}

fn resolve_job(steps: &mut [Step]) -> Result<(), String> {
    spell(steps, 0, &JOB);
    if let Some(Step::Name(name)) = steps.first_mut() {
        // The original's documentation has this name in its examples.
        if name.eq_ignore_ascii_case("createdTimeUtc") {
            *name = "createdDateTimeUtc".to_owned();
        }
        if ["tags", "properties", "configurations"].iter().any(|n| name.eq_ignore_ascii_case(n)) {
            return Err(format!("{name}: a query of devices.jobs cannot look at twins"));
        }
    }
    Ok(())
}

/// Takes away `devices.jobs.` of `devices.jobs.deviceId`, for each source its own name, and for each also `devices.`, which
/// the examples of the `az iot` extension write in front of a module's `deviceId`. No row has a member `devices`.
fn remove_prefix(steps: &mut Vec<Step>, source: Source) {
    for names in [source.as_str(), Source::Devices.as_str()] {
        let names: Vec<&str> = names.split('.').collect();
        let is_prefix = steps.len() > names.len()
            && names.iter().zip(steps.iter()).all(|(name, step)| is_named(Some(step), name));
        if is_prefix {
            steps.drain(..names.len());
            return;
        }
    }
}

fn is_named(step: Option<&Step>, name: &str) -> bool {
    matches!(step, Some(Step::Name(found)) if found.eq_ignore_ascii_case(name))
}

fn spell(steps: &mut [Step], at: usize, names: &[&str]) {
    if let Some(Step::Name(name)) = steps.get_mut(at)
        && let Some(canonical) = names.iter().find(|known| known.eq_ignore_ascii_case(name))
    {
        *name = (*canonical).to_owned();
    }
}

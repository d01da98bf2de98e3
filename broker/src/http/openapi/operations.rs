//! What each call takes and gives. The texts are those of the route's own documentation; permissions those that its
//! handler asks for.

use super::super::route::{ConfigurationCall, DigitalTwinCall, GroupCall, Operation, PolicyCall};

/// A body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// None.
    Nothing,
    /// JSON of this schema.
    Json(&'static str),
    /// A JSON array of this schema.
    List(&'static str),
    /// Bytes that are not looked at.
    Any,
}

/// A call, for people and for tools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    pub(super) summary: &'static str,
    /// What the token must allow; `None` needs no token.
    pub(super) permission: Option<&'static str>,
    pub(super) body: Option<Content>,
    /// Name and schema of each parameter in the query.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) if_match: bool,
    /// Statuses of success.
    pub(super) replies: &'static [(u16, Content)],
    /// Statuses of refusal besides those of every call.
    pub(super) more_errors: &'static [u16],
}

const READ: &str = "RegistryRead";
const WRITE: &str = "RegistryWrite";
const READ_WRITE: &str = "RegistryRead, RegistryWrite";
const SERVICE: &str = "ServiceConnect";
const DEVICE: &str = "DeviceConnect, or the device's own key";
const OWNER: &str = "RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect";

const NONE: &[(u16, Content)] = &[(204, Content::Nothing)];

fn call(
    summary: &'static str,
    permission: &'static str,
    replies: &'static [(u16, Content)],
) -> Described {
    Described {
        summary,
        permission: Some(permission),
        body: None,
        query: &[],
        if_match: false,
        replies,
        more_errors: &[],
    }
}

impl Described {
    const fn taking(self, body: Content) -> Self {
        Self { body: Some(body), ..self }
    }

    const fn conditional(self) -> Self {
        Self { if_match: true, ..self }
    }

    const fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Self { query, ..self }
    }

    const fn refusing(self, more_errors: &'static [u16]) -> Self {
        Self { more_errors, ..self }
    }
}

/// The description of a call.
pub(super) fn describe(operation: Operation) -> Described {
    use Content::{Any, Json, List, Nothing};
    match operation {
        Operation::ListDevices => {
            call("List devices, in the order of their ids", READ, &[(200, List("Device"))])
                .query(&[("top", "Top")])
        }
        Operation::GetDevice => call("Read a device", READ, &[(200, Json("Device"))]),
        Operation::PutDevice => {
            call("Create a device, or with If-Match change it", WRITE, &[(200, Json("Device"))])
                .taking(Json("Device"))
                .conditional()
                .refusing(&[409])
        }
        Operation::DeleteDevice => {
            call("Delete a device and everything of it", WRITE, NONE).conditional()
        }
        Operation::BulkRegistry => call(
            "Create, change and delete up to 100 identities",
            WRITE,
            &[(200, Json("BulkResult")), (400, Json("BulkResultOrError"))],
        )
        .taking(Json("BulkItems")),
        Operation::RegenerateKeys => {
            call("Renew keys of up to 100 identities", WRITE, &[(200, Json("Object"))])
                .taking(Json("RegenerateKeys"))
        }
        Operation::ListModules => {
            call("List the modules of a device", READ, &[(200, List("Module"))])
        }
        Operation::GetModule => call("Read a module", READ, &[(200, Json("Module"))]),
        Operation::PutModule => {
            let replies = &[(200, Json("Module")), (201, Json("Module"))];
            call("Create a module, or with If-Match change it", WRITE, replies)
                .taking(Json("Module"))
                .conditional()
                .refusing(&[409])
        }
        Operation::DeleteModule => {
            call("Delete a module and everything of it", WRITE, NONE).conditional()
        }
        Operation::GetTwin => call("Read a twin", SERVICE, &[(200, Json("Twin"))]),
        Operation::PatchTwin => {
            call("Merge into tags and desired properties", SERVICE, &[(200, Json("Twin"))])
                .taking(Json("Twin"))
                .conditional()
        }
        Operation::ReplaceTwin => {
            call("Replace tags or desired properties", SERVICE, &[(200, Json("Twin"))])
                .taking(Json("Twin"))
                .conditional()
        }
        Operation::InvokeMethod => {
            call("Call a direct method", SERVICE, &[(200, Json("MethodAnswer"))])
                .taking(Json("Method"))
                .refusing(&[502, 504])
        }
        Operation::SendC2d => call("Send a message to a device", SERVICE, NONE).taking(Any),
        Operation::PurgeC2d => {
            call("Remove all messages of a queue", SERVICE, &[(200, Json("Object"))])
        }
        Operation::SendD2c => call("A device sends telemetry", DEVICE, NONE).taking(Any),
        Operation::ReceiveC2d => {
            call("A device takes its next message", DEVICE, &[(200, Any), (204, Nothing)])
        }
        Operation::CompleteC2d => call("A device completes or rejects a message", DEVICE, NONE)
            .query(&[("reject", "Text")]),
        Operation::AbandonC2d => call("A device gives a message back", DEVICE, NONE),
        Operation::ReceiveFeedback => {
            call("Take the next feedback", SERVICE, &[(200, List("Object")), (204, Nothing)])
        }
        Operation::CompleteFeedback => call("Feedback was read", SERVICE, NONE),
        Operation::AbandonFeedback => call("Give feedback back", SERVICE, NONE),
        Operation::AnnounceUpload => {
            call("A device announces a file", DEVICE, &[(200, Json("Object"))])
                .taking(Json("Object"))
        }
        Operation::FinishUpload => {
            call("A device finishes an upload", DEVICE, NONE).taking(Json("Object"))
        }
        Operation::ListCertificates => {
            call("List certificate authorities", OWNER, &[(200, Json("Object"))])
        }
        Operation::GetCertificate => {
            call("Read a certificate authority", OWNER, &[(200, Json("Object"))])
        }
        Operation::PutCertificate => {
            let replies = &[(200, Json("Object")), (201, Json("Object"))];
            call("Register a certificate authority", OWNER, replies)
                .taking(Json("Certificate"))
                .conditional()
        }
        Operation::DeleteCertificate => {
            call("Remove a certificate authority", OWNER, NONE).conditional()
        }
        Operation::Query => {
            let replies = &[(200, List("Anything"))];
            call("Run a query over devices, modules or jobs", SERVICE, replies)
                .taking(Json("Query"))
        }
        Operation::DeviceStatistics => call("Count the devices", READ, &[(200, Json("Object"))]),
        Operation::ServiceStatistics => {
            call("Count the connected devices", SERVICE, &[(200, Json("Object"))])
        }
        Operation::GetRouting => call("Read the routing", OWNER, &[(200, Json("Object"))]),
        Operation::PutRouting => {
            let replies = &[(200, Json("Object")), (201, Json("Object"))];
            call("Replace the routing", OWNER, replies).taking(Json("Object")).conditional()
        }
        Operation::GetRoutingPart(_) => {
            call("Read a part of the routing", OWNER, &[(200, Json("Object"))])
        }
        Operation::PutRoutingPart(_) => {
            let replies = &[(200, Json("Object")), (201, Json("Object"))];
            call("Create or change a part of the routing", OWNER, replies)
                .taking(Json("Object"))
                .conditional()
        }
        Operation::DeleteRoutingPart(_) => {
            call("Delete a part of the routing", OWNER, NONE).conditional()
        }
        Operation::EndpointHealth => {
            call("See how an endpoint does", OWNER, &[(200, Json("Object"))])
        }
        Operation::TestRoutes => {
            call("Try a message on all routes", OWNER, &[(200, Json("Object"))])
                .taking(Json("Object"))
        }
        Operation::TestRoute => {
            call("Try a message on a route", OWNER, &[(200, Json("Object"))]).taking(Json("Object"))
        }
        Operation::PutJob => {
            call("Schedule one action over many devices", SERVICE, &[(200, Json("Object"))])
                .taking(Json("Job"))
                .refusing(&[409])
        }
        Operation::GetJob => call("Read a job", SERVICE, &[(200, Json("Object"))]),
        Operation::CancelJob => {
            call("Cancel a job", SERVICE, &[(200, Json("Object"))]).refusing(&[409])
        }
        Operation::QueryJobs => call("List jobs", SERVICE, &[(200, List("Object"))])
            .query(&[("jobType", "Text"), ("jobStatus", "Text")]),
        Operation::Configurations(call) => configurations(call),
        Operation::CreateTransfer => {
            call("Import or export the registry", READ_WRITE, &[(200, Json("Object"))])
                .taking(Json("Transfer"))
        }
        Operation::ListTransfers => {
            call("List imports and exports", READ_WRITE, &[(200, List("Object"))])
        }
        Operation::GetTransfer => {
            call("Read an import or export", READ_WRITE, &[(200, Json("Object"))])
        }
        Operation::CancelTransfer => call("Cancel an import or export", READ_WRITE, NONE),
        Operation::DigitalTwins(call) => digital_twins(call),
        Operation::Policies(call) => policies(call),
        Operation::ConsumerGroups(call) => consumer_groups(call),
        Operation::OpenApi => {
            Described { permission: None, ..call("This document", "", &[(200, Json("Object"))]) }
        }
        Operation::NotBuilt(what) => call(what, SERVICE, &[]),
    }
}

fn configurations(asked: ConfigurationCall) -> Described {
    use Content::Json;
    const ONE: &[(u16, Content)] = &[(200, Json("Object"))];
    match asked {
        ConfigurationCall::List => {
            call("List configurations", READ, &[(200, Content::List("Object"))])
                .query(&[("top", "Top")])
        }
        ConfigurationCall::Get => call("Read a configuration", READ, ONE),
        ConfigurationCall::Put => {
            let replies = &[(200, Json("Object")), (201, Json("Object"))];
            call("Create or change a configuration", WRITE, replies)
                .taking(Json("Object"))
                .conditional()
                .refusing(&[409])
        }
        ConfigurationCall::Delete => call("Delete a configuration", WRITE, NONE).conditional(),
        ConfigurationCall::Test => {
            call("Try a target condition and metrics", READ, ONE).taking(Json("Object"))
        }
        ConfigurationCall::Apply => {
            call("Write a content to one device", WRITE, NONE).taking(Json("Object"))
        }
    }
}

fn digital_twins(asked: DigitalTwinCall) -> Described {
    use Content::{Json, Nothing};
    match asked {
        DigitalTwinCall::Get => call("Read a digital twin", SERVICE, &[(200, Json("Object"))]),
        DigitalTwinCall::Patch => {
            call("Change desired properties by a JSON Patch", SERVICE, &[(202, Nothing)])
                .taking(Json("JsonPatch"))
                .conditional()
        }
        DigitalTwinCall::Command => {
            call("Call a command: a direct method", SERVICE, &[(200, Json("Anything"))])
                .taking(Json("Anything"))
                .query(&[
                    ("connectTimeoutInSeconds", "Seconds"),
                    ("responseTimeoutInSeconds", "Seconds"),
                ])
                .refusing(&[502, 504])
        }
    }
}

fn policies(asked: PolicyCall) -> Described {
    use Content::Json;
    const ONE: &[(u16, Content)] = &[(200, Json("Policy"))];
    match asked {
        PolicyCall::List => call("List shared access policies", OWNER, &[(200, Json("Object"))]),
        PolicyCall::Get => call("Read a shared access policy", OWNER, ONE),
        PolicyCall::Put => {
            let replies = &[(200, Json("Policy")), (201, Json("Policy"))];
            call("Create or change a shared access policy", OWNER, replies).taking(Json("Policy"))
        }
        PolicyCall::Delete => call("Delete a shared access policy", OWNER, NONE),
        PolicyCall::Regenerate => {
            call("Renew a key of a shared access policy", OWNER, ONE).taking(Json("RegenerateKey"))
        }
    }
}

fn consumer_groups(asked: GroupCall) -> Described {
    use Content::Json;
    const ONE: &[(u16, Content)] = &[(200, Json("Object"))];
    match asked {
        GroupCall::List => call("List consumer groups", SERVICE, ONE),
        GroupCall::Get => call("Read a consumer group", SERVICE, ONE),
        GroupCall::Put => call("Create a consumer group", OWNER, ONE),
        GroupCall::Delete => {
            call("Delete a consumer group; its receivers are detached", OWNER, NONE)
        }
    }
}

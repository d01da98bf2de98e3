//! Who is whose parent: `deviceScope` and `parentScopes` (service-protocols.md 2.4).
//!
//! An edge device has a scope of its own, given by the hub once and never changed. A child names its parent's scope: an
//! edge device in `parentScopes`, any other device in `deviceScope`, which its `parentScopes` follow.

use crate::device::DeviceIdentity;
use crate::registry::request::DeviceRequest;

/// Before the id in the scope of an edge device.
const EDGE: &str = "ms-azure-iot-edge://";

/// `deviceScope` and `parentScopes` of the identity that a put makes; `generation` is that identity's.
pub(super) fn scopes(
    existing: Option<&DeviceIdentity>,
    request: &DeviceRequest,
    generation: &str,
) -> (Option<String>, Vec<String>) {
    let given = request.device_scope.clone().filter(|scope| !scope.is_empty());
    if request.iot_edge {
        let own = format!("{EDGE}{}-", request.id.as_str());
        let is_own = |scope: &String| scope.starts_with(&own);
        let kept = existing.and_then(|device| device.device_scope.clone()).filter(is_own);
        // A registry that moves here brings its scopes along, which the children name.
        let scope = kept.or_else(|| given.filter(is_own));
        let scope = scope.unwrap_or_else(|| format!("{own}{generation}"));
        return (Some(scope), request.parent_scopes.clone());
    }
    // An empty scope takes the child from its parent; of an absent one, the parents say it.
    let scope = match &request.device_scope {
        Some(_) => given,
        None => request.parent_scopes.first().cloned(),
    };
    (scope.clone(), scope.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::SymmetricKeys;
    use crate::ids::DeviceId;
    use crate::registry::{Fresh, IfMatch, create, update};
    use crate::time::UnixMs;

    const OWN: &str = "ms-azure-iot-edge://d-g1";
    const PARENT: &str = "ms-azure-iot-edge://p-g0";

    /// What is asked for: edge or not, `deviceScope` with `-` for none, `parentScopes`.
    type Asked<'a> = (bool, &'a str, &'a [&'a str]);

    fn request((iot_edge, scope, parents): Asked<'_>) -> DeviceRequest {
        DeviceRequest {
            iot_edge,
            device_scope: Some(scope.to_owned()).filter(|scope| scope != "-"),
            parent_scopes: parents.iter().map(|&parent| parent.to_owned()).collect(),
            ..DeviceRequest::new(DeviceId::new("d").unwrap())
        }
    }

    #[track_caller]
    fn check(puts: &[Asked<'_>], scope: Option<&str>, parents: &[&str]) {
        let mut device = None;
        for (number, asked) in (1..).zip(puts) {
            let fresh = Fresh {
                generation: format!("g{number}"),
                etag: format!("e{number}"),
                keys: SymmetricKeys { primary: String::new(), secondary: String::new() },
                now: UnixMs(number),
            };
            let request = request(*asked);
            device = Some(match &device {
                None => create(None, &request, &fresh).unwrap(),
                Some(device) => update(Some(device), &IfMatch::Any, &request, &fresh).unwrap(),
            });
        }
        let device = device.unwrap();
        assert_eq!(device.device_scope.as_deref(), scope, "{puts:?}");
        assert_eq!(device.parent_scopes, parents, "{puts:?}");
    }

    #[test]
    fn an_edge_device_gets_a_scope_once_and_keeps_it() {
        check(&[(true, "-", &[])], Some(OWN), &[]);
        check(&[(true, "", &[])], Some(OWN), &[]);
        check(&[(true, PARENT, &[])], Some(OWN), &[]);
        check(&[(true, "ms-azure-iot-edge://d-7", &[])], Some("ms-azure-iot-edge://d-7"), &[]);
        check(&[(true, "-", &[]), (true, "-", &[])], Some(OWN), &[]);
        check(&[(true, "-", &[]), (true, "ms-azure-iot-edge://d-7", &[])], Some(OWN), &[]);
        check(&[(false, PARENT, &[]), (true, PARENT, &[])], Some(OWN), &[]);
    }

    #[test]
    fn an_edge_device_names_its_parent_among_the_parents() {
        check(&[(true, "-", &[PARENT])], Some(OWN), &[PARENT]);
        check(&[(true, "-", &[]), (true, OWN, &[PARENT])], Some(OWN), &[PARENT]);
        check(&[(true, "-", &[PARENT]), (true, OWN, &[])], Some(OWN), &[]);
    }

    #[test]
    fn any_other_device_names_its_parent_as_its_scope() {
        check(&[(false, "-", &[])], None, &[]);
        check(&[(false, PARENT, &[])], Some(PARENT), &[PARENT]);
        check(&[(false, "-", &[PARENT])], Some(PARENT), &[PARENT]);
        check(&[(false, "-", &[]), (false, PARENT, &[])], Some(PARENT), &[PARENT]);
        check(&[(false, PARENT, &[]), (false, OWN, &[PARENT])], Some(OWN), &[OWN]);
        check(&[(false, PARENT, &[]), (false, "", &[PARENT])], None, &[]);
        check(&[(false, PARENT, &[]), (false, "-", &[])], None, &[]);
    }
}

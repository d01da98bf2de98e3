use super::*;
use crate::HubError;
use crate::auth::{Permissions, Policy, PolicySet, SasToken, SymmetricKeys, authenticate_device};
use crate::event::{AuthMethod, AuthScope, AuthType};
use crate::ids::{DeviceId, ModuleId};
use crate::time::UnixMs;

fn keys(primary: &str, secondary: &str) -> SymmetricKeys {
    SymmetricKeys { primary: primary.into(), secondary: secondary.into() }
}

fn policies() -> PolicySet {
    let policy = |name: &str, permissions| Policy {
        name: name.into(),
        keys: keys(OTHER_KEY, KEY),
        permissions,
    };
    PolicySet::new(vec![
        policy("device", Permissions::DEVICE_CONNECT),
        policy("service", Permissions::SERVICE_CONNECT),
    ])
}

/// Signs `sr` as it stands with the device's key and asks as `device`.
fn ask(token: &str, device: &str, module: Option<&str>) -> Result<(AuthScope, AuthType), HubError> {
    ask_with(token, device, module, &keys(KEY, KEY))
}

fn ask_with(
    token: &str,
    device: &str,
    module: Option<&str>,
    keys: &SymmetricKeys,
) -> Result<(AuthScope, AuthType), HubError> {
    let device = DeviceId::new(device).unwrap();
    let module = module.map(|id| ModuleId::new(id).unwrap());
    let token = SasToken::parse(token)?;
    let (AuthMethod { scope, kind }, expires) =
        authenticate_device(&token, HOST, &device, module.as_ref(), keys, &policies(), NOW)?;
    assert_eq!(expires, UnixMs(1_900_000_000_000));
    Ok((scope, kind))
}

fn signed(sr: &str) -> String {
    signed_with(sr, KEY)
}

fn signed_with(sr: &str, key: &str) -> String {
    let sig = quoted(&hmac(&decoded(key), &format!("{sr}\n{SE}")));
    format!("SharedAccessSignature sr={sr}&sig={sig}&se={SE}")
}

const OWN_KEY: Result<(AuthScope, AuthType), HubError> =
    Ok((AuthScope::Device, AuthType::SymmetricKey));

#[test]
fn the_reference_vectors_verify() {
    for (sr, sig) in [
        ("hub.example.net%2Fdevices%2Fdev1", "5IAqOvUyEbgAlHzQ3j2z7e2mILfkORWo1xrDYoo7JWM%3D"),
        ("hub.example.net%2fdevices%2fdev1", "v0lYyDZhedvSWiL2aOgcFeXy7brkiN3Vfij5bOkvq%2BU%3D"),
        ("hub.example.net/devices/dev1", "MKsxbSE9dpNplr0csexRJNteZtMWor59qsKlxe%2FEJB0%3D"),
    ] {
        let token = format!("SharedAccessSignature sr={sr}&sig={sig}&se={SE}");
        assert_eq!(ask(&token, "dev1", None), OWN_KEY, "{sr}");
        assert_eq!(
            ask_with(&token, "dev1", None, &keys(OTHER_KEY, KEY)),
            OWN_KEY,
            "{sr}: the secondary key is as good"
        );
        assert!(ask_with(&token, "dev1", None, &keys(OTHER_KEY, OTHER_KEY)).is_err(), "{sr}");
    }
    let module = "SharedAccessSignature sr=hub.example.net%2Fdevices%2Fdev1%2Fmodules%2Fmod1\
                  &sig=pIRAg66wiUEjv4T51eeEkIwsYRSL5yhkRVbpS6yVvos%3D&se=1900000000";
    assert_eq!(ask(module, "dev1", Some("mod1")), Ok((AuthScope::Module, AuthType::SymmetricKey)));
}

/// One row per SDK of device-protocols.md 1.3, with a device id that needs every encoding there is.
#[test]
fn every_sdk_signs_its_own_way_and_is_let_in() {
    let id = "a#b+c%20(d)!'*";
    let sig = |sr: &str| hmac(&decoded(KEY), &format!("{sr}\n{SE}"));
    let python = "hub.example.net%2Fdevices%2Fa%23b%2Bc%2520%28d%29%21%27%2A";
    let node = "hub.example.net%2Fdevices%2Fa%23b%2Bc%2520%28d%29%21%27%2a";
    let c_raw = "hub.example.net/devices/a#b+c%20(d)!'*";
    let java = "hub.example.net/devices/a%23b%2Bc%2520%28d%29%21%27*";
    let csharp = "hub.example.net%2Fdevices%2Fa%2523b%252Bc%252520(d)!%2527*";
    let lower = |sr: &str| {
        quoted(&sig(sr)).replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
    };
    for (sdk, token) in [
        ("Python", format!("sr={python}&sig={}&se={SE}", quoted(&sig(python)))),
        ("Node", format!("sr={node}&sig={}&skn=&se={SE}", quoted(&sig(node)))),
        ("C over MQTT", format!("sr={c_raw}&sig={}&se={SE}", lower(c_raw))),
        ("C over HTTPS", format!("sr={java}&sig={}&se={SE}&skn=a%23b%2bc%2520(d)!'*", lower(java))),
        ("C file upload", format!("sr={c_raw}&sig={}&se={SE}&skn=", lower(c_raw))),
        ("Java", format!("sig={}&se={SE}&sr={java}", quoted(&sig(java)))),
        ("C#", format!("sr={csharp}&sig={}&se={SE}", quoted(&sig(csharp)))),
        ("slash left raw in sig", format!("sr={python}&sig={}&se={SE}", sig(python))),
    ] {
        assert_eq!(ask(&format!("SharedAccessSignature {token}"), id, None), OWN_KEY, "{sdk}");
    }
}

#[test]
fn what_was_signed_may_be_decoded_or_encoded_again() {
    for signed_text in [
        "hub.example.net/devices/dev1",
        "hub.example.net%2fdevices%2fdev1",
        "hub.example.net%2Fdevices%2Fdev1",
    ] {
        let sig = quoted(&hmac(&decoded(KEY), &format!("{signed_text}\n{SE}")));
        for sr in ["hub.example.net%2Fdevices%2Fdev1", "hub.example.net/devices/dev1"] {
            let token = format!("SharedAccessSignature sr={sr}&sig={sig}&se={SE}");
            assert_eq!(ask(&token, "dev1", None), OWN_KEY, "{signed_text} sent as {sr}");
        }
    }
}

#[test]
fn a_scope_covers_whole_segments_of_its_own_host() {
    for (sr, device, module, good) in [
        ("hub.example.net/devices/dev1", "dev1", None, true),
        ("HUB.Example.NET/Devices/dev1/", "dev1", None, true),
        ("hub.example.net:8883/devices/dev1", "dev1", None, true),
        ("hub.example.net/devices/dev1/api-version=2016-11-14", "dev1", None, true),
        ("hub.example.net/devices/dev1", "dev1", Some("m"), true),
        ("hub.example.net/devices/dev1/modules/m", "dev1", Some("m"), true),
        ("hub.example.net/devices/dev1/modules/m", "dev1", Some("n"), false),
        ("hub.example.net/devices/dev1/modules/m", "dev1", None, false),
        ("hub.example.net/devices/dev1", "dev10", None, false),
        ("hub.example.net/devices/dev1", "dev", None, false),
        ("hub.example.net/devices/Dev1", "dev1", None, false),
        ("hub.example.net/devices/dev1/messages/events", "dev1", None, false),
        ("other.example.net/devices/dev1", "dev1", None, false),
        ("devices/dev1", "dev1", None, false),
        ("", "dev1", None, false),
        // The identity's own key must name the identity.
        ("hub.example.net/devices", "dev1", None, false),
        ("hub.example.net", "dev1", None, false),
    ] {
        assert_eq!(ask(&signed(sr), device, module).is_ok(), good, "{sr} for {device} {module:?}");
    }
}

#[test]
fn a_policy_with_device_connect_lets_any_covered_device_in() {
    let hub = Ok((AuthScope::Hub, AuthType::Sas));
    let none = keys("", "");
    for sr in ["hub.example.net", "hub.example.net%2Fdevices", "hub.example.net%2Fdevices%2Fdev1"] {
        for key in [KEY, OTHER_KEY] {
            let token = signed_with(sr, key);
            assert_eq!(ask_with(&format!("{token}&skn=device"), "dev1", None, &none), hub, "{sr}");
            assert!(ask_with(&format!("{token}&skn=service"), "dev1", None, &none).is_err());
            assert!(ask_with(&format!("{token}&skn=nobody"), "dev1", None, &none).is_err());
            assert!(ask_with(&token, "dev1", None, &none).is_err(), "no policy named");
        }
    }
    let narrow = signed_with("hub.example.net%2Fdevices%2Fdev2", OTHER_KEY);
    assert!(ask_with(&format!("{narrow}&skn=device"), "dev1", None, &none).is_err());
}

#[test]
fn a_device_named_like_a_policy_uses_its_own_keys() {
    let token = signed("hub.example.net%2Fdevices%2Fdevice");
    assert_eq!(ask(&format!("{token}&skn=device"), "device", None), OWN_KEY);
}

#[test]
fn an_identity_without_keys_is_not_open_to_an_empty_key() {
    let sr = "hub.example.net/devices/dev1";
    let sig = quoted(&hmac(b"", &format!("{sr}\n{SE}")));
    let token = format!("SharedAccessSignature sr={sr}&sig={sig}&se={SE}");
    assert!(ask_with(&token, "dev1", None, &keys("", "")).is_err());
}

#[test]
fn an_ended_token_is_refused_whoever_signed_it() {
    let sr = "hub.example.net/devices/dev1";
    let sig = quoted(&hmac(&decoded(KEY), &format!("{sr}\n1000")));
    let token = format!("SharedAccessSignature sr={sr}&sig={sig}&se=1000");
    assert_eq!(
        ask(&token, "dev1", None),
        Err(HubError::Unauthorized("the token has expired".into()))
    );
}

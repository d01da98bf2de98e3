//! User names of SDKs and people, and those that are refused.

use crate::mqtt::username::{MODEL_ID_BYTES_MAX, UsernameError, parse};

/// `host device module api-version model-id client-type`, `-` for none.
fn check(client_id: &str, username: &str, expected: &str) {
    let name = parse(username, client_id).unwrap_or_else(|error| panic!("{username}: {error}"));
    let shown = [
        Some(name.host),
        Some(name.device),
        name.module,
        name.api_version.as_deref(),
        name.model_id.as_deref(),
        name.client_type.as_deref(),
    ];
    assert_eq!(shown.map(|part| part.unwrap_or("-")).join(" | "), expected, "{username}");
}

#[test]
fn names_of_real_sdks() {
    check(
        "dev1",
        "127.0.0.77/dev1/?api-version=2019-10-01&DeviceClientType=azure-iot-device-iothub-py%2F2.14.0%283.11.7%3BLinux%29acme%20v1",
        "127.0.0.77 | dev1 | - | 2019-10-01 | - | azure-iot-device-iothub-py/2.14.0(3.11.7;Linux)acme v1",
    );
    check(
        "dev1",
        "127.0.0.77/dev1/?api-version=2021-04-12&model-id=dtmi:acme:x;1&DeviceClientType=azure-iot-device%2F1.18.4%20(node)",
        "127.0.0.77 | dev1 | - | 2021-04-12 | dtmi:acme:x;1 | azure-iot-device/1.18.4 (node)",
    );
    check(
        "dev1/mod1",
        "hub/dev1/mod1/?api-version=2021-04-12&DeviceClientType=c",
        "hub | dev1 | mod1 | 2021-04-12 | - | c",
    );
    check(
        "dev1",
        "hub/dev1/?api-version=2020-09-30&DeviceClientType=iothubclient%2f1.15.0&model-id=dtmi%3aacme%3ax%3b1",
        "hub | dev1 | - | 2020-09-30 | dtmi:acme:x;1 | iothubclient/1.15.0",
    );
    check(
        "dev1",
        "hub/dev1/?auth-chain=a&api-version=2020-09-30&DeviceClientType=raw text, 100% printable",
        "hub | dev1 | - | 2020-09-30 | - | raw text, 100% printable",
    );
}

#[test]
fn older_and_bare_forms() {
    check("d", "hub.example.net/d", "hub.example.net | d | - | - | - | -");
    check("d", "hub.example.net/d/", "hub.example.net | d | - | - | - | -");
    check("d", "hub.example.net/d/?", "hub.example.net | d | - | - | - | -");
    check("d", "h/d/api-version=2016-11-14", "h | d | - | 2016-11-14 | - | -");
    check("d", "h/d/api-version=2016-11-14/", "h | d | - | 2016-11-14/ | - | -");
    check("d", "h/d/?api%2Dversion=1&unknown=2&alone", "h | d | - | 1 | - | -");
    check("d", "h/d/?model-id=", "h | d | - | - | - | -");
    check("d", "h/d/?DeviceClientType=%ff", "h | d | - | - | - | %ff");
}

#[test]
fn ids_stand_raw_and_are_found_by_the_client_id() {
    check("a?b=c", "h/a?b=c/?api-version=1", "h | a?b=c | - | 1 | - | -");
    check("a%20b", "h/a%20b/?api-version=1", "h | a%20b | - | 1 | - | -");
    check("d/?m", "h/d/?m/?api-version=1", "h | d | ?m | 1 | - | -");
}

fn check_refused(client_id: &str, username: &str, expected: UsernameError) {
    assert_eq!(parse(username, client_id).err(), Some(expected), "{client_id} {username}");
}

#[test]
fn names_that_do_not_agree_are_refused() {
    use UsernameError::*;
    for client_id in ["", "/", "d/", "/m", "d/m/", "d/m/x"] {
        check_refused(client_id, &format!("h/{client_id}"), ClientId);
    }
    for username in ["", "h", "/d"] {
        check_refused("d", username, Host);
    }
    for username in ["h/", "h/e", "h/dd", "h/D", "h/d?api-version=1", "h//d", "h/%64"] {
        check_refused("d", username, ClientIdDiffers);
    }
    check_refused("d/m", "h/d/?api-version=1", ClientIdDiffers);
}

#[test]
fn a_model_id_must_be_text_of_bounded_length() {
    check_refused("d", "h/d/?model-id=%ff", UsernameError::ModelId(crate::mqtt::percent::NotUtf8));
    let longest = "m".repeat(MODEL_ID_BYTES_MAX);
    let name = format!("h/d/?model-id={longest}");
    assert_eq!(parse(&name, "d").unwrap().model_id.as_deref(), Some(longest.as_str()));
    let error = UsernameError::ModelIdTooLong(MODEL_ID_BYTES_MAX + 1);
    check_refused("d", &(name + "m"), error);
}

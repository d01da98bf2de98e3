//! The commands against a running hub: what they print where, and how they end.

use serde_json::Value;

use crate::support::Hub;

/// Runs and checks the exit code; standard output and standard error.
fn run(hub: &Hub, command: &str, code: i32) -> (String, String) {
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let (ended, out, err) = hub.cli(&arguments);
    assert_eq!(ended, Some(code), "{command}\n{out}\n{err}");
    (out, err)
}

#[test]
fn a_device_goes_through_its_life() {
    let hub = Hub::start(&[]);
    let (out, err) = run(&hub, "device create dev1", 0);
    let key = out.trim_end().strip_prefix("HostName=localhost;DeviceId=dev1;SharedAccessKey=");
    let key = key.unwrap_or_else(|| panic!("{out}"));
    // Nothing for people when nobody looks.
    assert_eq!(err, "");

    let (out, _) = run(&hub, "device show dev1 --json", 0);
    let device: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(device["authentication"]["symmetricKey"]["primaryKey"], key);
    assert_eq!(device["status"], "enabled");

    let (out, _) =
        run(&hub, "device create dev2 --disabled --json --primary-key MDEyMzQ1Njc4OWFiY2RlZg==", 0);
    let device: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(device["status"], "disabled");
    assert_eq!(device["authentication"]["symmetricKey"]["primaryKey"], "MDEyMzQ1Njc4OWFiY2RlZg==");

    let (out, _) = run(&hub, "device list", 0);
    assert_eq!(out, "dev1\tenabled\tDisconnected\tnever\ndev2\tdisabled\tDisconnected\tnever\n");
    let (out, _) = run(&hub, "device list --top 1 --json", 0);
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 1);

    let (_, err) = run(&hub, "device delete dev1", 0);
    assert!(err.contains("deleted dev1"), "{err}");
    let (_, err) = run(&hub, "device delete dev1", 0);
    assert!(err.contains("nothing to delete"), "{err}");
}

#[test]
fn the_hub_s_refusal_is_shown_and_ends_with_1() {
    let hub = Hub::start(&[]);
    hub.create_device("dev1");
    for (command, part) in [
        ("device create dev1", "already exists"),
        ("device create a/b", "character"),
        ("device create dev2 --primary-key short", "key"),
        ("device show nobody", "not registered"),
    ] {
        let (out, err) = run(&hub, command, 1);
        assert_eq!(out, "");
        assert!(err.starts_with("error: ") && err.contains(part), "{command}: {err}");
    }
}

#[test]
fn what_cannot_work_ends_with_2_and_says_what_to_do() {
    let hub = Hub::start(&[]);
    for (command, part) in [
        ("device", "Usage"),
        ("device create", "Usage"),
        ("device list --top 0", "1..=1000"),
        ("device list --data-dir /nowhere", "ironhub serve"),
        ("device list --connection-string nonsense", "Name=value"),
        ("device list --connection-string HostName=h;DeviceId=d;SharedAccessKey=a2s=", "device's"),
    ] {
        let (_, err) = run(&hub, command, 2);
        assert!(err.contains(part), "{command}: {err}");
    }
}

#[test]
fn a_hub_that_cannot_be_trusted_or_reached_is_explained() {
    let hub = Hub::start(&[]);
    let port = |name: &str| hub.address(name).port();
    let string = |host: &str, port: u16| {
        format!(
            "HostName={host}:{port};SharedAccessKeyName=iothubowner;SharedAccessKey=a2tra2tra2tra2tra2s="
        )
    };
    let ca = hub.dir().join("ca.pem").display().to_string();
    // A CA of nobody here, so that the machine's own trust does not matter.
    let stranger = rcgen::generate_simple_self_signed(["elsewhere".to_owned()]).unwrap();
    let other_ca = hub.dir().join("other-ca.pem");
    std::fs::write(&other_ca, stranger.cert.pem()).unwrap();
    let other_ca = other_ca.display().to_string();
    let list = |string: String, ca: &str| {
        let arguments = [
            "device",
            "list",
            "--data-dir",
            "/nowhere",
            "--ca-file",
            ca,
            "--connection-string",
            &string,
        ];
        let (code, _, err) = hub.cli(&arguments);
        assert_eq!(code, Some(1), "{err}");
        err
    };
    let wrong_key = list(string("localhost", port("https")), &ca);
    assert!(wrong_key.contains("IotHubUnauthorized"), "{wrong_key}");
    let unknown_ca = list(string("localhost", port("https")), &other_ca);
    assert!(unknown_ca.contains("--ca-file"), "{unknown_ca}");
    let no_tls = list(string("localhost", port("admin")), &ca);
    assert!(no_tls.contains("TLS"), "{no_tls}");
    let nobody = list(string("localhost", 1), &ca);
    assert!(nobody.contains("ironhub serve"), "{nobody}");
}

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const FILE_STRING: &str = "HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=a2s=";
const EVENT_STRING: &str =
    "Endpoint=sb://localhost/;SharedAccessKeyName=iothubowner;SharedAccessKey=a2s=;EntityPath=hub";

/// A data directory of a hub, removed at the end.
struct DataDir(PathBuf);

impl DataDir {
    fn new(listeners: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir()
            .join(format!("ironhub-cli-connection-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let env =
            format!("{SERVICE_VARIABLE}={FILE_STRING}\n{EVENT_HUB_VARIABLE}={EVENT_STRING}\n");
        std::fs::write(dir.join("hub.env"), env).unwrap();
        std::fs::write(dir.join("ca.pem"), "").unwrap();
        std::fs::write(dir.join("listeners.json"), listeners).unwrap();
        Self(dir)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn find(args: &ConnectionArgs, default_dir: &Path) -> Result<String, String> {
    let found = HubConnection::find_with(args, None, default_dir);
    found.map_err(|error| error.to_string()).map(|hub| {
        let ca = hub.trust.ca_file.map_or("system", |_| "ca.pem");
        let entity = hub.event_hub.map(|events| events.entity_path).unwrap_or_default();
        format!(
            "{} {} {} {} {ca} {entity}",
            hub.https.host, hub.service.policy, hub.https.connect_to, hub.amqps.connect_to
        )
    })
}

#[test]
fn a_hub_beside_is_found_without_any_option() {
    let data = DataDir::new(r#"{"https":"0.0.0.0:8443","amqps":"127.0.0.1:15671"}"#);
    let found = find(&ConnectionArgs::default(), &data.0).unwrap();
    assert_eq!(found, "localhost iothubowner 127.0.0.1:8443 127.0.0.1:15671 ca.pem hub");
}

#[test]
fn without_listeners_the_usual_ports_are_tried() {
    let data = DataDir::new("");
    let args = ConnectionArgs { data_dir: Some(data.0.clone()), ..ConnectionArgs::default() };
    let found = find(&args, Path::new("/nowhere")).unwrap();
    assert_eq!(found, "localhost iothubowner localhost:443 localhost:5671 ca.pem hub");
}

#[test]
fn a_connection_string_wins_and_the_files_of_another_hub_are_left_out() {
    let data = DataDir::new(r#"{"https":"0.0.0.0:8443"}"#);
    let with = |text: &str| ConnectionArgs {
        connection_string: Some(text.to_owned()),
        ..ConnectionArgs::default()
    };
    let other = with("HostName=h.example.test;SharedAccessKeyName=service;SharedAccessKey=a2s=");
    let found = find(&other, &data.0).unwrap();
    assert_eq!(found, "h.example.test service h.example.test:443 h.example.test:5671 system ");
    let same = with("HostName=LOCALHOST;SharedAccessKeyName=service;SharedAccessKey=a2s=");
    let found = find(&same, &data.0).unwrap();
    assert_eq!(found, "LOCALHOST service 127.0.0.1:8443 localhost:5671 ca.pem hub");
    let port = with("HostName=localhost:1;SharedAccessKeyName=service;SharedAccessKey=a2s=");
    assert!(find(&port, &data.0).unwrap().starts_with("localhost service localhost:1 "));
}

#[test]
fn nothing_found_says_what_to_do() {
    let error = find(&ConnectionArgs::default(), Path::new("/nowhere")).unwrap_err();
    for part in ["/nowhere/hub.env", "ironhub serve", "--data-dir", SERVICE_VARIABLE] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn devices_connect_where_the_hub_beside_listens() {
    let data = DataDir::new(r#"{"mqtts":"0.0.0.0:18883","amqps":"127.0.0.1:15671"}"#);
    let hub = HubConnection::find_with(&ConnectionArgs::default(), None, &data.0).unwrap();
    let DeviceAddresses { mqtts, amqps, https } = hub.devices;
    assert_eq!(mqtts.connect_to, "127.0.0.1:18883");
    assert_eq!(amqps.connect_to, "127.0.0.1:15671");
    assert_eq!((https.host.as_str(), https.connect_to.as_str()), ("localhost", "localhost:443"));
}

#[test]
fn a_device_s_string_is_told_from_a_policy_s() {
    let data = DataDir::new(r#"{"mqtts":"0.0.0.0:18883"}"#);
    let find = |text: &str| {
        let args = ConnectionArgs {
            connection_string: Some(text.to_owned()),
            ..ConnectionArgs::default()
        };
        DeviceConnection::find_with(&args, &data.0).unwrap()
    };
    assert!(find(FILE_STRING).is_none());
    let beside = find("HostName=localhost;DeviceId=d;SharedAccessKey=a2s=").unwrap();
    assert_eq!(beside.addresses.mqtts.connect_to, "127.0.0.1:18883");
    assert!(beside.trust.ca_file.is_some());
    let other = find("HostName=h.example.test;DeviceId=d;SharedAccessKey=a2s=").unwrap();
    assert_eq!(other.addresses.mqtts.connect_to, "h.example.test:8883");
    assert_eq!(
        (other.addresses.https.host.as_str(), other.trust.ca_file),
        ("h.example.test", None)
    );
    let port = find("HostName=localhost:1;DeviceId=d;SharedAccessKey=a2s=").unwrap();
    assert_eq!(port.addresses.amqps.connect_to, "localhost:1");
}

use clap::Parser as _;

use super::*;

const KEY: &str = "aXJvbmh1Yi10ZXN0LXZlY3Rvci1rZXktMDAwMDAwMDE=";

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    target: TargetArgs,
}

fn args(line: &[&str]) -> TargetArgs {
    Line::try_parse_from([&["test"], line].concat()).unwrap().target
}

fn error(line: &[&str]) -> String {
    match args(line).fleet(2) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// A file that removes itself.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Self {
        let own = format!("ironhub-loadtest-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(own);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_policy_signs_for_the_device_and_names_itself() {
    let text = format!("HostName=h;SharedAccessKeyName=device;SharedAccessKey={KEY}");
    let line = ["--policy-connection-string", &text, "--first", "7", "--id-prefix", "d-"];
    let fleet = args(&line).fleet(2).unwrap();
    let identity = fleet.identity(1, 1_900_000_000);
    assert_eq!(identity.client_id, "d-8");
    let (user_name, password) = identity.login.unwrap();
    assert_eq!(user_name, "h/d-8/?api-version=2021-04-12");
    assert!(password.starts_with("SharedAccessSignature sr=h%2Fdevices%2Fd-8&sig="), "{password}");
    assert!(password.ends_with("&se=1900000000&skn=device"), "{password}");
    let (host, token) = fleet.registry_login(1_900_000_000).unwrap();
    assert_eq!(host, "h");
    assert!(token.starts_with("SharedAccessSignature sr=h&sig="), "{token}");
}

#[test]
fn a_device_signs_with_its_own_key_and_names_no_policy() {
    let text = format!(
        "# two devices\nHostName=h;DeviceId=a;SharedAccessKey={KEY}\n\n\
         HostName=h;DeviceId=b;SharedAccessKey={KEY}\n"
    );
    let file = Scratch::new("devices", &text);
    let fleet = args(&["--devices-file", file.path()]).fleet(2).unwrap();
    let identity = fleet.identity(1, 1_900_000_000);
    assert_eq!(identity.client_id, "b");
    let (_, password) = identity.login.unwrap();
    assert!(password.ends_with("&se=1900000000"), "{password}");
    assert!(matches!(fleet.registry_login(1), Err(TargetError::CreateWithoutPolicy)));
}

#[test]
fn no_auth_presents_an_id_only() {
    let fleet = args(&["--no-auth"]).fleet(2).unwrap();
    let expected = Identity { client_id: "load-1".to_owned(), login: None };
    assert_eq!(fleet.identity(1, 1), expected);
}

#[test]
fn the_hubs_directory_supplies_policy_and_host() {
    let directory =
        std::env::temp_dir().join(format!("ironhub-loadtest-{}-dir", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let line = ["--data-dir", directory.to_str().unwrap()];
    assert!(error(&line).starts_with("cannot read "));
    fs::write(directory.join("hub.env"), "OTHER=1\n").unwrap();
    assert!(error(&line).ends_with(&format!("has no line {HUB_ENV_NAME}=...")));
    let value = format!("HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey={KEY}");
    fs::write(directory.join("hub.env"), format!("A=1\n{HUB_ENV_NAME}={value}\n")).unwrap();
    assert_eq!(args(&line).fleet(1).unwrap().hub_name(), Some("h"));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn options_that_describe_no_fleet_are_refused_with_the_reason() {
    let device = format!("HostName=h;DeviceId=a;SharedAccessKey={KEY}");
    let one = Scratch::new("one", &device);
    let broken = Scratch::new("broken", &format!("{device}\nHostName=h\n"));
    let policy =
        Scratch::new("policy", &format!("HostName=h;SharedAccessKeyName=p;SharedAccessKey={KEY}"));
    for (line, expected) in [
        (vec![], "no credentials: give --policy-connection-string".to_owned()),
        (
            vec!["--policy-connection-string", device.as_str()],
            "--policy-connection-string: SharedAccessKeyName is missing".to_owned(),
        ),
        (
            vec!["--policy-connection-string", "HostName=h"],
            "--policy-connection-string: SharedAccessKey is missing".to_owned(),
        ),
        (
            vec!["--devices-file", one.path()],
            format!("{} holds 1 devices, 2 were asked for", one.path()),
        ),
        (
            vec!["--devices-file", broken.path()],
            format!("{} line 2: SharedAccessKey is missing", broken.path()),
        ),
        (
            vec!["--devices-file", policy.path()],
            format!("{} line 1: DeviceId is missing", policy.path()),
        ),
    ] {
        let found = error(&line);
        assert!(found.starts_with(&expected), "{line:?}: {found}");
    }
}

#[test]
fn ports_follow_the_transport_and_a_host_may_carry_its_own() {
    let check = |line: &[&str], expected: &[&str]| {
        let args = args(&[&["--no-auth"], line].concat());
        let address = |host| resolve(host, args.port()).unwrap().to_string();
        let found: Vec<String> = args.host.iter().map(|host| address(host)).collect();
        assert_eq!(found, expected, "{line:?}");
    };
    check(&[], &["127.0.0.1:1883"]);
    check(&["--tls"], &["127.0.0.1:8883"]);
    check(&["--ws"], &["127.0.0.1:443"]);
    check(&["--host", "127.0.0.2:99,127.0.0.3", "--port", "7"], &["127.0.0.2:99", "127.0.0.3:7"]);
}

#[test]
fn tls_without_a_ca_is_refused() {
    let args = args(&["--no-auth", "--tls"]);
    let fleet = args.fleet(1).unwrap();
    assert!(matches!(args.target(&fleet), Err(TargetError::NoCa)));
    let empty = Scratch::new("empty.pem", "nothing here\n");
    let args = self::args(&["--no-auth", "--tls", "--ca", empty.path()]);
    assert!(matches!(args.target(&fleet), Err(TargetError::Tls(TlsError::Empty(_)))));
}

use ironhub_domain::limits::{METHOD_PAYLOAD_BYTES_MAX_CLASSIC, TwinLimits};

use super::*;

fn args(list: &[&str]) -> ServeArgs {
    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        serve: ServeArgs,
    }
    use clap::Parser;
    Cli::try_parse_from(std::iter::once("x").chain(list.iter().copied()))
        .expect("flags parse")
        .serve
}

#[test]
fn defaults_are_those_of_the_run_contract() {
    let config = Config::load(args(&[])).unwrap();
    assert_eq!(config.hostname, "localhost");
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.listeners.mqtts, ListenAddr::At("0.0.0.0:8883".parse().unwrap()));
    assert_eq!(config.listeners.mqtt, ListenAddr::At("127.0.0.1:1883".parse().unwrap()));
    assert_eq!(config.sas_grace, Duration::from_secs(600));
    assert_eq!(config.devices, DeviceSettings::default());
    let hour = DeviceSettings { c2d_ttl: Duration::from_secs(3600), ..config.devices };
    assert_eq!(
        (hour, hour.c2d_deliveries_max, hour.notify_at_reconnect),
        (config.devices, 10, true)
    );
}

#[test]
fn flags_win_over_the_file_and_off_disables() {
    let dir = std::env::temp_dir().join(format!("ironhub-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("a.toml");
    std::fs::write(&file, "hostname = \"a.example\"\n[listen]\nmqtt = \"off\"\nhttps = \"127.0.0.1:1\"\n[hub]\npartitions = 7\n").unwrap();
    let path = file.to_str().unwrap();
    let config = Config::load(args(&["--config", path, "--https-listen", "127.0.0.1:2"])).unwrap();
    assert_eq!(config.hostname, "a.example");
    assert_eq!(config.listeners.mqtt, ListenAddr::Off);
    assert_eq!(config.listeners.https, ListenAddr::At("127.0.0.1:2".parse().unwrap()));
    assert_eq!(config.partitions, Some(7));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn notices_follow_the_flags_then_the_file_then_the_originals_values() {
    let check = |flags: &[&str], file: &str, feedback, files| {
        let notices = |text: &str| {
            let mut all = vec!["--hostname", "a.example"];
            all.extend(flags);
            let path = std::env::temp_dir().join(format!(
                "ironhub-notices-{}-{}",
                std::process::id(),
                text.len()
            ));
            std::fs::write(&path, text).unwrap();
            all.extend(["--config", path.to_str().unwrap()]);
            let config = Config::load(args(&all)).unwrap();
            std::fs::remove_file(path).unwrap();
            [config.feedback, config.file_notifications].map(|settings| {
                (settings.ttl.as_secs(), settings.lock.as_secs(), settings.deliveries_max)
            })
        };
        assert_eq!(notices(file), [feedback, files], "{flags:?} {file}");
    };
    check(&[], "", (3600, 60, 10), (3600, 60, 100));
    let file = "[feedback]\nttl_seconds = 60\nlock_seconds = 5\nmax_delivery_count = 1\n\
                [file_notifications]\nttl_seconds = 172800\nlock_seconds = 300\n";
    check(&[], file, (60, 5, 1), (172_800, 300, 100));
    let flags = ["--feedback-lock-seconds", "7", "--file-notifications-max-delivery-count", "3"];
    check(&flags, file, (60, 7, 1), (172_800, 300, 3));
    check(&flags, "", (3600, 7, 10), (3600, 60, 3));
}

#[test]
fn refusals_name_the_key() {
    for (flags, key) in [
        (&["--hub-partitions", "0"][..], "hub.partitions"),
        (&["--hub-partitions", "1025"][..], "hub.partitions"),
        (&["--mqtt-listen", "nonsense"][..], "listen.mqtt"),
        (&["--tls-cert", "a"][..], "tls.key"),
        (&["--hostname", "a..b"][..], "hostname"),
        (&["--join", "h:1"][..], "cluster.join"),
        (&["--events-retention-hours", "0"][..], "events.retention_hours"),
        (&["--c2d-default-ttl-seconds", "59"][..], "c2d.default_ttl_seconds"),
        (&["--c2d-default-ttl-seconds", "172801"][..], "c2d.default_ttl_seconds"),
        (&["--c2d-max-delivery-count", "0"][..], "c2d.max_delivery_count"),
        (&["--c2d-max-delivery-count", "101"][..], "c2d.max_delivery_count"),
        (&["--feedback-ttl-seconds", "59"][..], "feedback.ttl_seconds"),
        (&["--feedback-ttl-seconds", "172801"][..], "feedback.ttl_seconds"),
        (&["--feedback-lock-seconds", "4"][..], "feedback.lock_seconds"),
        (&["--feedback-lock-seconds", "301"][..], "feedback.lock_seconds"),
        (&["--feedback-max-delivery-count", "0"][..], "feedback.max_delivery_count"),
        (&["--feedback-max-delivery-count", "101"][..], "feedback.max_delivery_count"),
        (&["--file-notifications-ttl-seconds", "59"][..], "file_notifications.ttl_seconds"),
        (&["--file-notifications-lock-seconds", "301"][..], "file_notifications.lock_seconds"),
        (
            &["--file-notifications-max-delivery-count", "101"][..],
            "file_notifications.max_delivery_count",
        ),
        (&["--limits-profile", "tiny"][..], "limits.profile"),
        (&["--events-consumer-groups", "a b"][..], "events.consumer_groups"),
        (&["--query-indexed-tags", "floor,a..b"][..], "query.indexed_tags"),
    ] {
        let error = Config::load(args(flags)).expect_err(key).to_string();
        assert!(error.starts_with(key), "{flags:?}: {error}");
    }
}

#[test]
fn the_classic_profile_has_twins_and_methods_of_8_kb() {
    let config = Config::load(args(&["--limits-profile", "classic"])).unwrap();
    assert_eq!(config.devices.twin_limits, TwinLimits::CLASSIC);
    assert_eq!(config.devices.method_payload_bytes_max, METHOD_PAYLOAD_BYTES_MAX_CLASSIC);
    let flags = ["--c2d-max-delivery-count", "100", "--twin-notify-at-reconnect", "false"];
    let config = Config::load(args(&flags)).unwrap();
    assert_eq!(
        (config.devices.c2d_deliveries_max, config.devices.notify_at_reconnect),
        (100, false)
    );
    assert_eq!(config.devices.twin_limits, TwinLimits::DEFAULT);
}

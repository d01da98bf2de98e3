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
        (&["--limits-profile", "tiny"][..], "limits.profile"),
        (&["--events-consumer-groups", "a b"][..], "events.consumer_groups"),
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

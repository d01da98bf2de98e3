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
        (&["--events-consumer-groups", "a b"][..], "events.consumer_groups"),
    ] {
        let error = Config::load(args(flags)).expect_err(key).to_string();
        assert!(error.starts_with(key), "{flags:?}: {error}");
    }
}

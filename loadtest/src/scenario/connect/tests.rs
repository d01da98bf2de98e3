use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Words {
    #[command(flatten)]
    args: ConnectArgs,
}

fn parse(line: &str) -> Result<ConnectArgs, String> {
    let words = ["test"].into_iter().chain(line.split_whitespace());
    Words::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
}

#[test]
fn options_out_of_range_are_refused() {
    for (line, expected) in [
        ("--connections 0", "--connections"),
        ("--hold 0", "--hold"),
        ("--hold 3601", "--hold"),
        ("--keep-alive 1", "--keep-alive"),
        ("--keep-alive 1178", "--keep-alive"),
        ("--processes 0", "--processes"),
        ("--source localhost", "--source"),
        ("--create --no-auth", "cannot be used with"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn several_clients_on_loopback_have_addresses_of_their_own() {
    let check = |line: &str, number, loopback, expected: Option<&str>| {
        let found = source(&parse(line).unwrap(), number, loopback).map(|ip| ip.to_string());
        assert_eq!(found.as_deref(), expected, "{line} {number}");
    };
    check("", 0, true, None);
    check("--processes 2", 0, true, Some("127.0.1.1"));
    check("--processes 2", 1, true, Some("127.0.1.2"));
    check("--processes 2", 1, false, None);
    check("--source 10.0.0.1,10.0.0.2", 2, false, Some("10.0.0.1"));
}

#[test]
fn lines_survive_the_pipe() {
    let mut errors = Errors::default();
    errors.add("connect: tcp refused".to_owned(), 3);
    let line = Line::Opened { connected: 7, latencies: vec![(1_000, 7)], errors };
    let text = serde_json::to_string(&line).unwrap();
    assert!(!text.contains('\n'));
    let back: Line = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{back:?}"), format!("{line:?}"));
}

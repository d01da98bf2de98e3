use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: D2cArgs,
}

fn parse(line: &str) -> Result<D2cArgs, String> {
    let words = ["test"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
}

#[test]
fn options_out_of_range_or_in_conflict_are_refused() {
    for (line, expected) in [
        ("--devices 0", "--devices"),
        ("--qos 2", "--qos"),
        ("--size 262145", "--size"),
        ("--window 0", "--window"),
        ("--window 65536", "--window"),
        ("--rate 0", "must be a number from"),
        ("--rate NaN", "must be a number from"),
        ("--rate fast", "must be a number from"),
        ("--duration 0", "--duration"),
        ("--duration 3601", "--duration"),
        ("--threads 0", "--threads"),
        ("--messages 0", "--messages"),
        ("--pid x", "--pid"),
        ("--messages 5 --warmup 1", "cannot be used with"),
        ("--create --no-auth", "cannot be used with"),
        ("--create --devices-file f", "cannot be used with"),
        ("--devices-file f --id-prefix x", "cannot be used with"),
        ("--devices-file f --no-auth", "cannot be used with"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn options_that_fit_alone_but_not_together_are_refused_before_anything_starts() {
    let check = |line: &str, expected: &str| {
        let found = parse(line).unwrap().check().err().map(|error| error.to_string());
        assert!(
            found.as_ref().is_none_or(|error| !expected.is_empty() && error.contains(expected))
                && found.is_some() != expected.is_empty(),
            "{line}: {found:?}"
        );
    };
    check("--no-auth", "");
    check("--no-auth --topic fixed", "");
    check("--topic fixed", "must contain {id}");
    check("--topic a/{id}/#", "no wildcards");
    check("--devices 100 --rate 0.1", "one message in 1000 s");
    check("--devices 1000000", "open files");
}

#[test]
fn the_window_follows_the_kind_of_loop_and_pids_may_share_an_option() {
    assert_eq!(parse("").unwrap().window(), CLOSED_WINDOW);
    assert_eq!(parse("--rate 10").unwrap().window(), OPEN_WINDOW);
    assert_eq!(parse("--rate 10 --window 3").unwrap().window(), 3);
    assert_eq!(parse("--pid 1,2 --pid 3").unwrap().pid, [1, 2, 3]);
    assert_eq!(parse("--messages 5").unwrap().warmup_time(), Duration::ZERO);
}

//! What we agree on and a machine can check: length of files, who imports whom, words and calls that stay out.
//!
//! Each rule is a function from a file to offences, so each has its own test below. A rule that old code breaks
//! gets its offenders listed in [`OFFENDERS`]; that list may only shrink.

#[path = "tidy/source.rs"]
mod source;

use source::{code_only, named_paths};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file that needs more holds two concepts.
const LINES_MAX: usize = 400;

/// Files allowed to break the length rule, with the number of lines they have. Shortening one means lowering or
/// removing its entry; nothing is added.
const OFFENDERS: &[(&str, usize)] = &[];

/// Where code lies, and what it may never name: another of our modules (`crate::…`), or a crate. The first column is a
/// path prefix; every row that fits applies.
const NEVER: &[(&str, &[&str])] = &[
    (
        "broker/domain/src/",
        &["ironhub_", "prost", "serde", "tokio", "actix", "rocksdb", "std::net", "std::fs"],
    ),
    ("broker/domain/src/", &["SystemTime::now", "Instant::now", "rand"]),
    (
        "broker/wire/src/",
        &["ironhub_", "prost", "tokio", "actix", "rocksdb", "std::net", "std::fs"],
    ),
    ("broker/wire/src/", &["SystemTime::now", "Instant::now"]),
    ("proto/src/", &["ironhub_"]),
    ("cluster/", &["ironhub_domain", "ironhub_wire", "actix", "ironhub"]),
    ("loadtest/", &["ironhub_", "ironhub"]),
    ("broker/src/mqtt/", &["crate::amqp", "crate::http", "crate::gateway", "crate::websocket"]),
    ("broker/src/mqtt/", INSIDE),
    ("broker/src/amqp/", &["crate::mqtt", "crate::http", "crate::gateway", "crate::websocket"]),
    ("broker/src/amqp/", INSIDE),
    ("broker/src/http/", &["crate::mqtt", "crate::amqp", "crate::gateway", "crate::websocket"]),
    ("broker/src/http/", INSIDE),
    ("broker/src/gateway/", &["crate::mqtt", "crate::amqp", "crate::http"]),
    ("broker/src/gateway/", INSIDE),
    ("broker/src/websocket/", INSIDE),
    ("broker/src/websocket/", &["crate::router", "crate::gateway"]),
    ("broker/src/router/", FRONTENDS),
    ("broker/src/actor/", FRONTENDS),
    ("broker/src/net/", FRONTENDS),
    ("broker/src/auth/", FRONTENDS),
    ("broker/src/query/", FRONTENDS),
    ("broker/src/jobs/", FRONTENDS),
    ("broker/src/jobs/", &["crate::actor"]),
    ("broker/src/delivery/", FRONTENDS),
    ("broker/src/delivery/", &["crate::router"]),
    ("broker/src/transfer/", FRONTENDS),
    ("broker/src/transfer/", &["crate::partition", "ironhub_cluster"]),
    ("broker/src/partition/", FRONTENDS),
    ("broker/src/partition/", &["crate::actor", "crate::router"]),
    ("broker/src/blob/", FRONTENDS),
    ("broker/src/blob/", INSIDE),
    ("broker/src/blob/", &["crate::router"]),
    ("broker/src/client/", FRONTENDS),
    ("broker/src/client/", INSIDE),
];

const FRONTENDS: &[&str] =
    &["crate::mqtt", "crate::amqp", "crate::http", "crate::gateway", "crate::websocket"];

/// What a frontend reaches only through the router.
const INSIDE: &[&str] = &["crate::actor", "crate::partition", "ironhub_cluster", "ironhub_proto"];

/// Stored and sent types stop here; everything else works on domain types.
const PROST_HOMES: &[&str] = &[
    "broker/src/partition/encode",
    "broker/src/router/remote.rs",
    "broker/tests/",
    "cluster/",
    "proto/",
];

/// `app` wires everything together, so only these may name it: `serve` is one command of `cli` among others.
const APP_USERS: &[&str] = &[
    "broker/src/main.rs",
    "broker/src/lib.rs",
    "broker/src/app",
    "broker/src/cli/mod.rs",
    "broker/tests/",
];

/// Files named after nothing.
const NAMELESS: &[&str] =
    &["types.rs", "utils.rs", "util.rs", "common.rs", "misc.rs", "helpers.rs"];

#[test]
fn the_tree_is_tidy() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let mut files = Vec::new();
    collect(root, &mut files);
    assert!(files.len() > 10, "only {} files found below {}", files.len(), root.display());

    let mut offences = Vec::new();
    for file in &files {
        let path = file.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"));
        offences.extend(forbidden_words(&path, &text));
        if path.ends_with(".rs") {
            offences.extend(length(&path, &text, OFFENDERS));
            offences.extend(name(&path));
            let code = code_only(&text);
            offences.extend(imports(&path, &code));
            offences.extend(prost(&path, &code));
            offences.extend(app(&path, &code));
            offences.extend(calls(&path, &code));
        }
    }
    for (path, _) in OFFENDERS {
        if !root.join(path).exists() {
            offences.push(format!("{path}: gone; remove it from OFFENDERS"));
        }
    }
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// Every source file of ours: Rust, Python, JavaScript, protocol buffers, manifests.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let skipped = ["target", "data", "node_modules", "__pycache__", "corpus", "artifacts"];
            if !name.starts_with('.') && !skipped.contains(&name.as_str()) {
                collect(&path, files);
            }
        } else if [".rs", ".py", ".mjs", ".proto", ".toml"].iter().any(|end| name.ends_with(end)) {
            files.push(path);
        }
    }
    files.sort();
}

fn length(path: &str, text: &str, offenders: &[(&str, usize)]) -> Vec<String> {
    let lines = text.lines().count();
    match offenders.iter().find(|(known, _)| *known == path) {
        Some((_, listed)) if lines > *listed => {
            vec![format!("{path}:{lines}: grew beyond its {listed} lines in OFFENDERS")]
        }
        Some((_, listed)) if lines < *listed => {
            vec![format!(
                "{path}:{lines}: shorter than its {listed} lines in OFFENDERS; lower or remove the entry"
            )]
        }
        None if lines > LINES_MAX => vec![format!("{path}:{lines}: longer than {LINES_MAX} lines")],
        _ => Vec::new(),
    }
}

fn name(path: &str) -> Vec<String> {
    let file = path.rsplit('/').next().unwrap_or(path);
    match NAMELESS.contains(&file) {
        true => vec![format!("{path}:1: named after nothing; say what is in it")],
        false => Vec::new(),
    }
}

fn forbidden_words(path: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file does not contain them.
    let words = [["FIX", "ME"], ["TO", "DO"], ["XX", "X"], ["todo", "!"], ["unimpl", "emented!"]]
        .map(|w| w.concat());
    let mut offences = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| finds_path(line, word)) {
            offences.push(format!("{path}:{}: `{word}`: do it or open an issue", number + 1));
        }
    }
    offences
}

fn imports(path: &str, code: &str) -> Vec<String> {
    let mut offences = Vec::new();
    let rows =
        NEVER.iter().filter(|(place, _)| path.starts_with(place) || path == file_form(place));
    let banned: Vec<&str> = rows.flat_map(|(_, names)| names.iter().copied()).collect();
    for (number, found) in named_paths(path, code) {
        for name in banned.iter().filter(|name| is_below(&found, name)) {
            offences.push(format!(
                "{path}:{number}: names `{found}`; code here never imports `{name}`"
            ));
        }
    }
    offences
}

/// The module's own file beside its folder: `broker/src/net/` is also `broker/src/net.rs`.
fn file_form(place: &str) -> String {
    format!("{}.rs", place.trim_end_matches('/'))
}

fn prost(path: &str, code: &str) -> Vec<String> {
    if PROST_HOMES.iter().any(|home| path.starts_with(home)) {
        return Vec::new();
    }
    let found = named_paths(path, code);
    let bad =
        found.iter().filter(|(_, name)| is_below(name, "prost") || is_below(name, "ironhub_proto"));
    bad.map(|(number, name)| {
        format!("{path}:{number}: names `{name}`; stored types stop at partition/encode")
    })
    .collect()
}

fn app(path: &str, code: &str) -> Vec<String> {
    if !path.starts_with("broker/src/") || APP_USERS.iter().any(|user| path.starts_with(user)) {
        return Vec::new();
    }
    let found = named_paths(path, code);
    let bad = found.iter().filter(|(_, name)| is_below(name, "crate::app"));
    bad.map(|(number, _)| {
        format!("{path}:{number}: names `crate::app`, which only main and tests may")
    })
    .collect()
}

fn calls(path: &str, code: &str) -> Vec<String> {
    let lines = code.lines().enumerate().filter(|(_, line)| finds_path(line, "do_send"));
    lines
        .map(|(number, _)| {
            format!("{path}:{}: `do_send` queues without a bound; use a typed handle", number + 1)
        })
        .collect()
}

/// Whether `name` is `banned` or lies below it. A banned name ending in `_` is a prefix of crate names.
fn is_below(name: &str, banned: &str) -> bool {
    match name.strip_prefix(banned) {
        Some(rest) => rest.is_empty() || rest.starts_with("::") || banned.ends_with('_'),
        None => banned.ends_with("::now") && name.ends_with(&format!("::{banned}")),
    }
}

/// Whether the text holds `word` with no identifier character directly before or after it.
fn finds_path(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        !line[..at].chars().next_back().is_some_and(part)
            && (word.ends_with('!') || !after.is_some_and(part))
    })
}

#[test]
fn a_file_over_the_limit_is_an_offence_and_one_at_the_limit_is_not() {
    let lines = |n: usize| "x\n".repeat(n);
    assert_eq!(length("a.rs", &lines(LINES_MAX), &[]), Vec::<String>::new());
    assert_eq!(length("a.rs", &lines(401), &[]), ["a.rs:401: longer than 400 lines"]);
}

#[test]
fn an_offender_may_only_shrink() {
    let listed: &[(&str, usize)] = &[("a.rs", 500)];
    let lines = |n: usize| "x\n".repeat(n);
    assert!(length("a.rs", &lines(500), listed).is_empty());
    assert_eq!(length("a.rs", &lines(501), listed).len(), 1);
    assert_eq!(length("a.rs", &lines(499), listed).len(), 1);
    assert_eq!(length("a.rs", &lines(10), listed).len(), 1);
}

#[test]
fn markers_of_unfinished_work_are_offences_also_in_comments() {
    for (line, expected) in [
        (["// FIX", "ME later"].concat(), 1),
        (["# TO", "DO"].concat(), 1),
        (["    to", "do!()"].concat(), 1),
        (["    unimpl", "emented!(\"x\")"].concat(), 1),
        ("let method = autodo(); // MASTODON".to_owned(), 0),
    ] {
        assert_eq!(forbidden_words("a.rs", &line).len(), expected, "{line}");
    }
}

#[test]
fn imports_are_found_in_every_way_of_writing_them() {
    let check = |path: &str, code: &str, expected: usize| {
        assert_eq!(imports(path, &code_only(code)).len(), expected, "{path}: {code}");
    };
    let mqtt = "broker/src/mqtt/session.rs";
    check(mqtt, "use crate::actor::handle::Handle;", 1);
    check(mqtt, "use crate::{router::Router, actor::{handle, directory}};", 2);
    check(mqtt, "use crate::{\n    auth,\n    amqp::x,\n};", 1);
    check(mqtt, "fn f() { crate::partition::propose() }", 1);
    check(mqtt, "use super::super::actor::Handle;", 1);
    check(mqtt, "use super::actor::Handle;", 0);
    check(mqtt, "use ironhub_cluster::storage;", 1);
    check(mqtt, "// crate::actor is not for us\nlet s = \"crate::actor\";", 0);
    check(mqtt, "use crate::{router, auth}; use ironhub_domain::limits;", 0);
    check("broker/src/mqtt.rs", "use crate::amqp;", 1);
    check("broker/src/actor/device.rs", "use crate::mqtt::session;", 1);
    check("broker/src/actor/device.rs", "use crate::partition::propose;", 0);
    check("broker/domain/src/ids.rs", "use ironhub_wire::mqtt;", 1);
    check("broker/domain/src/ids.rs", "let t = std::time::SystemTime::now();", 1);
    check("broker/domain/src/ids.rs", "use std::time::Duration;", 0);
    check("cluster/src/lib.rs", "use ironhub_proto::peer;", 0);
    check("loadtest/src/main.rs", "use ironhub_wire::mqtt;", 1);
}

#[test]
fn stored_types_and_the_app_stay_where_they_belong() {
    let encode = "broker/src/partition/encode/event.rs";
    let code = code_only("use ironhub_proto::event; use prost::Message;");
    assert!(prost(encode, &code).is_empty());
    assert_eq!(prost("broker/src/actor/device.rs", &code).len(), 2);
    let code = code_only("use crate::app::App;");
    assert!(app("broker/src/main.rs", &code).is_empty());
    assert_eq!(app("broker/src/net/accept.rs", &code).len(), 1);
}

#[test]
fn unbounded_sends_and_empty_names_are_offences() {
    assert_eq!(calls("a.rs", &code_only("address.do_send(message);")).len(), 1);
    assert!(calls("a.rs", &code_only("// never do_send\naddress.try_send(message);")).is_empty());
    assert_eq!(name("broker/src/utils.rs").len(), 1);
    assert!(name("broker/src/app.rs").is_empty());
}

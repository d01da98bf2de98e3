//! Just enough of Rust's syntax to know which paths a file names: comments and strings do not count, groups in
//! braces are expanded. A parser would be exact; this is small, and `rustfmt` has made the code regular.

/// Every path with `::` in the code, groups in braces expanded, `super` resolved; with its line number.
pub fn named_paths(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let (mut current, mut line) = (String::new(), 1);
    let mut end = |current: &mut String, prefixes: &[String], line: usize| {
        let whole = prefixes.concat() + current.as_str();
        // An empty rest is what follows a group's closing brace.
        if !current.is_empty() && whole.contains("::") {
            found.push((line, resolve_super(path, whole.trim_end_matches("::"))));
        }
        current.clear();
    };
    for c in code.chars() {
        match c {
            '{' if current.ends_with("::") => prefixes.push(std::mem::take(&mut current)),
            '}' => {
                end(&mut current, &prefixes, line);
                prefixes.pop();
            }
            // Inside a group a colon pair continues a path, elsewhere whitespace ends it.
            c if c.is_alphanumeric() || c == '_' => current.push(c),
            ':' => current.push(c),
            c => {
                if !(c.is_whitespace() && prefixes.is_empty() && current.is_empty()) {
                    end(&mut current, &prefixes, line);
                }
                // A brace that opens a block is remembered too, so that its end pops nothing else.
                if c == '{' {
                    prefixes.push(String::new());
                }
            }
        }
        line += usize::from(c == '\n');
    }
    found
}

/// `super::super::actor` in `broker/src/mqtt/session.rs` is `crate::actor`.
fn resolve_super(path: &str, name: &str) -> String {
    let ups = name.split("::").take_while(|part| *part == "super").count();
    let inside = path.split_once("src/").map_or("", |(_, inside)| inside);
    let module = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    if ups == 0 || ups < module.split('/').count() {
        return name.to_owned();
    }
    let rest: Vec<&str> = name.split("::").skip(ups).collect();
    format!("crate::{}", rest.join("::"))
}

/// The text with comments and the contents of strings blanked out, line by line as it was.
pub fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = token_end(&chars, at);
        for c in &chars[at..end] {
            code.push(if end - at == 1 || *c == '\n' { *c } else { ' ' });
        }
        at = end;
    }
    code
}

/// Where the comment or literal that starts at `at` ends; `at + 1` if none starts there.
fn token_end(chars: &[char], at: usize) -> usize {
    let is = |offset: usize, c: char| chars.get(at + offset) == Some(&c);
    let until = |from: usize, end: &str| {
        let end: Vec<char> = end.chars().collect();
        let found = (from..chars.len()).find(|i| chars[*i..].starts_with(&end));
        found.map_or(chars.len(), |i| i + end.len())
    };
    let quoted = |quote: char| {
        let mut i = at + 1;
        while i < chars.len() && chars[i] != quote {
            i += if chars[i] == '\\' { 2 } else { 1 };
        }
        (i + 1).min(chars.len())
    };
    match chars[at] {
        '/' if is(1, '/') => until(at, "\n") - usize::from(chars[at..].contains(&'\n')),
        '/' if is(1, '*') => until(at + 2, "*/"),
        '"' => quoted('"'),
        'r' if is(1, '"') && !is_identifier_end(chars, at) => until(at + 2, "\""),
        'r' if is(1, '#') && is(2, '"') => until(at + 3, "\"#"),
        'r' if is(1, '#') && is(2, '#') && is(3, '"') => until(at + 4, "\"##"),
        // A lifetime has no closing quote two characters on.
        '\'' if is(1, '\\') || is(2, '\'') => quoted('\''),
        _ => at + 1,
    }
}

fn is_identifier_end(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b'
}

#[test]
fn comments_and_strings_are_not_code_and_lines_keep_their_numbers() {
    let code = code_only(
        "a(\"x::y \\\" z\");\n/* b::c\n */ d::e('\\'', 'f', r#\"g::h\"#); fn i<'a>() {} // j::k",
    );
    assert_eq!(code.lines().count(), 3);
    for gone in ["x::y", "b::c", "g::h", "j::k"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    assert!(code.contains("d::e") && code.contains("fn i<'a>() {}"), "{code}");
    assert_eq!(named_paths("broker/src/a.rs", &code), [(3, "d::e".to_owned())]);
}

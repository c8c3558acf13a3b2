//! Pages that lead through the code lead to what is there: a link goes to a file, and where its text is a name in code, as in
//! [`Sampler::sample`](src/sampler.rs), the file defines each part of it but the type that a function is of.

use std::path::{Component, Path};

use super::{File, code_of};

/// A link of Markdown.
struct Link<'a> {
    text: &'a str,
    target: &'a str,
}

/// Everything that a page says and is not so, one line each.
pub fn check(page: &File, files: &[File]) -> Vec<String> {
    let mut wrong = Vec::new();
    for link in links(&page.text).iter().filter(|link| !link.target.contains("://")) {
        let said = |what: String| format!("{}: [{}]({}): {what}", page.path, link.text, link.target);
        let path = from(&page.path, link.target);
        let Some(file) = files.iter().find(|file| file.path == path) else {
            wrong.push(said("there is no such file".to_owned()));
            continue;
        };
        let Some(name) = link.text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) else {
            continue;
        };
        if name.contains(['/', '.']) {
            if !path.ends_with(name) {
                wrong.push(said("the text names another file".to_owned()));
            }
        } else if !defines(file, name.rsplit("::").next().unwrap_or(name)) {
            wrong.push(said(format!("{path} does not define {name}")));
        }
    }
    for path in paths(&page.text) {
        let there = files.iter().any(|file| {
            let rest = file.path.strip_prefix(path.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !there && !GENERATED.contains(&path) {
            wrong.push(format!("{}: `{path}` is no file and no folder", page.path));
        }
    }
    wrong
}

/// Folders that the build makes.
const GENERATED: [&str; 3] = ["pkg/wasm/", "pkg/modules/", "pkg/dist/"];
/// What a path from the repository's root begins with.
const ROOTS: [&str; 10] =
    ["src/", "jinja/", "shaders/", "pkg/", "www/", "xtask/", "tests/", "benches/", "fuzz/", "docs/"];

/// Paths from the root that stand as code, without those that have a part left open, as `src/kernel/<stem>.rs`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    spans.filter(|span| {
        ROOTS.iter().any(|root| span.starts_with(root)) && !span.contains(['<', '*', '{', ' ', ','])
    })
}

fn links(text: &str) -> Vec<Link<'_>> {
    let ends = text.match_indices("](").filter_map(|(at, _)| {
        let begin = text[..at].rfind('[')?;
        let target = &text[at + 2..];
        Some(Link { text: &text[begin + 1..at], target: &target[..target.find(')')?] })
    });
    ends.collect()
}

/// Where a link of a page goes, from the repository's root.
fn from(page: &str, target: &str) -> String {
    let mut parts = Vec::new();
    for part in Path::new(page).parent().unwrap_or(Path::new("")).join(target).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            other => parts.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    parts.join("/")
}

/// Of other languages than Rust: whether it says so of a function or class.
fn defines(file: &File, name: &str) -> bool {
    if file.path.ends_with(".rs") {
        return code_of(file).is_ok_and(|code| code.defined.iter().any(|defined| defined == name));
    }
    ["function ", "class ", "interface ", "fn "]
        .iter()
        .any(|what| file.text.contains(&format!("{what}{name}")))
}

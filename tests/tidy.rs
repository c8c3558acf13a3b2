//! The rules of the house, held by machine: which room may import which, what may be named where, which
//! files come in pairs, and how large anything may grow. To change a rule, change its table here.
//!
//! The check reads text, not syntax trees: comments and strings are blanked first, so that only code counts.

use std::path::Path;
use std::process::Command;

/// A room of `src/` and the rooms it may import. Imports run one way; a room that is not here may not exist.
const ROOMS: [(&str, &[&str]); 15] = [
    ("tensor", &[]),
    ("formats", &["tensor"]),
    ("kernel", &["formats", "tensor"]),
    ("plan", &["kernel", "tensor"]),
    ("model", &["plan", "kernel", "formats", "tensor"]),
    ("tokenizer", &["formats", "tensor"]),
    ("sampler", &[]),
    ("cpu", &["plan", "kernel", "formats", "tensor"]),
    ("gpu", &["plan", "kernel", "formats", "tensor"]),
    ("session", &["model", "cpu", "gpu", "plan", "kernel", "formats", "tensor", "tokenizer", "sampler"]),
    (
        "tasks",
        &["session", "model", "cpu", "gpu", "plan", "kernel", "formats", "tensor", "tokenizer", "sampler"],
    ),
    ("train", &["model", "cpu", "gpu", "plan", "kernel", "formats", "tensor", "tokenizer"]),
    ("selftest", &["cpu", "gpu", "plan", "kernel", "formats", "tensor"]),
    ("serve", &[]),
    ("wasm", EVERYTHING),
];
/// Of a room at the house's door. `src/bin` is one too: it sees the crate from outside.
const EVERYTHING: &[&str] = &["*"];

/// A word of code, and the only files that may say it.
struct Reserved {
    words: &'static [&'static str],
    allowed: fn(&str) -> bool,
    because: &'static str,
}

const RESERVED: [Reserved; 4] = [
    Reserved {
        words: &["wgpu"],
        allowed: |path| is_in(path, "src/gpu"),
        because: "only src/gpu names wgpu: the planner and the model know no device",
    },
    Reserved {
        words: &["wasm_bindgen", "wasm_bindgen_futures", "js_sys", "web_sys"],
        allowed: |path| path == "src/wasm.rs" || is_in(path, "src/wasm") || path.starts_with("src/gpu/web"),
        because: "JavaScript is named in src/wasm.rs, src/wasm and src/gpu/web*.rs alone",
    },
    Reserved {
        words: &["std::fs"],
        allowed: |path| is_in(path, "src/bin") || is_in(path, "xtask"),
        because: "the file system lives in src/bin and xtask: the core gets bytes",
    },
    Reserved {
        words: &["unsafe"],
        allowed: |path| is_in(path, "src/cpu"),
        because: "only the micro-kernels and the thread pool of src/cpu may be unsafe",
    },
];

/// Files of `src/kernel` that are no kernel: the contract, what cases are made of, and what all shaders share.
const NOT_KERNELS: [&str; 5] = ["mod", "case", "params", "shader", "tuning"];
/// Folders whose files are held to [`MAX_LINES`].
const SOURCES: [&str; 6] = ["src", "jinja", "shaders", "xtask", "pkg/src", "www/src"];
const MAX_LINES: usize = 600;
const MAX_BYTES: u64 = 1_500_000;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 4] = ["utils", "util", "helpers", "misc"];
/// Marks of unfinished work. Split, so that this file may name them.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ig", "nore"),
];

/// A committed file: its path from the repository's root, its size, and its text where it is text.
struct File {
    path: String,
    bytes: u64,
    text: String,
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn is_source(path: &str) -> bool {
    let code = [".rs", ".wgsl", ".ts", ".js", ".mjs", ".css", ".html"].iter().any(|end| path.ends_with(end));
    code && SOURCES.iter().any(|folder| is_in(path, folder))
}

/// Everything that is wrong, one line each.
fn check(files: &[File]) -> Vec<String> {
    let mut wrong = check_kernels(files);
    for file in files {
        if file.bytes > MAX_BYTES {
            wrong.push(format!("{}: {} bytes, at most {MAX_BYTES} may be committed", file.path, file.bytes));
        }
        if is_source(&file.path) {
            check_source(file, &mut wrong);
        }
        if file.path.ends_with(".rs") && (is_in(&file.path, "src") || is_in(&file.path, "jinja")) {
            let code = code_only(&file.text);
            check_imports(&file.path, &code, &mut wrong);
            for reserved in RESERVED.iter().filter(|reserved| !(reserved.allowed)(&file.path)) {
                for word in reserved.words.iter().filter(|word| mentions(&code, word)) {
                    wrong.push(format!("{}: names {word}: {}", file.path, reserved.because));
                }
            }
        }
        let tested = is_in(&file.path, "tests") && file.path.ends_with(".rs");
        if is_source(&file.path) || tested {
            for mark in UNFINISHED.iter().filter(|mark| file.text.contains(**mark)) {
                wrong.push(format!("{}: unfinished, it says {mark}", file.path));
            }
        }
    }
    wrong
}

fn check_source(file: &File, wrong: &mut Vec<String>) {
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        wrong.push(format!(
            "{}: {lines} lines, a file is a room with one purpose and at most {MAX_LINES}",
            file.path
        ));
    }
    let parts = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
        wrong.push(format!("{}: {part} is no name for a room", file.path));
    }
}

/// Every kernel has its shader, its reference and its cases; every shader is a kernel's.
fn check_kernels(files: &[File]) -> Vec<String> {
    let stem = |path: &str, folder: &str, end: &str| {
        let name = path.strip_prefix(folder)?.strip_suffix(end)?;
        (!name.contains('/') && !NOT_KERNELS.contains(&name)).then(|| name.to_owned())
    };
    let has = |path: String| files.iter().any(|file| file.path == path);
    let mut wrong = Vec::new();
    for file in files {
        if let Some(name) = stem(&file.path, "src/kernel/", ".rs") {
            if !has(format!("shaders/{name}.wgsl")) {
                wrong.push(format!("{}: has no shaders/{name}.wgsl", file.path));
            }
            let code = code_only(&file.text);
            for function in
                ["fn reference(", "fn cases("].iter().filter(|function| !code.contains(**function))
            {
                wrong.push(format!("{}: has no `{function}`", file.path));
            }
        } else if let Some(name) =
            stem(&file.path, "shaders/", ".wgsl").filter(|name| !has(format!("src/kernel/{name}.rs")))
        {
            wrong.push(format!("{}: has no src/kernel/{name}.rs", file.path));
        }
    }
    wrong
}

/// The room a file of `src` belongs to; the crate's root and the programs belong to none.
fn room(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let first = inner.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "bin").then_some(name)
}

fn check_imports(path: &str, code: &str, wrong: &mut Vec<String>) {
    let Some(room) = room(path) else { return };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        wrong.push(format!("{path}: the room `{room}` is not in the table of tests/tidy.rs"));
        return;
    };
    if *allowed == EVERYTHING {
        return;
    }
    for import in imports(path, code) {
        let known = ROOMS.iter().any(|(name, _)| *name == import);
        if import != room && known && !allowed.contains(&import.as_str()) {
            wrong.push(format!("{path}: {room} may not import {import} (it may: {allowed:?})"));
        }
    }
}

/// Names right below the crate's root that `code` reaches: after `crate::`, in `crate::{a, b::c}`, and after as
/// many `super::` as lead from this file to the root. Each once, in order.
fn imports(path: &str, code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_word) {
            names.extend(first_names(&code[at + "crate::".len()..]));
        }
    }
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let up = "super::".repeat(inner.split('/').count());
    for (at, _) in code.match_indices(&up) {
        names.extend(first_names(&code[at + up.len()..]));
    }
    names.sort();
    names.dedup();
    names
}

/// `a` of `a::b`, and `a`, `c` of `{a::{x, y}, c}`.
fn first_names(rest: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(word(group[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `code` says `word` as a whole word; of a path like `std::fs` also the group `std::{fs, io}`.
fn mentions(code: &str, word: &str) -> bool {
    let whole = code
        .match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word));
    let grouped = word.split_once("::").is_some_and(|(parent, child)| {
        let mut groups = code.match_indices(parent).map(|(at, _)| &code[at + parent.len()..]);
        groups.any(|rest| {
            rest.strip_prefix("::").is_some_and(|rest| {
                rest.starts_with('{') && first_names(rest).iter().any(|name| name == child)
            })
        })
    });
    whole || grouped
}

/// Rust code with comments, strings and character literals blanked, so that only names are left.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\n');
    let (mut code, mut i) = (String::with_capacity(text.len()), 0);
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => (i..chars.len()).find(|&j| at(j) == '\n').unwrap_or(chars.len()),
            ('/', '*') => end_of_comment(&chars, i),
            ('"', _) => end_of_string(&chars, i),
            ('r', '"' | '#') if i == 0 || !is_word(at(i - 1)) => end_of_raw_string(&chars, i),
            // A character literal, not a lifetime: 'x' or '\n' or '\u{7f}'.
            ('\'', '\\') => (i + 3..chars.len()).find(|&j| at(j) == '\'').map_or(chars.len(), |j| j + 1),
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end > i {
            code.push(' ');
            i = end;
        } else {
            code.push(at(i));
            i += 1;
        }
    }
    code
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') if depth == 1 => return i + 2,
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of `r"..."` or `r#"..."#`, or `start` when this is an identifier like `r#type`.
fn end_of_raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |i: usize| {
        chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (open + 1..chars.len()).find(|&i| closes(i)).map_or(chars.len(), |i| i + 1 + hashes)
}

/// Every file that is committed or would be: what git does not ignore.
fn repository() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let output = Command::new("git").current_dir(root).args(list).output().expect("git runs");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files = names.split('\0').filter(|name| !name.is_empty()).filter_map(|name| {
        // A file may be deleted and not yet committed as such.
        let bytes = std::fs::metadata(root.join(name)).ok()?.len();
        let text = std::fs::read(root.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Some(File { path: name.to_owned(), bytes, text: text.unwrap_or_default() })
    });
    files.collect()
}

#[test]
fn the_house_is_tidy() {
    let files = repository();
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the repository was not read");
    let wrong = check(&files);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_table_runs_one_way() {
    for (index, (room, allowed)) in ROOMS.iter().enumerate() {
        for import in allowed.iter().filter(|import| **import != "*") {
            let (_, back) = ROOMS.iter().find(|(name, _)| name == import).expect("only rooms are imported");
            assert!(!back.contains(room), "{room} and {import} import each other");
            let at = ROOMS.iter().position(|(name, _)| name == import);
            assert!(at < Some(index), "{room} imports {import}, which is further down the table");
        }
    }
}

/// What the checker says about these files, joined.
fn verdict(files: &[(&str, &str)]) -> String {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File { path: (*path).into(), bytes: text.len() as u64, text: (*text).into() })
        .collect();
    check(&files).join("\n")
}

#[test]
fn a_forbidden_import_is_found_in_every_form() {
    let forms = [
        "use crate::gpu::Device;",
        "use crate::{tensor::DType, gpu};",
        "use crate::{tensor::{DType, Shape}, gpu::{A, B}};",
        "fn f() { crate::gpu::open(); }",
        "use super::super::gpu::Device;",
    ];
    for form in forms {
        let said = verdict(&[("src/formats/gguf.rs", form)]);
        assert!(said.contains("formats may not import gpu"), "{form}: {said:?}");
    }
    assert!(verdict(&[("src/formats/mod.rs", "use super::gpu::Device;")]).contains("may not import gpu"));
    assert!(
        verdict(&[("src/sampler.rs", "use crate::tensor::DType;")]).contains("sampler may not import tensor")
    );
}

#[test]
fn what_is_allowed_is_not_found() {
    let fine = "//! Not crate::gpu, and `unsafe` is a word.\n/* wgpu:: /* nested */ std::fs */\n\
                use crate::tensor::{DType, Shape};\nuse super::quant; // crate::gpu\n\
                const A: &str = \"use crate::gpu; unsafe\"; const B: &str = r#\"std::fs \" wgpu\"#;\n\
                fn f<'a>(c: &'a str) -> char { if c.len() > 1 { '\"' } else { '\\'' } }\n\
                #[deny(unsafe_op_in_unsafe_fn)] fn g(r#type: crate::formats::Own) {}\n";
    assert_eq!(verdict(&[("src/formats/gguf.rs", fine)]), "");
    assert_eq!(verdict(&[("src/bin/rushlight.rs", "use std::fs::File; use rushlight::gpu;")]), "");
    assert_eq!(
        verdict(&[("src/cpu/simd.rs", "unsafe { f() }"), ("src/gpu/web.rs", "use web_sys::X; use wgpu::Y;")]),
        ""
    );
    assert_eq!(verdict(&[("xtask/src/main.rs", "use std::fs;")]), "");
}

#[test]
fn code_after_a_tricky_literal_still_counts() {
    for before in [
        "let q = '\"';",
        "let s = \"a \\\" b\";",
        "let r = r#\"a \" b\"#;",
        "let l: &'static str = x;",
        "/* // */",
    ] {
        let said = verdict(&[("src/formats/gguf.rs", &format!("{before} use crate::gpu;"))]);
        assert!(said.contains("may not import gpu"), "{before}: {said:?}");
    }
}

#[test]
fn a_room_that_is_not_in_the_table_is_found() {
    assert!(verdict(&[("src/attic.rs", "")]).contains("`attic` is not in the table"));
    assert!(verdict(&[("src/attic/mod.rs", "")]).contains("`attic` is not in the table"));
}

#[test]
fn reserved_words_are_found_outside_their_place() {
    let cases = [
        ("src/plan/mod.rs", "let x: wgpu::Device;", "names wgpu"),
        ("src/session.rs", "use wasm_bindgen::prelude::*;", "names wasm_bindgen"),
        ("src/gpu/device.rs", "use web_sys::Navigator;", "names web_sys"),
        ("src/formats/gguf.rs", "use std::fs::File;", "names std::fs"),
        ("src/formats/gguf.rs", "use std::{fs, io};", "names std::fs"),
        ("src/tokenizer/mod.rs", "unsafe { f() }", "names unsafe"),
    ];
    for (path, text, expected) in cases {
        let said = verdict(&[(path, text)]);
        assert!(said.contains(expected), "{path}: {said:?}");
    }
}

#[test]
fn a_kernel_without_its_other_half_is_found() {
    let whole = "fn reference() {} fn cases() {}";
    assert_eq!(
        verdict(&[("src/kernel/add.rs", "fn reference(a: A) {} fn cases() {}"), ("shaders/add.wgsl", "")]),
        ""
    );
    assert!(verdict(&[("src/kernel/add.rs", whole)]).contains("has no shaders/add.wgsl"));
    assert!(verdict(&[("shaders/add.wgsl", "")]).contains("has no src/kernel/add.rs"));
    assert!(
        verdict(&[("src/kernel/add.rs", "fn reference() {}"), ("shaders/add.wgsl", "")])
            .contains("`fn cases(`")
    );
    assert!(
        verdict(&[("src/kernel/add.rs", "// fn reference()\nfn cases() {}"), ("shaders/add.wgsl", "")])
            .contains("`fn reference(`")
    );
    assert_eq!(
        verdict(&[("src/kernel/mod.rs", ""), ("src/kernel/case.rs", ""), ("shaders/shared/q4_k.wgsl", "")]),
        ""
    );
}

#[test]
fn size_names_and_unfinished_work_are_found() {
    let long = "\n".repeat(MAX_LINES + 1);
    assert!(verdict(&[("pkg/src/index.ts", &long)]).contains("601 lines"));
    assert!(verdict(&[("src/plan/utils.rs", "")]).contains("utils is no name"));
    assert!(verdict(&[("www/src/util/a.ts", "")]).contains("util is no name"));
    for mark in UNFINISHED {
        assert!(verdict(&[("src/plan/fuse.rs", mark)]).contains("unfinished"), "{mark}");
        assert!(verdict(&[("tests/golden.rs", mark)]).contains("unfinished"), "{mark}");
    }
    let heavy = File { path: "docs/picture.png".into(), bytes: MAX_BYTES + 1, text: String::new() };
    assert!(check(&[heavy]).join("").contains("may be committed"));
}

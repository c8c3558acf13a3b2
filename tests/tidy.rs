//! The rules of the house, held by machine: which room may import which, what may be named where, which
//! files come in pairs, and how large anything may grow. To change a rule, change its table here. `tidy/code.rs` reads Rust.
//!
//! `xtask` has it among its tests too, so that `cargo xtask tidy` need not build the crate whose text it reads.

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/pages.rs"]
mod pages;

use std::path::{Path, PathBuf};
use std::process::Command;

use code::Code;

/// A room of `src/` and the rooms it may import. Imports run one way; a room that is not here may not exist.
const ROOMS: [(&str, &[&str]); 16] = [
    ("trace", &[]),
    ("tensor", &[]),
    ("formats", &["tensor"]),
    ("kernel", &["formats", "tensor"]),
    ("plan", &["kernel", "tensor"]),
    ("model", &["plan", "kernel", "formats", "tensor"]),
    ("tokenizer", &["formats", "tensor"]),
    ("sampler", &[]),
    ("cpu", &["plan", "kernel", "formats", "tensor"]),
    ("gpu", &["plan", "kernel", "formats", "tensor"]),
    (
        "session",
        &["model", "cpu", "gpu", "plan", "kernel", "formats", "tensor", "tokenizer", "sampler", "trace"],
    ),
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
const NOT_KERNELS: [&str; 6] = ["mod", "case", "facts", "params", "shader", "tuning"];
/// Folders whose files are held to [`MAX_LINES`].
const SOURCES: [&str; 6] = ["src", "jinja", "shaders", "xtask", "pkg/src", "www/src"];
const MAX_LINES: usize = 600;
const MAX_BYTES: u64 = 1_500_000;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 4] = ["utils", "util", "helpers", "misc"];
/// Marks of unfinished work; clippy knows `todo!` and `unimplemented!`. Split, so that this file may name them.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore")];

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
    let page = |path: &str| path == "ARCHITECTURE.md" || is_in(path, "docs") && path.ends_with(".md");
    wrong.extend(files.iter().filter(|file| page(&file.path)).flat_map(|file| pages::check(file, files)));
    for file in files {
        if file.bytes > MAX_BYTES {
            wrong.push(format!("{}: {} bytes, at most {MAX_BYTES} may be committed", file.path, file.bytes));
        }
        if is_source(&file.path) {
            check_source(file, &mut wrong);
        }
        if file.path.ends_with(".rs") && (is_in(&file.path, "src") || is_in(&file.path, "jinja")) {
            match code_of(file) {
                Ok(code) => check_code(&file.path, &code, &mut wrong),
                Err(error) => wrong.push(format!("{}: no Rust: {error}", file.path)),
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
            let functions = code_of(file).map(|code| code.functions).unwrap_or_default();
            for function in
                ["reference", "cases"].iter().filter(|name| !functions.iter().any(|f| f == **name))
            {
                wrong.push(format!("{}: has no `fn {function}`", file.path));
            }
        } else if let Some(name) = stem(&file.path, "shaders/", ".wgsl").filter(|name| {
            !["kernel", "kernel/fused"].iter().any(|folder| has(format!("src/{folder}/{name}.rs")))
        }) {
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

/// What a file names. A file of `src` is a module below the crate's root, in as many others as it has folders.
fn code_of(file: &File) -> Result<Code, syn::Error> {
    let inner = file.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    code::read(&file.text, inner.split('/').count())
}

fn check_code(path: &str, code: &Code, wrong: &mut Vec<String>) {
    for reserved in RESERVED.iter().filter(|reserved| !(reserved.allowed)(path)) {
        for word in reserved.words {
            if let Some(line) = code.says(word) {
                wrong.push(format!("{path}:{line}: names {word}: {}", reserved.because));
            }
        }
    }
    let Some(room) = room(path) else { return };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        wrong.push(format!("{path}: the room `{room}` is not in the table of tests/tidy.rs"));
        return;
    };
    if *allowed == EVERYTHING {
        return;
    }
    for import in &code.rooms {
        let (name, line) = (import.name.as_str(), import.line);
        let known = name == "*" || ROOMS.iter().any(|(room, _)| *room == name);
        if name != room && known && !allowed.contains(&name) {
            wrong.push(format!("{path}:{line}: {room} may not import {name} (it may: {allowed:?})"));
        }
    }
}

/// The repository: this is a test of the package in its root, and of `xtask` below it.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = package.ancestors().find(|folder| folder.join("tests/tidy.rs").is_file());
    found.expect("the repository has this file").to_owned()
}

/// Every file that is committed or would be: what git does not ignore.
fn repository() -> Vec<File> {
    let root = root();
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let output = Command::new("git").current_dir(&root).args(list).output().expect("git runs");
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
        "use super::{super::gpu::Device, header};",
        "use self::super::super::{tensor, gpu as device};",
        "type Device = crate::gpu::Device;",
        "fn f(device: &impl crate::gpu::Opens) {}",
        "impl From<crate::gpu::Error> for Own {}",
        "pub(in crate::gpu) fn f() {}",
        "fn f() { assert!(matches!(x, crate::gpu::Kind::Plain)); }",
        "macro_rules! open { () => { $crate::gpu::open() } }",
        "macro_rules! uses { () => { use crate::{tensor, gpu::Device}; } }",
        "#[cfg_attr(all(), derive(crate::gpu::Derived))] struct A;",
        "mod tests { use super::super::super::gpu; }",
        "mod tests { fn f() { use crate::gpu; } }",
        "use crate::{r#gpu};",
    ];
    for form in forms {
        let said = verdict(&[("src/formats/gguf.rs", form)]);
        assert!(said.contains("formats may not import gpu"), "{form}: {said:?}");
    }
    assert!(verdict(&[("src/formats/mod.rs", "use super::gpu::Device;")]).contains("may not import gpu"));
    for form in ["use crate::*;", "use crate as root;", "use crate::{self as root};", "use super::super::*;"]
    {
        let said = verdict(&[("src/formats/gguf.rs", form)]);
        assert!(said.contains("formats may not import *"), "{form}: {said:?}");
    }
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
    // What stands as deep as a room does not reach out of it.
    let inner = "mod tests { use super::super::gpu; use super::*; } pub(crate) struct A; pub(super) use self::gpu::B;";
    assert_eq!(verdict(&[("src/formats/gguf.rs", inner)]), "");
    assert_eq!(verdict(&[("src/bin/rushlight.rs", "use std::fs::File; use rushlight::gpu;")]), "");
    assert_eq!(
        verdict(&[
            ("src/cpu/simd.rs", "fn f() { unsafe { g() } }"),
            ("src/gpu/web.rs", "use web_sys::X; use wgpu::Y;")
        ]),
        ""
    );
    assert_eq!(verdict(&[("xtask/src/main.rs", "use std::fs;")]), "");
}

#[test]
fn code_after_a_tricky_literal_still_counts() {
    for before in [
        "const Q: char = '\"';",
        "const S: &str = \"a \\\" b\";",
        "const R: &str = r#\"a \" b\"#;",
        "const L: &'static str = X;",
        "const B: &[u8] = b\"\\\"\";",
        "const C: &std::ffi::CStr = cr#\"\"\"#;",
        "/* // */",
    ] {
        let said = verdict(&[("src/formats/gguf.rs", &format!("{before} use crate::gpu;"))]);
        assert!(said.contains("may not import gpu"), "{before}: {said:?}");
    }
    assert!(verdict(&[("src/formats/gguf.rs", "fn {")]).contains("no Rust"));
}

#[test]
fn a_room_that_is_not_in_the_table_is_found() {
    assert!(verdict(&[("src/attic.rs", "")]).contains("`attic` is not in the table"));
    assert!(verdict(&[("src/attic/mod.rs", "")]).contains("`attic` is not in the table"));
}

#[test]
fn reserved_words_are_found_outside_their_place() {
    let cases = [
        ("src/plan/mod.rs", "struct A(wgpu::Device);", "names wgpu"),
        ("src/session.rs", "use wasm_bindgen::prelude::*;", "names wasm_bindgen"),
        ("src/gpu/device.rs", "use web_sys::Navigator;", "names web_sys"),
        ("src/formats/gguf.rs", "use std::fs::File;", "names std::fs"),
        ("src/formats/gguf.rs", "use std::{fs, io};", "names std::fs"),
        ("src/formats/gguf.rs", "fn f() { vec![::std::fs::read(x)] }", "names std::fs"),
        ("src/tokenizer/mod.rs", "fn f() { unsafe { g() } }", "names unsafe"),
        ("src/tokenizer/mod.rs", "macro_rules! f { () => { unsafe { g() } } }", "names unsafe"),
        ("src/tokenizer/mod.rs", "#[unsafe(no_mangle)] fn f() {}", "names unsafe"),
        ("jinja/src/lib.rs", "unsafe trait A {}", "names unsafe"),
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
            .contains("`fn cases`")
    );
    assert!(
        verdict(&[("src/kernel/add.rs", "// fn reference()\nfn cases() {}"), ("shaders/add.wgsl", "")])
            .contains("`fn reference`")
    );
    assert_eq!(
        verdict(&[("src/kernel/mod.rs", ""), ("src/kernel/case.rs", ""), ("shaders/shared/q4_k.wgsl", "")]),
        ""
    );
}

#[test]
fn pages_that_lead_nowhere_are_found() {
    let code = ("src/sampler.rs", "pub struct Sampler; impl Sampler { pub fn sample() {} }");
    let said = |link: &str| verdict(&[code, ("docs/A_TOKEN.md", link)]);
    for fine in [
        "[`Sampler::sample`](../src/sampler.rs)",
        "[`src/sampler.rs`](../src/sampler.rs)",
        "[a](https://b.c)",
    ] {
        assert_eq!(said(fine), "", "{fine}");
    }
    assert!(said("[`Sampler::pick`](../src/sampler.rs)").contains("does not define Sampler::pick"));
    assert!(said("[the sampler](../src/sample.rs)").contains("no such file"));
    assert!(said("[`src/other.rs`](../src/sampler.rs)").contains("names another file"));
    assert!(said("As `src/attic/` has it.").contains("`src/attic/` is no file"));
    assert_eq!(said("As `src/` has it, and `src/kernel/<stem>.rs`."), "");
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

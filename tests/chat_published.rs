//! Every chat template of llama.cpp's collection, in conversations with and without a system message, tools, calls and thoughts:
//! byte for byte what Python's jinja2 gives, or refused by both.
//!
//! `RUSHLIGHT_TEMPLATES` is a folder with templates, and `RUSHLIGHT_JINJA2` one with jinja2 for Python, as `cargo xtask
//! fetch-templates` makes them; `cargo xtask test` sets both.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rushlight_jinja::{Data, Template};

/// What a template is given, and the text; none where jinja2 refuses.
type Rendering = (Data, Option<String>);

fn judge(templates: &str) -> BTreeMap<String, Vec<Rendering>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/render_published.py");
    let mut python = Command::new("python3");
    python.arg("-W").arg("ignore").arg(script).arg(templates);
    if let Some(jinja) = std::env::var_os("RUSHLIGHT_JINJA2") {
        python.env("PYTHONPATH", jinja);
    }
    let output = python.output().expect("python3 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn published_templates_give_what_jinja2_gives() {
    let Ok(templates) = std::env::var("RUSHLIGHT_TEMPLATES") else {
        assert!(std::env::var_os("CI").is_none(), "RUSHLIGHT_TEMPLATES: run cargo xtask fetch-templates");
        println!("skipped: RUSHLIGHT_TEMPLATES is not set, see cargo xtask fetch-templates");
        return;
    };
    let (mut same, mut refused, mut wrong) = (0, 0, Vec::new());
    for (name, renderings) in judge(&templates) {
        let source = std::fs::read_to_string(Path::new(&templates).join(&name)).expect("a template");
        for (at, (given, expected)) in renderings.into_iter().enumerate() {
            let Data::Object(given) = given else { panic!("values by name") };
            let given: Vec<(&str, Data)> =
                given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            let clock = |pattern: &str| format!("T{pattern}");
            match (Template::new(&source).and_then(|template| template.render(&given, &clock)), expected) {
                (Ok(got), Some(text)) if got == text => same += 1,
                (Err(_), None) => refused += 1,
                (got, expected) => wrong.push(format!("{name}, {at}:\n{got:?}\n{expected:?}")),
            }
        }
    }
    println!("{same} as jinja2, {refused} refused by both");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same > 5_000, "{same}");
}

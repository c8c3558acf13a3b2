//! Templates: what Python's jinja2 gives, byte for byte, or an error; and hostile ones end in an error, soon and in little memory.
//!
//! `fixtures/jinja` was made by `tools/make_jinja_fixtures.py`.

use std::time::{Duration, Instant};

use rushlight_jinja::{Data, JinjaError, Template};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    given: Data,
    /// Sources, and what jinja2 makes of them; nothing where it refuses.
    cases: Vec<(String, Option<String>)>,
}

fn render(source: &str, given: &Data) -> Result<String, JinjaError> {
    let Data::Object(given) = given else { panic!("values by name") };
    let given: Vec<(&str, Data)> = given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    Template::new(source)?.render(&given, &|pattern| format!("T{pattern}"))
}

#[test]
fn small_templates_give_what_jinja2_gives() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/jinja/expected.json")).expect("the fixture is JSON");
    let (mut same, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for (source, expected) in &fixture.cases {
        match (render(source, &fixture.given), expected) {
            (Ok(got), Some(text)) if got == *text => same += 1,
            (Err(_), None) => same += 1,
            // What is not there is refused, never guessed.
            (Err(error), Some(_)) => refused.push(format!("{source}: {error}")),
            (got, expected) => wrong.push(format!("{source}\n  {got:?}\n  {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{same} as jinja2, {} refused here alone", refused.len());
    assert!(same > 10_000 && refused.len() <= 40, "{}", refused.join("\n"));
}

/// A template of parts that are repeated.
fn repeated(before: &str, count: usize, middle: &str, close: &str) -> String {
    [before, middle, close].iter().zip([count, 1, count]).map(|(part, count)| part.repeat(count)).collect()
}

#[test]
fn hostile_templates_end_in_an_error_soon() {
    let in_braces = |inner: String| format!("{{{{ {inner} }}}}");
    let doubled = |change: &str, show: &str| {
        format!(
            "{{% set ns = namespace(x=(1,), s='ab') %}}{{% for i in range(60) %}}{{% set {change} %}}{{% endfor %}}{show}"
        )
    };
    let mut hostile: Vec<String> = vec![
        in_braces(repeated("-", 90_000, "1", "")),
        in_braces(repeated("not ", 50_000, "1", "")),
        in_braces(repeated("(", 90_000, "1", ")")),
        in_braces(repeated("[", 90_000, "1", "]")),
        in_braces(repeated("{1:", 50_000, "1", "}")),
        in_braces(format!("1{}", "|string".repeat(30_000))),
        in_braces(format!("a{}", ".b".repeat(90_000))),
        in_braces(format!("1{}", "+1".repeat(90_000))),
        in_braces(format!("1{}", " and 1".repeat(40_000))),
        in_braces(format!("a{}", "()".repeat(90_000))),
        repeated("{% if 1 %}", 10_000, "", "{% endif %}"),
        repeated("{% for x in [1] %}", 8_000, "", "{% endfor %}"),
        repeated("{% set x %}", 8_000, "", "{% endset %}"),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro m(x=m()) %}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro m() %}{{ caller }}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro a(n) %}{% if n %}{{ a(n-1) }}{{ a(n-1) }}{% endif %}{% endmacro %}{{ a(60) }}".to_owned(),
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}".to_owned(),
        doubled("ns.x = [ns.x, ns.x]", "{{ ns.x | tojson }}"),
        doubled("ns.x = [ns.x, ns.x]", "{{ ns.x }}"),
        doubled("ns.x = (ns.x, ns.x)", "{{ {ns.x: 1} }}"),
        doubled("ns.x = ns.x + ns.x", ""),
        doubled("ns.s = ns.s ~ ns.s", ""),
        doubled("ns.s = ns.s + ns.s", ""),
        doubled("ns.s = ns.s.replace('b', 'bb' * 99)", ""),
        "{% set ns = namespace(x=1) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}"
            .to_owned(),
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}".to_owned(),
        "{{ [1] | tojson(indent=4611686018427387904) }}".to_owned(),
        "{{ 'a\nb' | indent(999999999999) }}".to_owned(),
        "{{ 'a' * 999999999999 }}".to_owned(),
        "{{ [1] * 999999999999 }}".to_owned(),
        "{{ range(100000) | join('x' * 10000) }}".to_owned(),
        "{{ 'a' | center(99999999999) }}".to_owned(),
        "{{ 'a'.ljust(99999999999) }}{{ 'a'.zfill(99999999999) }}".to_owned(),
        "{{ '%3999999999d' % 1 }}".to_owned(),
        "{{ '%.*d' % (999999999, 1) }}".to_owned(),
        "{{ '{:3999999999}'.format(1) }}".to_owned(),
        "{{ [1] | batch(9999999999, 1) | list }}".to_owned(),
        "{{ [1] | slice(9999999999) | list }}".to_owned(),
        "{{ 10 ** 9999999 }}".to_owned(),
    ];
    hostile.push("{% for a in range(9999) %}".repeat(4) + "a" + &"{% endfor %}".repeat(4));
    // The stack of a tab's engine is 1 MB; half of it has to do.
    let run = move || {
        for source in hostile {
            let start = Instant::now();
            let error =
                render(&source, &Data::Object(Vec::new())).expect_err(&source[..source.len().min(80)]);
            let shown = format!("{}: {error}", &source[..source.len().min(80)]);
            assert!(matches!(error, JinjaError::Limit { .. } | JinjaError::Unsupported { .. }), "{shown}");
            assert!(start.elapsed() < Duration::from_secs(5), "{shown}: {:?}", start.elapsed());
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run).expect("a thread");
    thread.join().expect("none overflows the stack");
}

#[test]
fn long_messages_are_no_attack() {
    let content = "A line of text, and \"quotes\".\n".repeat(40_000);
    let message = Data::Object(vec![("content".to_owned(), Data::text(content.clone()))]);
    let given = Data::Object(vec![("messages".to_owned(), Data::List(vec![message]))]);
    let source = "{% for m in messages %}{{ (m.content | trim).split('</think>')[-1].replace('#', 'y') ~ '' }}{% endfor %}";
    assert!(render(source, &given).expect("it renders") == content.trim(), "another text");
}

//! Programs that are measured: nothing drawn meanwhile, their output kept, their peak memory known.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Runs a program with the arguments that follow; prints the largest resident set of its children, in KiB (macOS counts in bytes).
const PEAK: &str = "import resource, subprocess, sys\n\
    done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n\
    sys.stderr.buffer.write(done.stderr)\n\
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n\
    print(peak // 1024 if sys.platform == 'darwin' else peak)\n\
    sys.exit(done.returncode)";

/// A command as one would type it, with the repository and the home folder left out of its paths.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    let line = line.join(" ");
    let line = match crate::paths::cache() {
        Ok(cache) => line.replace(&cache.to_string_lossy().into_owned(), "~/.cache/rushlight"),
        Err(_) => line,
    };
    let line = line.replace(&crate::paths::root().to_string_lossy().into_owned(), ".");
    let line = line.replace(&crate::paths::target().to_string_lossy().into_owned(), "target");
    match std::env::home_dir() {
        Some(home) => line.replace(&home.to_string_lossy().into_owned(), "~"),
        None => line,
    }
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}

/// What the program printed, as text.
pub fn text(command: &mut Command) -> Result<String> {
    let shown = line(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        bail!(
            "{shown} failed ({}): {}",
            output.status,
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What the program printed, as JSON.
pub fn json(command: &mut Command) -> Result<Value> {
    let text = text(command)?;
    serde_json::from_str(&text).with_context(|| format!("{} printed no JSON", line(command)))
}

/// The most memory that the program held at once, in bytes.
pub fn peak_bytes(command: &Command) -> Result<f64> {
    let mut python = crate::process::command("python3");
    python.args(["-c", PEAK]).arg(command.get_program()).args(command.get_args());
    let kib: f64 = text(&mut python)?.trim().parse().context("python3 printed no number")?;
    Ok(kib * 1024.0)
}

/// The number at a JSON pointer.
pub fn number(value: &Value, pointer: &str) -> Result<f64> {
    let found = value.pointer(pointer).and_then(Value::as_f64);
    found.with_context(|| format!("expected a number at {pointer}, got {:?}", value.pointer(pointer)))
}

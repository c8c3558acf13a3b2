//! Running other programs: with a line of progress, the output kept, and one clear line when they fail.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal a long step says that often what it is at.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Lines of output shown when a program fails; all of it is in the log, which nobody can open on a CI machine.
const SHOWN_LINES: usize = 60;
const SHOWN_LINES_CI: usize = 2000;

/// A command for `program` in the repository's root. What `cargo run` put into our own environment for
/// xtask's sake does not reach it: another toolchain's libraries would shadow its own.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::paths::root()).env_remove("LD_LIBRARY_PATH").stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that runs us, so that a `+toolchain` of the caller carries over.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program npm installed into `node_modules/.bin` of `package`.
pub fn npm_bin(package: &Path, name: &str) -> PathBuf {
    let name = if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() };
    package.join("node_modules").join(".bin").join(name)
}

/// A spinner with the time passed, drawn on stderr only where that is a terminal.
pub fn spinner(label: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_prefix(label.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar over `bytes`, drawn on stderr only where that is a terminal.
pub fn byte_bar(label: &str, bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{spinner} {prefix} [{elapsed}] {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style).with_prefix(label.to_owned())
}

/// Runs `command` to its end under a spinner and returns all it printed, stdout and stderr as they came.
/// When it fails its last lines go to stderr, all of it to a log, and the error names `label`.
pub fn run(label: &str, command: &mut Command) -> Result<String> {
    let start = Instant::now();
    if !std::io::stderr().is_terminal() {
        eprintln!("  {label} ...");
    }
    let output = capture(label, command)?;
    let seconds = start.elapsed().as_secs_f64();
    if output.success {
        eprintln!("  {label}: {seconds:.1} s");
        return Ok(output.text);
    }
    let lines: Vec<&str> = output.text.lines().collect();
    let shown = if std::env::var_os("CI").is_some() { SHOWN_LINES_CI } else { SHOWN_LINES };
    for line in &lines[lines.len().saturating_sub(shown)..] {
        eprintln!("  | {line}");
    }
    match write_log(label, &output.text) {
        Some(log) if lines.len() > shown => {
            bail!(
                "{label} failed after {seconds:.1} s; the end of its output is above, all of it in {}",
                log.display()
            )
        }
        _ => bail!("{label} failed after {seconds:.1} s; its output is above"),
    }
}

fn write_log(label: &str, text: &str) -> Option<PathBuf> {
    let folder = crate::paths::state().join("logs");
    let name: String = label.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let log = folder.join(format!("{name}.log"));
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&log, text)).ok()?;
    Some(log)
}

struct Output {
    success: bool,
    text: String,
}

fn capture(label: &str, command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{label}: cannot start {program}: is it installed and in PATH?"))?;
    let (sender, receiver) = mpsc::channel();
    let pipes = [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    for pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(text).is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
    drop(sender);
    let bar = spinner(label);
    let (mut text, mut last, mut said) = (String::new(), String::new(), Instant::now());
    loop {
        match receiver.recv_timeout(HEARTBEAT) {
            Ok(line) => {
                text.push_str(&line);
                text.push('\n');
                bar.set_message(line.trim().to_owned());
                last = line;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
        if bar.is_hidden() && said.elapsed() >= HEARTBEAT {
            eprintln!("    {label}: {}", last.trim());
            said = Instant::now();
        }
    }
    let status = child.wait().with_context(|| format!("{label}: lost {program}"))?;
    bar.finish_and_clear();
    Ok(Output { success: status.success(), text })
}

/// What `program` prints to stdout, trimmed, when it succeeds: for questions, never for work.
pub fn ask(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = command(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs `command` with our own stdout and stderr, for programs that talk to the user themselves.
pub fn hand_over(label: &str, command: &mut Command) -> Result<()> {
    std::io::stdout().flush().ok();
    let status = command.status().with_context(|| {
        format!("{label}: cannot start {}: is it installed?", command.get_program().to_string_lossy())
    })?;
    if !status.success() {
        bail!("{label} failed ({status})");
    }
    Ok(())
}

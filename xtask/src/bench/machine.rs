//! The machine that a figure belongs to.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process;

/// Vector instructions that decide how fast the CPU paths of both sides are.
const TOLD_FLAGS: [&str; 9] =
    ["avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "asimddp"];

/// What people need to know to read a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Vector instructions.
    pub vectors: Vec<String>,
    /// Main memory in GiB.
    pub memory_gib: u64,
    /// Operating system.
    pub system: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            line.split_once([':', '=']).map(|(_, value)| value.trim().trim_matches('"').to_owned())
        };
        let flags = value(&cpu, "flags").or_else(|| value(&cpu, "Features")).unwrap_or_default();
        let has = |flag: &&str| flags.split_whitespace().any(|known| known == *flag);
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self {
            processor: value(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: cores(),
            vectors: TOLD_FLAGS.iter().filter(|flag| has(flag)).map(|flag| (*flag).to_owned()).collect(),
            memory_gib: kib.unwrap_or_default().div_ceil(1 << 20),
            system: value(&release, "PRETTY_NAME").unwrap_or_else(|| std::env::consts::OS.to_owned()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, vectors, memory_gib, system } = self;
        write!(f, "{processor}, {cores} cores ({}), {memory_gib} GiB, {system}", vectors.join(", "))
    }
}

/// Cores that may be used.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many cores others keep busy, watched for a moment while we do nothing: over a tenth of one, figures are not to be trusted.
pub fn busy_cores() -> Option<f64> {
    const MOMENT: Duration = Duration::from_millis(500);
    let before = idle_and_all()?;
    std::thread::sleep(MOMENT);
    let after = idle_and_all()?;
    let (idle, all) = (after.0.checked_sub(before.0)?, after.1.checked_sub(before.1)?);
    (all > 0).then(|| cores() as f64 * (1.0 - idle as f64 / all as f64))
}

/// Ticks that all cores were idle or waiting, and ticks altogether, since the machine started.
fn idle_and_all() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.strip_prefix("cpu")?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already.
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((idle, ticks.iter().take(8).sum()))
}

/// The time, for people.
pub fn now() -> String {
    process::ask("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(|| "at an unknown time".to_owned())
}

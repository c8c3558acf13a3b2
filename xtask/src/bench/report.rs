//! What was measured, as `target/bench/cpu.json` and as a table for people in `cpu.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::samples::Samples;

/// What a ratio should reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Ours divided by theirs should be at least this.
    AtLeast {
        /// What has to be reached.
        least: f64,
        /// What is hoped for.
        aim: f64,
    },
    /// Ours divided by theirs should be at most this.
    AtMost {
        /// What has to be reached.
        most: f64,
        /// What is hoped for.
        aim: f64,
    },
    /// Only to be known.
    None,
}

/// One side of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Side {
    /// What it is.
    pub name: String,
    /// What it gave, in the order of the turns.
    pub samples: Samples,
    /// Median of the samples.
    pub median: f64,
    /// The smallest and the largest.
    pub spread: [f64; 2],
}

impl Side {
    /// A side with its figures worked out.
    pub fn new(name: impl Into<String>, samples: Samples) -> Self {
        let (median, spread) = (samples.median(), [samples.least(), samples.most()]);
        Self { name: name.into(), samples, median, spread }
    }
}

/// Ours over theirs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// Of the medians.
    pub median: f64,
    /// The smallest and the largest ratio of one turn.
    pub spread: [f64; 2],
}

/// One line of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Unit of both sides.
    pub unit: String,
    /// Our side.
    pub ours: Side,
    /// The other side.
    pub theirs: Side,
    /// Ours over theirs.
    pub ratio: Ratio,
    /// What the ratio should reach.
    pub goal: Goal,
}

impl Row {
    /// A comparison of two sides measured in turn.
    pub fn new(what: impl Into<String>, unit: &str, ours: Side, theirs: Side, goal: Goal) -> Self {
        let turns = ours.samples.turn_by_turn(&theirs.samples);
        let ratio = Ratio { median: ours.median / theirs.median, spread: [turns.least(), turns.most()] };
        Self { what: what.into(), unit: unit.to_owned(), ours, theirs, ratio, goal }
    }

    fn verdict(&self) -> &'static str {
        let ratio = self.ratio.median;
        match self.goal {
            Goal::AtLeast { aim, .. } if ratio >= aim => "aim reached",
            Goal::AtLeast { least, .. } if ratio >= least => "reached",
            Goal::AtMost { aim, .. } if ratio <= aim => "aim reached",
            Goal::AtMost { most, .. } if ratio <= most => "reached",
            Goal::None => "",
            _ => "not reached",
        }
    }

    fn wanted(&self) -> String {
        match self.goal {
            Goal::AtLeast { least, aim } => format!("at least {least} (aim {aim})"),
            Goal::AtMost { most, aim } => format!("at most {most} (aim {aim})"),
            Goal::None => String::new(),
        }
    }
}

/// Everything of one section, taken in one go.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Section {
    /// Its name, as `--only` takes it.
    pub name: String,
    /// When it was taken.
    pub taken: String,
    /// Cores that others kept busy just before.
    pub busy_cores: Option<f64>,
    /// Versions of everything that ran.
    pub versions: Vec<String>,
    /// What was run, in turn, with the repository as `.`.
    pub commands: Vec<String>,
    /// The comparisons.
    pub rows: Vec<Row>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// All sections, and the machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// What was measured.
    pub sections: Vec<Section>,
}

impl Report {
    /// The last report of this machine, so that a section can be taken again by itself; else an empty one.
    pub fn open(folder: &Path, machine: Machine) -> Self {
        let last = std::fs::read(folder.join("cpu.json")).ok();
        let last = last.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        last.filter(|last| last.machine == machine).unwrap_or(Self { machine, sections: Vec::new() })
    }

    /// Takes a section in, in place of an earlier one of its name.
    pub fn put(&mut self, section: Section) {
        match self.sections.iter_mut().find(|known| known.name == section.name) {
            Some(known) => *known = section,
            None => self.sections.push(section),
        }
    }

    /// Writes both files and returns the table's.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let cannot = || format!("cannot write to {}", folder.display());
        std::fs::create_dir_all(folder).with_context(cannot)?;
        let json = serde_json::to_string_pretty(self).context("a report is JSON")?;
        std::fs::write(folder.join("cpu.json"), json + "\n").with_context(cannot)?;
        let table = folder.join("cpu.md");
        std::fs::write(&table, self.markdown()).with_context(cannot)?;
        Ok(table)
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "{}\n\nMedians of runs taken in turn, with the smallest and the largest; the ratio is ours to theirs, its spread that of single turns.\n\n",
            self.machine
        );
        text.push_str("| what | ours | theirs | ratio | wanted | |\n| --- | --- | --- | --- | --- | --- |\n");
        for row in self.sections.iter().flat_map(|section| &section.rows) {
            let _ = writeln!(
                text,
                "| {} | {} {} | {}: {} {} | {:.2} ({:.2} to {:.2}) | {} | {} |",
                row.what,
                figures(&row.ours),
                row.unit,
                row.theirs.name,
                figures(&row.theirs),
                row.unit,
                row.ratio.median,
                row.ratio.spread[0],
                row.ratio.spread[1],
                row.wanted(),
                row.verdict()
            );
        }
        for section in &self.sections {
            let busy = section.busy_cores.map_or("unknown".to_owned(), |busy| format!("{busy:.1}"));
            let _ = write!(
                text,
                "\n**{}**, {}, cores busy with other things: {busy}.",
                section.name, section.taken
            );
            let _ = writeln!(text, " {}.", section.versions.join("; "));
            for note in &section.notes {
                let _ = writeln!(text, "- {note}");
            }
            for command in &section.commands {
                let _ = writeln!(text, "- `{command}`");
            }
        }
        text
    }
}

/// Median and spread with three significant digits.
fn figures(side: &Side) -> String {
    let [least, most] = side.spread;
    if least == most {
        return digits(side.median);
    }
    format!("{} ({} to {})", digits(side.median), digits(least), digits(most))
}

fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: &[f64], theirs: &[f64], goal: Goal) -> Row {
        let side = |name: &str, values: &[f64]| Side::new(name, Samples(values.to_vec()));
        Row::new("decode", "tokens/s", side("ours", ours), side("llama.cpp", theirs), goal)
    }

    #[test]
    fn a_goal_is_reached_from_its_own_side() {
        let verdict = |ours: f64, goal| row(&[ours], &[1.0], goal).verdict();
        let faster = || Goal::AtLeast { least: 1.25, aim: 1.7 };
        let sooner = || Goal::AtMost { most: 0.5, aim: 0.35 };
        assert_eq!(verdict(1.2, faster()), "not reached");
        assert_eq!(verdict(1.25, faster()), "reached");
        assert_eq!(verdict(1.8, faster()), "aim reached");
        assert_eq!(verdict(0.6, sooner()), "not reached");
        assert_eq!(verdict(0.5, sooner()), "reached");
        assert_eq!(verdict(0.3, sooner()), "aim reached");
        assert_eq!(verdict(f64::NAN, faster()), "not reached");
    }

    #[test]
    fn the_table_has_medians_spreads_and_ratio() {
        let row = row(&[20.0, 30.0, 25.0], &[10.0, 10.0, 12.5], Goal::None);
        let section = Section { name: "native".into(), rows: vec![row], ..Section::default() };
        let text = Report { sections: vec![section], ..Report::default() }.markdown();
        assert!(text.contains("| 25.0 (20.0 to 30.0) tokens/s |"), "{text}");
        assert!(text.contains("| 2.50 (2.00 to 3.00) |"), "{text}");
    }

    #[test]
    fn a_section_takes_its_own_place() {
        let mut report = Report::default();
        for taken in ["first", "second"] {
            report.put(Section { name: "native".into(), taken: taken.into(), ..Section::default() });
        }
        report.put(Section { name: "load".into(), ..Section::default() });
        let names: Vec<_> = report.sections.iter().map(|s| (s.name.as_str(), s.taken.as_str())).collect();
        assert_eq!(names, [("native", "second"), ("load", "")]);
    }
}

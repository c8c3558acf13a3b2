//! What a template may take. A template is a program from outside, and comes with a file that a stranger made.
//!
//! Nothing is ever given back: a text that was dropped still counts, so that memory is at most what is counted, and a bound on the
//! count bounds time too. Recursion is counted where it happens: in the parser, in expressions, in calls, and by how deep values lie
//! in one another.

use std::cell::Cell;

use super::error::{JinjaError, Result};

/// Bytes of a source; the longest of published models has 30 thousand.
pub(super) const SOURCE: usize = 256 << 10;
/// Expressions and statements within one another. jinja2, in Python, gives up at about 80 parentheses and 20 loops.
pub(super) const NESTING: u32 = 90;
/// Operations on one another's results in one expression, such as the terms of a sum. CPython refuses 200.
pub(super) const HEIGHT: u32 = 200;
/// Lists and objects within one another.
pub(super) const VALUE_DEPTH: u32 = 200;
/// Parts of a tuple that is a key.
pub(super) const KEY: usize = 10_000;
/// Evaluations within one another, calls of macros included: about 70 calls. jinja2 manages some 200.
const DEPTH: u32 = 420;
/// Steps of the interpreter; some hundred a message are usual.
const STEPS: u64 = 5_000_000;
/// Bytes that texts and lists may take, besides what is allowed for each byte that came in.
const BYTES: u64 = 32 << 20;
/// The same for each byte of the messages: how often a template may copy them.
const BYTES_PER_BYTE: u64 = 64;
/// Bytes that take about as long as a step.
const BYTES_PER_STEP: usize = 64;

/// What is left of a rendering's allowance.
pub(super) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    most_bytes: u64,
    most_steps: u64,
    depth: Cell<u32>,
}

impl Budget {
    /// For a template that is given `input` bytes.
    pub fn new(input: usize) -> Self {
        let most_bytes = BYTES + BYTES_PER_BYTE * input as u64;
        let most_steps = STEPS + input as u64;
        Budget {
            steps: Cell::new(most_steps),
            bytes: Cell::new(most_bytes),
            most_bytes,
            most_steps,
            depth: Cell::new(0),
        }
    }

    /// Takes steps.
    pub fn work(&self, steps: usize) -> Result<()> {
        match self.steps.get().checked_sub(steps as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(JinjaError::Limit { what: "steps", most: self.most_steps }),
        }
    }

    /// Takes memory, before it is asked for.
    pub fn grow(&self, bytes: usize) -> Result<()> {
        self.read(bytes)?;
        match self.bytes.get().checked_sub(bytes as u64) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(JinjaError::Limit { what: "bytes of text", most: self.most_bytes }),
        }
    }

    /// Takes the steps of looking through that many bytes.
    pub fn read(&self, bytes: usize) -> Result<()> {
        self.work(bytes / BYTES_PER_STEP + 1)
    }

    /// One level deeper, as long as what is returned lives.
    pub fn deeper(&self) -> Result<Deeper<'_>> {
        let depth = self.depth.get();
        if depth >= DEPTH {
            return Err(JinjaError::Limit { what: "evaluations within one another", most: DEPTH.into() });
        }
        self.depth.set(depth + 1);
        Ok(Deeper { budget: self })
    }
}

/// A level of recursion; it ends when dropped.
pub(super) struct Deeper<'a> {
    budget: &'a Budget,
}

impl Drop for Deeper<'_> {
    fn drop(&mut self) {
        self.budget.depth.set(self.budget.depth.get() - 1);
    }
}

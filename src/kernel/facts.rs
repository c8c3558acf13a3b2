//! What a row of a run is, and what a sequence is: data that comes with the run, not parameters of a dispatch. A host writes them for a
//! prompt, a device can write them for the next token.

use bytemuck::{Pod, Zeroable};

/// A row of a run: one of `rows` `[tokens, 4]`, U32.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Row {
    /// Its token.
    pub token: u32,
    /// Position of the token in its sequence.
    pub position: u32,
    /// Which sequence of the run it belongs to.
    pub sequence: u32,
    /// Where its keys and values go in a cache that holds every position; a shorter one, which is a ring, takes it modulo its slots.
    pub slot: u32,
}

impl Row {
    /// Elements of a row.
    pub const COLS: usize = 4;
    /// Column of the token.
    pub const TOKEN: usize = 0;
    /// Column of the position.
    pub const POSITION: usize = 1;
    /// Column of the sequence.
    pub const SEQUENCE: usize = 2;
    /// Column of the slot.
    pub const SLOT: usize = 3;

    /// Tokens of one sequence from a position on, in a cache of its own.
    pub fn sequence(tokens: &[u32], first: usize) -> Vec<Row> {
        let positions = (first as u32)..;
        let row = |(&token, position)| Row { token, position, sequence: 0, slot: position };
        tokens.iter().zip(positions).map(row).collect()
    }
}

/// Rows of a run that follow each other: one of `segments` `[sequences, 2]`, U32.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Segment {
    /// The first.
    pub first: u32,
    /// The one behind the last.
    pub end: u32,
}

impl Segment {
    /// Elements of a segment.
    pub const COLS: usize = 2;
}

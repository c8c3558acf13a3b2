//! Runs that were submitted, in their order, and what they gave.

use std::collections::VecDeque;

use crate::plan::executor::{Finished, PlanId, Submit, Ticket};
use crate::plan::{ExecError, Extent, ValueId};

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub plan: PlanId,
    pub extent: Extent,
    pub step: usize,
    /// Groups of the step's weight that are done.
    pub group: usize,
}

impl Cursor {
    /// So many more groups of the step's weight, which has `all`, are done; whether those were the last.
    pub fn goes_on(&mut self, count: usize, all: usize) -> bool {
        self.group += count;
        if self.group < all {
            return false;
        }
        self.group = 0;
        true
    }
}

/// A run that has not ended.
pub(super) struct Pending {
    ticket: Ticket,
    pub plan: PlanId,
    pub cursor: Cursor,
    /// To be written when it begins.
    pub inputs: Vec<(ValueId, Vec<u8>)>,
    pub outputs: Vec<ValueId>,
    pub given: Vec<Vec<u8>>,
}

impl Pending {
    /// Whether nothing of it has been done.
    pub fn begins(&self) -> bool {
        self.cursor.step == 0 && self.cursor.group == 0
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Runs {
    next: u64,
    pending: VecDeque<Pending>,
    ended: VecDeque<(Ticket, Finished)>,
}

impl Runs {
    /// One behind the others.
    pub fn add(&mut self, run: Submit<'_>) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.pending.push_back(Pending {
            ticket,
            plan: run.plan,
            cursor: Cursor { plan: run.plan, extent: run.extent, step: 0, group: 0 },
            inputs: run.inputs.iter().map(|(value, bytes)| (*value, bytes.to_vec())).collect(),
            outputs: run.outputs.to_vec(),
            given: Vec::with_capacity(run.outputs.len()),
        });
        ticket
    }

    /// Whether this run has not ended.
    pub fn waits(&self, ticket: Ticket) -> bool {
        self.pending.iter().any(|run| run.ticket == ticket)
    }

    /// The first that has not ended. One that fails does not come back.
    pub fn next(&mut self) -> Option<Pending> {
        self.pending.pop_front()
    }

    /// It has not ended.
    pub fn put_back(&mut self, run: Pending) {
        self.pending.push_front(run);
    }

    /// It has.
    pub fn end(&mut self, run: Pending, fault: Option<usize>) {
        self.ended.push_back((run.ticket, Finished { outputs: run.given, fault }));
    }

    /// The last that has not ended.
    pub fn last(&self) -> Option<Ticket> {
        self.pending.back().map(|run| run.ticket)
    }

    /// What a run gave.
    pub fn take(&mut self, ticket: Ticket) -> Result<Finished, ExecError> {
        let at = self.ended.iter().position(|(ended, _)| *ended == ticket);
        at.and_then(|at| self.ended.remove(at))
            .map(|(_, finished)| finished)
            .ok_or_else(|| ExecError::Unknown { operation: "take", what: "run", name: ticket.0.to_string() })
    }

    /// Nobody will take it.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.pending.retain(|run| run.ticket != ticket);
        self.ended.retain(|(ended, _)| *ended != ticket);
    }
}

//! Who makes a value, and who reads it.

use super::{Plan, ValueId};

/// Steps by the values that they touch.
#[derive(Clone, Debug)]
pub struct Uses {
    made_by: Vec<Vec<usize>>,
    read_by: Vec<Vec<usize>>,
}

impl Uses {
    /// Of every value of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut uses = Uses {
            made_by: vec![Vec::new(); plan.values.len()],
            read_by: vec![Vec::new(); plan.values.len()],
        };
        for (index, step) in plan.steps.iter().enumerate() {
            step.changes().for_each(|id| uses.made_by[id.index()].push(index));
            step.reads.iter().for_each(|id| uses.read_by[id.index()].push(index));
        }
        uses
    }

    /// Steps that write or update it, in their order.
    pub fn made_by(&self, id: ValueId) -> &[usize] {
        &self.made_by[id.index()]
    }

    /// Steps that read it, in their order; a step that reads it twice is there twice.
    pub fn read_by(&self, id: ValueId) -> &[usize] {
        &self.read_by[id.index()]
    }

    /// The step that alone makes it.
    pub fn maker(&self, id: ValueId) -> Option<usize> {
        match self.made_by(id) {
            [step] => Some(*step),
            _ => None,
        }
    }

    /// The step that alone reads it, and once.
    pub fn only_reader(&self, id: ValueId) -> Option<usize> {
        match self.read_by(id) {
            [step] => Some(*step),
            _ => None,
        }
    }

    /// The last step that touches it.
    pub fn last(&self, id: ValueId) -> Option<usize> {
        self.made_by(id).iter().chain(self.read_by(id)).max().copied()
    }
}

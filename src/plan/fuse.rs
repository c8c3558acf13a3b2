//! Makes fused steps of primitive ones, where a plan does what a fused operation's expansion says.
//!
//! Only what an executor lists is made. A step is fused into another only where nobody else reads what lies between them: nothing is
//! computed twice.

use super::uses::Uses;
use super::{Plan, Step, Storage, ValueId};
use crate::kernel::{Extent, FusedKind, Io, Op, Operand, Part, PartStep, Primitive};

impl Plan {
    /// Fuses what can be. Ids change.
    pub fn fuse(&mut self, kinds: &[FusedKind]) {
        for &kind in kinds {
            let pattern = kind.pattern();
            let mut index = self.steps.len();
            while index > 0 {
                index -= 1;
                if let Some((step, replaced)) = Search::new(self, &pattern).at(index, kind) {
                    self.steps[index] = step;
                    for &other in replaced.iter().rev().filter(|&&other| other != index) {
                        self.steps.remove(other);
                    }
                    index -= replaced.iter().filter(|&&other| other < index).count();
                }
            }
        }
        self.drop_unused_steps();
    }
}

/// A search for a pattern whose last step is a certain one of the plan.
struct Search<'a> {
    plan: &'a Plan,
    uses: Uses,
    pattern: &'a [PartStep],
    /// Which step of the plan each of the pattern is.
    steps: Vec<Option<usize>>,
    values: Vec<(Part, ValueId)>,
}

impl<'a> Search<'a> {
    fn new(plan: &'a Plan, pattern: &'a [PartStep]) -> Self {
        Search { plan, uses: Uses::of(plan), pattern, steps: vec![None; pattern.len()], values: Vec::new() }
    }

    /// The fused step that ends with the step `index`, and the steps that it replaces, in their order.
    fn at(mut self, index: usize, kind: FusedKind) -> Option<(Step, Vec<usize>)> {
        self.unify(self.pattern.len() - 1, index)?;
        let found: Vec<usize> = self.steps.iter().copied().collect::<Option<_>>()?;
        let primitives: Vec<&Primitive> =
            found.iter().map(|&step| self.plan.steps[step].op.primitive()).collect::<Option<_>>()?;
        let fused = kind.of(&primitives)?;
        if fused.expand().iter().map(|step| &step.primitive).ne(primitives.iter().copied()) {
            return None;
        }
        let (reads, writes) = (self.all(Part::Read)?, self.all(Part::Write)?);
        // A state may be another one by the time of the last step.
        if reads.iter().any(|&id| self.plan.value(id).storage == Storage::State) {
            return None;
        }
        let extent = Extent::tokens(1);
        let operands = |ids: &[ValueId]| -> Vec<Operand> {
            ids.iter().map(|&id| self.plan.operand(id, extent)).collect()
        };
        let (inputs, outputs) = (operands(&reads), operands(&writes));
        let io = Io { inputs: &inputs, outputs: &outputs, extent, row_start: 0 };
        if fused.kernel().unsupported(&io).is_some() {
            return None;
        }
        let mut replaced = found;
        replaced.sort_unstable();
        Some((Step { op: Op::Fused(fused), reads, writes, updates: Vec::new() }, replaced))
    }

    /// That step `of` of the pattern is the step `index` of the plan, and whatever it reads between them likewise.
    fn unify(&mut self, of: usize, index: usize) -> Option<()> {
        let (wanted, step) = (&self.pattern[of], self.plan.steps.get(index)?);
        let alike = std::mem::discriminant(step.op.primitive()?) == std::mem::discriminant(&wanted.primitive);
        if !alike || step.reads.len() != wanted.reads.len() || !step.updates.is_empty() {
            return None;
        }
        let [written] = step.writes[..] else { return None };
        self.steps[of] = Some(index);
        self.bind(wanted.writes, written)?;
        for (&part, &id) in wanted.reads.iter().zip(&step.reads) {
            self.bind(part, id)?;
            let Some(maker) = self.pattern.iter().position(|step| step.writes == part) else { continue };
            if self.steps[maker].is_none() {
                let is_between = self.plan.value(id).storage == Storage::Temp;
                self.uses.only_reader(id).filter(|_| is_between)?;
                self.unify(maker, self.uses.maker(id)?)?;
            }
        }
        Some(())
    }

    /// That a value of the pattern is one of the plan.
    fn bind(&mut self, part: Part, id: ValueId) -> Option<()> {
        match self.values.iter().find(|(known, _)| *known == part) {
            Some(&(_, known)) => (known == id).then_some(()),
            None => {
                self.values.push((part, id));
                Some(())
            }
        }
    }

    /// The values of a kind, by their number.
    fn all(&self, part: impl Fn(usize) -> Part) -> Option<Vec<ValueId>> {
        let bound = |number| self.values.iter().find(|(known, _)| *known == part(number)).map(|&(_, id)| id);
        let found: Vec<ValueId> = (0..).map_while(bound).collect();
        (!found.is_empty()).then_some(found)
    }
}

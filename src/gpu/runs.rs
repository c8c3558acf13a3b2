//! Submits runs in their order, in slices: several steps a submit, but none so long that a watchdog or an abort would have to wait.

use std::collections::VecDeque;

use super::device::{Device, Submission};
use super::pipelines::{PARAMS_STRIDE, Pipelines};
use super::prepared::{Dispatch, Prepared};
use super::staging::{Staged, Staging};
use super::values::Values;
use super::weights::Weights;
use crate::kernel::Tuning;
use crate::plan::executor::{Clock, PlanId, Submit, Ticket};
use crate::plan::{ExecError, Extent, Progress, ValueId};

/// What a submit may take; half the 100 ms that are promised, since costs are estimates.
const SUBMIT_MS: f64 = 50.0;
/// Submits that the device may have before it: one to work on, one to go on with.
const IN_FLIGHT: usize = 2;
/// Cost of a dispatch beside its work: starting it and waiting for the one before.
const DISPATCH_COST: u64 = 5_000;
/// Milliseconds for one unit of cost before anything is measured: 1e9 multiply-adds a second, a slow software adapter.
const FIRST_RATE: f64 = 1e-6;

/// A submit on the device.
struct Flight {
    submission: Submission,
    cost: u64,
    /// When it was submitted.
    started: f64,
}

/// A run that has not been submitted whole.
struct Pending {
    ticket: Ticket,
    plan: PlanId,
    extent: Extent,
    /// To be written when it begins.
    inputs: Vec<(ValueId, Vec<u8>)>,
    outputs: Vec<ValueId>,
    /// Once it has begun.
    dispatches: Option<Vec<Dispatch>>,
    next: usize,
}

/// A run whose last submit is on the device, or has ended.
struct Submitted {
    ticket: Ticket,
    /// How many submits there were with its last one.
    submits: u64,
    /// Its outputs; none where nothing was asked for.
    staged: Option<Staged>,
}

/// What runs are done with.
pub(super) struct Means<'a> {
    pub(super) device: &'a Device,
    pub(super) pipelines: &'a mut Pipelines,
    pub(super) weights: &'a Weights,
    pub(super) values: &'a Values,
    pub(super) tuning: &'a Tuning,
    pub(super) plans: &'a mut [Prepared],
    pub(super) staging: &'a mut Staging,
}

/// The runs that were submitted, in their order, and what earlier ones have taught about the device's speed.
pub(super) struct Runs {
    clock: Clock,
    next: u64,
    pending: VecDeque<Pending>,
    submitted: VecDeque<Submitted>,
    flights: VecDeque<Flight>,
    /// Submits that were made, and those that were waited for.
    submits: u64,
    waited: u64,
    /// Milliseconds for one unit of cost.
    rate: f64,
    /// When the last submit was seen to end.
    ended: f64,
}

impl Runs {
    pub(super) fn new(clock: Clock) -> Self {
        Runs {
            clock,
            next: 0,
            pending: VecDeque::new(),
            submitted: VecDeque::new(),
            flights: VecDeque::new(),
            submits: 0,
            waited: 0,
            rate: FIRST_RATE,
            ended: f64::MIN,
        }
    }

    /// A run behind the others.
    pub(super) fn add(&mut self, run: Submit<'_>) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.pending.push_back(Pending {
            ticket,
            plan: run.plan,
            extent: run.extent,
            inputs: run.inputs.iter().map(|(value, bytes)| (*value, bytes.to_vec())).collect(),
            outputs: run.outputs.to_vec(),
            dispatches: None,
            next: 0,
        });
        ticket
    }

    /// Drops all runs.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.submitted.clear();
    }

    /// Drops a run, or what it gave.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.pending.retain(|run| run.ticket != ticket);
        self.submitted.retain(|run| run.ticket != ticket);
    }

    /// The last run that is not submitted whole.
    pub(super) fn last(&self) -> Option<Ticket> {
        self.pending.back().map(|run| run.ticket)
    }

    /// Submits until this run is on the device whole, or the budget is used up. The last submits may still be on their way: who takes
    /// waits.
    pub(super) async fn advance(
        &mut self,
        means: &mut Means<'_>,
        ticket: Ticket,
        budget_ms: f64,
    ) -> Result<Progress, ExecError> {
        means.device.settle().await?;
        let started = (self.clock)();
        while self.pending.iter().any(|run| run.ticket == ticket) {
            self.wait_for_room(means.device, IN_FLIGHT - 1).await?;
            let left = budget_ms - ((self.clock)() - started);
            if left <= 0.0 && (self.clock)() > started {
                return Ok(Progress::More);
            }
            // One that fails does not come back.
            let Some(mut run) = self.pending.pop_front() else { break };
            if run.dispatches.is_none() {
                run.dispatches = Some(begin(means, &mut run)?);
            }
            if self.submit_slice(means, &mut run, left.clamp(1.0, SUBMIT_MS))? {
                continue;
            }
            self.pending.push_front(run);
        }
        means.device.check()?;
        Ok(Progress::Done)
    }

    /// Submits the next dispatches, about `milliseconds` of them and at least one; whether they were the last, behind which the outputs
    /// are brought to where the host can read them.
    fn submit_slice(
        &mut self,
        means: &mut Means<'_>,
        run: &mut Pending,
        milliseconds: f64,
    ) -> Result<bool, ExecError> {
        let allowed = milliseconds / self.rate;
        let unknown = |what, name: String| ExecError::Unknown { operation: "advance", what, name };
        let prepared = means.plans.get(run.plan.0).ok_or_else(|| unknown("plan", run.plan.0.to_string()))?;
        let dispatches = run.dispatches.as_deref().unwrap_or_default();
        let mut encoder = means.device.handle.create_command_encoder(&Default::default());
        let mut cost = 0;
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            while let Some(dispatch) = dispatches.get(run.next) {
                let with_this = cost + dispatch.cost + DISPATCH_COST;
                if cost > 0 && with_this as f64 > allowed {
                    break;
                }
                cost = with_this;
                let (Some(pipeline), Some(bind_group)) =
                    (means.pipelines.get(dispatch.pipeline), prepared.bind_group(run.next))
                else {
                    return Err(unknown("dispatch", run.next.to_string()));
                };
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bind_group, &[(run.next * PARAMS_STRIDE) as u32]);
                let [x, y, z] = dispatch.grid;
                pass.dispatch_workgroups(x, y, z);
                run.next += 1;
            }
        }
        let is_last = run.next == dispatches.len();
        let mut staged = if is_last && !run.outputs.is_empty() {
            let sources = run.outputs.iter().map(|&id| prepared.output(id, run.extent));
            let sources = sources.collect::<Result<Vec<_>, _>>()?;
            Some(means.staging.stage(means.device, &mut encoder, &sources, means.values.fault())?)
        } else {
            None
        };
        let started = (self.clock)();
        let submission = means.device.submit(Some(encoder.finish()));
        self.submits += 1;
        self.flights.push_back(Flight { submission, cost, started });
        if let Some(staged) = &mut staged {
            staged.map();
        }
        if is_last {
            self.submitted.push_back(Submitted { ticket: run.ticket, submits: self.submits, staged });
        }
        means.device.check()?;
        Ok(is_last)
    }

    /// What a run gave, which was submitted whole; and the word that faults are noted in.
    pub(super) async fn take(
        &mut self,
        device: &Device,
        staging: &mut Staging,
        word: Option<&wgpu::Buffer>,
        ticket: Ticket,
    ) -> Result<(Vec<Vec<u8>>, u32), ExecError> {
        let at = self.submitted.iter().position(|run| run.ticket == ticket);
        let run = at.and_then(|at| self.submitted.remove(at)).ok_or_else(|| ExecError::Unknown {
            operation: "take",
            what: "run",
            name: ticket.0.to_string(),
        })?;
        while self.waited < run.submits && !self.flights.is_empty() {
            self.wait_for_first(device).await?;
        }
        match run.staged {
            Some(staged) => staging.read(device, staged).await,
            None => self.copied(device, staging, &[], word).await,
        }
    }

    /// Bytes of buffers, and a word, as they are when all that was submitted has ended.
    pub(super) async fn copied(
        &mut self,
        device: &Device,
        staging: &mut Staging,
        sources: &[(&wgpu::Buffer, usize)],
        word: Option<&wgpu::Buffer>,
    ) -> Result<(Vec<Vec<u8>>, u32), ExecError> {
        device.settle().await?;
        let mut encoder = device.handle.create_command_encoder(&Default::default());
        let mut staged = staging.stage(device, &mut encoder, sources, word)?;
        let submission = device.submit(Some(encoder.finish()));
        staged.map();
        self.wait_for_room(device, 0).await?;
        device.wait(submission).await?;
        staging.read(device, staged).await
    }

    /// Waits until at most `room` submits are on the device.
    pub(super) async fn wait_for_room(&mut self, device: &Device, room: usize) -> Result<(), ExecError> {
        while self.flights.len() > room {
            self.wait_for_first(device).await?;
        }
        Ok(())
    }

    /// Waits for the first submit that is on the device.
    async fn wait_for_first(&mut self, device: &Device) -> Result<(), ExecError> {
        let Some(flight) = self.flights.pop_front() else { return Ok(()) };
        self.waited += 1;
        // One that ended unwatched tells nothing about the time it took.
        let watched = !device.has_ended(&flight.submission)?;
        device.wait(flight.submission).await?;
        let now = (self.clock)();
        if watched {
            self.learn(flight.cost, now - flight.started.max(self.ended));
        }
        self.ended = now;
        Ok(())
    }

    /// Moves the rate towards a measurement, quickly where it was too low: a submit that takes too long does harm.
    fn learn(&mut self, cost: u64, milliseconds: f64) {
        let measured = (milliseconds / cost as f64).max(1e-12);
        let weight = if measured > self.rate { 0.7 } else { 0.3 };
        self.rate += weight * (measured - self.rate);
    }
}

/// Writes what a run brings, when all of the one before it is on the device; its dispatches.
fn begin(means: &mut Means<'_>, run: &mut Pending) -> Result<Vec<Dispatch>, ExecError> {
    let unknown = || ExecError::Unknown { operation: "advance", what: "plan", name: run.plan.0.to_string() };
    let prepared = means.plans.get_mut(run.plan.0).ok_or_else(unknown)?;
    for (id, bytes) in std::mem::take(&mut run.inputs) {
        means.values.write_at(means.device, prepared.name(id), 0, &bytes)?;
    }
    prepared.rebind(means.device, means.pipelines, means.weights, means.values)?;
    let dispatches =
        prepared.dispatches(means.device, means.pipelines, means.weights, means.tuning, run.extent)?;
    prepared.write_params(means.device);
    Ok(dispatches)
}

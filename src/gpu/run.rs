//! Submits a run in slices: several steps a submit, but none so long that a watchdog or an abort would have to wait.

use std::collections::VecDeque;

use super::device::{Device, Submission};
use super::pipelines::{PARAMS_STRIDE, Pipelines};
use super::prepared::{Dispatch, Prepared};
use crate::plan::executor::{Clock, PlanId};
use crate::plan::{ExecError, Progress};

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

/// The run that is going on, and what earlier ones have taught about the device's speed.
pub(super) struct Run {
    clock: Clock,
    plan: Option<PlanId>,
    dispatches: Vec<Dispatch>,
    next: usize,
    flights: VecDeque<Flight>,
    /// Milliseconds for one unit of cost.
    rate: f64,
    /// When the last submit was seen to end.
    ended: f64,
}

impl Run {
    pub(super) fn new(clock: Clock) -> Self {
        Run {
            clock,
            plan: None,
            dispatches: Vec::new(),
            next: 0,
            flights: VecDeque::new(),
            rate: FIRST_RATE,
            ended: f64::MIN,
        }
    }

    /// Begins a run; what is left of another is dropped.
    pub(super) fn start(&mut self, plan: PlanId, dispatches: Vec<Dispatch>) {
        self.plan = Some(plan);
        self.dispatches = dispatches;
        self.next = 0;
    }

    /// Drops the run.
    pub(super) fn stop(&mut self) {
        self.plan = None;
        self.dispatches.clear();
        self.next = 0;
    }

    /// Submits until the run ends or the budget is used up. The last submits may still be on their way: who reads waits.
    pub(super) async fn advance(
        &mut self,
        device: &Device,
        pipelines: &Pipelines,
        plans: &[Prepared],
        budget_ms: f64,
    ) -> Result<Progress, ExecError> {
        device.settle().await?;
        let started = (self.clock)();
        while self.next < self.dispatches.len() {
            self.wait_for_room(device, IN_FLIGHT - 1).await?;
            let left = budget_ms - ((self.clock)() - started);
            if left <= 0.0 && (self.clock)() > started {
                return Ok(Progress::More);
            }
            let Some(prepared) = self.plan.and_then(|plan| plans.get(plan.0)) else { break };
            self.submit_slice(device, pipelines, prepared, left.clamp(1.0, SUBMIT_MS))?;
        }
        device.check()?;
        Ok(Progress::Done)
    }

    /// Submits the next dispatches, about `milliseconds` of them and at least one.
    fn submit_slice(
        &mut self,
        device: &Device,
        pipelines: &Pipelines,
        prepared: &Prepared,
        milliseconds: f64,
    ) -> Result<(), ExecError> {
        let allowed = milliseconds / self.rate;
        let mut encoder = device.handle.create_command_encoder(&Default::default());
        let mut cost = 0;
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            while let Some(dispatch) = self.dispatches.get(self.next) {
                let with_this = cost + dispatch.cost + DISPATCH_COST;
                if cost > 0 && with_this as f64 > allowed {
                    break;
                }
                cost = with_this;
                let (Some(pipeline), Some(bind_group)) =
                    (pipelines.get(dispatch.pipeline), prepared.bind_group(self.next))
                else {
                    return Err(ExecError::Unknown {
                        operation: "advance",
                        what: "dispatch",
                        name: self.next.to_string(),
                    });
                };
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bind_group, &[(self.next * PARAMS_STRIDE) as u32]);
                let [x, y, z] = dispatch.grid;
                pass.dispatch_workgroups(x, y, z);
                self.next += 1;
            }
        }
        let started = (self.clock)();
        let submission = device.submit(Some(encoder.finish()));
        self.flights.push_back(Flight { submission, cost, started });
        device.check()
    }

    /// Waits until at most `room` submits are on the device.
    pub(super) async fn wait_for_room(&mut self, device: &Device, room: usize) -> Result<(), ExecError> {
        while self.flights.len() > room
            && let Some(flight) = self.flights.pop_front()
        {
            // One that ended unwatched tells nothing about the time it took.
            let watched = !device.has_ended(&flight.submission)?;
            device.wait(flight.submission).await?;
            let now = (self.clock)();
            if watched {
                self.learn(flight.cost, now - flight.started.max(self.ended));
            }
            self.ended = now;
        }
        Ok(())
    }

    /// Moves the rate towards a measurement, quickly where it was too low: a submit that takes too long does harm.
    fn learn(&mut self, cost: u64, milliseconds: f64) {
        let measured = (milliseconds / cost as f64).max(1e-12);
        let weight = if measured > self.rate { 0.7 } else { 0.3 };
        self.rate += weight * (measured - self.rate);
    }
}

//! A plan bound to buffers: one site for each dispatch, its bind group made once.

use std::collections::HashMap;

use super::device::Device;
use super::pipelines::{PARAMS_STRIDE, Pipelines};
use super::values::Values;
use super::weights::{Part, Weights};
use crate::kernel::{Io, Operand, Tuning};
use crate::plan::{ExecError, Extent, Plan, Storage, ValueId, executor, memory};

/// Where a dispatch happens: a step, and the part of its weight that it sees.
struct Site {
    step: usize,
    /// Position among the step's inputs of the weight that is split, and which part of it.
    part: Option<(usize, usize)>,
}

/// A dispatch of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dispatch {
    pub(super) pipeline: usize,
    pub(super) grid: [u32; 3],
    pub(super) cost: u64,
}

/// A plan that is ready to run.
pub(super) struct Prepared {
    plan: Plan,
    sites: Vec<Site>,
    bind_groups: Vec<wgpu::BindGroup>,
    /// [`Values::generation`] when the bind groups were made; `None` before.
    bound: Option<usize>,
    /// Params of every site, [`PARAMS_STRIDE`] bytes each.
    arena: wgpu::Buffer,
    /// What the arena holds in the next run.
    params: Vec<u8>,
    /// Pool slot of each temporary, by value.
    slots: Vec<Option<usize>>,
    outputs: HashMap<ValueId, wgpu::Buffer>,
    largest: Extent,
}

impl Prepared {
    /// Makes the buffers of a plan.
    pub(super) fn new(
        device: &Device,
        weights: &Weights,
        values: &mut Values,
        plan: &Plan,
        largest: Extent,
    ) -> Result<Prepared, ExecError> {
        let mut outputs = HashMap::new();
        for index in 0..plan.values.len() {
            let id = ValueId(index as u32);
            let value = plan.value(id);
            match value.storage {
                Storage::Weight => check_weight(weights, plan, id)?,
                Storage::Input | Storage::State => values.ensure_named(device, plan, id, largest)?,
                Storage::Output => {
                    let bytes = plan.operand(id, largest).bytes();
                    outputs.insert(id, device.storage(&value.name, bytes)?);
                }
                Storage::Temp => {}
            }
        }
        if plan.steps.iter().any(|step| step.op.kernel().notes_faults()) {
            values.ensure_fault(device)?;
        }
        let assignment = memory::assign(plan, largest);
        #[cfg(debug_assertions)]
        executor::check_plan(plan, &assignment, largest)?;
        let pool = values.ensure_pool(device, &assignment.buffer_bytes)?;
        let slots = assignment.buffer_of.iter().map(|buffer| buffer.map(|buffer| pool[buffer])).collect();
        let sites = sites(weights, plan)?;
        let arena_bytes = sites.len() * PARAMS_STRIDE;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        Ok(Prepared {
            arena: device.buffer("params", arena_bytes as u64, usage)?,
            plan: plan.clone(),
            sites,
            bind_groups: Vec::new(),
            bound: None,
            params: Vec::with_capacity(arena_bytes),
            slots,
            outputs,
            largest,
        })
    }

    /// Bytes of its own buffers.
    pub(super) fn bytes(&self) -> u64 {
        let outputs: u64 = self.outputs.values().map(wgpu::Buffer::size).sum();
        self.arena.size() + outputs
    }

    /// The bind group of a site.
    pub(super) fn bind_group(&self, site: usize) -> Option<&wgpu::BindGroup> {
        self.bind_groups.get(site)
    }

    /// Makes the bind groups, if they do not name the buffers of now.
    pub(super) fn rebind(
        &mut self,
        device: &Device,
        pipelines: &mut Pipelines,
        weights: &Weights,
        values: &Values,
    ) -> Result<(), ExecError> {
        if self.bound == Some(values.generation()) {
            return Ok(());
        }
        let mut bind_groups = Vec::with_capacity(self.sites.len());
        for site in &self.sites {
            let step = &self.plan.steps[site.step];
            let mut entries = Vec::with_capacity(step.touches().count() + 2);
            for (position, id) in step.touches().enumerate() {
                let part = site.part.filter(|&(split, _)| split == position).map_or(0, |(_, part)| part);
                let buffer = self.buffer(weights, values, id, part)?;
                entries.push(wgpu::BindGroupEntry {
                    binding: position as u32,
                    resource: buffer.as_entire_binding(),
                });
            }
            let noted = step.op.kernel().notes_faults().then(|| values.fault()).flatten();
            if let Some(fault) = noted {
                let binding = entries.len() as u32;
                entries.push(wgpu::BindGroupEntry { binding, resource: fault.as_entire_binding() });
            }
            entries.push(wgpu::BindGroupEntry {
                binding: entries.len() as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &self.arena,
                    offset: 0,
                    size: wgpu::BufferSize::new(PARAMS_STRIDE as u64),
                }),
            });
            let written = step.changes().count() + usize::from(noted.is_some());
            let layout = pipelines.layout(device, step.reads.len(), written);
            bind_groups.push(device.handle.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(step.op.kernel().stem()),
                layout: &layout,
                entries: &entries,
            }));
        }
        self.bind_groups = bind_groups;
        self.bound = Some(values.generation());
        device.check()
    }

    /// Buffer of a value, or of a part of a weight.
    fn buffer<'a>(
        &'a self,
        weights: &'a Weights,
        values: &'a Values,
        id: ValueId,
        part: usize,
    ) -> Result<&'a wgpu::Buffer, ExecError> {
        let value = self.plan.value(id);
        let found = match value.storage {
            Storage::Weight => {
                weights.find(&value.name).and_then(|weight| weight.parts.get(part)).map(|part| &part.buffer)
            }
            Storage::Input | Storage::State => values.named(&value.name),
            Storage::Temp => {
                let slot = self.slots.get(id.index()).copied().flatten();
                slot.and_then(|slot| values.pooled(slot))
            }
            Storage::Output => self.outputs.get(&id),
        };
        found.ok_or_else(|| ExecError::Unknown {
            operation: "prepare",
            what: "buffer of a value",
            name: value.name.clone(),
        })
    }

    /// The dispatches of a run, whose params are kept for [`Prepared::write_params`]. Compiles what was not needed before.
    pub(super) fn dispatches(
        &mut self,
        device: &Device,
        pipelines: &mut Pipelines,
        weights: &Weights,
        tuning: &Tuning,
        extent: Extent,
    ) -> Result<Vec<Dispatch>, ExecError> {
        self.params.clear();
        let mut dispatches = Vec::with_capacity(self.sites.len());
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for site in &self.sites {
            let step = &self.plan.steps[site.step];
            inputs.clear();
            inputs.extend(step.reads.iter().map(|&id| self.plan.operand(id, extent)));
            outputs.clear();
            outputs.extend(step.changes().map(|id| self.plan.operand(id, extent)));
            let mut row_start = 0;
            if let Some((split, index)) = site.part
                && let Some(part) = part_of(weights, &self.plan, step.reads[split], index)
            {
                inputs[split] = inputs[split].with_rows(part.rows);
                row_start = part.row_start;
            }
            let io = Io { inputs: &inputs, outputs: &outputs, extent, row_start };
            let kernel = step.op.kernel();
            let Some(shader) = step.op.shader() else {
                return Err(ExecError::Mismatch {
                    operation: "prepare",
                    name: kernel.stem().to_owned(),
                    expected: "kernels with a shader".to_owned(),
                    got: format!("{:?}", step.op),
                });
            };
            let too_large = |operand: &&Operand| u32::try_from(operand.count()).is_err();
            let unfit = inputs.iter().chain(&outputs).find(too_large);
            let unfit = unfit.map(|operand| format!("operands of 32-bit indices, got {operand:?}"));
            if let Some(expected) = unfit.or_else(|| kernel.unsupported(&io)) {
                return Err(ExecError::Mismatch {
                    operation: "prepare",
                    name: kernel.stem().to_owned(),
                    expected,
                    got: format!("{:?}", step.op),
                });
            }
            let variant = shader.variant(&io, tuning);
            let written = outputs.len() + usize::from(kernel.notes_faults());
            dispatches.push(Dispatch {
                pipeline: pipelines.index(device, variant, inputs.len(), written)?,
                grid: shader.grid(&io, variant),
                cost: kernel.cost(&io),
            });
            shader.params(&io, &mut self.params);
            self.params.resize(dispatches.len() * PARAMS_STRIDE, 0);
        }
        Ok(dispatches)
    }

    /// Queues the params of the last [`Prepared::dispatches`].
    pub(super) fn write_params(&mut self, device: &Device) {
        device.queue.write_buffer(&self.arena, 0, &self.params);
    }

    /// The plan.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The largest of its runs.
    pub(super) fn largest(&self) -> Extent {
        self.largest
    }

    /// What a value is called.
    pub(super) fn name(&self, id: ValueId) -> &str {
        &self.plan.value(id).name
    }

    /// An output, and the bytes that a run gives of it.
    pub(super) fn output(&self, id: ValueId, extent: Extent) -> Result<(&wgpu::Buffer, usize), ExecError> {
        let buffer = self.outputs.get(&id).ok_or_else(|| ExecError::Unknown {
            operation: "read",
            what: "output",
            name: format!("%{}", id.0),
        })?;
        Ok((buffer, self.host_bytes(id, extent)?))
    }

    /// A state, and its bytes.
    pub(super) fn state<'a>(
        &self,
        values: &'a Values,
        id: ValueId,
    ) -> Result<(&'a wgpu::Buffer, usize), ExecError> {
        executor::check_state(&self.plan, id)?;
        let name = self.name(id);
        let buffer = values.named(name).ok_or_else(|| ExecError::Unknown {
            operation: "read",
            what: "state",
            name: name.to_owned(),
        })?;
        Ok((buffer, self.host_bytes(id, self.largest)?))
    }

    /// Bytes of a value, if the host can hold them.
    fn host_bytes(&self, id: ValueId, extent: Extent) -> Result<usize, ExecError> {
        let bytes = self.plan.operand(id, extent).bytes();
        usize::try_from(bytes).map_err(|_| ExecError::OutOfMemory {
            what: self.name(id).to_owned(),
            bytes,
            advice: "it can't be brought to the host whole",
        })
    }
}

fn part_of<'a>(weights: &'a Weights, plan: &Plan, id: ValueId, part: usize) -> Option<&'a Part> {
    weights.find(&plan.value(id).name).and_then(|weight| weight.parts.get(part))
}

/// That a weight is there and is what the plan thinks.
fn check_weight(weights: &Weights, plan: &Plan, id: ValueId) -> Result<(), ExecError> {
    let value = plan.value(id);
    let weight = weights.find(&value.name).ok_or_else(|| ExecError::Unknown {
        operation: "prepare",
        what: "weight",
        name: value.name.clone(),
    })?;
    let operand = plan.operand(id, Extent::tokens(1));
    let shape = &weight.desc.shape;
    if (weight.desc.dtype, shape.rows(), shape.cols()) != (operand.dtype, operand.rows, operand.cols) {
        return Err(ExecError::Mismatch {
            operation: "prepare",
            name: value.name.clone(),
            expected: format!("{} [{}, {}]", operand.dtype, operand.rows, operand.cols),
            got: format!("{} {shape}", weight.desc.dtype),
        });
    }
    Ok(())
}

/// One site a step, or one for each part of the weight that it reads.
fn sites(weights: &Weights, plan: &Plan) -> Result<Vec<Site>, ExecError> {
    let mut sites = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let parts = |id: &ValueId| {
            let value = plan.value(*id);
            let weight = (value.storage == Storage::Weight).then(|| weights.find(&value.name)).flatten();
            weight.map_or(1, |weight| weight.parts.len())
        };
        let mut split = step.reads.iter().enumerate().filter(|(_, id)| parts(id) > 1);
        match (split.next(), split.next()) {
            (None, _) => sites.push(Site { step: index, part: None }),
            (Some((position, id)), None) => {
                let parts = (0..parts(id)).map(|part| Site { step: index, part: Some((position, part)) });
                sites.extend(parts);
            }
            (Some(_), Some((_, second))) => {
                return Err(ExecError::Mismatch {
                    operation: "prepare",
                    name: plan.value(*second).name.clone(),
                    expected: "at most one weight over the binding limit in a step".to_owned(),
                    got: format!("{:?}", step.op),
                });
            }
        }
    }
    Ok(sites)
}

//! Compiles shader variants, each once.

use std::collections::HashMap;

use super::device::Device;
use crate::kernel::Variant;
use crate::kernel::shader::expand;
use crate::plan::ExecError;

/// Bytes that each dispatch has of a plan's uniform arena: the alignment of dynamic offsets that every device takes.
pub(super) const PARAMS_STRIDE: usize = 256;

/// Pipelines by variant, bind group layouts by what they bind.
#[derive(Default)]
pub(super) struct Pipelines {
    compiled: Vec<wgpu::ComputePipeline>,
    by_variant: HashMap<Variant, usize>,
    layouts: HashMap<(usize, usize), wgpu::BindGroupLayout>,
}

impl Pipelines {
    /// The layout of `inputs` read-only buffers, `outputs` read-write ones, and the params: all kernels' convention, so
    /// that a bind group serves every variant of its kernel.
    pub(super) fn layout(&mut self, device: &Device, inputs: usize, outputs: usize) -> wgpu::BindGroupLayout {
        let make = || {
            let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
            let kinds = std::iter::repeat_n(storage(true), inputs)
                .chain(std::iter::repeat_n(storage(false), outputs))
                .chain([wgpu::BufferBindingType::Uniform]);
            let entries: Vec<wgpu::BindGroupLayoutEntry> = (0..)
                .zip(kinds)
                .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                    binding,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty: wgpu::BindingType::Buffer {
                        ty,
                        has_dynamic_offset: ty == wgpu::BufferBindingType::Uniform,
                        min_binding_size: None,
                    },
                    count: None,
                })
                .collect();
            let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
            device.handle.create_bind_group_layout(&descriptor)
        };
        self.layouts.entry((inputs, outputs)).or_insert_with(make).clone()
    }

    /// Index of the pipeline of a variant with this many inputs and outputs; compiled on first use.
    pub(super) fn index(
        &mut self,
        device: &Device,
        variant: Variant,
        inputs: usize,
        outputs: usize,
    ) -> Result<usize, ExecError> {
        if let Some(&index) = self.by_variant.get(&variant) {
            return Ok(index);
        }
        let name = variant.name();
        let source = expand(variant).map_err(|error| ExecError::Device(error.to_string()))?;
        let bind_group_layout = self.layout(device, inputs, outputs);
        let told = name.clone();
        let tell = move |error: wgpu::Error| ExecError::Device(format!("shader {told}: {error}"));
        let pipeline = device.scoped(wgpu::ErrorFilter::Validation, tell, || {
            let module = device.handle.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            let layout = device.handle.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&name),
                bind_group_layouts: &[Some(&bind_group_layout)],
                immediate_size: 0,
            });
            device.handle.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            })
        })?;
        self.compiled.push(pipeline);
        self.by_variant.insert(variant, self.compiled.len() - 1);
        Ok(self.compiled.len() - 1)
    }

    /// A pipeline by its index.
    pub(super) fn get(&self, index: usize) -> Option<&wgpu::ComputePipeline> {
        self.compiled.get(index)
    }
}

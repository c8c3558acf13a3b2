//! Every expanded shader, without a GPU: naga accepts it at the baseline tier, its `Params` lies in memory as the Rust struct
//! does, its bindings follow the convention, and its workgroups fit every device.

use std::collections::BTreeSet;

use naga::{AddressSpace, StorageAccess, TypeInner};
use rushlight::kernel::shader::{INCLUDED, Variant, expand, variants};
use rushlight::kernel::{all_cases, params};

/// Parses and validates with no capability beyond core WebGPU.
fn validated(variant: Variant) -> (naga::Module, naga::valid::ModuleInfo) {
    let source = expand(variant).unwrap_or_else(|error| panic!("{error}"));
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{}: {}", variant.name(), error.emit_to_string(&source)));
    let flags = naga::valid::ValidationFlags::all();
    let mut validator = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty());
    let info = validator
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {}", variant.name(), error.emit_to_string(&source)));
    (module, info)
}

#[test]
fn every_variant_passes_naga_at_the_baseline_tier() {
    for variant in variants() {
        validated(variant);
    }
}

#[test]
fn params_lie_in_memory_as_the_rust_structs_do() {
    for variant in variants() {
        let (module, _) = validated(variant);
        let (_, layout) = params().find(|(stem, _)| *stem == variant.stem).expect("a kernel of the list");
        let params = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Params"));
        let (_, params) = params.unwrap_or_else(|| panic!("{} has no struct Params", variant.name()));
        let TypeInner::Struct { members, span } = &params.inner else {
            panic!("{}: Params is no struct", variant.name());
        };
        assert_eq!(*span as usize, layout.size, "{}: size", variant.name());
        let wgsl: Vec<(String, String, usize)> = members
            .iter()
            .map(|member| {
                let scalar = match module.types[member.ty].inner {
                    TypeInner::Scalar(naga::Scalar::U32) => "u32",
                    TypeInner::Scalar(naga::Scalar::F32) => "f32",
                    _ => "something else",
                };
                (member.name.clone().unwrap_or_default(), scalar.to_owned(), member.offset as usize)
            })
            .collect();
        let rust: Vec<(String, String, usize)> =
            layout.members.iter().map(|m| (m.name.to_owned(), m.scalar.to_owned(), m.offset)).collect();
        assert_eq!(wgsl, rust, "{}", variant.name());
    }
}

#[test]
fn unpackers_know_the_elements_of_their_blocks() {
    for variant in variants() {
        let Some(weight) = variant.weight else { continue };
        let (module, _) = validated(variant);
        let block = module.constants.iter().find(|(_, constant)| constant.name.as_deref() == Some("BLOCK"));
        let (_, block) = block.unwrap_or_else(|| panic!("{} has no BLOCK", variant.name()));
        let naga::Expression::Literal(naga::Literal::U32(elements)) = module.global_expressions[block.init]
        else {
            panic!("{}: BLOCK is no u32", variant.name());
        };
        assert_eq!(elements as usize, weight.block_elements(), "{}", variant.name());
    }
}

#[test]
fn bindings_are_inputs_then_outputs_then_faults_then_params() {
    for variant in variants() {
        let (module, _) = validated(variant);
        let case = all_cases().into_iter().find(|case| case.op.kernel().stem() == variant.stem);
        let case = case.unwrap_or_else(|| panic!("{} has no case", variant.stem));
        let mut expected = vec!["read"; case.inputs.len()];
        expected.extend(vec!["read_write"; case.outputs.len()]);
        if case.op.kernel().notes_faults() {
            expected.push("read_write");
        }
        expected.push("uniform");
        let mut found = Vec::new();
        for (_, global) in module.global_variables.iter() {
            let Some(binding) = &global.binding else { continue };
            assert_eq!(binding.group, 0, "{}: everything is in group 0", variant.name());
            let kind = match global.space {
                AddressSpace::Storage { access } if access == StorageAccess::LOAD => "read",
                AddressSpace::Storage { access } if access == StorageAccess::LOAD | StorageAccess::STORE => {
                    "read_write"
                }
                AddressSpace::Uniform => "uniform",
                _ => "something else",
            };
            found.push((binding.binding, kind));
        }
        found.sort_unstable();
        let expected: Vec<(u32, &str)> = (0..).zip(expected).collect();
        assert_eq!(found, expected, "{}", variant.name());
    }
}

#[test]
fn workgroups_fit_every_device() {
    for variant in variants() {
        let (module, info) = validated(variant);
        assert_eq!(module.entry_points.len(), 1, "{}", variant.name());
        let entry = &module.entry_points[0];
        assert_eq!(entry.name, "main", "{}", variant.name());
        let invocations: u32 = entry.workgroup_size.iter().product();
        assert!(invocations <= 256, "{}: {invocations} invocations", variant.name());
        assert!(entry.workgroup_size[2] <= 64, "{}: {:?}", variant.name(), entry.workgroup_size);
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).expect("types have layouts");
        let used = module
            .global_variables
            .iter()
            .filter(|(handle, global)| {
                global.space == AddressSpace::WorkGroup && !info.get_entry_point(0)[*handle].is_empty()
            })
            .map(|(_, global)| layouter[global.ty].size)
            .sum::<u32>();
        assert!(used <= 16 * 1024, "{}: {used} bytes of workgroup memory", variant.name());
    }
}

#[test]
fn every_shader_file_is_part_of_a_variant() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut on_disk = BTreeSet::new();
    for folder in std::fs::read_dir(&root).expect("shaders/").flatten().filter(|entry| entry.path().is_dir())
    {
        for file in std::fs::read_dir(folder.path()).expect("a folder of shaders").flatten() {
            let path = file.path();
            let relative = path.strip_prefix(&root).expect("below shaders/");
            on_disk.insert(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    let listed: BTreeSet<String> = INCLUDED.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(on_disk, listed, "src/kernel/shader.rs lists the files that shaders include");

    let sources: Vec<String> =
        variants().into_iter().map(|variant| expand(variant).expect("a whole shader")).collect();
    for (path, text) in INCLUDED {
        // A file's last line is its own, whatever it includes.
        let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("//!include ")).collect();
        let body = body.join("\n");
        assert!(sources.iter().any(|source| source.contains(&body)), "no variant includes {path}");
    }
}

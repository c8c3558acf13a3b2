//!include shared/grid.wgsl
//!include $KV
//!include shared/online_attention.wgsl
// Causal attention of each query over the cache; one workgroup a query and head.

struct Params {
    heads: u32,
    // Query heads that share a key-value head.
    group: u32,
    // Quads of elements of a head.
    quads: u32,
    slots: u32,
    tokens: u32,
    // Positions that a query sees, itself included.
    window: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<KvQuad>;
@group(0) @binding(2) var<storage, read> values: array<KvQuad>;
// Token, position, sequence and slot of each row.
@group(0) @binding(3) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> params: Params;

var<workgroup> end: u32;

// `base` is the first slot of the key-value head.
fn first_quad(base: u32, position: u32) -> u32 {
    return (base + position % params.slots) * params.quads;
}

fn key(quad: u32) -> vec4<f32> {
    return kv_unpack(keys[quad]);
}

fn value(quad: u32) -> vec4<f32> {
    return kv_unpack(values[quad]);
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = unfold(workgroup, workgroups);
    if (place >= params.heads * params.tokens) {
        return;
    }
    let cache = (place % params.heads) / params.group * params.slots;
    if (local == 0u) {
        end = rows[place / params.heads].y + 1u;
    }
    // Not read by each for itself: the analyser has to see that the bounds of the loop are the same for all.
    let behind = workgroupUniformLoad(&end);
    let begin = select(0u, behind - params.window, behind > params.window);
    attend(place, cache, vec2<u32>(begin, behind), local);
}

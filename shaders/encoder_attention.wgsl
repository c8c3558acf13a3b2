//!include shared/grid.wgsl
//!include shared/online_attention.wgsl
// Attention of each row over the rows of its own sequence; one workgroup a row and head.

struct Params {
    heads: u32,
    // Quads of elements of a head.
    quads: u32,
    tokens: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> values: array<vec4<f32>>;
// Token, position, sequence and slot of each row.
@group(0) @binding(3) var<storage, read> rows: array<vec4<u32>>;
// First row and end of each sequence.
@group(0) @binding(4) var<storage, read> segments: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> sequence: vec2<u32>;

// `base` is the head.
fn first_quad(base: u32, position: u32) -> u32 {
    return (position * params.heads + base) * params.quads;
}

fn key(quad: u32) -> vec4<f32> {
    return keys[quad];
}

fn value(quad: u32) -> vec4<f32> {
    return values[quad];
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
    if (local == 0u) {
        sequence = segments[rows[place / params.heads].z];
    }
    // Not read by each for itself: the analyser has to see that the bounds of the loop are the same for all.
    let seen = workgroupUniformLoad(&sequence);
    attend(place, place % params.heads, seen, local);
}

//!include shared/grid.wgsl
//!include $WEIGHT
// out[t, c] = scale * table[ids[t, column], c]; one invocation for eight elements. The part of the table that is bound holds the
// rows `row_start .. row_start + rows`; tokens of other rows are another dispatch's.

struct Params {
    tokens: u32,
    // Facts of a row, and which of them is the id.
    facts: u32,
    column: u32,
    cols: u32,
    row_start: u32,
    rows: u32,
    blocks: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let eights = (params.cols + 7u) / 8u;
    let index = unfold(workgroup, workgroups) * 64u + local;
    let token = index / eights;
    if (token >= params.tokens) {
        return;
    }
    let id = ids[token * params.facts + params.column];
    if (id < params.row_start || id >= params.row_start + params.rows) {
        return;
    }
    let first = (index % eights) * 8u;
    let values = weight8((id - params.row_start) * params.cols + first);
    let start = token * params.cols + first;
    for (var i = 0u; i < min(8u, params.cols - first); i += 1u) {
        output[start + i] = select(values.hi[i & 3u], values.lo[i & 3u], i < 4u) * params.scale;
    }
}

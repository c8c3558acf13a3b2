//!include shared/grid.wgsl
//!include $KV
// cache[g, rows[t].slot mod slots, d] = x[t, g, d]; one invocation for two elements. Where one of them is no number in the cache, its
// position is noted: the lowest one, as its complement, so that a word of 0 means none.

struct Params {
    tokens: u32,
    kv_heads: u32,
    // Pairs of elements of a head.
    pairs: u32,
    slots: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
// Token, position, sequence and slot of each row.
@group(0) @binding(1) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> cache: array<KvPair>;
@group(0) @binding(3) var<storage, read_write> fault: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = unfold(workgroup, workgroups) * 64u + local;
    let row = index / params.pairs;
    let token = row / params.kv_heads;
    if (token >= params.tokens) {
        return;
    }
    let head = row % params.kv_heads;
    let slot = rows[token].w % params.slots;
    let packed = kv_pack(x[index]);
    cache[(head * params.slots + slot) * params.pairs + index % params.pairs] = packed;
    if (!kv_is_finite(packed)) {
        atomicMax(&fault[0], ~rows[token].y);
    }
}

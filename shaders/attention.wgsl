//!include shared/grid.wgsl
//!include $KV
// Causal attention of each query over the cache, softmax computed online; one workgroup a query and head.
//
// Positions are taken 128 at a time: each invocation scores one, then takes four columns of the values for a share of
// the positions. Two barriers a tile: `scores` is written again only after all have passed the barrier behind
// `weights`, and the other way round.

struct Params {
    heads: u32,
    // Query heads that share a key-value head.
    group: u32,
    // Quads of elements of a head.
    quads: u32,
    slots: u32,
    tokens: u32,
    pos: u32,
    // Positions that a query sees, itself included.
    window: u32,
    scale: f32,
}

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> keys: array<KvQuad>;
@group(0) @binding(2) var<storage, read> values: array<KvQuad>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> params: Params;

const LANES = 128u;
// Finite, so that no difference of two of them is NaN.
const LOWEST = -3.0e38;

var<workgroup> query: array<vec4<f32>, 64>;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> weights: array<f32, LANES>;
var<workgroup> sums: array<vec4<f32>, LANES>;
var<workgroup> totals: array<f32, LANES>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = unfold(workgroup, workgroups);
    if (row >= params.heads * params.tokens) {
        return;
    }
    let quads = params.quads;
    let cache = (row % params.heads) / params.group * params.slots;
    let end = params.pos + row / params.heads + 1u;
    let begin = select(0u, end - params.window, end > params.window);
    if (local < quads) {
        query[local] = queries[row * quads + local];
    }
    workgroupBarrier();

    // This invocation's four columns, and its share of the positions of a tile.
    let quad = local % quads;
    let share = local / quads;
    let shares = LANES / quads;
    var largest = LOWEST;
    var sum = vec4<f32>();
    var total = 0.0;
    for (var tile = begin; tile < end; tile += LANES) {
        let position = tile + local;
        var score = LOWEST;
        if (position < end) {
            let start = (cache + position % params.slots) * quads;
            var products = vec4<f32>();
            for (var i = 0u; i < quads; i += 1u) {
                products += query[i] * kv_unpack(keys[start + i]);
            }
            score = (products.x + products.y + products.z + products.w) * params.scale;
        }
        scores[local] = score;
        workgroupBarrier();
        let count = min(LANES, end - tile);
        let before = largest;
        for (var i = 0u; i < count; i += 1u) {
            largest = max(largest, scores[i]);
        }
        // Never far below zero: some drivers make NaN of exp(-3e38).
        weights[local] = select(0.0, exp(max(score - largest, -87.0)), position < end);
        workgroupBarrier();
        let factor = exp(max(before - largest, -87.0));
        sum *= factor;
        total *= factor;
        if (share < shares) {
            for (var i = share; i < count; i += shares) {
                let start = (cache + (tile + i) % params.slots) * quads;
                sum += weights[i] * kv_unpack(values[start + quad]);
                total += weights[i];
            }
        }
    }
    sums[local] = sum;
    totals[local] = total;
    workgroupBarrier();
    if (local < quads) {
        for (var other = 1u; other < shares; other += 1u) {
            sum += sums[other * quads + local];
            total += totals[other * quads + local];
        }
        output[row * quads + local] = sum / total;
    }
}

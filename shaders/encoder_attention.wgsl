//!include shared/grid.wgsl
// Attention of each row over the rows of its own sequence, softmax computed online; one workgroup a row and head.
//
// The rows of the sequence are taken 128 at a time: each invocation scores one, then takes four columns of the values for a
// share of the rows. Two barriers a tile: `scores` is written again only after all have passed the barrier behind `weights`,
// and the other way round.

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
// First row and end of each row's sequence.
@group(0) @binding(3) var<storage, read> spans: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(5) var<uniform> params: Params;

const LANES = 128u;
// Finite, so that no difference of two of them is NaN.
const LOWEST = -3.0e38;

var<workgroup> query: array<vec4<f32>, 64>;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> weights: array<f32, LANES>;
var<workgroup> sums: array<vec4<f32>, LANES>;
var<workgroup> totals: array<f32, LANES>;
var<workgroup> sequence: vec2<u32>;

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
    let quads = params.quads;
    let head = place % params.heads;
    if (local == 0u) {
        sequence = spans[place / params.heads];
    }
    if (local < quads) {
        query[local] = queries[place * quads + local];
    }
    // Also tells the analyser that the bounds of the loop are the same for all.
    let span = workgroupUniformLoad(&sequence);

    // This invocation's four columns, and its share of the rows of a tile.
    let quad = local % quads;
    let share = local / quads;
    let shares = LANES / quads;
    var largest = LOWEST;
    var sum = vec4<f32>();
    var total = 0.0;
    for (var tile = span.x; tile < span.y; tile += LANES) {
        let row = tile + local;
        var score = LOWEST;
        if (row < span.y) {
            let start = (row * params.heads + head) * quads;
            var products = vec4<f32>();
            for (var i = 0u; i < quads; i += 1u) {
                products += query[i] * keys[start + i];
            }
            score = (products.x + products.y + products.z + products.w) * params.scale;
        }
        scores[local] = score;
        workgroupBarrier();
        let count = min(LANES, span.y - tile);
        let before = largest;
        for (var i = 0u; i < count; i += 1u) {
            largest = max(largest, scores[i]);
        }
        // Never far below zero: some drivers make NaN of exp(-3e38).
        weights[local] = select(0.0, exp(max(score - largest, -87.0)), row < span.y);
        workgroupBarrier();
        let factor = exp(max(before - largest, -87.0));
        sum *= factor;
        total *= factor;
        if (share < shares) {
            for (var i = share; i < count; i += shares) {
                sum += weights[i] * values[((tile + i) * params.heads + head) * quads + quad];
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
        output[place * quads + local] = sum / total;
    }
}

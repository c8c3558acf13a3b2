//!include shared/finite.wgsl
//!include shared/grid.wgsl
//!include shared/product.wgsl
//!include $WEIGHT
//!include $SCHEDULE
// out[t, n] = sum_k x[t, k] * g[k] * w[n, k] / sqrt(mean(x[t]^2) + eps). The part of the weight that is bound holds `rows` rows and gives
// the columns `row_start .. row_start + rows` of the output.

struct Params {
    tokens: u32,
    k: u32,
    rows: u32,
    row_start: u32,
    // Columns of the whole output.
    cols: u32,
    blocks: u32,
    eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> scale: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const NORMALISED = true;

fn scaled8(values: Eight, column: u32) -> Eight {
    let quad = column >> 2u;
    // The values past the end of the row are 0, whatever they are scaled by.
    let second = min(quad + 1u, (params.k - 1u) >> 2u);
    return Eight(values.lo * scale[quad], values.hi * scale[second]);
}

fn row_factor(squares: f32) -> f32 {
    // Of an infinite sum it would be 0, and zeros would come of numbers that are far too large.
    if (!is_finite(squares)) {
        return nan_from(squares);
    }
    return inverseSqrt(squares / f32(params.k) + params.eps);
}

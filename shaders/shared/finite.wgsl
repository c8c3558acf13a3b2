// What is no number: NaN and the infinities. By their bits, since WGSL lets an implementation assume that there are none, and then
// comparisons, `min`, `max` and `clamp` give what they like.

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// NaN, whatever `x` is: as a constant it would be refused.
fn nan_from(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u);
}

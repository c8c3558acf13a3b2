// f16 <-> f32 with integers: WGSL lets its own conversions flush subnormal halves to zero, and most scales of
// published Q6_K tensors are subnormal.

// The f32 of the f16 in the low 16 bits. A subnormal half is mantissa * 2^-24, which is a normal f32.
fn f32_from_half(half: u32) -> f32 {
    let exponent = half & 0x7c00u;
    let normal = ((half & 0x7fffu) << 13u) + (112u << 23u);
    let subnormal = bitcast<u32>(f32(half & 0x03ffu) * 5.9604644775390625e-8);
    let special = ((half & 0x03ffu) << 13u) | 0x7f800000u;
    var bits = select(normal, subnormal, exponent == 0u);
    bits = select(bits, special, exponent == 0x7c00u);
    return bitcast<f32>(bits | ((half & 0x8000u) << 16u));
}

// The f16 nearest to an f32, ties to even, in the low 16 bits; too large a magnitude gives infinity.
fn half_from_f32(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 16u) & 0x8000u;
    let magnitude = bits & 0x7fffffffu;
    if (magnitude >= 0x47800000u) {
        // 65536 and more, infinity, NaN.
        return sign | select(0x7c00u, 0x7e00u, magnitude > 0x7f800000u);
    }
    if (magnitude < 0x38800000u) {
        // Below 2^-14: a multiple of 2^-24. The shift of the 24-bit significand is at least 14.
        let shift = min(126u - (magnitude >> 23u), 25u);
        let significand = (magnitude & 0x007fffffu) | 0x00800000u;
        let kept = significand >> shift;
        let rest = significand & ((1u << shift) - 1u);
        let middle = 1u << (shift - 1u);
        let up = rest > middle || (rest == middle && (kept & 1u) == 1u);
        return sign | (kept + select(0u, 1u, up));
    }
    // A carry out of the mantissa moves into the exponent, as it should.
    let rebased = magnitude - (112u << 23u);
    return sign | ((rebased + 0x0fffu + ((rebased >> 13u) & 1u)) >> 13u);
}

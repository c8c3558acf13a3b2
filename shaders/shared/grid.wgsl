// A grid of more than 65,535 workgroups is folded into x and y; this is a workgroup's place in the unfolded one.
// The last row of the fold may reach past the end: kernels compare with their own count.
fn unfold(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}

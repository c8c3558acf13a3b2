//! The uniform of a kernel's shader: one declaration gives the struct that is written and the layout that a test
//! compares with the WGSL.

/// One member of a `Params` struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, the same in Rust and WGSL.
    pub name: &'static str,
    /// Its type, the same in Rust and WGSL: `u32` or `f32`.
    pub scalar: &'static str,
    /// Its place in bytes.
    pub offset: usize,
}

/// Layout of a `Params` struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the whole struct.
    pub size: usize,
    /// The members in order.
    pub members: &'static [Member],
}

/// Declares `Params`, whose members are `u32` and `f32`, with its [`Layout`].
macro_rules! params {
    ($($(#[$doc:meta])* $member:ident: $scalar:ident,)*) => {
        /// What the shader's uniform holds.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct Params {
            $($(#[$doc])* pub $member: $scalar,)*
        }

        impl Params {
            /// Layout of the uniform, compared with the shader's by a test.
            pub const LAYOUT: $crate::kernel::params::Layout = $crate::kernel::params::Layout {
                size: size_of::<Params>(),
                members: &[$($crate::kernel::params::Member {
                    name: stringify!($member),
                    scalar: stringify!($scalar),
                    offset: std::mem::offset_of!(Params, $member),
                },)*],
            };
        }
    };
}

pub(super) use params;

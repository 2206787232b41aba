//! Rust types that are elements of tensors.

use bytemuck::Pod;
use half::{bf16, f16};
use warploom_graph::DType;

/// A Rust type that a tensor can be made from and read as.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element of tensors",
    note = "elements are f32, f64, i32, u32, u8, bool, half::f16 and half::bf16"
)]
pub trait Element: Copy + Send + Sync + 'static {
    /// The dtype it is stored as.
    const DTYPE: DType;
    /// The stored bytes of a slice, little-endian.
    fn to_bytes(elements: &[Self]) -> std::borrow::Cow<'_, [u8]>;
    /// Elements from stored bytes.
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

const _: () = assert!(cfg!(target_endian = "little"), "buffers are little-endian");

fn plain<T: Pod>(bytes: &[u8]) -> Vec<T> {
    let mut elements = vec![T::zeroed(); bytes.len() / size_of::<T>()];
    bytemuck::cast_slice_mut(&mut elements).copy_from_slice(bytes);
    elements
}

macro_rules! elements {
    ($($T:ty: $DTYPE:ident),*) => {$(
        impl Element for $T {
            const DTYPE: DType = DType::$DTYPE;
            fn to_bytes(elements: &[Self]) -> std::borrow::Cow<'_, [u8]> { bytemuck::cast_slice(elements).into() }
            fn from_bytes(bytes: &[u8]) -> Vec<Self> { plain(bytes) }
        }
    )*};
}
elements!(f32: F32, f64: F64, i32: I32, u32: U32, u8: U8, f16: F16, bf16: BF16);

impl Element for bool {
    const DTYPE: DType = DType::Bool;

    fn to_bytes(elements: &[bool]) -> std::borrow::Cow<'_, [u8]> {
        bytemuck::cast_slice(elements).into()
    }

    fn from_bytes(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().map(|b| *b != 0).collect()
    }
}

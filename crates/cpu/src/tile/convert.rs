//! Reading and writing lanes at a stride, with conversion from and to storage. One lane at a time: memory that is not
//! contiguous bounds these loops.

use warploom_graph::DType;

use super::function::{Function, bits, narrow, special};

/// Moves lanes between a register and memory: register, first element, bytes from element to element, count.
pub(super) type Strided = unsafe fn(*mut u8, *mut u8, isize, usize);
/// Reads lanes at indices, and gives the first index outside `0..extent`, whose lane and those after it stay unwritten.
pub(super) type Indexed = unsafe fn(&IndexedCall) -> Option<i32>;

/// What an indexed read needs: lane `i` comes from `memory + i * stride + index[i] * index_stride`.
pub(super) struct IndexedCall {
    pub to: *mut u8,
    pub memory: *const u8,
    /// Bytes per lane.
    pub stride: isize,
    pub index: *const i32,
    /// Bytes per index.
    pub index_stride: isize,
    pub extent: usize,
    pub count: usize,
}

unsafe fn load_strided<F: Function>(register: *mut u8, memory: *mut u8, stride: isize, count: usize) {
    let to = register.cast::<F::R>();
    // SAFETY: the caller's promise: every element exists, and the register has room.
    unsafe {
        if stride == 0 {
            let a = memory.cast::<F::A>().read();
            let lane = F::apply(a, F::B::default(), F::C::default());
            for i in 0..count {
                *to.add(i) = lane;
            }
            return;
        }
        if stride == 2 * size_of::<F::A>() as isize {
            // Every other element: the compiler makes this loop one of vectors.
            for i in 0..count {
                let a = memory.cast::<F::A>().add(2 * i).read();
                *to.add(i) = F::apply(a, F::B::default(), F::C::default());
            }
            return;
        }
        for i in 0..count {
            let a = memory.offset(i as isize * stride).cast::<F::A>().read();
            *to.add(i) = F::apply(a, F::B::default(), F::C::default());
        }
    }
}

unsafe fn store_strided<F: Function>(register: *mut u8, memory: *mut u8, stride: isize, count: usize) {
    let from = register.cast::<F::A>();
    for i in 0..count {
        // SAFETY: the caller's promise: every element exists, and the register has the lanes.
        unsafe {
            let value = F::apply(*from.add(i), F::B::default(), F::C::default());
            memory.offset(i as isize * stride).cast::<F::R>().write(value);
        }
    }
}

unsafe fn load_indexed<F: Function>(call: &IndexedCall) -> Option<i32> {
    for i in 0..call.count {
        // SAFETY: the caller's promise: the element of every index in range exists.
        unsafe {
            let index = *call.index.add(i);
            if index as u32 as usize >= call.extent {
                return Some(index);
            }
            let offset = i as isize * call.stride + index as isize * call.index_stride;
            let a = call.memory.wrapping_offset(offset).cast::<F::A>().read();
            *call.to.cast::<F::R>().add(i) = F::apply(a, F::B::default(), F::C::default());
        }
    }
    None
}

macro_rules! by_storage {
    ($dtype:expr, $function:ident, $bool:ident $u8:ident $f16:ident $bf16:ident) => {
        match $dtype {
            DType::Bool => $function::<narrow::$bool>,
            DType::U8 => $function::<narrow::$u8>,
            DType::F16 => $function::<narrow::$f16>,
            DType::BF16 => $function::<narrow::$bf16>,
            DType::I32 | DType::U32 | DType::F32 => $function::<bits::Copy>,
            DType::F64 => $function::<special::CopyF64>,
        }
    };
}

/// The loop that reads elements of a dtype.
pub(super) fn strided_load(stored: DType) -> Strided {
    by_storage!(stored, load_strided, FromBool FromU8 FromF16 FromBf16)
}

/// The loop that writes elements of a dtype.
pub(super) fn strided_store(stored: DType) -> Strided {
    by_storage!(stored, store_strided, IntoU8 IntoU8 IntoF16 IntoBf16)
}

/// The loop that reads elements of a dtype by index.
pub(super) fn indexed_load(stored: DType) -> Indexed {
    by_storage!(stored, load_indexed, FromBool FromU8 FromF16 FromBf16)
}

//! Matrix products against a plain product in f64, and against themselves where bits must agree.

use crate::common::{Number, Random};
use std::sync::atomic::{AtomicU32, Ordering};

use warploom_cpu_kernels::gemm::{Epilogue, Gemm, Matrix, Output, Right, Shape, Tile};
use warploom_cpu_kernels::isa::Isa;
use warploom_cpu_kernels::pool::Pool;

#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    Padded,
    Reversed,
    Spread,
    RepeatedRow,
    RepeatedColumn,
}

const LAYOUTS: [Layout; 7] = [
    Layout::Rows,
    Layout::Columns,
    Layout::Padded,
    Layout::Reversed,
    Layout::Spread,
    Layout::RepeatedRow,
    Layout::RepeatedColumn,
];

/// A batch of matrices in memory of their own.
struct Stored<T> {
    memory: Vec<T>,
    origin: usize,
    row: isize,
    column: isize,
    batch: isize,
}

impl<T: Number> Stored<T> {
    fn new(
        batch: usize,
        rows: usize,
        columns: usize,
        layout: Layout,
        mut fill: impl FnMut() -> T,
    ) -> Stored<T> {
        let (r, c) = (rows as isize, columns as isize);
        let (row, column) = match layout {
            Layout::Rows => (c, 1),
            Layout::Columns => (1, r),
            Layout::Padded => (c + 3, 1),
            Layout::Reversed => (-c, -1),
            Layout::Spread => (2 * c + 1, 2),
            Layout::RepeatedRow => (0, 1),
            Layout::RepeatedColumn => (1, 0),
        };
        let corner = |row: isize, column: isize| row * (r - 1).max(0) + column * (c - 1).max(0);
        let size = corner(row.abs(), column.abs()) as usize + 1;
        let memory = (0..size * batch.max(1)).map(|_| fill()).collect();
        let origin = if row < 0 { size - 1 } else { 0 };
        Stored { memory, origin, row, column, batch: size as isize }
    }

    fn at(&self, batch: usize, i: usize, j: usize) -> usize {
        (self.origin as isize
            + batch as isize * self.batch
            + i as isize * self.row
            + j as isize * self.column) as usize
    }

    fn view(&self) -> Matrix<*const T> {
        Matrix::new(self.memory[self.origin..].as_ptr(), self.row, self.column).batched(self.batch)
    }

    fn view_mut(&mut self) -> Matrix<*mut T> {
        Matrix::new(self.memory[self.origin..].as_mut_ptr(), self.row, self.column).batched(self.batch)
    }
}

/// Workspace with a guard after its end.
struct Workspace {
    memory: Vec<u64>,
    offset: usize,
    size: usize,
}

const GUARD: u64 = 0xA5A5_5A5A_DEAD_BEEF;

impl Workspace {
    fn new(size: usize) -> Workspace {
        let memory = vec![GUARD; size / 8 + 32];
        let offset = memory.as_ptr().align_offset(64);
        Workspace { memory, offset, size }
    }

    fn data(&mut self) -> *mut u8 {
        self.memory[self.offset..].as_mut_ptr().cast()
    }

    fn check(&self) {
        let end = self.offset + self.size.div_ceil(8);
        assert!(self.memory[end..].iter().all(|&word| word == GUARD), "wrote behind the workspace");
        assert!(self.memory[..self.offset].iter().all(|&word| word == GUARD), "wrote before the workspace");
    }
}

/// Collects tiles, counts how often each element comes, and spoils the tile afterwards.
struct Collect {
    shape: Shape,
    threads: usize,
    bits: Vec<[AtomicU32; 2]>,
    seen: Vec<AtomicU32>,
}

impl Collect {
    fn new(shape: Shape, batch: usize, threads: usize) -> Collect {
        let count = shape.m * shape.n * batch;
        Collect {
            shape,
            threads,
            bits: (0..count).map(|_| Default::default()).collect(),
            seen: (0..count).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

impl<T: Number> Epilogue<T> for Collect {
    fn finish(&self, tile: &Tile<T>) {
        assert!(tile.worker < self.threads && tile.rows > 0 && tile.columns > 0);
        for i in 0..tile.rows {
            for j in 0..tile.columns {
                let index = (tile.batch * self.shape.m + tile.row + i) * self.shape.n + tile.column + j;
                // SAFETY: the element lies in the tile, which is this call's alone.
                let value = unsafe { &mut *tile.values.add(i * tile.stride + j) };
                let bits = value.to_f64().to_bits();
                self.bits[index][0].store(bits as u32, Ordering::Relaxed);
                self.bits[index][1].store((bits >> 32) as u32, Ordering::Relaxed);
                self.seen[index].fetch_add(1, Ordering::Relaxed);
                *value = T::from_f64(f64::NAN);
            }
        }
    }
}

struct Case<T: 'static> {
    isa: Isa,
    shape: Shape,
    batch: usize,
    a: Stored<T>,
    b: Stored<T>,
}

impl<T: Number> Case<T> {
    fn new(isa: Isa, shape: Shape, batch: usize, layouts: [Layout; 2], random: &mut Random) -> Case<T> {
        let a = Stored::new(batch, shape.m, shape.k, layouts[0], || T::from_f64(random.value()));
        let b = Stored::new(batch, shape.k, shape.n, layouts[1], || T::from_f64(random.value()));
        Case { isa, shape, batch, a, b }
    }

    /// The product in row-major order, by one way of running it.
    fn run(&self, pool: &Pool, packed: bool, mut output: impl FnMut(&mut dyn FnMut(&Output<'_, T>))) {
        let gemm = Gemm::<T>::with_isa(self.isa, self.shape, self.batch, pool.threads());
        let mut workspace = Workspace::new(gemm.workspace_bytes());
        let each = gemm.packed_b_elements().filter(|_| packed);
        let mut packed_b = vec![T::from_f64(f64::NAN); each.unwrap_or(0) * self.batch];
        let right = match each {
            Some(each) => {
                for batch in 0..self.batch {
                    let mut b = self.b.view();
                    b.data = b.data.wrapping_offset(batch as isize * b.batch);
                    // SAFETY: B is readable and the memory holds `each` elements per product.
                    unsafe { gemm.pack_b(b, packed_b[batch * each..].as_mut_ptr()) };
                }
                Right::Packed { data: packed_b.as_ptr(), batch: each as isize }
            }
            None => Right::Strided(self.b.view()),
        };
        output(&mut |output| {
            // SAFETY: operands, C and workspace are as large as the plan asks.
            unsafe { gemm.run(pool, self.a.view(), right, output, workspace.data()) };
        });
        workspace.check();
    }

    fn store(&self, pool: &Pool, packed: bool, layout: Layout, accumulate: Option<f64>) -> Vec<f64> {
        let Shape { m, n, .. } = self.shape;
        let old = T::from_f64(accumulate.unwrap_or(f64::NAN));
        let mut c = Stored::new(self.batch, m, n, layout, || old);
        let view = c.view_mut();
        self.run(pool, packed, |run| run(&Output::Store { c: view, accumulate: accumulate.is_some() }));
        let mut values = Vec::new();
        let mut touched = vec![false; c.memory.len()];
        for batch in 0..self.batch {
            for i in 0..m {
                for j in 0..n {
                    values.push(c.memory[c.at(batch, i, j)].to_f64());
                    touched[c.at(batch, i, j)] = true;
                }
            }
        }
        for (value, touched) in c.memory.iter().zip(touched) {
            assert!(
                touched || value.to_f64().to_bits() == old.to_f64().to_bits(),
                "wrote between elements of C"
            );
        }
        values
    }

    fn finish(&self, pool: &Pool, packed: bool) -> Vec<f64> {
        let collect = Collect::new(self.shape, self.batch, pool.threads());
        self.run(pool, packed, |run| run(&Output::Finish(&collect)));
        assert!(
            collect.seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1),
            "an element came not exactly once"
        );
        let bits = |word: &AtomicU32| u64::from(word.load(Ordering::Relaxed));
        collect.bits.iter().map(|[low, high]| f64::from_bits(bits(high) << 32 | bits(low))).collect()
    }

    fn check(&self, values: &[f64], old: f64) {
        let Shape { m, n, k } = self.shape;
        for (index, &value) in values.iter().enumerate() {
            let (batch, i, j) = (index / (m * n), index / n % m, index % n);
            let (mut sum, mut size) = (old, old.abs());
            for p in 0..k {
                let term = self.a.memory[self.a.at(batch, i, p)].to_f64()
                    * self.b.memory[self.b.at(batch, p, j)].to_f64();
                sum += term;
                size += term.abs();
            }
            // Chains grow the error with the square root of their length; three times that is never seen.
            let bound = 3.0 * T::EPSILON * (k as f64 + 1.0).sqrt() * size;
            assert!(
                (value - sum).abs() <= bound,
                "{:?} {:?} [{batch},{i},{j}]: {value} not {sum}",
                self.isa,
                self.shape
            );
        }
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// All ways to run one case give the right values, and the same bits.
fn check_all<T: Number>(pools: &[Pool], case: &Case<T>) {
    let expected = case.store(&pools[0], false, Layout::Rows, None);
    case.check(&expected, 0.0);
    let old = case.store(&pools[0], false, Layout::Rows, Some(0.75));
    case.check(&old, T::from_f64(0.75).to_f64());
    for pool in pools {
        let label =
            format!("{:?} {:?} batch {} threads {}", case.isa, case.shape, case.batch, pool.threads());
        for packed in [false, true] {
            for layout in [Layout::Rows, Layout::Columns, Layout::Padded, Layout::Reversed, Layout::Spread] {
                let values = case.store(pool, packed, layout, None);
                assert_eq!(bits(&values), bits(&expected), "{label} packed {packed} {layout:?}");
            }
            assert_eq!(bits(&case.finish(pool, packed)), bits(&expected), "{label} packed {packed} epilogue");
            for layout in [Layout::Padded, Layout::Spread] {
                let values = case.store(pool, packed, layout, Some(0.75));
                assert_eq!(bits(&values), bits(&old), "{label} packed {packed} {layout:?} accumulate");
            }
        }
    }
}

fn check_shapes<T: Number>(seed: u64, count: usize, extents: &[usize], batches: &[usize]) {
    let pools = [Pool::new(1), Pool::new(2), Pool::new(3)];
    let mut random = Random(seed);
    for _ in 0..count {
        let shape = Shape { m: random.pick(extents), n: random.pick(extents), k: random.pick(extents) };
        let layouts = [random.pick(&LAYOUTS), random.pick(&LAYOUTS)];
        let batch = random.pick(batches);
        for isa in Isa::available() {
            check_all(&pools, &Case::<T>::new(isa, shape, batch, layouts, &mut random));
        }
    }
}

#[test]
fn small_shapes() {
    let extents = [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 15, 16, 17, 29, 31, 32, 33, 47, 64, 65];
    check_shapes::<f32>(0x1234_5678_9ABC, 120, &extents, &[1, 1, 2, 5]);
    check_shapes::<f64>(0x2345_6789_ABCD, 120, &extents, &[1, 1, 2, 5]);
}

#[test]
fn shapes_of_several_blocks() {
    let extents = [1, 10, 61, 128, 257, 300];
    let mut random = Random(0x9876_5432_1FED);
    let pools = [Pool::new(1), Pool::new(2)];
    for round in 0..16 {
        let shape =
            Shape { m: random.pick(&extents), n: random.pick(&extents), k: random.pick(&[513, 784, 1031]) };
        let layouts = [random.pick(&LAYOUTS[..3]), random.pick(&LAYOUTS[..3])];
        for isa in Isa::available() {
            if round % 2 == 0 {
                check_all(&pools, &Case::<f32>::new(isa, shape, 1, layouts, &mut random));
            } else {
                check_all(&pools, &Case::<f64>::new(isa, shape, 1, layouts, &mut random));
            }
        }
    }
}

#[test]
fn shapes_of_training() {
    let mut random = Random(0xFEDC_BA98_7654);
    let pools = [Pool::new(1), Pool::new(2)];
    for [m, n, k] in
        [[128, 512, 784], [784, 512, 128], [128, 10, 512], [512, 10, 128], [100, 1, 10], [10, 1, 100]]
    {
        for layouts in
            [[Layout::Rows, Layout::Rows], [Layout::Columns, Layout::Rows], [Layout::Rows, Layout::Columns]]
        {
            check_all(&pools, &Case::<f32>::new(Isa::current(), Shape { m, n, k }, 1, layouts, &mut random));
        }
    }
}

#[test]
fn large_batches() {
    check_shapes::<f32>(0xABCD_1234, 4, &[16, 33, 64], &[24]);
}

#[test]
fn rows_and_columns_do_not_depend_on_their_neighbours() {
    let mut random = Random(77);
    let pool = Pool::new(2);
    for isa in Isa::available() {
        let shape = Shape { m: 61, n: 75, k: 700 };
        let mut case = Case::<f32>::new(isa, shape, 1, [Layout::Rows, Layout::Rows], &mut random);
        let expected = case.store(&pool, false, Layout::Rows, None);
        for (m, n) in [(2, 75), (61, 3), (17, 33)] {
            case.shape = Shape { m, n, k: 700 };
            let values = case.store(&pool, false, Layout::Rows, None);
            for i in 0..m {
                assert_eq!(
                    bits(&values[i * n..][..n]),
                    bits(&expected[i * 75..][..n]),
                    "{isa:?} {m}x{n} row {i}"
                );
            }
        }
    }
}

#[test]
fn strides_do_not_change_the_bits() {
    let mut random = Random(78);
    let pool = Pool::new(2);
    for isa in Isa::available() {
        for [m, n, k] in [[1, 37, 100], [37, 1, 100], [1, 1, 53], [20, 40, 600], [70, 90, 90]] {
            let shape = Shape { m, n, k };
            let first = Case::<f32>::new(isa, shape, 1, [Layout::Rows, Layout::Rows], &mut random);
            let expected = first.store(&pool, false, Layout::Rows, None);
            for a in &LAYOUTS[..5] {
                for b in &LAYOUTS[..5] {
                    let mut case = Case::<f32>::new(isa, shape, 1, [*a, *b], &mut random);
                    for (from, to, rows, columns) in
                        [(&first.a, &mut case.a, m, k), (&first.b, &mut case.b, k, n)]
                    {
                        for i in 0..rows {
                            for j in 0..columns {
                                let at = to.at(0, i, j);
                                to.memory[at] = from.memory[from.at(0, i, j)];
                            }
                        }
                    }
                    let values = case.store(&pool, false, Layout::Rows, None);
                    assert_eq!(bits(&values), bits(&expected), "{isa:?} {shape:?} {a:?} {b:?}");
                }
            }
        }
    }
}

#[test]
fn workspaces_stay_small() {
    fn bytes<T: Number>([m, n, k]: [usize; 3]) -> usize {
        Gemm::<T>::new(Shape { m, n, k }, 1, 2).workspace_bytes()
    }
    for extents in [[128, 512, 784], [128, 512, 512], [784, 512, 128], [512, 512, 512], [2048, 2048, 2048]] {
        assert!(bytes::<f32>(extents) <= 2560 << 10, "{extents:?}");
        assert!(bytes::<f64>(extents) <= 2560 << 10, "{extents:?}");
    }
    assert_eq!(bytes::<f32>([100, 1, 10]), 0);
}

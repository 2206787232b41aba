//! Several kernels in one dispatch: to launch a small kernel takes longer than to run it.
//!
//! Kernels that need nothing of each other run side by side, each in workgroups of its own. Kernels of which one reads what
//! another wrote run one after another in the same workgroup, which waits for its own stores in between: a single workgroup
//! where all are small, many where a row of points needs the same row alone of the kernels before it.

use crate::code::{Code, Context, Work};
use crate::collapse::collapse;
use crate::dispatch::Dispatch;
use crate::kernel::{self, Share, workgroup};
use crate::limits::Limits;
use crate::place::{Place, Places};
use crate::rows::{Touch, Window, keep_apart, window};
use std::collections::HashSet;
use warploom_device::{BufferId, DeviceError, IndexMap, Instruction, Kernel};

/// Elements of a kernel, swept ones counted, up to which it takes no longer than its launch.
const SMALL: usize = 1 << 18;
/// Elements of a kernel for each invocation up to which one workgroup is enough.
const EACH: usize = 16;
/// Kernels of a dispatch: longer source takes longer to compile, and registers are had for the greediest.
const MOST_KERNELS: usize = 32;

/// A kernel that waits for others to share its dispatch.
pub(crate) struct Stage {
    kernel: Kernel,
    ordinal: usize,
    touches: Vec<Touch>,
}

impl Stage {
    pub(crate) fn new(places: &Places, kernel: Kernel, ordinal: usize) -> Result<Stage, DeviceError> {
        let mut touches = Vec::new();
        for (_, instruction) in kernel.instructions() {
            let walk = match instruction {
                Instruction::Load { dtype, map, .. } => Some((map, dtype.bytes())),
                _ => None,
            };
            for buffer in instruction.reads() {
                touches.push(touch(places, buffer, false, walk)?);
            }
        }
        for store in &kernel.stores {
            touches.push(touch(places, store.buffer, true, Some((&store.map, store.dtype.bytes())))?);
        }
        Ok(Stage { kernel, ordinal, touches })
    }

    fn elements(&self) -> usize {
        self.kernel.points().saturating_mul(self.kernel.sweep())
    }

    fn conflicts(&self, other: &Stage) -> bool {
        self.touches.iter().any(|one| other.touches.iter().any(|other| one.conflicts(other)))
    }

    /// Whether no row of one touches what another row of the other does.
    fn keeps_rows_apart(&self, other: &Stage, rows: usize) -> bool {
        let of = |stage: &Stage, touch: &Touch| -> Option<Window> { window(&stage.kernel, touch, rows) };
        self.touches.iter().all(|one| {
            let mut conflicting = other.touches.iter().filter(|two| one.conflicts(two));
            conflicting.all(|two| match (of(self, one), of(other, two)) {
                (Some(one), Some(two)) => keep_apart(one, two),
                _ => false,
            })
        })
    }
}

/// The part of memory that an access to a buffer touches.
pub(crate) fn touch(
    places: &Places,
    buffer: BufferId,
    written: bool,
    walk: Option<(&IndexMap, usize)>,
) -> Result<Touch, DeviceError> {
    let Place { root, offset, bytes, moves } = places.of(buffer)?;
    let walk = walk.filter(|_| moves.is_empty()).map(|(map, bytes)| (map.clone(), bytes));
    Ok(Touch { root: *root, start: *offset, end: offset + bytes, written, walk })
}

/// Kernels that run one after another.
struct Chain {
    stages: Vec<Stage>,
    /// How the points of every stage are shared out among workgroups; a lone stage shares out its own.
    parts: Option<Parts>,
}

/// `rows` rows of points, `each` of them to a workgroup.
#[derive(Clone, Copy)]
struct Parts {
    rows: usize,
    each: usize,
}

impl Parts {
    /// By rule; `None` where these stages are better, or only, run one by one.
    fn of(stages: &[&Stage], limits: &Limits) -> Option<Parts> {
        let workgroup = workgroup(limits) as usize;
        if stages.iter().all(|stage| stage.elements() <= EACH * workgroup) {
            return Some(Parts { rows: 1, each: 1 });
        }
        let rows = stages.iter().fold(0, |rows, stage| gcd(rows, stage.kernel.points()));
        let row = stages.iter().map(|stage| stage.elements()).max()? / rows.max(1);
        let each = (4 * workgroup / row.max(1)).clamp(1, rows.max(1));
        let filled = rows.div_ceil(each) * workgroup >= limits.parallel as usize;
        let mut pairs = stages.iter().enumerate().flat_map(|(i, a)| stages[..i].iter().map(move |b| (a, b)));
        let is_worth_it = rows > 1 && (filled || row * each <= EACH * workgroup);
        (is_worth_it && pairs.all(|(a, b)| a.keeps_rows_apart(b, rows))).then_some(Parts { rows, each })
    }

    fn groups(self) -> u64 {
        self.rows.div_ceil(self.each) as u64
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Kernels gathered for one dispatch.
#[derive(Default)]
pub(crate) struct Together {
    chains: Vec<Chain>,
}

impl From<Stage> for Together {
    fn from(stage: Stage) -> Together {
        Together { chains: vec![Chain { stages: vec![stage], parts: None }] }
    }
}

impl Together {
    /// Whether something that touches these must come after.
    pub(crate) fn conflicts(&self, touches: &[Touch]) -> bool {
        self.stages()
            .any(|stage| stage.touches.iter().any(|one| touches.iter().any(|two| one.conflicts(two))))
    }

    /// Takes a kernel in. Where it must have another dispatch, that is begun, and those gathered before are given back.
    pub(crate) fn add(&mut self, stage: Stage, limits: &Limits) -> Option<Together> {
        let stage = self.join(stage, limits).err()?;
        Some(std::mem::replace(self, Together::from(*stage)))
    }

    fn join(&mut self, stage: Stage, limits: &Limits) -> Result<(), Box<Stage>> {
        if self.chains.is_empty() {
            *self = Together::from(stage);
            return Ok(());
        }
        if self.stages().count() >= MOST_KERNELS || self.memories(&stage) > limits.arguments {
            return Err(Box::new(stage));
        }
        let waits = |chain: &Chain| chain.stages.iter().any(|other| other.conflicts(&stage));
        let before: Vec<bool> = self.chains.iter().map(waits).collect();
        if !before.contains(&true) {
            // What is large gains nothing, and would keep small kernels waiting for its registers.
            if self.stages().chain([&stage]).any(|stage| stage.elements() > SMALL) {
                return Err(Box::new(stage));
            }
            self.chains.push(Chain { stages: vec![stage], parts: None });
            return Ok(());
        }
        let chosen = || self.chains.iter().zip(&before).filter(|(_, before)| **before);
        let joined: Vec<&Stage> = chosen().flat_map(|(chain, _)| &chain.stages).chain([&stage]).collect();
        let Some(parts) = Parts::of(&joined, limits) else { return Err(Box::new(stage)) };
        let mut before = before.into_iter();
        let (joined, apart): (Vec<Chain>, Vec<Chain>) =
            std::mem::take(&mut self.chains).into_iter().partition(|_| before.next() == Some(true));
        let mut stages: Vec<Stage> = joined.into_iter().flat_map(|chain| chain.stages).collect();
        stages.push(stage);
        // Ordinals are given in the order of the program.
        stages.sort_by_key(|stage| stage.ordinal);
        self.chains = apart;
        self.chains.push(Chain { stages, parts: Some(parts) });
        Ok(())
    }

    fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.chains.iter().flat_map(|chain| &chain.stages)
    }

    /// Memories that a dispatch with one more stage sees, those of faults and counters counted always.
    fn memories(&self, stage: &Stage) -> usize {
        let all = self.stages().chain([stage]).flat_map(|stage| &stage.touches);
        2 + all.map(|touch| (touch.root, touch.start)).collect::<HashSet<_>>().len()
    }

    /// Their dispatch, if there are any.
    pub(crate) fn dispatch(&mut self, context: Context<'_>) -> Result<Option<Dispatch>, DeviceError> {
        let mut chains = std::mem::take(&mut self.chains);
        let Some(first) = chains.first() else { return Ok(None) };
        let mut code = Code::new(context, first.stages[0].ordinal);
        let all = || chains.iter().flat_map(|chain| &chain.stages);
        let work = all().map(|stage| kernel::work(&stage.kernel)).fold(Work::default(), |a, b| a + b);
        let name = name(all().map(|stage| stage.kernel.name.as_str()));
        for stage in chains.iter_mut().flat_map(|chain| &mut chain.stages) {
            stage.kernel = collapse(&stage.kernel);
        }
        mark(&mut code, &chains)?;
        let (mut start, alone) = (0, chains.len() == 1);
        for chain in &chains {
            let groups = match chain.parts {
                Some(parts) => parts.groups(),
                None => kernel::groups(&code, &chain.stages[0].kernel)?,
            };
            if alone {
                write(&mut code, chain, "group")?;
            } else {
                let above = if start > 0 { format!("group >= {start}u && ") } else { String::new() };
                code.open(format!("if ({above}group < {}u)", start + groups));
                code.line(format!("let part = group - {start}u;"));
                write(&mut code, chain, "part")?;
                code.close();
            }
            start += groups;
        }
        code.finish(&name, workgroup(context.limits), start, work).map(Some)
    }
}

/// Says of all kernels which memories they write in parts of words, before the first is written. What one of them so writes
/// the others write so too.
fn mark(code: &mut Code<'_>, chains: &[Chain]) -> Result<(), DeviceError> {
    loop {
        let known = code.atomics();
        for chain in chains {
            let rows = chain.parts.map_or(1, |parts| parts.rows);
            chain.stages.iter().try_for_each(|stage| kernel::mark_stores(code, &stage.kernel, rows))?;
        }
        if code.atomics() == known {
            return Ok(());
        }
    }
}

/// Writes a chain for the workgroup with a number.
fn write(code: &mut Code<'_>, chain: &Chain, group: &str) -> Result<(), DeviceError> {
    let Some(Parts { rows, each }) = chain.parts else {
        let stage = &chain.stages[0];
        code.ordinal = stage.ordinal;
        return kernel::write(code, &stage.kernel, Share::Own(group), 1);
    };
    for (i, stage) in chain.stages.iter().enumerate() {
        if i > 0 {
            code.storage_barrier();
        }
        code.ordinal = stage.ordinal;
        code.open("");
        let points = stage.kernel.points();
        let (end, most) = (format!("{points}u"), points / rows * each);
        if rows == 1 {
            let share = Share::Range { first: "0u", end: &end, most };
            kernel::write(code, &stage.kernel, share, rows)?;
        } else {
            code.line(format!("let first = {group} * {most}u;"));
            code.line(format!("let past = min(first + {most}u, {end});"));
            kernel::write(code, &stage.kernel, Share::Range { first: "first", end: "past", most }, rows)?;
        }
        code.close();
    }
    Ok(())
}

/// The first names, and how many there are more.
fn name<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let more = if names.len() > 3 { format!(", +{}", names.len() - 3) } else { String::new() };
    names[..names.len().min(3)].join(", ") + &more
}

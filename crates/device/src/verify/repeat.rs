//! Loops: their first and last rounds step by step against the reference, and the whole against its rounds run one by one.

use super::check::{Checked, Launch};
use super::compare::same;
use crate::error::DeviceError;
use crate::program::{BufferId, Class, Loop, Step};

/// Launches of single steps up to which all rounds of a loop are run one by one.
const LAUNCHES: usize = 512;

impl Launch<'_> {
    /// Checks a loop, and leaves what the device makes of it.
    pub fn check_loop(&mut self, checked: &Checked, body: &Loop) -> Result<(), DeviceError> {
        let touched = checked.step.writes();
        let before = self.host(&touched)?;
        let is_short = body.iterations.saturating_mul(checked.body.len()) <= LAUNCHES;
        let rounds = if is_short { body.iterations } else { 1 };
        for round in 0..rounds {
            let position = if body.reverse { body.iterations - 1 - round } else { round };
            self.enter(body, position)?;
            let result = match round {
                0 => self.check(&checked.body),
                _ if round + 1 == rounds => self.check(&checked.body),
                _ => checked.body.iter().try_for_each(|step| self.run(step)),
            };
            self.leave(body);
            result?;
        }
        let wanted = self.host(&touched)?;
        self.restore(&before)?;
        self.run(checked)?;
        if !is_short {
            self.counts.long_loops += 1;
            return Ok(());
        }
        let got = self.host(&touched)?;
        for id in touched.into_iter().filter(|id| self.is_wanted(*id, &checked.step)) {
            let dtype = self.program.buffer(id).ty.dtype;
            if let Some(element) = same(dtype, &wanted.buffers[&id], &got.buffers[&id]) {
                let what = format!(
                    "element {element} of buffer b{} is not what its rounds make of it one by one, each of which is right",
                    id.0
                );
                return Err(self.differs(checked, &what));
            }
        }
        self.counts.loops += 1;
        Ok(())
    }

    /// Whether anybody looks at what a loop leaves in a buffer: temporaries of its body may share memory.
    fn is_wanted(&self, id: BufferId, of: &Step) -> bool {
        let is_temporary = matches!(self.program.buffer(id).class, Class::Arena { .. });
        !is_temporary || is_read_beside(&self.program.steps, of, &[id])
    }
}

/// Whether a step beside `of` reads one of some buffers, or a window of one.
fn is_read_beside(steps: &[Step], of: &Step, ids: &[BufferId]) -> bool {
    steps.iter().filter(|step| *step != of).any(|step| match step {
        Step::Loop(body) => {
            let windows = body.windows.iter().filter(|window| ids.contains(&window.parent));
            let ids: Vec<BufferId> = ids.iter().copied().chain(windows.map(|window| window.buffer)).collect();
            is_read_beside(&body.body, of, &ids)
        }
        _ => step.reads().iter().any(|id| ids.contains(id)),
    })
}

//! An executor with a defect: it runs some steps as others.

use std::sync::Arc;
use warploom_device::{Around, DeviceError, Executable, Executor, Program, Step};

/// Runs programs on another executor, with steps exchanged for wrong ones.
pub struct Broken {
    inner: Arc<dyn Executor>,
    /// Steps with what is run in their place.
    wrong: Vec<(Step, Step)>,
}

impl Broken {
    /// An executor that makes of each step of `right` the step of `wrong` in the same place. Nothing where the programs differ
    /// in more than single steps: such a defect is not an executor's.
    pub fn new(inner: Arc<dyn Executor>, right: &Program, wrong: &Program) -> Option<Broken> {
        let mut pairs = Vec::new();
        let alike = right.buffers.iter().zip(&wrong.buffers).all(|(a, b)| a.class == b.class);
        (alike && differences(&right.steps, &wrong.steps, &mut pairs) && !pairs.is_empty())
            .then_some(Broken { inner, wrong: pairs })
    }

    /// The steps that it runs wrongly.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.wrong.iter().map(|(right, _)| right)
    }

    fn spoil(&self, steps: &mut [Step]) {
        for step in steps {
            if let Some((_, wrong)) = self.wrong.iter().find(|(right, _)| right == step) {
                *step = wrong.clone();
            } else if let Step::Loop(body) = step {
                self.spoil(&mut body.body);
            }
        }
    }
}

/// Collects steps that differ; false where there are more or fewer of them.
fn differences(right: &[Step], wrong: &[Step], pairs: &mut Vec<(Step, Step)>) -> bool {
    right.len() == wrong.len()
        && right.iter().zip(wrong).all(|(right, wrong)| match (right, wrong) {
            _ if right == wrong => true,
            (Step::Loop(a), Step::Loop(b)) if a.body != b.body => differences(&a.body, &b.body, pairs),
            _ => {
                pairs.push((right.clone(), wrong.clone()));
                std::mem::discriminant(right) == std::mem::discriminant(wrong)
            }
        })
}

impl Around for Broken {
    fn inner(&self) -> &dyn Executor {
        &*self.inner
    }

    fn ready(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        let mut program = (*program).clone();
        self.spoil(&mut program.steps);
        self.inner.prepare(Arc::new(program))
    }
}

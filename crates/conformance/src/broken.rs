//! An executor with a defect: it runs some steps as others.

use std::sync::Arc;
use warploom_device::{
    Capabilities, DeviceError, Executable, Executor, Memory, Program, Statistics, Step, Target, Token,
};
use warploom_graph::{Graph, Source};

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

impl Target for Broken {
    fn capabilities(&self) -> &Capabilities {
        self.inner.target().capabilities()
    }

    fn workspace_bytes(&self, step: &Step) -> usize {
        self.inner.target().workspace_bytes(step)
    }

    fn claims(&self, name: &str, body: &Graph, sources: &[Source]) -> bool {
        self.inner.target().claims(name, body, sources)
    }
}

impl Executor for Broken {
    fn target(&self) -> &dyn Target {
        self
    }

    fn allocate(&self, bytes: usize) -> Result<Memory, DeviceError> {
        self.inner.allocate(bytes)
    }

    fn upload(&self, memory: &Memory, offset: usize, bytes: &[u8]) -> Result<Token, DeviceError> {
        self.inner.upload(memory, offset, bytes)
    }

    fn download(&self, memory: &Memory, offset: usize, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.inner.download(memory, offset, bytes)
    }

    fn copy(&self, source: &Memory, destination: &Memory, bytes: usize) -> Result<Token, DeviceError> {
        self.inner.copy(source, destination, bytes)
    }

    fn prepare(&self, program: Arc<Program>) -> Result<Arc<dyn Executable>, DeviceError> {
        let mut program = (*program).clone();
        self.spoil(&mut program.steps);
        self.inner.prepare(Arc::new(program))
    }

    fn wait(&self, token: Token) -> Result<(), DeviceError> {
        self.inner.wait(token)
    }

    fn statistics(&self) -> Statistics {
        self.inner.statistics()
    }
}

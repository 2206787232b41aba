//! Several ways from one input, joined again.

use crate::layers::{Assembly, Layer, Sequential, Stack};
use crate::module::{Mode, Module};
use crate::parameters::{Kind, Parameters, Visitor, VisitorMut};
use crate::scope::in_module;
use warploom_graph::shape::show;
use warploom_tensor::{DType, Error, Tensor};

/// How the outputs of branches become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Join {
    Add,
    Concat { axis: isize },
}

/// The description of branches that take the same input and whose outputs are added or joined. An empty
/// [`Sequential`] is the identity.
///
/// Variables are named by the branch's position: `0.0.weight` is the first layer's of the first branch. It becomes
/// [`Joined`]. A module of one's own needs none of this: `x + self.body.forward(x, mode)`.
pub struct Branches {
    branches: Vec<Sequential>,
    join: Join,
}

impl Branches {
    /// Outputs added; they must have one shape.
    pub fn add(branches: impl IntoIterator<Item = Sequential>) -> Branches {
        Branches { branches: branches.into_iter().collect(), join: Join::Add }
    }

    /// Outputs joined along `axis` of `[batch, …]`, which is 1 for channels; all else of their shapes must be equal.
    pub fn concat(axis: isize, branches: impl IntoIterator<Item = Sequential>) -> Branches {
        Branches { branches: branches.into_iter().collect(), join: Join::Concat { axis } }
    }
}

impl Layer for Branches {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        let named =
            self.branches.into_iter().enumerate().map(|(position, branch)| (position.to_string(), branch));
        assemble(named.collect(), self.join, assembly)
    }
}

/// The description of a body beside a shortcut, whose outputs are added (He et al. 2016): `x + body(x)`, or `shortcut(x) +
/// body(x)` where the body changes the shape. Variables are named `body.0.weight` and `shortcut.0.weight`.
pub struct Residual {
    body: Sequential,
    shortcut: Option<Sequential>,
}

impl Residual {
    /// With the identity as shortcut.
    pub fn new(body: Sequential) -> Residual {
        Residual { body, shortcut: None }
    }

    /// With another shortcut.
    pub fn shortcut(self, shortcut: Sequential) -> Residual {
        Residual { shortcut: Some(shortcut), ..self }
    }
}

impl Layer for Residual {
    fn assemble(self: Box<Self>, assembly: &mut Assembly) -> Result<(), Error> {
        let parts = vec![("body".into(), self.body), ("shortcut".into(), self.shortcut.unwrap_or_default())];
        assemble(parts, Join::Add, assembly)
    }
}

fn assemble(parts: Vec<(String, Sequential)>, join: Join, assembly: &mut Assembly) -> Result<(), Error> {
    let device = assembly.device().clone();
    assembly.add(|example| {
        let built = parts.into_iter().map(|(name, part)| {
            let stack = warploom_tensor::module_scope(&name, || {
                part.stack(Assembly::new(device.clone(), example.into()))
            });
            stack.map(|stack| (name, stack))
        });
        Ok(Joined { branches: built.collect::<Result<_, Error>>()?, join })
    })
}

/// Branches with their variables: what [`Branches`] and [`Residual`] become.
pub struct Joined {
    branches: Vec<(String, Stack)>,
    join: Join,
}

impl Joined {
    fn join(&self, outputs: &[Tensor]) -> Result<Tensor, Error> {
        let Some((first, rest)) = outputs.split_first() else {
            return Err(Error::new("branches", "needs at least one branch"));
        };
        if let Join::Concat { axis } = self.join {
            return Ok(Tensor::concat(&outputs.iter().collect::<Vec<_>>(), axis));
        }
        let mut sum = first.clone();
        for ((name, _), output) in self.branches[1..].iter().zip(rest) {
            let (wanted, found) = (first.shape()?, output.shape()?);
            if wanted != found {
                let message = format!(
                    "adds outputs of one shape, found {} from `{}` and {} from `{name}`; give one of them a layer that \
                     changes its shape",
                    show(&wanted),
                    self.branches[0].0,
                    show(&found)
                );
                return Err(Error::new("branches", message));
            }
            sum = sum + output;
        }
        Ok(sum)
    }
}

impl Parameters for Joined {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (name, branch) in &self.branches {
            visitor.field(name, Kind::Parameter, branch);
        }
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        for (name, branch) in &mut self.branches {
            visitor.field_mut(name, Kind::Parameter, branch);
        }
    }
}

impl Module for Joined {
    #[track_caller]
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let run = |(name, branch): &(String, Stack)| in_module(name, x, || branch.forward(x, mode));
        let outputs: Vec<Tensor> = self.branches.iter().map(run).collect();
        self.join(&outputs).unwrap_or_else(Tensor::failed)
    }

    fn input_dtype(&self) -> Option<DType> {
        self.branches.iter().find_map(|(_, branch)| branch.input_dtype())
    }
}

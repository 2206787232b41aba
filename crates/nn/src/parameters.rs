//! What holds variables, and walks over them under their names.

use std::collections::HashSet;
use warploom_tensor::{Device, Error, Variable};

/// What a variable is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Changed by an optimizer.
    Parameter,
    /// Changed by the forward pass, such as running statistics; saved with the model all the same.
    State,
}

/// A variable with its path in the model.
#[derive(Clone, Debug)]
pub struct NamedVariable {
    /// Dotted path, as in PyTorch's `state_dict`.
    pub name: String,
    /// The variable.
    pub variable: Variable,
    /// What it is for.
    pub kind: Kind,
}

/// Something that holds variables, in fields, lists or further such things.
///
/// Derive it: every field is visited under its name, an element of a `Vec` or array under its position.
///
/// ```
/// use warploom_nn::{Linear, Parameters};
/// use warploom_tensor::Variable;
///
/// #[derive(Parameters)]
/// struct Encoder {
///     layers: Vec<Linear>,          // layers.0.weight, layers.0.bias, layers.1.weight …
///     scale: Option<Variable>,      // scale, if there
///     #[parameters(state)]
///     running_mean: Variable,       // saved, but not changed by optimizers
///     #[parameters(skip)]
///     heads: usize,                 // no variable
/// }
/// ```
///
/// A field that is neither a module nor a variable does not compile; the error says so at its type:
///
/// ```compile_fail,E0277
/// #[derive(warploom_nn::Parameters)]
/// struct Attention {
///     heads: usize,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a module nor a variable",
    label = "holds no variables that could be visited",
    note = "put #[derive(Parameters)] on it, or #[parameters(skip)] on the field if nothing in it belongs to the weights",
    note = "fields may be modules, Variables, and Vec, Option, Box, arrays and tuples of them"
)]
pub trait Parameters {
    /// Calls the visitor for each variable, in the order of the fields.
    fn visit(&self, visitor: &mut Visitor<'_>);

    /// [`Parameters::visit`] with places that can be exchanged, as moving to another device does.
    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>);

    /// Every variable with its name, in order; one that is held twice is listed twice.
    fn named_variables(&self) -> Vec<NamedVariable> {
        let mut found = Vec::new();
        self.visit(&mut Visitor::new(&mut |name, variable, kind| {
            found.push(NamedVariable { name: name.into(), variable: variable.clone(), kind });
        }));
        found
    }

    /// What an optimizer changes, in order, each once. Each gets its path as its name, by which errors call it.
    fn parameters(&self) -> Vec<Variable> {
        let mut seen = HashSet::new();
        let all = self.named_variables().into_iter();
        let fresh = all.filter(|v| v.kind == Kind::Parameter && seen.insert(v.variable.id()));
        fresh.map(|v| v.variable.named(&v.name)).collect()
    }

    /// Number of numbers in [`Parameters::parameters`].
    ///
    /// # Errors
    /// The error of a variable that could not be made.
    fn parameter_count(&self) -> Result<usize, Error> {
        self.parameters().iter().map(|v| Ok(v.shape()?.iter().product::<usize>())).sum()
    }

    /// Puts every variable on `device`, with its value. Recordings made before keep the old places.
    ///
    /// # Errors
    /// What the devices report. Variables before the failing one have moved.
    fn move_to(&mut self, device: &Device) -> Result<(), Error> {
        let mut moved: Vec<(u64, Variable)> = Vec::new();
        let mut result = Ok(());
        self.visit_mut(&mut VisitorMut::new(&mut |_, variable, _| {
            if result.is_ok() {
                result = moved_to(variable, device, &mut moved);
            }
        }));
        result
    }
}

fn moved_to(variable: &mut Variable, device: &Device, moved: &mut Vec<(u64, Variable)>) -> Result<(), Error> {
    if variable.device()? == *device {
        return Ok(());
    }
    // A variable held in several places stays one.
    if let Some((_, there)) = moved.iter().find(|(id, _)| *id == variable.id()) {
        *variable = there.clone();
        return Ok(());
    }
    let there = crate::model::moved(variable, device)?;
    moved.push((variable.id(), there.clone()));
    *variable = there;
    Ok(())
}

/// Walks over variables, keeping the path.
pub struct Visitor<'v> {
    path: String,
    kind: Kind,
    found: &'v mut dyn FnMut(&str, &Variable, Kind),
}

/// [`Visitor`] over places that can be exchanged.
pub struct VisitorMut<'v> {
    path: String,
    kind: Kind,
    found: &'v mut dyn FnMut(&str, &mut Variable, Kind),
}

/// Appends an element to a path; returns the length to go back to.
fn enter(path: &mut String, name: &str) -> usize {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    path.push_str(name);
    length
}

/// What a field marked `kind` within something marked `outer` is: all within state is state.
fn within(outer: Kind, kind: Kind) -> Kind {
    if outer == Kind::State { Kind::State } else { kind }
}

impl<'v> Visitor<'v> {
    /// A walk that calls `found` with each variable's path.
    pub fn new(found: &'v mut dyn FnMut(&str, &Variable, Kind)) -> Visitor<'v> {
        Visitor { path: String::new(), kind: Kind::Parameter, found }
    }

    /// Visits a field under its name.
    pub fn field<P: Parameters + ?Sized>(&mut self, name: &str, kind: Kind, field: &P) {
        let outer = self.kind;
        let length = enter(&mut self.path, name);
        self.kind = within(outer, kind);
        field.visit(self);
        self.kind = outer;
        self.path.truncate(length);
    }
}

impl<'v> VisitorMut<'v> {
    /// A walk that calls `found` with each variable's path.
    pub fn new(found: &'v mut dyn FnMut(&str, &mut Variable, Kind)) -> VisitorMut<'v> {
        VisitorMut { path: String::new(), kind: Kind::Parameter, found }
    }

    /// Visits a field under its name.
    pub fn field_mut<P: Parameters + ?Sized>(&mut self, name: &str, kind: Kind, field: &mut P) {
        let outer = self.kind;
        let length = enter(&mut self.path, name);
        self.kind = within(outer, kind);
        field.visit_mut(self);
        self.kind = outer;
        self.path.truncate(length);
    }
}

impl Parameters for Variable {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (visitor.found)(&visitor.path, self, visitor.kind);
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        (visitor.found)(&visitor.path, self, visitor.kind);
    }
}

impl<P: Parameters + ?Sized> Parameters for Box<P> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        (**self).visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        (**self).visit_mut(visitor);
    }
}

impl<P: Parameters> Parameters for Option<P> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.iter().for_each(|inner| inner.visit(visitor));
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        self.iter_mut().for_each(|inner| inner.visit_mut(visitor));
    }
}

impl<P: Parameters> Parameters for [P] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (position, element) in self.iter().enumerate() {
            visitor.field(&position.to_string(), Kind::Parameter, element);
        }
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        for (position, element) in self.iter_mut().enumerate() {
            visitor.field_mut(&position.to_string(), Kind::Parameter, element);
        }
    }
}

impl<P: Parameters> Parameters for Vec<P> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        self.as_mut_slice().visit_mut(visitor);
    }
}

impl<P: Parameters, const N: usize> Parameters for [P; N] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        self.as_slice().visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
        self.as_mut_slice().visit_mut(visitor);
    }
}

macro_rules! tuples {
    ($(($($P:ident $index:tt),+)),*) => {$(
        impl<$($P: Parameters),+> Parameters for ($($P,)+) {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                $(visitor.field(stringify!($index), Kind::Parameter, &self.$index);)+
            }

            fn visit_mut(&mut self, visitor: &mut VisitorMut<'_>) {
                $(visitor.field_mut(stringify!($index), Kind::Parameter, &mut self.$index);)+
            }
        }
    )*};
}
tuples!((A 0), (A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3));

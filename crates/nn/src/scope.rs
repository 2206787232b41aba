//! The module path in which layers record, so that errors and random streams know the layer.

use std::panic::Location;
use warploom_tensor::{Error, Origin, Tensor, Variable, module_path, module_scope};

/// Runs the forward pass of the child `name` with `name` appended to the module path. Whoever holds children of which it
/// knows the names calls it; an error that begins inside names the path and the caller's line.
#[track_caller]
pub fn in_module(name: &str, x: &Tensor, body: impl FnOnce() -> Tensor) -> Tensor {
    let line = Location::caller();
    at_line(&[x], module_scope(name, body), line)
}

/// Runs the forward pass of a layer that only knows its variable: the path is the variable's name without its last
/// element, as far as the scopes around have not entered it already.
#[track_caller]
pub(crate) fn in_module_of(variable: &Variable, x: &Tensor, body: impl FnOnce() -> Tensor) -> Tensor {
    let line = Location::caller();
    let path = variable.name().and_then(|name| name.rsplit_once('.')).map_or("", |(path, _)| path);
    let around = module_path();
    let rest = match &around {
        None => path,
        Some(around) => match path.strip_prefix(&**around) {
            Some(rest) => rest.strip_prefix('.').unwrap_or(""),
            None => "",
        },
    };
    at_line(&[x], if rest.is_empty() { body() } else { module_scope(rest, body) }, line)
}

/// A failure that did not come in with an input names the line that called the function, not the function's own source.
pub(crate) fn at_line(inputs: &[&Tensor], y: Tensor, line: &'static Location<'static>) -> Tensor {
    if inputs.iter().any(|x| x.error().is_some()) {
        return y;
    }
    match y.error() {
        Some(Error::Graph(mut error)) => {
            let module = error.origin.and_then(|origin| origin.module);
            error.origin = Some(Origin { location: line, module });
            Tensor::failed(Error::Graph(error))
        }
        Some(Error::Device(_) | Error::NoDevice { .. } | Error::MemoryLimit { .. } | Error::Block { .. })
        | None => y,
    }
}

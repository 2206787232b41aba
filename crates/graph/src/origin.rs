//! Where in the user's code a value was recorded.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// The user's file and line, and the path of the module that recorded there, if any.
#[derive(Clone, Debug)]
pub struct Origin {
    /// File, line and column of the recording call.
    pub location: &'static Location<'static>,
    /// Dotted module path such as `layers.0`, for values recorded inside a module's forward pass.
    pub module: Option<Arc<str>>,
}

impl Origin {
    /// The caller's place, outside any module.
    #[track_caller]
    pub fn here() -> Origin {
        Origin { location: Location::caller(), module: None }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location.file() {
            // What is called through a pointer has the standard library for its caller.
            file if file.starts_with("/rustc/") => {
                f.write_str("a function passed by name, such as a loss")?
            }
            file => write!(f, "{file}:{}", self.location.line())?,
        }
        if let Some(module) = &self.module {
            write!(f, " (in {module})")?;
        }
        Ok(())
    }
}

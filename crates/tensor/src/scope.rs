//! The path of the module that records: where in the model a value comes from, for errors and random streams.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use warploom_graph::Origin;

/// One module path. Paths are interned per thread, so that entering a module again formats nothing.
struct Path {
    text: Arc<str>,
    children: HashMap<Box<str>, usize>,
}

thread_local! {
    static PATHS: RefCell<Vec<Path>> = RefCell::new(vec![Path { text: "".into(), children: HashMap::new() }]);
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// Runs `body` with `name` (such as `layers.0`) appended to the module path of everything it records.
pub fn module_scope<R>(name: &str, body: impl FnOnce() -> R) -> R {
    struct Leave(usize);
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let parent = CURRENT.get();
    let _leave = Leave(parent);
    CURRENT.set(PATHS.with_borrow_mut(|paths| child(paths, parent, name)));
    body()
}

fn child(paths: &mut Vec<Path>, parent: usize, name: &str) -> usize {
    if let Some(index) = paths[parent].children.get(name) {
        return *index;
    }
    let index = paths.len();
    let text: Arc<str> =
        if parent == 0 { name.into() } else { format!("{}.{name}", paths[parent].text).into() };
    paths.push(Path { text, children: HashMap::new() });
    paths[parent].children.insert(name.into(), index);
    index
}

/// The module path that records now, if any.
pub fn module_path() -> Option<Arc<str>> {
    let current = CURRENT.get();
    (current != 0).then(|| PATHS.with_borrow(|paths| paths[current].text.clone()))
}

/// The caller's line in the current module.
#[track_caller]
pub(crate) fn origin() -> Origin {
    Origin { location: Location::caller(), module: module_path() }
}

#[cfg(test)]
mod tests {
    use super::{module_path, module_scope};

    #[test]
    fn paths_nest_and_end() {
        assert_eq!(module_path(), None);
        module_scope("layers.0", || {
            module_scope("weight", || assert_eq!(module_path().as_deref(), Some("layers.0.weight")));
            assert_eq!(module_path().as_deref(), Some("layers.0"));
        });
        assert_eq!(module_path(), None);
    }
}

//! What lies in a folder of pictures.

use crate::error::{Error, Result};
use crate::parts::Part;
use std::fs;
use std::path::{Path, PathBuf};
use warploom_transform::{natural_order, nearest};

/// Endings of the files that are read.
pub(super) const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "pgm", "ppm", "pbm", "pnm", "pam"];

/// Names of the folders of a set that was split before.
const PARTS: [(&str, Part); 7] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("val", Part::Validation),
    ("valid", Part::Validation),
    ("validation", Part::Validation),
    ("test", Part::Test),
    ("testing", Part::Test),
];

/// The pictures of a folder with their classes.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) files: Vec<PathBuf>,
    pub(super) labels: Vec<i32>,
    pub(super) classes: Vec<String>,
    /// Where the folder says so.
    pub(super) parts: Option<Vec<Part>>,
    pub(super) notes: Vec<String>,
}

/// A folder's entries in natural order, without hidden ones.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) folders: Vec<(String, PathBuf)>,
    pub(super) pictures: Vec<PathBuf>,
    pub(super) others: Vec<PathBuf>,
}

pub(super) fn entries(folder: &Path) -> Result<Entries> {
    let failed = |source| Error::Io { doing: "list", path: folder.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    found.sort_by(|a, b| natural_order(&a.0, &b.0));
    let mut entries = Entries::default();
    for (name, path) in found {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        if path.is_dir() {
            entries.folders.push((name, path));
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
            entries.pictures.push(path);
        } else {
            entries.others.push(path);
        }
    }
    Ok(entries)
}

impl Layout {
    pub(super) fn of(root: &Path) -> Result<Layout> {
        let top = entries(root)?;
        let part = |name: &str| {
            PARTS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, part)| *part)
        };
        let mut layout = Layout::default();
        let split: Vec<(Part, &PathBuf)> =
            top.folders.iter().filter_map(|(name, path)| Some((part(name)?, path))).collect();
        if split.iter().any(|(part, _)| *part == Part::Train) {
            let others = top.folders.iter().filter(|(name, _)| part(name).is_none());
            let others: Vec<PathBuf> = others.map(|(_, path)| path.clone()).collect();
            layout.pass_over(root, &[&top.pictures[..], &top.others, &others].concat());
            layout.read_parts(split)?;
        } else {
            layout.classes = layout.read_classes(&top, root, None)?;
        }
        layout.check(root)?;
        Ok(layout)
    }

    fn read_parts(&mut self, mut split: Vec<(Part, &PathBuf)>) -> Result<()> {
        split.sort_by_key(|(part, _)| *part != Part::Train);
        let mut parts = Vec::new();
        for (part, path) in split {
            // The training folder comes first and says which classes there are.
            let known = (part != Part::Train || !parts.is_empty()).then(|| self.classes.clone());
            let start = self.labels.len();
            let classes = self.read_classes(&entries(path)?, path, known.as_deref())?;
            let absent = |label: &usize| !self.labels[start..].contains(&(*label as i32));
            let absent: Vec<usize> = (0..classes.len()).filter(absent).collect();
            if let Some(first) = absent.first() {
                let (path, count, first) = (path.display(), absent.len(), &classes[*first]);
                self.notes.push(format!("{path} has no pictures of {count} classes, such as `{first}`"));
            }
            if known.is_none() {
                self.classes = classes;
            }
            parts.resize(self.files.len(), part);
        }
        self.parts = Some(parts);
        Ok(())
    }

    /// Reads a folder of classes; `known` are those it may have.
    fn read_classes(&mut self, top: &Entries, root: &Path, known: Option<&[String]>) -> Result<Vec<String>> {
        let mut classes = known.map_or(Vec::new(), <[String]>::to_vec);
        self.pass_over(root, &[&top.pictures[..], &top.others].concat());
        for (name, path) in &top.folders {
            let inner = entries(path)?;
            if inner.pictures.is_empty() {
                self.notes.push(format!("the folder {} has no pictures and is no class", path.display()));
                continue;
            }
            let label = match classes.iter().position(|class| class == name) {
                Some(label) => label,
                None if known.is_some() => return Err(unknown_class(path, name, &classes)),
                None => {
                    classes.push(name.clone());
                    classes.len() - 1
                }
            };
            let folders: Vec<PathBuf> = inner.folders.into_iter().map(|(_, path)| path).collect();
            self.pass_over(path, &[inner.others, folders].concat());
            self.labels.resize(self.labels.len() + inner.pictures.len(), label as i32);
            self.files.extend(inner.pictures);
        }
        Ok(classes)
    }

    fn pass_over(&mut self, folder: &Path, others: &[PathBuf]) {
        if let Some(first) = others.first() {
            let (folder, count, first) = (folder.display(), others.len(), first.display());
            self.notes.push(format!("{count} entries of {folder} are passed over, such as {first}"));
        }
    }

    fn check(&self, root: &Path) -> Result<()> {
        let root = root.display();
        match self.classes.len() {
            0 => Err(Error::invalid(
                format!("{root} holds no folder with pictures ({})", ENDINGS.join(", ")),
                "Give a folder that holds one folder of pictures for each class",
            )),
            1 => Err(Error::invalid(
                format!("{root} holds one class: `{}` alone", self.classes[0]),
                "Give a folder of pictures for each of at least two classes",
            )),
            _ => Ok(()),
        }
    }
}

fn unknown_class(path: &Path, name: &str, classes: &[String]) -> Error {
    let near = nearest(name, classes.iter().map(String::as_str));
    let near = near.map_or(String::new(), |near| format!("; the nearest that was is `{near}`"));
    Error::invalid(
        format!(
            "{} holds pictures of the class `{name}`, which is not there to learn from{near}",
            path.display()
        ),
        "Add a folder of that name with pictures to learn from, or remove this one",
    )
}

//! The functions that kernels of a dialect call: what is written of them in files, and of that what one kernel needs.

use std::collections::BTreeSet;

/// Declarations in the order of their files.
pub struct Library {
    declarations: Vec<Declaration>,
}

/// A function or a structure; overloads have one name.
struct Declaration {
    name: &'static str,
    text: &'static str,
    /// Names of others in its text.
    uses: BTreeSet<&'static str>,
}

impl Library {
    /// The declarations of some files. `declares` tells of a line which name it begins to declare, if any; a declaration ends
    /// with the next brace at the start of a line.
    pub fn new(files: &[&'static str], declares: fn(&'static str) -> Option<&'static str>) -> Library {
        let mut all: Vec<Declaration> = files.iter().flat_map(|file| split(file, declares)).collect();
        let names: BTreeSet<&str> = all.iter().map(|declaration| declaration.name).collect();
        for declaration in &mut all {
            declaration.uses = words(declaration.text).filter(|word| names.contains(word)).collect();
        }
        Library { declarations: all }
    }

    /// The source of those that are named and of all that they use, each once, in the library's order. Other names are passed
    /// over.
    pub fn source<'a>(&'a self, names: impl IntoIterator<Item = &'a str>) -> String {
        let mut wanted = BTreeSet::new();
        let mut open: Vec<&str> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if wanted.insert(name) {
                let named = self.declarations.iter().filter(|declaration| declaration.name == name);
                open.extend(named.flat_map(|declaration| declaration.uses.iter().copied()));
            }
        }
        let taken = self.declarations.iter().filter(|declaration| wanted.contains(declaration.name));
        taken.map(|declaration| declaration.text).collect::<Vec<_>>().join("\n")
    }
}

fn split(file: &'static str, declares: fn(&'static str) -> Option<&'static str>) -> Vec<Declaration> {
    let mut found = Vec::new();
    let mut open = None;
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        if let Some(name) = declares(line) {
            open = Some((name, at));
        }
        at += line.len();
        if line.starts_with('}')
            && let Some((name, start)) = open.take()
        {
            found.push(Declaration { name, text: &file[start..at], uses: BTreeSet::new() });
        }
    }
    found
}

/// The names in a text, and whatever else is spelled as one.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

//! The recipes that are built in: a row each.

/// A built-in recipe.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Its TOML.
    pub text: &'static str,
}

macro_rules! rows {
    ($($name:literal),* $(,)?) => {
        &[$(BuiltIn { name: $name, text: include_str!(concat!("../recipes/", $name, ".toml")) }),*]
    };
}

/// All of them, in the order in which they are listed.
pub fn built_in() -> &'static [BuiltIn] {
    rows![
        "digits",
        "mnist",
        "image-folder",
        "tabular",
        "resnet-cifar",
        "digits-linear",
        "logistic",
        "sequential"
    ]
}

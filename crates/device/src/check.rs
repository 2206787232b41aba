//! One finding of an examination of the system or of a device.

use std::fmt;

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// As it should be, or not needed here.
    Ok,
    /// Something is missing or odd, and nothing that is present depends on it.
    Warning,
    /// Something that is present does not work.
    Failed,
    /// Not examined; what was found says why.
    Skipped,
}

impl Status {
    /// Its name: `ok`, `warning`, `failed`, `skipped`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        }
    }

    /// The status of a name.
    pub fn named(name: &str) -> Option<Status> {
        [Status::Ok, Status::Warning, Status::Failed, Status::Skipped]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What was looked at, such as `Vulkan loader`.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to install or change, where something is.
    pub advice: Option<String>,
}

impl Check {
    /// A thing that is as it should be.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Check {
        Check { name: name.into(), status: Status::Ok, found: found.into(), advice: None }
    }

    /// A thing that was not examined, and why.
    pub fn skipped(name: impl Into<String>, why: impl Into<String>) -> Check {
        Check { status: Status::Skipped, ..Check::ok(name, why) }
    }

    /// A thing that is missing or odd, and what to do about it. `needed`: whether something that is present fails by it.
    pub fn problem(
        needed: bool,
        name: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Check {
        let status = if needed { Status::Failed } else { Status::Warning };
        Check { status, advice: Some(advice.into()), ..Check::ok(name, found) }
    }

    /// Whether something is to be done about it.
    pub fn is_problem(&self) -> bool {
        matches!(self.status, Status::Warning | Status::Failed)
    }
}

//! Joules, where a machine counts them: those of processors by [`rapl`], those of an NVIDIA GPU by [`nvml`].
//!
//! [`Meter`] reads what a run uses, [`Energy`] is what it read. Nothing is ever estimated: a part that does not count has the
//! reason in place of its joules.
//!
//! Counters are those of a whole part of the machine, a processor package or a GPU: what everything that runs on it uses is
//! in them, and what it draws while it idles. Memory, disks, fans and losses of the power supply are in none.
//!
//! No machine with counters has run this yet; it is tested against counters that tests move.

mod energy;
mod meter;
pub mod nvml;
pub mod rapl;

pub use energy::{Energy, Joules};
pub use meter::Meter;

/// Why something is not counted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// What is missing or refused.
    pub why: String,
    /// What to do about it, where something can be done.
    pub advice: Option<String>,
}

impl Uncounted {
    fn new(why: impl Into<String>) -> Uncounted {
        Uncounted { why: why.into(), advice: None }
    }

    fn advised(why: impl Into<String>, advice: impl Into<String>) -> Uncounted {
        Uncounted { advice: Some(advice.into()), ..Uncounted::new(why) }
    }
}

impl std::fmt::Display for Uncounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

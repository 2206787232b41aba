//! What was read, and how it is told.

/// Joules that a part of the machine used, or why they are not known.
pub type Joules = Result<f64, String>;

/// What the parts of a machine that a run uses took, each as a whole: everything else that ran on it is included.
#[derive(Clone, Debug, PartialEq)]
pub struct Energy {
    /// All processor packages.
    pub processor: Joules,
    /// The GPU that computes, where it is no part of the processor.
    pub gpu: Option<Joules>,
}

impl Energy {
    /// What was used after an earlier reading of the same meter.
    pub fn since(&self, earlier: &Energy) -> Energy {
        let less = |now: &Joules, earlier: &Joules| Ok(now.clone()? - earlier.clone()?);
        let gpu = self.gpu.as_ref().zip(earlier.gpu.as_ref());
        Energy {
            processor: less(&self.processor, &earlier.processor),
            gpu: gpu.map(|(now, earlier)| less(now, earlier)),
        }
    }

    /// Each part by name.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Joules)> {
        [("processor", Some(&self.processor)), ("GPU", self.gpu.as_ref())]
            .into_iter()
            .filter_map(|(name, part)| Some((name, part?)))
    }

    /// The parts that count, together: always the part that computes, and the processor beside a GPU where it counts too.
    ///
    /// # Errors
    /// Why the part that computes does not count.
    pub fn joules(&self) -> Result<f64, &str> {
        match &self.gpu {
            None => self.processor.as_ref().copied().map_err(String::as_str),
            Some(Ok(gpu)) => Ok(gpu + self.processor.as_ref().unwrap_or(&0.0)),
            Some(Err(why)) => Err(why),
        }
    }

    /// How many of `count` were done with a joule; `None` where the joules are not known, or too few for their counters.
    pub fn per_joule(&self, count: usize) -> Option<f64> {
        self.joules().ok().filter(|joules| *joules > 0.0).map(|joules| count as f64 / joules)
    }

    /// The parts that are known: `12.30 J processor + 45.00 J GPU`.
    pub fn known(&self) -> Option<String> {
        let known = self
            .parts()
            .filter_map(|(name, part)| Some(format!("{} J {name}", digits(*part.as_ref().ok()?))));
        Some(known.collect::<Vec<_>>().join(" + ")).filter(|text| !text.is_empty())
    }

    /// The parts that are not known, with the reason.
    pub fn unknown(&self) -> Option<String> {
        let unknown = self
            .parts()
            .filter_map(|(name, part)| Some(format!("{name} not measured: {}", part.as_ref().err()?)));
        Some(unknown.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
    }
}

/// Four digits at least.
fn digits(joules: f64) -> String {
    let decimals = match joules {
        joules if joules < 1.0 => 4,
        joules if joules < 100.0 => 2,
        joules if joules < 1000.0 => 1,
        _ => 0,
    };
    format!("{joules:.decimals$}")
}

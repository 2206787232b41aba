//! Rounds of the same work by several frameworks, as ratios.

use super::peers;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Times of one framework for one piece of work, a median for each round, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(BTreeMap<u64, f64>);

impl Times {
    /// The middle of the rounds; the lower one of two.
    pub fn median(&self) -> f64 {
        middle(self.0.values().copied().collect())
    }

    /// How many rounds.
    pub fn rounds(&self) -> usize {
        self.0.len()
    }
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// A piece of work that we measured, beside what others took.
#[derive(Debug)]
pub struct Comparison {
    /// Such as `W3_mlp`.
    pub workload: String,
    /// `train` or `infer`.
    pub phase: String,
    /// In which all of them multiply.
    pub precision: String,
    /// Examples at once.
    pub batch: Option<u64>,
    /// Ours.
    pub own: Times,
    /// By name.
    pub others: BTreeMap<String, Times>,
}

/// Our time as a share of another's, of rounds that both have.
#[derive(Debug, PartialEq)]
pub struct Ratio {
    /// The fastest of the others.
    pub to: String,
    /// The middle round's.
    pub median: f64,
    /// The best round's and the worst round's.
    pub range: [f64; 2],
}

/// What rows of frameworks say, in the order in which the work was first done.
pub fn compare(rows: &[Value]) -> Vec<Comparison> {
    let mut all: Vec<Comparison> = Vec::new();
    for row in rows {
        let (Some(workload), Some(phase)) = (row["workload"].as_str(), row["phase"].as_str()) else {
            continue;
        };
        let (Some(ms), Some(round)) = (row["ms_median"].as_f64(), row["round"].as_u64()) else { continue };
        let (batch, precision) = (row["batch"].as_u64(), row["precision"].as_str().unwrap_or("f32"));
        let (framework, mode) =
            (row["framework"].as_str().unwrap_or("?"), row["mode"].as_str().unwrap_or("?"));
        // Our other modes do more: they record again, or hold back updates that are not finite.
        if framework == "warploom" && mode != "recorded" {
            continue;
        }
        let key = (workload, phase, precision, batch);
        let known = |at: &Comparison| (&*at.workload, &*at.phase, &*at.precision, at.batch) == key;
        let at = all.iter().position(known).unwrap_or_else(|| {
            let [workload, phase, precision] = [workload, phase, precision].map(str::to_owned);
            let (own, others) = (Times::default(), BTreeMap::new());
            all.push(Comparison { workload, phase, precision, batch, own, others });
            all.len() - 1
        });
        let times = match framework {
            "warploom" => &mut all[at].own,
            _ => all[at].others.entry(peers::name(framework, mode)).or_default(),
        };
        times.0.insert(round, ms);
    }
    all.retain(|comparison| comparison.own.rounds() > 0);
    all
}

impl Comparison {
    /// To the fastest of the others, where there is one.
    pub fn ratio(&self) -> Option<Ratio> {
        let fastest = self.others.iter().min_by(|a, b| a.1.median().total_cmp(&b.1.median()));
        let (to, times) = fastest?;
        let both = self.own.0.iter().filter_map(|(round, own)| times.0.get(round).map(|other| own / other));
        let ratios: Vec<f64> = both.collect();
        let [least, most] = [f64::min, f64::max].map(|of| ratios.iter().copied().reduce(of));
        Some(Ratio { to: to.clone(), range: [least?, most?], median: middle(ratios) })
    }

    /// With the ratio, for machines.
    pub fn to_json(&self) -> Value {
        let others: BTreeMap<&str, f64> =
            self.others.iter().map(|(name, times)| (&**name, times.median())).collect();
        let ratio = self.ratio().map(|ratio| {
            json!({ "to": ratio.to, "median": ratio.median, "least": ratio.range[0], "most": ratio.range[1] })
        });
        json!({
            "workload": self.workload, "phase": self.phase, "precision": self.precision, "batch": self.batch,
            "rounds": self.own.rounds(), "ms": self.own.median(), "others_ms": others, "ratio": ratio,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(framework: &str, mode: &str, round: u64, ms: f64) -> Value {
        json!({
            "framework": framework, "mode": mode, "workload": "W3_mlp", "phase": "train", "batch": 128,
            "ms_median": ms, "round": round,
        })
    }

    #[test]
    fn the_fastest_of_the_others_is_compared_round_by_round() {
        let rows = [
            row("warploom", "recorded", 0, 2.0),
            row("warploom", "gated", 0, 9.0),
            row("torch", "eager_fused", 0, 4.0),
            row("torch", "compile", 0, 2.5),
            row("warploom", "recorded", 1, 3.0),
            row("torch", "compile", 1, 2.0),
            row("warploom", "recorded", 2, 1.0),
        ];
        let all = compare(&rows);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].own.median(), 2.0);
        let ratio = Ratio { to: "torch compile".into(), median: 0.8, range: [0.8, 1.5] };
        assert_eq!(all[0].ratio(), Some(ratio));
    }

    #[test]
    fn another_precision_is_other_work() {
        let mut narrow = row("torch", "compile", 0, 1.0);
        narrow["precision"] = "bf16".into();
        let all = compare(&[row("warploom", "recorded", 0, 2.0), narrow]);
        assert_eq!((all.len(), all[0].ratio()), (1, None));
    }

    #[test]
    fn work_that_only_others_did_is_left_out() {
        assert!(compare(&[row("jax", "jit", 0, 1.0)]).is_empty());
        assert_eq!(compare(&[row("warploom", "recorded", 0, 1.0)])[0].ratio(), None);
    }
}

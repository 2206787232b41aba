//! One measured row.

use crate::Bench;
use crate::measure::{Samples, peak_resident_bytes};
use serde_json::{Map, Value, json};

/// A row of results: the peers' columns, and what a workload adds.
#[derive(Clone, Debug)]
pub struct Row(Map<String, Value>);

impl Row {
    /// From samples of runs over `batch` examples each.
    pub(crate) fn new(
        bench: &Bench,
        workload: &str,
        phase: &str,
        mode: &str,
        batch: Option<usize>,
        samples: &Samples,
    ) -> Row {
        let round = |x: f64| (x * 1e5).round() / 1e5;
        let median = samples.median();
        let capabilities = bench.device.executor().capabilities();
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.into(), value);
        put("framework", json!("warploom"));
        put("version", json!(env!("CARGO_PKG_VERSION")));
        put("mode", json!(mode));
        put("device", json!(capabilities.id));
        put("threads", json!(capabilities.threads));
        put("workload", json!(workload));
        put("phase", json!(phase));
        put("batch", json!(batch));
        put("ms_median", json!(round(median)));
        put("ms_min", json!(round(samples.least())));
        put("samples_per_s", json!(batch.map(|b| (b as f64 / median * 1e4).round() / 10.0)));
        put("peak_rss_mb", json!(peak_resident_bytes().map(|b| b as f64 / 1e6)));
        put("compile_s", json!(round((samples.first - median).max(0.0) / 1e3)));
        put("n", json!(samples.milliseconds.len()));
        put("ms_p90", json!(round(samples.ninetieth())));
        Row(map)
    }

    /// With one more column.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Row {
        self.0.insert(key.into(), value.into());
        self
    }

    /// As one JSON object.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

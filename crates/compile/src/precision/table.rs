//! Which ops run in which numbers, as a table for people.

use super::Precision;
use std::fmt;
use warploom_device::Capabilities;
use warploom_graph::Error;

/// What one family of ops computes with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrecisionRow {
    /// The ops.
    pub ops: &'static str,
    /// What they take.
    pub operands: &'static str,
    /// What sums run in; a dash where there is none.
    pub accumulation: &'static str,
    /// What they give.
    pub result: &'static str,
}

/// What a device computes with in a precision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrecisionTable {
    /// What was asked for.
    pub asked: Precision,
    /// What the device runs for it.
    pub effective: Precision,
    /// Why that is another, or what it costs on this device.
    pub reason: Option<String>,
    /// A row for each family of ops.
    pub rows: Vec<PrecisionRow>,
}

impl Precision {
    /// Which ops run in which numbers on a device. What is recorded in f64, f16 or bf16 stays so in any precision.
    ///
    /// # Errors
    /// As [`Precision::on`].
    pub fn table(self, device: &Capabilities) -> Result<PrecisionTable, Error> {
        let effective = self.on(device)?;
        let reason = (effective != self).then(|| {
            format!("{} has no {self}: products run in {effective}, which is more exact", device.id)
        });
        let factor = effective.name();
        let kept = effective.narrow().map_or("f32", |dtype| dtype.name());
        let row = |ops, operands, accumulation, result| PrecisionRow { ops, operands, accumulation, result };
        let rows = vec![
            row("matrix products, convolutions; gradients of their inputs", factor, "f32", kept),
            row("gradients of their weights, all that only reaches state", factor, "f32", "f32"),
            row("values that products read, between ops", kept, "—", kept),
            row("elementwise ops", "f32", "—", "f32"),
            row("sums, means, softmax, normalisation, losses, metrics", "f32", "f32", "f32"),
            row("weights, optimizer, clipping, running statistics", "f32", "f32", "f32"),
        ];
        Ok(PrecisionTable { asked: self, effective, reason, rows })
    }
}

impl fmt::Display for PrecisionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "precision {}", self.asked)?;
        match &self.reason {
            Some(reason) => writeln!(f, ": {reason}")?,
            None => writeln!(f)?,
        }
        let width = self.rows.iter().map(|row| row.ops.chars().count()).max().unwrap_or(0);
        writeln!(f, "  {:width$}  {:<8}  {:<12}  result", "ops", "operands", "accumulation")?;
        for row in &self.rows {
            let PrecisionRow { ops, operands, accumulation, result } = row;
            writeln!(f, "  {ops:width$}  {operands:<8}  {accumulation:<12}  {result}")?;
        }
        Ok(())
    }
}

//! Loss and metrics of an epoch, kept on the device: counts in u32, sums in f32 with Kahan's compensation. They are read
//! once an epoch by a program of their own, which also sets them to zero.

use crate::error::Result;
use crate::metrics::{Kind, Metric};
use warploom_tensor::{Bound, DType, Device, ElementwiseMethods, Error, Tensor, Variable};

/// What has been added up since the last [`Totals::collect`].
pub(crate) struct Totals {
    names: Vec<String>,
    /// `u32[]`, examples counted.
    examples: Variable,
    /// For `loss`, then each metric.
    sums: Vec<Sum>,
    collector: Bound,
}

enum Sum {
    /// Sum and compensation, `f32[]` each (Kahan 1965).
    Mean { sum: Variable, lost: Variable },
    /// `u32[]`.
    Share(Variable),
}

impl Totals {
    pub fn new(metrics: &[Metric], device: &Device) -> Result<Totals> {
        let zero = |dtype: DType| -> Result<Variable> {
            let variable = Variable::new(device.scope(|| Tensor::from_bytes(dtype, &[], &[0; 4])));
            variable.shape()?;
            Ok(variable)
        };
        let mean = || Ok::<_, crate::Error>(Sum::Mean { sum: zero(DType::F32)?, lost: zero(DType::F32)? });
        let mut sums = vec![mean()?];
        for metric in metrics {
            sums.push(match metric.kind {
                Kind::Mean(_) => mean()?,
                Kind::Share(_) => Sum::Share(zero(DType::U32)?),
            });
        }
        let names =
            std::iter::once("loss".to_owned()).chain(metrics.iter().map(|m| m.name.clone())).collect();
        let examples = zero(DType::U32)?;
        let collector = device.try_record(&[], |_| {
            let mut read = Vec::new();
            for variable in variables(&examples, &sums) {
                let value = variable.value();
                variable.assign(&value.full_like(0.0))?;
                read.push(value);
            }
            Ok(read)
        })?;
        Ok(Totals { names, examples, sums, collector: collector.bind(1)? })
    }

    /// The program that reads and clears.
    pub fn collector(&self) -> &Bound {
        &self.collector
    }

    /// Bytes of its variables.
    pub fn state_bytes(&self) -> usize {
        4 * variables(&self.examples, &self.sums).len()
    }

    /// Records the contribution of a batch of `rows` examples. Where `finite_only`, one with a loss that is not finite
    /// contributes nothing: its update did not happen either.
    pub fn add(
        &self,
        metrics: &[Metric],
        rows: usize,
        loss: &Tensor,
        prediction: &Tensor,
        target: &Tensor,
        finite_only: bool,
    ) -> std::result::Result<(), Error> {
        let counts = finite_only.then(|| loss.is_finite());
        let kept = |value: Tensor| match &counts {
            Some(counts) => counts.select(&value, &value.full_like(0.0)),
            None => value,
        };
        let old = self.examples.value();
        let more = kept(old.full_like(rows as f64));
        self.examples.assign(&(old + more))?;
        let mean = |value: &Tensor, sum: &Variable, lost: &Variable| -> std::result::Result<(), Error> {
            let share = kept(value.cast(DType::F32).reshape([0isize; 0]) * rows as f64) - lost.value();
            let old = sum.value();
            let new = &old + &share;
            lost.assign(&((&new - &old) - &share))?;
            sum.assign(&new)
        };
        for (position, sum) in self.sums.iter().enumerate() {
            let metric = position.checked_sub(1).map(|i| &metrics[i]);
            match (sum, metric.map(|m| &m.kind)) {
                (Sum::Mean { sum, lost }, None) => mean(loss, sum, lost)?,
                (Sum::Mean { sum, lost }, Some(Kind::Mean(function))) => {
                    mean(&function(prediction, target), sum, lost)?;
                }
                (Sum::Share(count), Some(Kind::Share(function))) => {
                    let hits = function(prediction, target);
                    if hits.elements()? != rows {
                        let name = metric.map_or("", |m| m.name());
                        let shape = hits.shape()?;
                        let message = format!(
                            "says yes or no once for each of {rows} examples, found shape {:?}",
                            &shape[..]
                        );
                        return Err(Error::new(format!("metric {name}"), message));
                    }
                    let hits = kept(hits.reshape([-1]).cast(DType::U32).sum_all());
                    count.assign(&(count.value() + hits))?;
                }
                (Sum::Mean { .. }, Some(Kind::Share(_))) | (Sum::Share(_), None | Some(Kind::Mean(_))) => {}
            }
        }
        Ok(())
    }

    /// Means over the examples since the last time, by name, and how many examples there were.
    pub fn collect(&mut self) -> Result<(Vec<(String, f64)>, u64)> {
        self.collector.launch(0)?;
        let mut output = 0;
        let mut next = |collector: &mut Bound| -> Result<[u8; 4]> {
            let mut bytes = [0; 4];
            collector.download(0, output, &mut bytes)?;
            output += 1;
            Ok(bytes)
        };
        let examples = u32::from_le_bytes(next(&mut self.collector)?);
        let mut values = Vec::with_capacity(self.names.len());
        for (name, sum) in self.names.iter().zip(&self.sums) {
            let total = match sum {
                Sum::Mean { .. } => {
                    let total = f32::from_le_bytes(next(&mut self.collector)?);
                    let lost = f32::from_le_bytes(next(&mut self.collector)?);
                    f64::from(total) - f64::from(lost)
                }
                Sum::Share(_) => f64::from(u32::from_le_bytes(next(&mut self.collector)?)),
            };
            values.push((name.clone(), total / f64::from(examples)));
        }
        Ok((values, u64::from(examples)))
    }
}

/// In the order of the collector's outputs.
fn variables<'a>(examples: &'a Variable, sums: &'a [Sum]) -> Vec<&'a Variable> {
    let mut all = vec![examples];
    for sum in sums {
        match sum {
            Sum::Mean { sum, lost } => all.extend([sum, lost]),
            Sum::Share(count) => all.push(count),
        }
    }
    all
}

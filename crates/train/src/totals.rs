//! Loss and metrics of an epoch, kept on the device: counts in u32, sums in f32 with Kahan's compensation. They are read
//! once an epoch by a program of their own, which also sets them to zero.

use crate::confusion::ConfusionMatrix;
use crate::error::Result;
use crate::history::Scores;
use crate::metrics::{Decision, Kind, Metric};
use warploom_nn::{Kind as Purpose, Model, NamedVariable};
use warploom_tensor::{Bound, DType, Device, ElementwiseMethods, Error, Tensor, Variable};

/// What has been added up since the last [`Totals::collect`].
pub(crate) struct Totals {
    /// `u32[]`, examples counted.
    examples: Variable,
    /// For `loss`, then each metric; metrics that decide alike share a sum.
    sums: Vec<Sum>,
    /// For each metric, its sum.
    places: Vec<usize>,
    collector: Bound,
}

enum Sum {
    /// Sum and compensation, `f32[]` each (Kahan 1965).
    Mean { sum: Variable, lost: Variable },
    /// `u32[]`.
    Share(Variable),
    /// `u32[classes * classes]`.
    Confusion { counts: Variable, classes: usize, decision: Decision },
}

impl Totals {
    pub fn new(metrics: &[Metric], model: &Model) -> Result<Totals> {
        let device = model.device();
        let zero = |dtype: DType, shape: &[usize]| zeros(device, dtype, shape);
        let mean =
            || Ok::<_, crate::Error>(Sum::Mean { sum: zero(DType::F32, &[])?, lost: zero(DType::F32, &[])? });
        let mut sums = vec![mean()?];
        let mut places = Vec::with_capacity(metrics.len());
        for metric in metrics {
            let sum = match &metric.kind {
                Kind::Mean(..) => mean()?,
                Kind::Share(_) => Sum::Share(zero(DType::U32, &[])?),
                Kind::Confusion(decision, _) => {
                    let same = |sum: &Sum| matches!(sum, Sum::Confusion { decision: d, .. } if d == decision);
                    if let Some(place) = sums.iter().position(same) {
                        places.push(place);
                        continue;
                    }
                    let classes = decision.classes(model.output_shape())?;
                    let counts = zero(DType::U32, &[classes * classes])?;
                    Sum::Confusion { counts, classes, decision: *decision }
                }
            };
            places.push(sums.len());
            sums.push(sum);
        }
        let examples = zero(DType::U32, &[])?;
        let collector = device.try_record(&[], |_| {
            let mut read = Vec::new();
            for variable in variables(&examples, &sums) {
                let value = variable.value();
                variable.assign(&value.full_like(0.0))?;
                read.push(value);
            }
            Ok(read)
        })?;
        Ok(Totals { examples, sums, places, collector: collector.bind(1)? })
    }

    /// The program that reads and clears.
    pub fn collector(&self) -> &Bound {
        &self.collector
    }

    /// Bytes of its variables.
    pub fn state_bytes(&self) -> Result<usize> {
        let bytes = |v: &&Variable| Ok(v.shape()?.iter().product::<usize>() * v.dtype()?.bytes());
        variables(&self.examples, &self.sums).iter().map(bytes).sum()
    }

    /// Its variables, to be saved in the middle of an epoch.
    pub fn state(&self) -> Vec<NamedVariable> {
        let all = variables(&self.examples, &self.sums).into_iter().enumerate();
        all.map(|(i, v)| NamedVariable {
            name: format!("totals.{i}"),
            variable: v.clone(),
            kind: Purpose::State,
        })
        .collect()
    }

    /// Records the contribution of a batch of `rows` examples. Where `takes_place` (`bool[]`) is false the batch contributes
    /// nothing; where it is given, one with a loss that is not finite does not either: its update did not happen.
    pub fn add(
        &self,
        metrics: &[Metric],
        rows: usize,
        loss: &Tensor,
        prediction: &Tensor,
        target: &Tensor,
        takes_place: Option<&Tensor>,
    ) -> std::result::Result<(), Error> {
        let counts = takes_place.map(|takes_place| loss.is_finite().and(takes_place));
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
        if let Sum::Mean { sum, lost } = &self.sums[0] {
            mean(loss, sum, lost)?;
        }
        for (place, sum) in self.sums.iter().enumerate().skip(1) {
            let Some(metric) = self.places.iter().position(|p| *p == place).map(|i| &metrics[i]) else {
                continue;
            };
            match (sum, &metric.kind) {
                (Sum::Mean { sum, lost }, Kind::Mean(function, _)) => {
                    mean(&function(prediction, target), sum, lost)?;
                }
                (Sum::Share(count), Kind::Share(function)) => {
                    let hits = hits(&metric.name, &function(prediction, target), rows)?;
                    count.assign(&(count.value() + kept(hits)))?;
                }
                (Sum::Confusion { counts, classes, decision }, _) => {
                    let more = kept(decision.count(*classes, prediction, target)?);
                    counts.assign(&(counts.value() + more))?;
                }
                (Sum::Mean { .. } | Sum::Share(_), _) => {}
            }
        }
        Ok(())
    }

    /// Scores of the examples since the last time, and how many examples there were.
    pub fn collect(&mut self, metrics: &[Metric]) -> Result<(Scores, u64)> {
        self.collector.launch(0)?;
        let outputs = self.collector.recorded().outputs().len();
        let words = (0..outputs).map(|output| self.read(output)).collect::<Result<Vec<_>>>()?;
        Ok((self.scores(metrics, &words), u64::from(words[0][0])))
    }

    /// Scores of the examples counted so far, if there are any; they go on being counted. Waits for what runs.
    pub fn so_far(&self, metrics: &[Metric]) -> Result<Option<Scores>> {
        let read = |variable: &Variable| {
            let bytes = variable.value().to_bytes()?;
            Ok(bytemuck::pod_collect_to_vec::<u8, u32>(&bytes))
        };
        let words =
            variables(&self.examples, &self.sums).into_iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok((words[0][0] > 0).then(|| self.scores(metrics, &words)))
    }

    /// From the words of [`variables`], of each in order.
    fn scores(&self, metrics: &[Metric], words: &[Vec<u32>]) -> Scores {
        let examples = words[0][0];
        let number = |word: u32| f64::from(f32::from_bits(word));
        let mut place = 0;
        let mut next = || {
            place += 1;
            &words[place]
        };
        let mut totals: Vec<Vec<f64>> = Vec::with_capacity(self.sums.len());
        for sum in &self.sums {
            totals.push(match sum {
                Sum::Mean { .. } => {
                    let (sum, lost) = (next()[0], next()[0]);
                    vec![number(sum) - number(lost)]
                }
                Sum::Share(_) | Sum::Confusion { .. } => next().iter().copied().map(f64::from).collect(),
            });
        }
        let share = |total: f64| total / f64::from(examples);
        let mut scores = Scores::default();
        scores.set("loss", share(totals[0][0]));
        for (metric, place) in metrics.iter().zip(&self.places) {
            let numbers = &totals[*place];
            match (&metric.kind, &self.sums[*place]) {
                (Kind::Mean(_, finish), _) => scores.set(&metric.name, finish(share(numbers[0]))),
                (Kind::Confusion(_, score), Sum::Confusion { classes, .. }) => {
                    let matrix = ConfusionMatrix::new(*classes, numbers.iter().map(|n| *n as u64).collect());
                    if let Some(score) = score {
                        scores.set(&metric.name, score(&matrix));
                    }
                    scores.confusion = Some(matrix);
                }
                (Kind::Share(_) | Kind::Confusion(..), _) => scores.set(&metric.name, share(numbers[0])),
            }
        }
        scores
    }

    fn read(&mut self, output: usize) -> Result<Vec<u32>> {
        let mut words = vec![0u32; self.collector.recorded().outputs()[output].elements()];
        self.collector.download(0, output, bytemuck::cast_slice_mut(&mut words))?;
        Ok(words)
    }
}

fn zeros(device: &Device, dtype: DType, shape: &[usize]) -> Result<Variable> {
    let bytes = vec![0; shape.iter().product::<usize>() * dtype.bytes()];
    let variable = Variable::new(device.scope(|| Tensor::from_bytes(dtype, shape, &bytes)));
    variable.shape()?;
    Ok(variable)
}

/// How many of a batch count, `u32[]`.
fn hits(name: &str, hits: &Tensor, rows: usize) -> std::result::Result<Tensor, Error> {
    if hits.elements()? != rows {
        let shape = hits.shape()?;
        let message =
            format!("says yes or no once for each of {rows} examples, found shape {:?}", &shape[..]);
        return Err(Error::new(format!("metric {name}"), message));
    }
    Ok(hits.reshape([-1]).cast(DType::U32).sum_all())
}

/// In the order of the collector's outputs.
fn variables<'a>(examples: &'a Variable, sums: &'a [Sum]) -> Vec<&'a Variable> {
    let mut all = vec![examples];
    for sum in sums {
        match sum {
            Sum::Mean { sum, lost } => all.extend([sum, lost]),
            Sum::Share(count) => all.push(count),
            Sum::Confusion { counts, .. } => all.push(counts),
        }
    }
    all
}

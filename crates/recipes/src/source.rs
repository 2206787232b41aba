//! The data of a recipe: what is learned from, watched and tested on, and the steps from raw values that were fitted.

use crate::schema::{Augment, Batch, Broken, Data, Pixels, Recipe, SplitRule, Task};
use crate::signature::Signature;
use crate::summary::rounded;
use crate::tables;
use std::path::{Path, PathBuf};
use warploom_data::csv::read_labelled;
use warploom_data::images::{self, ImageFolder, ImageOptions, fit_pixels};
use warploom_data::transform::{ImageTransform, Input, PixelScale, Table, TargetTransform, Transform};
use warploom_data::{Augmentation, Dataset, Parts, Targets, Values, digits, idx, logistic};
use warploom_train::{Error, Result};

/// The digits to test on are drawn under another seed, so that their number does not change those learned from.
const TEST_SEED: u64 = 0x7465_7374;

/// Classes of which a note says the weight.
const WEIGHTS_SHOWN: usize = 20;

/// The parts of a recipe's data.
#[derive(Clone, Debug)]
pub struct Splits {
    /// Learned from, with augmentation and weights.
    pub train: Dataset,
    /// Watched while training, if the recipe holds some out.
    pub validation: Option<Dataset>,
    /// Tested on after training.
    pub test: Dataset,
    /// Whether `test` is `train` again, because the data has no other examples.
    pub test_is_train: bool,
    /// What becomes of raw files; `None` for data that no raw files have.
    pub transform: Option<Transform>,
    /// What is learned: never [`Task::Auto`].
    pub task: Task,
    /// Decisions that were taken, counted, in words.
    pub notes: Vec<String>,
    /// Where each test example stands, for people; empty where that is not known.
    pub test_places: Vec<String>,
    /// The raw rows of the test examples, for data that are rows of a table.
    pub(crate) test_cells: Option<Table>,
}

/// Data as read, before it is shared out.
pub(crate) struct Source {
    pub all: Dataset,
    pub parts: Parts,
    /// Test examples of their own.
    pub test: Option<Dataset>,
    pub transform: Option<Transform>,
    pub task: Task,
    pub notes: Vec<String>,
    /// Where each example stands, for people.
    pub places: Vec<String>,
    /// The raw rows to test on, where they are rows of the same table.
    pub cells: Option<Table>,
}

impl Splits {
    /// Reads or makes the data.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn new(recipe: &Recipe) -> Result<Splits> {
        let source = read(recipe)?;
        let subset = |rows: &[usize]| source.all.subset(rows);
        let whole = source.parts.train.len() == source.all.len();
        let train = if whole { source.all.clone() } else { subset(&source.parts.train)? };
        let validation =
            (!source.parts.validation.is_empty()).then(|| subset(&source.parts.validation)).transpose()?;
        let test = match source.test {
            Some(test) => Some(test),
            None if source.parts.test.is_empty() => None,
            None => Some(subset(&source.parts.test)?),
        };
        let test_is_train = test.is_none();
        let place = |index: &usize| source.places.get(*index).cloned();
        let test_places = source.parts.test.iter().filter_map(place).collect();
        let mut splits = Splits {
            test: test.unwrap_or_else(|| train.clone()),
            train,
            validation,
            test_is_train,
            transform: source.transform,
            task: source.task,
            notes: source.notes,
            test_places,
            test_cells: source.cells,
        };
        splits.scale_pixels(recipe)?;
        splits.weigh(recipe)?;
        if !recipe.augment.is_empty() {
            let steps = recipe.augment.iter().map(step).collect();
            splits.train = splits.train.with_augmentation(Augmentation::new(steps)?)?;
        }
        let examples = splits.train.len();
        if let Some(batch) = recipe.train.batch.examples().filter(|batch| *batch > examples) {
            let learned =
                if examples == 1 { "1 example is".into() } else { format!("{examples} examples are") };
            splits.notes.push(format!(
                "`train.batch` is {batch}, but {learned} learned from: a batch has {examples}"
            ));
        }
        Ok(splits)
    }

    /// What a model of these data takes and gives.
    pub(crate) fn signature(&self) -> Signature {
        Signature::of(&self.train, self.transform.as_ref())
    }

    /// Examples in a batch; 1 where that is not known yet.
    fn batch(&self, recipe: &Recipe) -> usize {
        recipe.train.batch.examples().unwrap_or(1).min(self.train.len()).max(1)
    }

    /// The recipe with what the data decided.
    pub(crate) fn decided(&self, recipe: &Recipe) -> Recipe {
        let mut decided = Recipe { task: self.task, ..recipe.clone() };
        if recipe.train.batch.examples().is_some() {
            decided.train.batch = Batch::Examples(self.batch(recipe));
        }
        decided
    }

    /// Updates in an epoch.
    pub(crate) fn steps(&self, recipe: &Recipe) -> usize {
        self.train.len().div_ceil(self.batch(recipe)).div_ceil(recipe.train.accumulate as usize)
    }

    /// Lets classes count in the loss as the recipe says, and notes how much each does.
    fn weigh(&mut self, recipe: &Recipe) -> Result<()> {
        use crate::schema::ClassWeights;
        let names = self.train.targets().class_names().map(<[String]>::to_vec).unwrap_or_default();
        let weights = match &recipe.train.class_weights {
            None => return Ok(()),
            Some(ClassWeights::Balanced(_)) => self.train.balanced_class_weights().unwrap_or_default(),
            Some(ClassWeights::ByName(by_name)) => {
                if let Some(unknown) = by_name.keys().find(|name| !names.contains(name)) {
                    let known = names.join(", ");
                    return Err(Error::invalid(format!(
                        "`train.class_weights` names `{unknown}`, which is no class; there are {known}"
                    )));
                }
                names.iter().map(|name| by_name.get(name).copied().unwrap_or(1.0)).collect()
            }
        };
        if !weights.is_empty() && weights.iter().all(|weight| *weight == 0.0) {
            return Err(Error::invalid("`train.class_weights` are all 0, so that nothing would be learned"));
        }
        self.train = self.train.clone().with_class_weights(&weights)?;
        let each = |(name, weight): (&String, &f32)| format!("{name}: {}", rounded(f64::from(*weight), 3));
        let mut shown: Vec<String> = names.iter().zip(&weights).take(WEIGHTS_SHOWN).map(each).collect();
        if let Some(more @ 1..) = names.len().checked_sub(WEIGHTS_SHOWN) {
            shown.push(format!("and {more} more"));
        }
        self.notes.push(format!("weights of classes in the loss: {}", shown.join(", ")));
        Ok(())
    }

    /// Brings bytes to the scale that the recipe asks for, fitted on the examples to learn from.
    fn scale_pixels(&mut self, recipe: &Recipe) -> Result<()> {
        let bytes = matches!(self.train.features().values(), Values::U8(_));
        let scale = match recipe.transform.pixels {
            Pixels::Unit => return Ok(()),
            _ if !bytes => return Ok(()),
            Pixels::Symmetric => PixelScale::Symmetric,
            Pixels::Standard => fit_pixels(&self.train)?,
        };
        let scaled = |data: &Dataset| data.clone().with_pixel_scale(scale.clone());
        self.train = scaled(&self.train)?;
        self.test = scaled(&self.test)?;
        self.validation = self.validation.as_ref().map(scaled).transpose()?;
        if let Some(Transform { input: Input::Image(image), .. }) = &mut self.transform {
            image.pixels = scale;
        }
        Ok(())
    }
}

/// Reads the data and says which examples are for what.
fn read(recipe: &Recipe) -> Result<Source> {
    let task = match recipe.task {
        Task::Auto if matches!(recipe.data, Data::Logistic) => Task::Regression,
        Task::Auto => Task::Classification,
        said => said,
    };
    let plain = |all: Dataset, test: Option<Dataset>| -> Result<Source> {
        let parts = shared(&all, recipe)?;
        let transform = of_bytes(&all);
        Ok(Source { all, parts, test, transform, task, notes: Vec::new(), cells: None, places: Vec::new() })
    };
    match &recipe.data {
        Data::Digits { train, test, seed } => {
            plain(digits(*seed, *train)?, Some(digits(*seed ^ TEST_SEED, *test)?))
        }
        Data::Idx { path, classes, train, test } => {
            let read = idx::read_folder(path, *classes)?;
            plain(first(read.train, *train, "train")?, Some(first(read.test, *test, "test")?))
        }
        Data::Logistic => plain(logistic()?, None),
        Data::ImageFolder { path, size, channels, broken } => {
            let channels = match channels {
                Some(channels) => *channels,
                None => first_channels(Path::new(path)),
            };
            let [height, width] = size.extents();
            let mut options = ImageOptions::new([channels, height, width])?;
            options.broken = skipping(*broken);
            let folder = ImageFolder::open(path, &options)?;
            let parts = folder.parts(&rule(recipe))?;
            let mut notes = folder.notes().to_vec();
            if folder.given_parts().is_some() && recipe.split.test.is_some_and(|share| share > 0.0) {
                notes.push("the folder says what is tested on; `split.test` is not used".into());
            }
            Ok(Source {
                all: folder.dataset().clone(),
                parts,
                test: None,
                transform: Some(folder.transform()),
                task,
                notes,
                cells: None,
                places: folder.files().iter().map(|file| file.display().to_string()).collect(),
            })
        }
        Data::Csv { .. } => tables::read(recipe),
    }
}

/// The first so many examples, where `data.KEY` says a number.
fn first(all: Dataset, wanted: Option<usize>, key: &str) -> Result<Dataset> {
    match wanted {
        None => Ok(all),
        Some(count) if count <= all.len() => Ok(all.subset(&(0..count).collect::<Vec<_>>())?),
        Some(count) => Err(Error::invalid(format!(
            "`data.{key}` is {count}, but the folder holds {}; say at most that",
            all.len()
        ))),
    }
}

/// All examples of other data than was learned from, through the stored transforms; `None` for data of fixed parts.
pub(crate) fn labelled(recipe: &Recipe, transform: &Transform, path: &Path) -> Result<Option<Dataset>> {
    match (&transform.input, &recipe.data) {
        (Input::Table(_), _) => Ok(Some(read_labelled(path, transform)?.dataset)),
        (Input::Image(image), Data::ImageFolder { broken, .. }) => {
            let mut options = ImageOptions::new(image.shape())?;
            options.broken = skipping(*broken);
            let folder = ImageFolder::open(path, &options)?;
            let found = folder.dataset().clone();
            let known = transform.target.class_names().unwrap_or_default();
            let examples =
                if found.targets().class_names() == Some(known) { found } else { renamed(&found, known)? };
            Ok(Some(examples.with_pixel_scale(image.pixels.clone())?))
        }
        (Input::Image(_), _) => Ok(None),
    }
}

/// Pictures with the classes that were learned, in their order.
fn renamed(found: &Dataset, known: &[String]) -> Result<Dataset> {
    let Targets::Classes { values, names } = found.targets() else {
        return Err(Error::invalid("pictures have classes"));
    };
    let number = |name: &String| {
        known.iter().position(|one| one == name).ok_or_else(|| {
            let message =
                format!("the class `{name}` was not there in training; there were {}", known.join(", "));
            Error::invalid(message)
        })
    };
    let numbers: Vec<usize> = names.iter().map(number).collect::<Result<_>>()?;
    if found.features().examples() != found.len() {
        let message = "so many pictures are evaluated only where all classes of the training are there; add their folders";
        return Err(Error::invalid(message));
    }
    let values = values.iter().map(|label| numbers[*label as usize] as i32).collect();
    Ok(Dataset::new(found.features().clone(), Targets::Classes { values, names: known.to_vec() })?)
}

fn skipping(broken: Broken) -> images::Broken {
    match broken {
        Broken::Refuse => images::Broken::Refuse,
        Broken::Skip => images::Broken::Skip,
    }
}

/// How examples are shared out.
pub(crate) fn rule(recipe: &Recipe) -> warploom_data::SplitRule {
    let split = &recipe.split;
    match split.rule {
        SplitRule::Random => warploom_data::SplitRule::Random {
            validation: split.validation,
            test: split.test.unwrap_or(0.0),
            seed: split.seed,
        },
        SplitRule::FirstOfClass => warploom_data::SplitRule::FirstOfClass {
            train: split.train_per_class.unwrap_or(1),
            validation: split.validation_per_class.unwrap_or(0),
        },
    }
}

fn shared(all: &Dataset, recipe: &Recipe) -> Result<Parts> {
    Ok(match recipe.split.stratified {
        true => all.parts(&rule(recipe))?,
        false => rule(recipe).parts(all.len(), None)?,
    })
}

/// The steps of pictures that are read as bytes of their own size.
fn of_bytes(data: &Dataset) -> Option<Transform> {
    let shape = <[usize; 3]>::try_from(data.example_shape()).ok();
    let (Some(shape), Values::U8(_), Targets::Classes { names, .. }) =
        (shape, data.features().values(), data.targets())
    else {
        return None;
    };
    let image = ImageTransform::new(shape).ok()?;
    Some(Transform::new(Input::Image(image), TargetTransform::Classes { names: names.clone() }))
}

/// The channels of the first picture below a folder; 3 where there is none that can be read, which opening the folder
/// will say.
fn first_channels(folder: &Path) -> usize {
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(place) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&place) else { continue };
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        let picture = entries.iter().filter(|path| path.is_file()).find_map(|path| images::read(path).ok());
        if let Some(picture) = picture {
            return picture.extents()[2];
        }
        waiting.extend(entries.into_iter().filter(|path| path.is_dir()).rev());
    }
    3
}

fn step(step: &Augment) -> warploom_data::Augment {
    use warploom_data::Augment as Step;
    match *step {
        Augment::FlipHorizontal { probability } => Step::FlipHorizontal { probability },
        Augment::FlipVertical { probability } => Step::FlipVertical { probability },
        Augment::Crop { padding } => Step::Crop { padding, fill: 0.0 },
        Augment::Rotate { degrees } => Step::Rotate { degrees, fill: 0.0 },
        Augment::Brightness { reach } => Step::Brightness { reach },
        Augment::Contrast { reach } => Step::Contrast { reach },
    }
}

//! The data of a recipe: what is learned from, watched and tested on.

use crate::schema::{DataKind, Recipe};
use warploom_data::{Dataset, digits, idx, logistic};
use warploom_train::{Error, Result};

const DIGITS_TRAIN: usize = 10_000;
const DIGITS_TEST: usize = 2_000;
/// MNIST's.
const IDX_CLASSES: usize = 10;
/// The digits to test on are drawn under another seed, so that their number does not change those learned from.
const TEST_SEED: u64 = 0x7465_7374;

/// The three parts of a recipe's data.
#[derive(Clone, Debug)]
pub struct Splits {
    /// Learned from.
    pub train: Dataset,
    /// Watched while training, if the recipe holds some out.
    pub validation: Option<Dataset>,
    /// Tested on after training.
    pub test: Dataset,
    /// Whether `test` is `train` again, because the data has no other examples.
    pub test_is_train: bool,
}

impl Splits {
    /// Reads or makes the data.
    ///
    /// # Errors
    /// What is wrong with the files; a batch that is larger than what there is to learn from.
    pub fn new(recipe: &Recipe) -> Result<Splits> {
        let splits = Splits::unchecked(recipe)?;
        let (batch, examples) = (recipe.train.batch, splits.train.len());
        if batch > examples {
            let message = format!(
                "`train.batch` is {batch}, but there are {examples} examples to learn from; give at most that many"
            );
            return Err(Error::invalid(message));
        }
        Ok(splits)
    }

    fn unchecked(recipe: &Recipe) -> Result<Splits> {
        let data = &recipe.data;
        let (all, test) = match data.kind {
            DataKind::Digits => {
                let train = digits(data.seed, data.train.unwrap_or(DIGITS_TRAIN))?;
                (train, Some(digits(data.seed ^ TEST_SEED, data.test.unwrap_or(DIGITS_TEST))?))
            }
            DataKind::Idx => {
                let folder = data.path.as_deref().unwrap_or_default();
                let read = idx::read_folder(folder, data.classes.unwrap_or(IDX_CLASSES))?;
                (read.train, Some(read.test))
            }
            DataKind::Logistic => (logistic()?, None),
        };
        let (train, validation) = match (recipe.train.validation, all.class_counts()) {
            (0.0, _) => (all, None),
            (fraction, Some(_)) => {
                let (rest, part) = all.split_off_stratified(fraction, recipe.train.seed)?;
                (rest, Some(part))
            }
            (fraction, None) => {
                let (rest, part) = all.split_off(fraction, recipe.train.seed)?;
                (rest, Some(part))
            }
        };
        let test_is_train = test.is_none();
        let test = test.unwrap_or_else(|| train.clone());
        Ok(Splits { train, validation, test, test_is_train })
    }
}

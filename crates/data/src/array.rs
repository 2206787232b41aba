//! Features and targets as they lie in memory.

use crate::error::{Error, Result};

/// The most classes that are named by their numbers.
const MAX_NUMBERED_CLASSES: usize = 1_000_000;

/// Feature values, kept in the smallest type that holds them.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Bytes such as grey levels; converted and scaled on the device.
    U8(Vec<u8>),
    /// Single-precision numbers.
    F32(Vec<f32>),
}

impl Values {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Values::U8(values) => values.len(),
            Values::F32(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of one number.
    pub fn element_bytes(&self) -> usize {
        match self {
            Values::U8(_) => 1,
            Values::F32(_) => 4,
        }
    }
}

/// Examples of one shape, one after the other: `[examples, ...example_shape]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    values: Values,
    example_shape: Vec<usize>,
    example_len: usize,
}

impl Array {
    /// Values read as examples of `example_shape`: `[1, 28, 28]` (channels, height, width) for grey
    /// pictures, `[columns]` for tables.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the shape holds no element or does not divide the number of values.
    pub fn new(values: Values, example_shape: &[usize]) -> Result<Self> {
        let example_len =
            example_shape.iter().try_fold(1_usize, |product, &extent| product.checked_mul(extent));
        let Some(example_len) = example_len.filter(|&len| len > 0 && values.len().is_multiple_of(len)) else {
            return Err(Error::invalid(
                format!("{} values cannot be read as examples of shape {example_shape:?}", values.len()),
                "Give a shape without zeros whose product divides the number of values",
            ));
        };
        Ok(Self { values, example_shape: example_shape.to_vec(), example_len })
    }

    /// The numbers of all examples.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The shape of one example.
    pub fn example_shape(&self) -> &[usize] {
        &self.example_shape
    }

    /// Numbers in one example.
    pub fn example_len(&self) -> usize {
        self.example_len
    }

    /// How many examples there are.
    pub fn examples(&self) -> usize {
        self.values.len() / self.example_len
    }
}

/// What is to be predicted, one row for each example.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// One of several classes: `[examples]`.
    Classes {
        /// The class of each example, numbered from 0 in the order of `names`.
        values: Vec<i32>,
        /// The name of each class; as many as there are classes.
        names: Vec<String>,
    },
    /// Numbers: `[examples, width]`.
    Values {
        /// The numbers, row by row.
        values: Vec<f32>,
        /// Numbers to predict for one example.
        width: usize,
    },
}

impl Targets {
    /// Classes named by their numbers, `"0"` to `classes - 1`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more than a million classes, [`Error::Label`] for a label that is none.
    pub fn numbered_classes(values: Vec<i32>, classes: usize) -> Result<Self> {
        if classes > MAX_NUMBERED_CLASSES {
            return Err(Error::invalid(
                format!("{classes} numbered classes were asked for"),
                format!("Give at most {MAX_NUMBERED_CLASSES}"),
            ));
        }
        let names = (0..classes).map(|class| class.to_string()).collect();
        let targets = Targets::Classes { values, names };
        targets.check()?;
        Ok(targets)
    }

    /// How many examples there are.
    pub fn examples(&self) -> usize {
        match self {
            Targets::Classes { values, .. } => values.len(),
            Targets::Values { values, width } => values.len() / (*width).max(1),
        }
    }

    /// Numbers to predict for one example: 1 for classes.
    pub fn width(&self) -> usize {
        match self {
            Targets::Classes { .. } => 1,
            Targets::Values { width, .. } => *width,
        }
    }

    /// The names of the classes; `None` where targets are numbers.
    pub fn class_names(&self) -> Option<&[String]> {
        match self {
            Targets::Classes { names, .. } => Some(names),
            Targets::Values { .. } => None,
        }
    }

    /// Checks that each label names a class, or that the numbers fill whole rows and are finite.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Targets::Classes { values, names } => {
                let wrong = |&label: &i32| usize::try_from(label).map_or(true, |label| label >= names.len());
                match values.iter().position(wrong) {
                    Some(row) => Err(Error::Label { row, found: values[row], classes: names.len() }),
                    None => Ok(()),
                }
            }
            Targets::Values { values, width } => {
                if *width == 0 || !values.len().is_multiple_of(*width) {
                    return Err(Error::invalid(
                        format!("{} target values cannot be read as rows of {width}", values.len()),
                        "Give a width of at least 1 that divides the number of values",
                    ));
                }
                check_finite("target", values, *width, &[])
            }
        }
    }
}

/// Refuses the first NaN or infinity among `values`, rows of `width`.
pub(crate) fn check_finite(what: &'static str, values: &[f32], width: usize, names: &[String]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => {
            let (row, column) = (at / width, at % width);
            Err(Error::NotFinite { what, row, column, name: names.get(column).cloned(), value: values[at] })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_counts_its_examples() {
        let array = Array::new(Values::U8(vec![0; 24]), &[1, 2, 3]).unwrap();
        assert_eq!((array.examples(), array.example_len(), array.example_shape()), (4, 6, &[1, 2, 3][..]));
        assert_eq!(array.values().element_bytes(), 1);
        assert_eq!(Array::new(Values::F32(Vec::new()), &[3]).unwrap().examples(), 0);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        for shape in [&[5][..], &[0], &[2, 0], &[usize::MAX, 2], &[usize::MAX, usize::MAX]] {
            let error = Array::new(Values::U8(vec![0; 24]), shape).unwrap_err();
            assert!(error.to_string().contains("24 values"), "{error}");
        }
    }

    #[test]
    fn labels_are_held_against_the_classes() {
        assert!(Targets::numbered_classes(vec![0, 2, 1], 3).is_ok());
        assert!(Targets::numbered_classes(vec![0], usize::MAX).is_err());
        for wrong in [3, -1, i32::MIN, i32::MAX] {
            let error = Targets::numbered_classes(vec![0, wrong], 3).unwrap_err();
            assert!(matches!(error, Error::Label { row: 1, classes: 3, .. }), "{error}");
        }
    }

    #[test]
    fn target_values_fill_rows_of_finite_numbers() {
        let check = |values: Vec<f32>, width| Targets::Values { values, width }.check();
        assert!(check(vec![1.0, 2.0], 2).is_ok());
        assert!(check(vec![1.0, 2.0], 0).is_err());
        assert!(check(vec![1.0, 2.0, 3.0], 2).is_err());
        let error = check(vec![1.0, 2.0, 3.0, f32::NAN], 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 1, .. }), "{error}");
    }
}

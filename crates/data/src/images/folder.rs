//! A folder of pictures to learn from.

use super::decode;
use super::files::{PictureFiles, each, read_all};
use super::layout::Layout;
use crate::array::{Array, Targets, Values};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::parts::{Part, Parts, SplitRule};
use std::path::{Path, PathBuf};
use std::thread;
use warploom_transform::{ImageTransform, Input, TargetTransform, Transform};

/// What is done about pictures that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// They are an error that counts and names them.
    #[default]
    Refuse,
    /// They are left out, and counted and named in the notes. Every picture is decoded when the folder is opened.
    Skip,
}

/// How a folder of pictures is read.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageOptions {
    /// The size and channels that pictures are brought to.
    pub transform: ImageTransform,
    /// What is done about pictures that cannot be used.
    pub broken: Broken,
    /// Bytes up to which pictures that were brought to size are kept in memory.
    pub memory: u64,
    /// Threads that read when the folder is opened; 0 for one for each processor.
    pub threads: usize,
}

impl ImageOptions {
    /// Pictures of `[channels, height, width]`, kept up to 256 MiB; broken ones are refused.
    ///
    /// # Errors
    /// As [`ImageTransform::new`].
    pub fn new(shape: [usize; 3]) -> Result<Self> {
        let transform = ImageTransform::new(shape)?;
        Ok(Self { transform, broken: Broken::default(), memory: 256 << 20, threads: 0 })
    }
}

/// The pictures of a folder with their classes.
#[derive(Debug)]
pub struct ImageFolder {
    layout: Layout,
    dataset: Dataset,
    transform: ImageTransform,
}

impl ImageFolder {
    /// Reads `folder`, laid out as the [module](super) says.
    ///
    /// # Errors
    /// [`Error::Io`] for a folder that cannot be listed; [`Error::Invalid`] for one without pictures or with one class, for
    /// a class that is tested or watched but not learned from, and for broken pictures under [`Broken::Refuse`].
    pub fn open(folder: impl AsRef<Path>, options: &ImageOptions) -> Result<ImageFolder> {
        let mut layout = Layout::of(folder.as_ref())?;
        let transform = &options.transform;
        let bytes = (layout.files.len() as u64).saturating_mul(transform.len() as u64);
        let threads = match options.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let keep = bytes <= options.memory;
        let read: Vec<Result<Vec<u8>>> = if keep {
            let read = read_all(&layout.files, transform, threads).into_iter();
            read.map(|read| read.map(|(bytes, _)| bytes)).collect()
        } else if options.broken == Broken::Skip {
            each(&layout.files, threads, |path| decode::read(path).map(|_| Vec::new()))
        } else {
            each(&layout.files, threads, |path| decode::check(path).map(|()| Vec::new()))
        };
        let pixels = layout.keep_sound(read, options.broken)?;
        let targets = Targets::Classes { values: layout.labels.clone(), names: layout.classes.clone() };
        let dataset = if keep {
            Dataset::new(Array::new(Values::U8(pixels), &transform.shape())?, targets)
        } else {
            Dataset::of_pictures(PictureFiles::new(layout.files.clone(), transform.clone()), targets)
        }?;
        Ok(ImageFolder { layout, dataset, transform: transform.clone() })
    }

    /// All pictures, `[channels, height, width]` bytes, class by class in natural order.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The file of each picture.
    pub fn files(&self) -> &[PathBuf] {
        &self.layout.files
    }

    /// The part of each picture, where the folder is laid out in parts.
    pub fn given_parts(&self) -> Option<&[Part]> {
        self.layout.parts.as_deref()
    }

    /// Shares out the pictures: as the folder is laid out, if it is; else by `rule`. Where the layout has no pictures to
    /// watch, a [`SplitRule::Random`] takes its share of validation from those to learn from.
    ///
    /// # Errors
    /// As [`SplitRule::parts`].
    pub fn parts(&self, rule: &SplitRule) -> Result<Parts> {
        let Some(given) = self.given_parts() else { return self.dataset.parts(rule) };
        let mut parts = SplitRule::Given(given.to_vec()).parts(given.len(), None)?;
        if let SplitRule::Random { validation, seed, .. } = *rule
            && validation > 0.0
            && parts.validation.is_empty()
        {
            let rule = SplitRule::Random { validation, test: 0.0, seed };
            let inner = self.dataset.subset(&parts.train)?.parts(&rule)?;
            let rows = |places: Vec<usize>| places.into_iter().map(|place| parts.train[place]).collect();
            (parts.validation, parts.train) = (rows(inner.validation), rows(inner.train));
        }
        Ok(parts)
    }

    /// What travels with a model that learns from this folder.
    pub fn transform(&self) -> Transform {
        let names = self.layout.classes.clone();
        Transform::new(Input::Image(self.transform.clone()), TargetTransform::Classes { names })
    }

    /// Decisions that were taken, counted, in words.
    pub fn notes(&self) -> &[String] {
        &self.layout.notes
    }
}

impl Layout {
    /// Takes out the pictures that could not be read and joins the bytes of the others.
    fn keep_sound(&mut self, read: Vec<Result<Vec<u8>>>, broken: Broken) -> Result<Vec<u8>> {
        const NAMED: usize = 5;
        let failed: Vec<String> =
            read.iter().filter_map(|read| read.as_ref().err()).take(NAMED).map(Error::to_string).collect();
        let sound: Vec<bool> = read.iter().map(Result::is_ok).collect();
        let count = sound.iter().filter(|sound| !**sound).count();
        if count > 0 {
            let more = if count > failed.len() { " …" } else { "" };
            let problem =
                format!("{count} of {} pictures cannot be used: {}{more}", sound.len(), failed.join(" "));
            if broken == Broken::Refuse || count == sound.len() {
                let advice = "Mend or remove them, or have broken pictures skipped (in a recipe data.broken = \"skip\")";
                return Err(Error::invalid(problem.trim_end_matches('.'), advice));
            }
            self.notes.push(format!("skipped: {problem}"));
        }
        let mut next = sound.iter();
        self.files.retain(|_| next.next() == Some(&true));
        let mut next = sound.iter();
        self.labels.retain(|_| next.next() == Some(&true));
        if let Some(parts) = &mut self.parts {
            let mut next = sound.iter();
            parts.retain(|_| next.next() == Some(&true));
        }
        self.refuse_emptied_class()?;
        let mut pixels = Vec::with_capacity(read.iter().flatten().map(Vec::len).sum());
        read.iter().flatten().for_each(|bytes| pixels.extend_from_slice(bytes));
        Ok(pixels)
    }

    fn refuse_emptied_class(&self) -> Result<()> {
        for (label, class) in self.classes.iter().enumerate() {
            if !self.labels.contains(&(label as i32)) {
                return Err(Error::invalid(
                    format!("Of the class `{class}` no picture can be used"),
                    "Mend its pictures, or remove its folder",
                ));
            }
        }
        Ok(())
    }
}

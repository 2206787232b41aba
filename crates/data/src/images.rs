//! Folders of pictures: JPEG, PNG and PNM (PBM, PGM, PPM, PAM).
//!
//! To learn from, a folder holds one folder of pictures for each class, or the folders `train`, `test` and `val` of such
//! folders; beside `train`, other folders are passed over. To predict, it holds pictures. Files that are no pictures by their ending, and hidden ones, are passed
//! over. Classes and files come in natural order: `s2` before `s10`.
//!
//! Sets that take at most [`ImageOptions::memory`] bytes once brought to size are read when opened and kept; of larger
//! ones every header is read when opened, and each picture again and again in the loader's threads.
//!
//! ```no_run
//! use warploom_data::{SplitRule, images::{ImageFolder, ImageOptions}};
//!
//! let faces = ImageFolder::open("faces", &ImageOptions::new([1, 56, 46])?)?;
//! let rule = SplitRule::FirstOfClass { train: 5, validation: 0 };
//! let (data, parts) = (faces.dataset(), faces.parts(&rule)?);
//! let (train, test) = (data.subset(&parts.train)?, data.subset(&parts.test)?);
//! # Ok::<(), warploom_data::Error>(())
//! ```

#[cfg(feature = "pictures")]
mod codec;
mod decode;
mod files;
mod folder;
#[cfg(feature = "pictures")]
mod jpeg;
mod layout;
mod pixels;

pub use decode::{MAX_FILE_BYTES, MAX_PIXELS, decode, read};
pub(crate) use files::PictureFiles;
pub use files::{list, read_all};
pub use folder::{Broken, ImageFolder, ImageOptions};
pub use pixels::fit_pixels;

#[cfg(all(test, feature = "pictures"))]
mod tests;

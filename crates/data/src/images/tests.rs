use super::*;
use crate::array::Values;
use crate::batches::{Batch, FeatureView, Loader, LoaderOptions};
use crate::error::Error;
use crate::parts::{Part, SplitRule};
use crate::testing::{Folder, damaged};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use std::io::Cursor;
use warploom_transform::{ImageTransform, Input, PixelScale, Transform};

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn grey(width: u32, height: u32, first: u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| image::Luma([first.wrapping_add((y * width + x) as u8)]))
}

fn pgm(first: u8) -> Vec<u8> {
    [&b"P5 3 2 255\n"[..], &[first, first + 1, first + 2, first + 3, first + 4, first + 5]].concat()
}

fn options() -> ImageOptions {
    ImageOptions::new([1, 2, 3]).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    decode(bytes, "asked.png").unwrap_err().to_string()
}

/// Two classes of 12 pictures: `a/1.pgm` begins with 1, `b/1.pgm` with 101.
fn classes(name: &str) -> Folder {
    let folder = Folder::new(name);
    for number in 1..=12 {
        folder.write(&format!("a/{number}.pgm"), pgm(number));
        folder.write(&format!("b/{number}.pgm"), pgm(100 + number));
    }
    folder
}

#[test]
fn every_format_gives_the_same_pixels() {
    let grey = grey(3, 2, 10);
    for format in [ImageFormat::Png, ImageFormat::Pnm] {
        let picture = decode(&encoded(grey.clone(), format), "x").unwrap();
        assert_eq!(picture.extents(), [2, 3, 1]);
    }
    let mut bytes = Vec::new();
    let transform = ImageTransform::new([3, 2, 3]).unwrap();
    transform.resize(&decode(&pgm(10), "x").unwrap(), &mut bytes);
    assert_eq!(bytes, [10, 11, 12, 13, 14, 15].repeat(3), "grey is repeated in each channel");
    let plain = RgbImage::from_pixel(16, 8, image::Rgb([200, 100, 50]));
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Pnm] {
        let mut bytes = Vec::new();
        let transform = ImageTransform::new([1, 4, 4]).unwrap();
        transform.resize(&decode(&encoded(plain.clone(), format), "x").unwrap(), &mut bytes);
        // 0.299 × 200 + 0.587 × 100 + 0.114 × 50 = 124.2; JPEG is lossy.
        assert!(bytes.iter().all(|byte| (123..=126).contains(byte)), "{format:?} {bytes:?}");
    }
}

#[test]
fn pictures_that_cannot_be_used_say_why() {
    let png = encoded(grey(30, 20, 0), ImageFormat::Png);
    let jpeg = encoded(RgbImage::new(30, 20), ImageFormat::Jpeg);
    for (bytes, wanted) in [
        (&b""[..], "it is empty"),
        (b"hello, I am text", "it is no JPEG, PNG or PNM"),
        (b"GIF89a\x01\x00\x01\x00", "it is no JPEG, PNG or PNM"),
        (b"P5 60000 60000 255\n0", "60000 × 60000 pixels, but 1 to 100000000"),
        (b"P5 9000 9000 255\n0", "9000 × 9000 pixels, which its 18 bytes cannot hold"),
        (&png[..png.len() / 2], "cannot be decoded"),
        (&png[..20], "header cannot be read"),
        (&jpeg[..jpeg.len() - 10], "cut short"),
        (&jpeg[..30], "cut short"),
    ] {
        let error = refusal(bytes);
        assert!(error.contains(wanted) && error.contains("asked.png"), "{error}");
    }
    let mut huge = png.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(refusal(&huge).contains("60000 × 60000 pixels"), "{}", refusal(&huge));
    let mut cmyk = jpeg.clone();
    let frame = cmyk.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    cmyk[frame + 9] = 4;
    assert!(refusal(&cmyk).contains("it is CMYK"), "{}", refusal(&cmyk));
}

/// As in PNG's specification, annex D, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

#[test]
fn damaged_pictures_never_panic() {
    let colours = RgbImage::from_fn(21, 17, |x, y| image::Rgb([(x * y) as u8, x as u8, y as u8]));
    for (format, count) in [(ImageFormat::Png, 1000), (ImageFormat::Jpeg, 1000), (ImageFormat::Pnm, 1000)] {
        damaged(&encoded(colours.clone(), format), count, |bytes| drop(decode(bytes, "x")));
    }
    for text in [
        &b"P1 3 2\n1 0 1 0 1 0\n"[..],
        b"P2 3 2 9\n1 2 3 4 5 6\n",
        b"P4 9 2\n\x01\x02\x03\x04",
        b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n12",
    ] {
        decode(text, "x").unwrap();
        damaged(text, 1000, |bytes| drop(decode(bytes, "x")));
    }
}

#[test]
fn a_folder_of_classes_comes_in_natural_order() {
    let folder = classes("natural");
    folder.write("a/notes.txt", "x");
    folder.write(".hidden/1.pgm", pgm(0));
    let pictures = ImageFolder::open(&folder.0, &options()).unwrap();
    let data = pictures.dataset();
    assert_eq!((data.len(), data.example_shape()), (24, &[1, 2, 3][..]));
    assert_eq!(data.targets().class_names().unwrap(), ["a", "b"]);
    let Values::U8(bytes) = data.features().values() else { panic!("bytes") };
    let first: Vec<u8> = bytes.iter().step_by(6).copied().collect();
    assert_eq!(first, (1..=12).chain(101..=112).collect::<Vec<u8>>());
    assert_eq!(pictures.notes().len(), 1);
    assert!(pictures.notes()[0].contains("1 entries") && pictures.notes()[0].contains("notes.txt"));
    let parts = pictures.parts(&SplitRule::FirstOfClass { train: 5, validation: 0 }).unwrap();
    assert_eq!(parts.train, [0, 1, 2, 3, 4, 12, 13, 14, 15, 16]);
    assert_eq!(parts.test.len(), 14);
    let stored = Transform::from_json(&pictures.transform().to_json()).unwrap();
    assert_eq!(stored, pictures.transform());
    let Input::Image(transform) = &stored.input else { panic!("pictures") };
    let files = list(folder.0.join("a")).unwrap();
    let read: Vec<_> = read_all(&files, transform, 3).into_iter().map(|read| read.unwrap().0).collect();
    assert_eq!(read.concat(), bytes[..72], "prediction reads what was learned from");
}

#[test]
fn folders_that_are_split_say_so() {
    let folder = Folder::new("split");
    for (name, first) in
        [("Train/x/1.pgm", 1), ("Train/y/1.pgm", 2), ("Train/y/2.pgm", 3), ("test/y/9.pgm", 4)]
    {
        folder.write(name, pgm(first));
    }
    let pictures = ImageFolder::open(&folder.0, &options()).unwrap();
    assert_eq!(pictures.given_parts().unwrap(), [Part::Train, Part::Train, Part::Train, Part::Test]);
    let random = |validation| SplitRule::Random { validation, test: 0.5, seed: 0 };
    let parts = pictures.parts(&random(0.0)).unwrap();
    assert_eq!((parts.train.len(), parts.validation.len(), parts.test), (3, 0, vec![3]));
    let parts = pictures.parts(&random(0.34)).unwrap();
    assert_eq!((parts.train.len(), parts.validation.len(), parts.test), (2, 1, vec![3]));
    folder.write("annotations/1.pgm", pgm(5));
    let pictures = ImageFolder::open(&folder.0, &options()).unwrap();
    assert_eq!((pictures.dataset().len(), pictures.notes().len()), (4, 2), "{:?}", pictures.notes());
    assert!(pictures.notes()[0].contains("annotations"), "{:?}", pictures.notes());
    folder.write("test/z/1.pgm", pgm(5));
    let error = ImageFolder::open(&folder.0, &options()).unwrap_err().to_string();
    assert!(error.contains("the class `z`, which is not there to learn from"), "{error}");
}

#[test]
fn folders_without_classes_are_refused() {
    let folder = Folder::new("bare");
    let open = || ImageFolder::open(&folder.0, &options()).unwrap_err().to_string();
    assert!(open().contains("holds no folder with pictures"), "{}", open());
    assert!(list(&folder.0).unwrap_err().to_string().contains("holds no pictures"));
    folder.write("a/1.pgm", pgm(1));
    assert!(open().contains("one class: `a` alone"), "{}", open());
    std::fs::create_dir(folder.0.join("b")).unwrap();
    assert!(open().contains("one class: `a` alone"), "{}", open());
    let error = ImageFolder::open(folder.0.join("none"), &options()).unwrap_err();
    assert!(matches!(error, Error::Io { doing: "list", .. }), "{error}");
    assert!(matches!(list(folder.0.join("none")).unwrap_err(), Error::Io { .. }));
}

#[test]
fn broken_pictures_are_refused_or_counted() {
    let folder = classes("broken");
    folder.write("a/3.pgm", "P5 3 2 255\n12");
    folder.write("b/4.pgm", "no picture");
    for memory in [u64::MAX, 0] {
        let skip = ImageOptions { broken: Broken::Skip, memory, ..options() };
        let pictures = ImageFolder::open(&folder.0, &skip).unwrap();
        assert_eq!(pictures.dataset().class_counts().unwrap(), [11, 11]);
        assert!(pictures.files().iter().all(|path| !path.ends_with("a/3.pgm") && !path.ends_with("b/4.pgm")));
        let note = &pictures.notes()[0];
        assert!(
            note.contains("2 of 24 pictures") && note.contains("a/3.pgm") && note.contains("b/4.pgm"),
            "{note}"
        );
        let error =
            ImageFolder::open(&folder.0, &ImageOptions { memory, ..options() }).unwrap_err().to_string();
        assert!(error.contains("of 24 pictures cannot be used") && error.contains("b/4.pgm"), "{error}");
    }
    for number in 1..=12 {
        folder.write(&format!("a/{number}.pgm"), "");
    }
    let skip = ImageOptions { broken: Broken::Skip, ..options() };
    let error = ImageFolder::open(&folder.0, &skip).unwrap_err().to_string();
    assert!(error.contains("Of the class `a` no picture can be used"), "{error}");
}

fn features(batch: &Batch) -> Vec<u32> {
    match batch.features() {
        FeatureView::U8(bytes) => bytes.iter().map(|byte| u32::from(*byte)).collect(),
        FeatureView::F32(values) => values.iter().map(|value| value.to_bits()).collect(),
    }
}

#[test]
fn pictures_read_when_needed_are_those_kept_in_memory() {
    let folder = classes("lazy");
    let kept = ImageFolder::open(&folder.0, &options()).unwrap();
    let lazy = ImageFolder::open(&folder.0, &ImageOptions { memory: 143, ..options() }).unwrap();
    assert_eq!((kept.dataset().storage_bytes(), lazy.dataset().storage_bytes()), (144 + 96, 96));
    let rows: Vec<usize> = (3..20).rev().collect();
    let scale = PixelScale::standard(&[[1; 256]]).unwrap();
    for scale in [PixelScale::Bytes, scale] {
        let epoch = |folder: &ImageFolder, threads| {
            let data = folder.dataset().subset(&rows).unwrap().with_pixel_scale(scale.clone()).unwrap();
            let options = LoaderOptions { batch: 4, threads, ring: 4, ..LoaderOptions::default() };
            let mut loader = Loader::new(&data, options).unwrap();
            loader.epoch(2, 0).unwrap().map(|batch| features(&batch.unwrap())).collect::<Vec<_>>()
        };
        let expected = epoch(&kept, 1);
        assert_eq!(expected.len(), 5);
        for threads in [1, 3] {
            assert_eq!(epoch(&lazy, threads), expected);
        }
    }
}

#[test]
fn a_picture_that_breaks_later_is_an_error_in_its_place() {
    let folder = classes("later");
    let lazy = ImageFolder::open(&folder.0, &ImageOptions { memory: 0, ..options() }).unwrap();
    let options = LoaderOptions { batch: 4, threads: 3, ring: 4, shuffle: false, ..LoaderOptions::default() };
    let mut loader = Loader::new(lazy.dataset(), options).unwrap();
    assert_eq!(loader.epoch(0, 0).unwrap().filter(|batch| batch.is_ok()).count(), 6);
    folder.write("a/10.pgm", "broken");
    for _ in 0..3 {
        // What was prepared before is served; then the file is read again.
        drop(loader.epoch(0, 2).unwrap().next());
        let outcomes: Vec<_> =
            loader.epoch(0, 0).unwrap().map(|batch| batch.map(|batch| batch.index())).collect();
        let [Ok(0), Ok(1), Err(error)] = &outcomes[..] else {
            panic!("two batches and an error, not {outcomes:?}")
        };
        assert!(error.to_string().contains("a/10.pgm"), "{error}");
        assert_eq!(
            loader.epoch(0, 3).unwrap().filter(|batch| batch.is_ok()).count(),
            3,
            "the loader goes on"
        );
    }
}

#[test]
fn pixels_are_fitted_to_what_is_learned_from() {
    let folder = classes("pixels");
    let pictures = ImageFolder::open(&folder.0, &options()).unwrap();
    let data = pictures.dataset().subset(&[0, 23]).unwrap();
    let PixelScale::Standard { mean, deviation } = fit_pixels(&data).unwrap() else { panic!("standard") };
    // 1 to 6 and 112 to 117.
    let values: Vec<f64> = (1..=6).chain(112..=117).map(|byte| f64::from(byte) / 255.0).collect();
    let average = values.iter().sum::<f64>() / 12.0;
    let spread = (values.iter().map(|value| (value - average).powi(2)).sum::<f64>() / 12.0).sqrt();
    assert!((f64::from(mean[0]) - average).abs() < 1e-7 && (f64::from(deviation[0]) - spread).abs() < 1e-7);
}

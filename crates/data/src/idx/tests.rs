use super::*;
use crate::array::{Targets, Values};
use crate::random::{Purpose, Random};
use crate::testing::Folder;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn file(code: u8, shape: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|extent| extent.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    read_bytes(bytes, "asked.idx").unwrap_err().to_string()
}

#[test]
fn every_element_type_is_read_big_endian() {
    let rows: [(u8, Vec<u8>, Elements); 6] = [
        (0x08, vec![0, 128, 255], Elements::U8(vec![0, 128, 255])),
        (0x09, vec![0, 128, 255], Elements::I8(vec![0, -128, -1])),
        (0x0B, vec![1, 0, 255, 254, 0, 3], Elements::I16(vec![256, -2, 3])),
        (0x0C, [7_i32, -8, i32::MIN].map(i32::to_be_bytes).concat(), Elements::I32(vec![7, -8, i32::MIN])),
        (0x0D, [0.5_f32, -2.0, 1e30].map(f32::to_be_bytes).concat(), Elements::F32(vec![0.5, -2.0, 1e30])),
        (0x0E, [0.1_f64, -2.0, 1e300].map(f64::to_be_bytes).concat(), Elements::F64(vec![0.1, -2.0, 1e300])),
    ];
    for (code, bytes, elements) in rows {
        let bytes = file(code, &[3, 1], &bytes);
        let idx = read_bytes(&bytes, "x").unwrap();
        assert_eq!((idx.shape.as_slice(), &idx.elements, idx.elements.len()), (&[3, 1][..], &elements, 3));
        assert_eq!(read_bytes(&gzip(&bytes), "x").unwrap(), idx);
        let parts = [gzip(&bytes[..5]), gzip(&bytes[5..])].concat();
        assert_eq!(read_bytes(&parts, "x").unwrap(), idx, "gzip files may be joined end to end");
    }
}

#[test]
fn an_array_without_elements_is_read() {
    let idx = read_bytes(&file(0x0C, &[0, 5], &[]), "x").unwrap();
    assert_eq!(idx.shape, [0, 5]);
    assert!(idx.elements.is_empty());
}

#[test]
fn wrong_headers_are_named() {
    let rows: [(&[u8], &str, &str); 7] = [
        (&[], "byte 0:", "after 0 of 4 bytes"),
        (&[0, 0], "byte 2:", "after 2 of 4 bytes"),
        (b"\x89PNG", "byte 0:", "begins with 89 50"),
        (&[0, 0, 0x0A, 1, 0, 0, 0, 0], "byte 2:", "0x0a"),
        (&[0, 0, 8, 0], "byte 3:", "0 dimensions"),
        (&[0, 0, 8, 255], "byte 3:", "255 dimensions"),
        (&[0, 0, 8, 2, 0, 0, 0, 1, 0], "byte 9:", "after 1 of 4 bytes"),
    ];
    for (bytes, place, problem) in rows {
        let message = refusal(bytes);
        assert!(message.starts_with("asked.idx, "), "{message}");
        assert!(message.contains(place) && message.contains(problem), "{message}");
    }
}

#[test]
fn huge_claims_are_refused_without_allocating() {
    let most = u32::MAX;
    for shape in
        [&[1 << 20, 1 << 20, 1 << 20][..], &[most; 8], &[most], &[most, most], &[most, most, most, 0]]
    {
        for code in [0x08, 0x0E] {
            let bytes = file(code, shape, &[0; 16]);
            assert!(refusal(&bytes).contains("but the file holds at most 16"), "{}", refusal(&bytes));
            let message = refusal(&gzip(&bytes));
            assert!(message.contains("of the decompressed data: the shape"), "{message}");
        }
    }
    // What a compressed file could just hold is believed only as far as it goes.
    let message = refusal(&gzip(&file(0x08, &[20_000], &[0; 16])));
    assert!(message.contains("takes 20000 bytes, but the file ends after 16"), "{message}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = file(0x0B, &[2, 3], &[1; 12]);
    let compressed = gzip(&whole);
    for bytes in [&whole, &compressed] {
        assert!(read_bytes(bytes, "x").is_ok());
        for length in 0..bytes.len() {
            assert!(refusal(&bytes[..length]).contains("asked.idx"), "{length}");
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = file(0x08, &[2], &[1, 2]);
    bytes.push(0);
    assert!(refusal(&bytes).contains("byte 10: the file goes on"), "{}", refusal(&bytes));
    let message = refusal(&gzip(&bytes));
    assert!(message.contains("byte 10 of the decompressed data: the file goes on"), "{message}");
    let mut compressed = gzip(&file(0x08, &[2], &[1, 2]));
    compressed.extend(b"rest");
    assert!(refusal(&compressed).contains("gzip stream"), "{}", refusal(&compressed));
}

#[test]
fn a_changed_byte_of_gzip_is_noticed_or_harmless() {
    let whole = file(0x08, &[64], &(0..64).map(|v| v * 3).collect::<Vec<u8>>());
    let expected = read_bytes(&whole, "x").unwrap();
    let compressed = gzip(&whole);
    for at in 2..compressed.len() {
        let mut damaged = compressed.clone();
        damaged[at] ^= 0x55;
        if let Ok(idx) = read_bytes(&damaged, "x") {
            assert_eq!(idx, expected, "byte {at} was changed");
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new(0, Purpose::Split, 0);
    for round in 0..20_000 {
        let length = random.below(80) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        // Most random bytes fail at the magic number: help some past it.
        let prefix: &[u8] = match round % 4 {
            0 => &[],
            1 => &[0, 0, 8, 1, 0, 0, 0],
            2 => &[0, 0, 0x0E, 3, 0, 0, 0, 1, 0, 0, 0, 1],
            _ => &[0x1f, 0x8b, 8, 0],
        };
        bytes.splice(..prefix.len().min(length), prefix.iter().copied());
        if let Ok(idx) = read_bytes(&bytes, "x") {
            assert_eq!(idx.shape.iter().product::<usize>(), idx.elements.len());
        }
    }
}

#[test]
fn what_is_no_file_is_named() {
    let folder = Folder::new("no-file");
    let error = read(&folder.0).unwrap_err();
    assert!(matches!(error, Error::NotAFile { found: "a folder", .. }), "{error}");
    let error = read(folder.0.join("absent")).unwrap_err();
    assert!(matches!(error, Error::Io { doing: "open", .. }), "{error}");
    assert!(error.to_string().contains("absent"), "{error}");
    let error = read(folder.write("empty", [])).unwrap_err().to_string();
    assert!(error.contains("empty, byte 0"), "{error}");
    assert!(read(Path::new("name\0with zero")).is_err());
}

fn images(count: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count * 6).map(|v| v as u8).collect();
    file(0x08, &[count, 2, 3], &pixels)
}

#[test]
fn a_folder_is_read_in_every_spelling() {
    let folder = Folder::new("spellings");
    folder.write("train-images-idx3-ubyte", images(3));
    folder.write("train-labels.idx1-ubyte", file(0x08, &[3], &[0, 2, 1]));
    folder.write("t10k-images-idx3-ubyte.gz", gzip(&images(2)));
    // Compression is recognised by content, whatever the name says.
    folder.write("t10k-labels.idx1-ubyte.gz", file(0x0C, &[2], &[0, 0, 0, 1, 0, 0, 0, 0]));
    let TrainTest { train, test } = read_folder(&folder.0, 3).unwrap();
    assert_eq!((train.len(), test.len(), train.example_shape()), (3, 2, &[1, 2, 3][..]));
    assert_eq!(train.labels().unwrap().collect::<Vec<_>>(), [0, 2, 1]);
    assert_eq!(test.labels().unwrap().collect::<Vec<_>>(), [1, 0]);
    assert!(matches!(test.features().values(), Values::U8(pixels) if pixels[..4] == [0, 1, 2, 3]));
    assert_eq!(train.targets().class_names().unwrap(), ["0", "1", "2"]);
}

#[test]
fn a_missing_file_names_all_that_would_do() {
    let folder = Folder::new("missing");
    folder.write("train-images-idx3-ubyte", images(3));
    let message = read_folder(&folder.0, 10).unwrap_err().to_string();
    for name in ["train-labels-idx1-ubyte,", "train-labels-idx1-ubyte.gz", "train-labels.idx1-ubyte"] {
        assert!(message.contains(name), "{message}");
    }
    assert!(read_folder(folder.0.join("absent"), 10).is_err());
}

#[test]
fn labels_are_checked_against_classes_and_examples() {
    let folder = Folder::new("labels");
    let examples = folder.write("examples", images(3));
    let rows: [(&str, Vec<u8>, usize, &str); 8] = [
        ("above", file(0x08, &[3], &[0, 1, 3]), 3, "above, byte 10: label 2"),
        ("negative", file(0x0B, &[3], &[0, 1, 255, 255, 0, 0]), 3, "negative, byte 10: label 1"),
        (
            "packed",
            gzip(&file(0x08, &[3], &[9, 1, 3])),
            3,
            "packed, byte 8 of the decompressed data: label 0",
        ),
        ("few", file(0x08, &[2], &[0, 1]), 3, "3 examples"),
        ("fractions", file(0x0D, &[3], &[0; 12]), 3, "labels are fractions"),
        ("square", file(0x08, &[3, 1], &[0; 3]), 3, "shape [3, 1]"),
        ("none", file(0x08, &[0], &[]), 3, "shape [0]"),
        ("classes", file(0x08, &[3], &[0; 3]), usize::MAX, "numbered classes"),
    ];
    for (name, bytes, classes, expected) in rows {
        let labels = folder.write(name, &bytes);
        let message = read_pair(&examples, labels, classes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn examples_of_any_type_and_shape_become_features() {
    let folder = Folder::new("features");
    let labels = folder.write("labels", file(0x08, &[2], &[0, 1]));
    let doubles = |values: [f64; 4]| file(0x0E, &[2, 2], &values.map(f64::to_be_bytes).concat());
    let table = folder.write("table", doubles([0.5, 1.0, -3.0, 1e-3]));
    let data = read_pair(table, &labels, 2).unwrap();
    assert_eq!(data.example_shape(), [2]);
    assert!(matches!(data.features().values(), Values::F32(v) if v[..] == [0.5, 1.0, -3.0, 1e-3]));
    assert!(matches!(data.targets(), Targets::Classes { .. }));

    let column = folder.write("column", file(0x09, &[2], &[255, 1]));
    assert_eq!(read_pair(column, &labels, 2).unwrap().example_shape(), [1]);
    let colour = folder.write("colour", file(0x08, &[2, 3, 1, 2], &[0; 12]));
    assert_eq!(read_pair(colour, &labels, 2).unwrap().example_shape(), [3, 1, 2]);

    let hole = folder.write("hole", doubles([0.5, 1.0, -3.0, f64::NAN]));
    let error = read_pair(hole, &labels, 2).unwrap_err();
    assert!(matches!(error, Error::NotFinite { row: 1, column: 1, .. }), "{error}");
    let large = folder.write("large", doubles([0.5, 1e300, -3.0, 0.0]));
    assert!(matches!(read_pair(large, &labels, 2).unwrap_err(), Error::NotFinite { row: 0, column: 1, .. }));
    let flat = folder.write("flat", file(0x08, &[2, 0], &[]));
    assert!(read_pair(flat, &labels, 2).unwrap_err().to_string().contains("holds no element"));
}

#[test]
fn mnist_itself_is_read() {
    let Some(data) = std::env::var_os("WARPLOOM_DATA") else {
        println!("skipped: set WARPLOOM_DATA to the folder that holds `mnist`");
        return;
    };
    let TrainTest { train, test } = read_folder(Path::new(&data).join("mnist"), 10).unwrap();
    assert_eq!((train.len(), test.len(), train.example_shape()), (60_000, 10_000, &[1, 28, 28][..]));
    assert_eq!(train.labels().unwrap().take(10).collect::<Vec<_>>(), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(test.class_counts().unwrap(), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let Values::U8(pixels) = test.features().values() else { panic!("pictures are bytes") };
    let mean = pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / pixels.len() as f64;
    assert!((mean / 255.0 - 0.1325).abs() < 1e-4, "{mean}");
}

use super::*;
use crate::array::{Array, Targets, Values};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Example `i` is `[i, i + 1]` with class `i % 3`.
fn bytes(examples: usize) -> Dataset {
    let values = (0..examples).flat_map(|i| [i as u8, (i + 1) as u8]).collect();
    let labels = (0..examples as i32).map(|i| i % 3).collect();
    let features = Array::new(Values::U8(values), &[2]).unwrap();
    Dataset::new(features, Targets::numbered_classes(labels, 3).unwrap()).unwrap()
}

fn options(batch: usize) -> LoaderOptions {
    LoaderOptions { batch, ..LoaderOptions::default() }
}

fn rows(loader: &mut Loader, epoch: u64, start: usize) -> Vec<Vec<u32>> {
    loader.epoch(epoch, start).unwrap().map(|batch| batch.unwrap().rows().to_vec()).collect()
}

#[test]
fn an_epoch_has_every_example_once_with_its_target() {
    let data = bytes(100);
    let mut loader = Loader::new(&data, options(32)).unwrap();
    assert_eq!(loader.batches(), 4);
    for epoch in 0..5 {
        let mut seen = Vec::new();
        let mut lengths = Vec::new();
        for (index, batch) in loader.epoch(epoch, 0).unwrap().enumerate() {
            let batch = batch.unwrap();
            assert_eq!((batch.index(), batch.epoch(), batch.is_empty()), (index, epoch, false));
            let (FeatureView::U8(features), TargetView::Classes(classes)) =
                (batch.features(), batch.targets())
            else {
                panic!("bytes stay bytes and classes classes");
            };
            for (place, &row) in batch.rows().iter().enumerate() {
                assert_eq!(features[place * 2..][..2], [row as u8, row as u8 + 1]);
                assert_eq!(classes[place], row as i32 % 3);
            }
            seen.extend_from_slice(batch.rows());
            lengths.push(batch.len());
        }
        assert_eq!(lengths, [32, 32, 32, 4]);
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn numbers_and_subsets_are_served() {
    let features = Array::new(Values::F32((0..12).map(|v| v as f32).collect()), &[1, 2]).unwrap();
    let targets = Targets::Values { values: (0..18).map(|v| v as f32).collect(), width: 3 };
    let data = Dataset::new(features, targets).unwrap().subset(&[5, 0, 3]).unwrap();
    let mut loader = Loader::new(&data, LoaderOptions { shuffle: false, ..options(2) }).unwrap();
    let mut epoch = loader.epoch(0, 0).unwrap();
    let batch = epoch.next().unwrap().unwrap();
    assert_eq!(batch.rows(), [0, 1]);
    assert_eq!(batch.features(), FeatureView::F32(&[10.0, 11.0, 0.0, 1.0]));
    assert_eq!(batch.targets(), TargetView::Values(&[15.0, 16.0, 17.0, 0.0, 1.0, 2.0]));
    drop(batch);
    let last = epoch.next().unwrap().unwrap();
    assert_eq!((last.len(), last.features()), (1, FeatureView::F32(&[6.0, 7.0])));
    assert!(epoch.next().is_none());
}

#[test]
fn orders_depend_on_seed_and_epoch_alone() {
    let data = bytes(50);
    let mut loader = Loader::new(&data, options(8)).unwrap();
    let (first, second) = (rows(&mut loader, 0, 0), rows(&mut loader, 1, 0));
    assert_ne!(first, second);
    assert_eq!(rows(&mut loader, 0, 0), first);
    let mut other = Loader::new(&data, LoaderOptions { ring: 1, ..options(8) }).unwrap();
    assert_eq!(rows(&mut other, 1, 0), second);
    let mut reseeded = Loader::new(&data, LoaderOptions { seed: 1, ..options(8) }).unwrap();
    assert_ne!(rows(&mut reseeded, 0, 0), first);
    let mut wider = Loader::new(&data, options(25)).unwrap();
    assert_eq!(rows(&mut wider, 0, 0).concat(), first.concat(), "the batch size cuts one order");
    let ten = bytes(10);
    let mut fixed = Loader::new(&ten, options(10)).unwrap();
    assert_eq!(rows(&mut fixed, 3, 0), [vec![0, 5, 8, 7, 6, 4, 1, 3, 9, 2]]);
}

#[test]
fn an_epoch_resumes_at_any_batch() {
    let data = bytes(50);
    for shuffle in [true, false] {
        let mut loader = Loader::new(&data, LoaderOptions { shuffle, ..options(8) }).unwrap();
        for epoch in 0..3 {
            let whole = rows(&mut loader, epoch, 0);
            for start in (0..=whole.len()).rev() {
                assert_eq!(rows(&mut loader, epoch, start), whole[start..], "epoch {epoch}, batch {start}");
            }
        }
        let error = loader.epoch(0, 8).unwrap_err().to_string();
        assert!(error.contains("Batch 8") && error.contains("7 batches"), "{error}");
    }
}

#[test]
fn leaving_an_epoch_early_disturbs_no_other() {
    let data = bytes(50);
    let mut loader = Loader::new(&data, options(8)).unwrap();
    let whole: Vec<_> = (0..3).map(|epoch| rows(&mut loader, epoch, 0)).collect();
    for round in 0..200 {
        let (epoch, taken) = (round % 3, round % 8);
        let part: Vec<_> =
            loader.epoch(epoch as u64, 0).unwrap().take(taken).map(|b| b.unwrap().rows().to_vec()).collect();
        assert_eq!(part, whole[epoch][..taken.min(7)]);
    }
    let held = loader.epoch(0, 0).unwrap().next().unwrap().unwrap();
    assert_eq!(rows(&mut loader, 2, 0), whole[2]);
    assert_eq!(held.rows(), whole[0][0]);
}

#[test]
fn without_shuffling_examples_come_in_order() {
    let data = bytes(20);
    let mut loader = Loader::new(&data, LoaderOptions { shuffle: false, ..options(8) }).unwrap();
    for epoch in [0, 1, 7, 7, 0, u64::MAX] {
        assert_eq!(rows(&mut loader, epoch, 0).concat(), (0..20).collect::<Vec<_>>());
    }
    let mut shuffled = Loader::new(&data, options(8)).unwrap();
    assert_eq!(rows(&mut shuffled, u64::MAX, 0).concat().len(), 20);
}

#[test]
fn buffers_are_those_of_the_ring() {
    let data = bytes(100);
    let mut loader = Loader::new(&data, LoaderOptions { ring: 4, ..options(8) }).unwrap();
    let mut buffers = HashSet::new();
    for epoch in 0..20 {
        for batch in loader.epoch(epoch, 0).unwrap() {
            let batch = batch.unwrap();
            let FeatureView::U8(features) = batch.features() else { panic!("bytes") };
            buffers.insert((features.as_ptr() as usize, batch.rows().as_ptr() as usize));
        }
    }
    assert!(buffers.len() <= 4, "260 batches came in {} buffers", buffers.len());
    // 4 buffers of 8 examples of 2 bytes, 4 for the class and 4 for the number; 100 numbers in order.
    assert_eq!(loader.planned_bytes(), 4 * 8 * (2 + 4 + 4) + 400);
    assert_eq!(
        options(1000).planned_bytes(&data),
        3 * 100 * 10 + 400,
        "a buffer holds no more than the data"
    );
}

#[test]
fn holding_the_whole_ring_is_an_error_and_not_a_wait() {
    let data = bytes(100);
    let mut loader = Loader::new(&data, options(8)).unwrap();
    let mut epoch = loader.epoch(0, 0).unwrap();
    let held: Vec<_> = epoch.by_ref().take(3).map(|batch| batch.unwrap()).collect();
    assert!(matches!(epoch.next(), Some(Err(Error::RingHeld { ring: 3 }))));
    assert!(epoch.next().is_none());
    assert_ne!(held[0].rows(), held[1].rows());
    drop(held);
    assert_eq!(rows(&mut loader, 0, 3).len(), 10, "the loader goes on");
}

#[test]
fn batches_outlive_the_loader_and_travel() {
    let data = bytes(100);
    let mut loader = Loader::new(&data, options(8)).unwrap();
    let batch = loader.epoch(0, 0).unwrap().next().unwrap().unwrap();
    drop(loader);
    let length = std::thread::spawn(move || batch.len()).join().unwrap();
    assert_eq!(length, 8);
}

#[test]
fn dropping_at_any_moment_does_not_hang() {
    let data = bytes(100);
    let start = Instant::now();
    for round in 0..300 {
        let mut loader = Loader::new(&data, LoaderOptions { ring: 1 + round % 3, ..options(8) }).unwrap();
        let mut epoch = loader.epoch(0, 0).unwrap();
        for _ in 0..round % 5 {
            drop(epoch.next());
        }
    }
    drop(Loader::new(&data, options(8)).unwrap());
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_failing_thread_is_an_error_and_not_a_wait() {
    let data = bytes(100);
    let filled = AtomicUsize::new(0);
    let failing = move |_: Position, slot: &mut Slot, _: &mut Scratch| {
        assert!(filled.fetch_add(1, Ordering::Relaxed) < 3, "the disc is on fire");
        assert_eq!(slot.rows.len(), 8);
        Ok(())
    };
    let mut loader = Loader::with_fill(&data, options(8), failing).unwrap();
    let outcomes: Vec<_> = loader.epoch(0, 0).unwrap().map(|batch| batch.map(|batch| batch.len())).collect();
    let [Ok(8), Ok(8), Ok(8), Err(Error::Worker { reason })] = &outcomes[..] else {
        panic!("three batches and an error, not {outcomes:?}");
    };
    assert!(reason.contains("on fire"), "{reason}");
    assert!(matches!(loader.epoch(1, 0).unwrap().next(), Some(Err(Error::Worker { .. }))));
}

#[test]
fn batch_sizes_and_rings_that_make_no_sense_are_refused() {
    let data = bytes(10);
    let refused = |data: &Dataset, options| Loader::new(data, options).unwrap_err().to_string();
    assert!(refused(&data, options(0)).contains("batch size is 0"));
    assert!(refused(&data, LoaderOptions { ring: 0, ..options(4) }).contains("0 buffers"));
    assert!(refused(&data, LoaderOptions { ring: usize::MAX, ..options(4) }).contains("buffers"));
    assert!(refused(&data, LoaderOptions { drop_last: true, ..options(11) }).contains("drop_last"));
    assert!(refused(&data.subset(&[]).unwrap(), options(4)).contains("no examples"));
}

#[test]
fn a_batch_larger_than_the_data_is_one_smaller_batch() {
    let data = bytes(10);
    for batch in [11, usize::MAX] {
        assert!(options(batch).is_oversized(data.len()));
        let mut loader = Loader::new(&data, options(batch)).unwrap();
        assert_eq!((loader.batches(), rows(&mut loader, 0, 0)[0].len()), (1, 10));
    }
    assert!(!options(10).is_oversized(data.len()));
}

#[test]
fn the_last_smaller_batch_can_be_left_out() {
    let data = bytes(20);
    let mut loader = Loader::new(&data, LoaderOptions { drop_last: true, ..options(8) }).unwrap();
    for epoch in 0..3 {
        assert!(rows(&mut loader, epoch, 0).iter().map(Vec::len).eq([8, 8]));
    }
}

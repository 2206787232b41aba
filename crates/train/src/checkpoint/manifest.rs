//! What `manifest.json` holds.

use crate::crc32c::crc32c;
use crate::error::{Error, Result};
use crate::exact;
use crate::history::Scores;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What is written; a checkpoint of a later version is refused.
const VERSION: u64 = 1;
const FORMAT: &str = "warploom checkpoint";
/// Begins the last line: the checksum of all that stands before it.
const CHECKSUM: &str = ",\n\"checksum\": \"";

/// Where a training stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Place {
    /// From 0.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// Epochs of all fits of the model, which fix the order of the examples.
    pub order: u64,
    /// Updates held back before this epoch.
    pub skipped_before: u64,
    /// Updates held back in all finished epochs.
    pub skipped: u64,
    /// Updates left out, for a scale of the loss that was too large, before the first of this fit.
    pub overflowed_before: u32,
    /// Of the training examples of this epoch, where only its validation is left.
    pub scores: Option<Scores>,
    /// Whether a callback has stopped the training.
    pub stopped: bool,
}

/// What must be the same when a training goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    pub examples: usize,
    pub batch: usize,
    pub steps: usize,
    pub shuffle: bool,
    pub seed: Option<u64>,
}

/// A callback's state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub name: String,
    pub values: Map<String, Value>,
    /// The file of its weights.
    pub weights: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    pub place: Place,
    pub terms: Terms,
    /// Seed and step of the device's random numbers.
    pub random: Option<[u32; 3]>,
    pub history: Vec<Scores>,
    /// That the training took so far, in all its processes.
    pub seconds: f64,
    pub callbacks: Vec<Kept>,
    /// Name, length and CRC-32C.
    pub files: Vec<(String, u64, u32)>,
}

impl Manifest {
    pub fn to_text(&self) -> String {
        let Place { epoch, batch, order, skipped_before, skipped, overflowed_before, scores, stopped } =
            &self.place;
        let Terms { examples, batch: batch_size, steps, shuffle, seed } = &self.terms;
        let callbacks = self
            .callbacks
            .iter()
            .map(|kept| json!({ "name": kept.name, "values": kept.values, "weights": kept.weights }));
        let files = self.files.iter().map(|(name, bytes, sum)| {
            (name.clone(), json!({ "bytes": bytes, "crc32c": format!("{sum:08x}") }))
        });
        let body = json!({
            "format": FORMAT,
            "version": VERSION,
            "place": {
                "epoch": epoch,
                "batch": batch,
                "order": order,
                "skipped_before": skipped_before,
                "skipped": skipped,
                "overflowed_before": overflowed_before,
                "scores": scores.as_ref().map(exact::scores),
                "stopped": stopped,
            },
            "terms": {
                "examples": examples,
                "batch_size": batch_size,
                "steps": steps,
                "shuffle": shuffle,
                "seed": seed,
            },
            "random": self.random,
            "history": self.history.iter().map(exact::scores).collect::<Vec<_>>(),
            "seconds": self.seconds,
            "callbacks": callbacks.collect::<Vec<_>>(),
            "files": files.collect::<Map<_, _>>(),
        });
        let mut text = format!("{body:#}");
        // In place of the closing brace.
        text.truncate(text.len() - "\n}".len());
        let sum = crc32c(text.as_bytes());
        text + &format!("{CHECKSUM}{sum:08x}\"\n}}\n")
    }

    /// What a file holds, or why it cannot be used.
    ///
    /// # Errors
    /// A newer version.
    pub fn from_text(text: &str, path: &Path) -> Result<std::result::Result<Manifest, String>> {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return Ok(Err("its manifest is not whole".into()));
        };
        if let Some(version) = value["version"].as_u64().filter(|version| *version > VERSION) {
            let message = format!(
                "{} was written by a newer version of Warploom (checkpoints of version {version}; this one reads up to \
                 {VERSION}); go on with that version",
                path.display()
            );
            return Err(Error::invalid(message));
        }
        if !is_intact(text) {
            return Ok(Err("its manifest has changed since it was written: the checksum is another".into()));
        }
        Ok(parse(&value).ok_or_else(|| "its manifest is none of a checkpoint".into()))
    }
}

fn is_intact(text: &str) -> bool {
    let Some((before, after)) = text.rsplit_once(CHECKSUM) else { return false };
    after.get(..8).and_then(|sum| u32::from_str_radix(sum, 16).ok()) == Some(crc32c(before.as_bytes()))
}

fn parse(value: &Value) -> Option<Manifest> {
    if value["format"] != FORMAT {
        return None;
    }
    let number = |value: &Value| value.as_u64().map(|n| n as usize);
    let (place, terms) = (&value["place"], &value["terms"]);
    let scores = &place["scores"];
    Some(Manifest {
        place: Place {
            epoch: number(&place["epoch"])?,
            batch: number(&place["batch"])?,
            order: place["order"].as_u64()?,
            skipped_before: place["skipped_before"].as_u64()?,
            skipped: place["skipped"].as_u64()?,
            // Checkpoints from before it was kept are of fits that were a model's first.
            overflowed_before: place["overflowed_before"].as_u64().map_or(Some(0), |n| n.try_into().ok())?,
            scores: if scores.is_null() { None } else { Some(exact::parse_scores(scores)?) },
            stopped: place["stopped"].as_bool()?,
        },
        terms: Terms {
            examples: number(&terms["examples"])?,
            batch: number(&terms["batch_size"])?,
            steps: number(&terms["steps"])?,
            shuffle: terms["shuffle"].as_bool()?,
            seed: terms["seed"].as_u64(),
        },
        random: match value["random"].as_array() {
            None => None,
            Some(words) => {
                let words: Vec<u32> = words.iter().filter_map(|w| w.as_u64()?.try_into().ok()).collect();
                Some(words.try_into().ok()?)
            }
        },
        history: value["history"].as_array()?.iter().map(exact::parse_scores).collect::<Option<_>>()?,
        // Checkpoints of earlier versions do not say.
        seconds: value["seconds"].as_f64().unwrap_or(0.0),
        callbacks: value["callbacks"].as_array()?.iter().map(kept).collect::<Option<_>>()?,
        files: value["files"].as_object()?.iter().map(file).collect::<Option<_>>()?,
    })
}

fn kept(value: &Value) -> Option<Kept> {
    Some(Kept {
        name: value["name"].as_str()?.to_owned(),
        values: value["values"].as_object()?.clone(),
        weights: value["weights"].as_str().map(str::to_owned),
    })
}

fn file((name, about): (&String, &Value)) -> Option<(String, u64, u32)> {
    let sum = u32::from_str_radix(about["crc32c"].as_str()?, 16).ok()?;
    Some((name.clone(), about["bytes"].as_u64()?, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let mut scores = Scores::default();
        scores.set("loss", 0.1);
        scores.set("val_loss", f64::NAN);
        Manifest {
            place: Place {
                epoch: 3,
                batch: 17,
                order: 4,
                skipped_before: 1,
                skipped: 1,
                overflowed_before: 2,
                scores: None,
                stopped: false,
            },
            terms: Terms { examples: 100, batch: 8, steps: 13, shuffle: true, seed: Some(u64::MAX) },
            random: Some([1, 2, u32::MAX]),
            history: vec![scores],
            seconds: 12.25,
            callbacks: vec![Kept { name: "a".into(), values: Map::new(), weights: Some("f".into()) }],
            files: vec![("model.safetensors".into(), 12, 0x00ab_cdef)],
        }
    }

    #[test]
    fn a_manifest_reads_back_and_damage_is_noticed() {
        let path = Path::new("checkpoint-000001");
        let manifest = example();
        let text = manifest.to_text();
        let read = Manifest::from_text(&text, path).unwrap().unwrap();
        // NaN is not equal to itself.
        assert_eq!(read.to_text(), text);
        assert_eq!((read.place, read.terms, read.files), (manifest.place, manifest.terms, manifest.files));
        assert_eq!(read.seconds, manifest.seconds);
        for cut in 0..text.len() - 2 {
            assert!(Manifest::from_text(&text[..cut], path).unwrap().is_err(), "cut at {cut}");
        }
        let changed = text.replace("\"batch\": 17", "\"batch\": 18");
        assert!(Manifest::from_text(&changed, path).unwrap().unwrap_err().contains("checksum"));
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        let error = Manifest::from_text(&newer, path).unwrap_err().to_string();
        assert!(error.contains("newer version of Warploom (checkpoints of version 2"), "{error}");
    }
}

//! A bounded map from structure to what was made for it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Most structures kept; the one unused for longest goes first.
const LIMIT: usize = 256;

/// Values by token stream. The hash finds a place, the whole stream is compared.
pub(crate) struct Interned<T> {
    kept: HashMap<u64, Kept<T>, BuildHasherDefault<Identity>>,
    clock: u64,
    misses: u64,
}

struct Kept<T> {
    tokens: Box<[u64]>,
    value: T,
    used: u64,
}

/// Keys are hashes already.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | *byte as u64);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl<T> Default for Interned<T> {
    fn default() -> Interned<T> {
        Interned { kept: HashMap::default(), clock: 0, misses: 0 }
    }
}

impl<T> Interned<T> {
    pub fn get(&mut self, hash: u64, tokens: &[u64]) -> Option<&mut T> {
        self.clock += 1;
        let kept = self.kept.get_mut(&hash).filter(|kept| *kept.tokens == *tokens)?;
        kept.used = self.clock;
        Some(&mut kept.value)
    }

    pub fn insert(&mut self, hash: u64, tokens: &[u64], value: T) -> &mut T {
        self.misses += 1;
        if self.kept.len() >= LIMIT
            && let Some(oldest) = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(hash, _)| *hash)
        {
            self.kept.remove(&oldest);
        }
        let kept = Kept { tokens: tokens.into(), value, used: self.clock };
        &mut self.kept.entry(hash).insert_entry(kept).into_mut().value
    }

    pub fn clear(&mut self) {
        self.kept.clear();
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }

    pub fn misses(&self) -> u64 {
        self.misses
    }
}

#[cfg(test)]
mod tests {
    use super::{Interned, LIMIT};

    #[test]
    fn streams_of_one_hash_are_told_apart_and_the_oldest_go() {
        let mut cache = Interned::default();
        cache.insert(7, &[1, 2], 'a');
        assert!(cache.get(7, &[1, 3]).is_none());
        assert_eq!(cache.get(7, &[1, 2]), Some(&mut 'a'));
        for i in 0..LIMIT as u64 - 1 {
            cache.insert(100 + i, &[i], 'b');
        }
        assert!(cache.get(7, &[1, 2]).is_some());
        cache.insert(8, &[8], 'c');
        assert_eq!(cache.len(), LIMIT);
        assert!(cache.get(7, &[1, 2]).is_some(), "used lately");
        assert!(cache.get(100, &[0]).is_none(), "unused for longest");
    }
}

//! A model as rows, for who keeps it: pages of weights, examples, and a head. Only what changed is
//! given, so that keeping costs what was learned, not the size of the model.

use std::collections::HashSet;

use crate::features::{Features, View};
use crate::limits::FEATURES_MAX;
use crate::model::{Examples, Label, Model};

/// Weights of one row: 4 KiB.
pub(crate) const PAGE_WEIGHTS: usize = 1024;

/// What was not given yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) head: bool,
    pub(crate) pages: HashSet<usize>,
    pub(crate) examples: HashSet<(Label, usize)>,
}

const HEAD: u8 = 0;
const PAGE: u8 = 1;
const GOOD: u8 = 2;
const JUNK: u8 = 3;

type Row = (Vec<u8>, Vec<u8>);

impl Model {
    /// Keys and values of what changed since the last call.
    pub fn take_changes(&mut self) -> Vec<Row> {
        let changes = std::mem::take(&mut self.changes);
        let mut rows = Vec::new();
        if changes.head {
            rows.push((vec![HEAD], self.head()));
        }
        for page in changes.pages {
            let weights = self.weights.iter().skip(page * PAGE_WEIGHTS);
            let value = weights
                .take(PAGE_WEIGHTS)
                .flat_map(|weight| weight.to_le_bytes())
                .collect();
            rows.push((key(PAGE, page), value));
        }
        for (label, place) in changes.examples {
            let (kind, ring) = match label {
                Label::Good => (GOOD, &self.good),
                Label::Junk => (JUNK, &self.junk),
            };
            if let Some(features) = ring.kept.get(place) {
                rows.push((key(kind, place), encode(features)));
            }
        }
        rows
    }

    /// Takes one row back; rows come in the order of their keys, or in that of their making. False:
    /// it is none.
    pub fn restore(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.try_restore(key, value).is_some()
    }

    fn head(&self) -> Vec<u8> {
        let mut value = self.bias.to_le_bytes().to_vec();
        for number in [
            self.examples.good,
            self.examples.junk,
            self.turn,
            u32::try_from(self.good.next).unwrap_or_default(),
            u32::try_from(self.junk.next).unwrap_or_default(),
        ] {
            value.extend_from_slice(&number.to_le_bytes());
        }
        value
    }

    fn try_restore(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (kind, rest) = key.split_first()?;
        if *kind == HEAD {
            return self.restore_head(value);
        }
        let place = usize::from(u16::from_be_bytes(rest.try_into().ok()?));
        match *kind {
            PAGE => {
                let first = place.checked_mul(PAGE_WEIGHTS)?;
                let page = self.weights.get_mut(first..first + PAGE_WEIGHTS)?;
                let (bytes, &[]) = value.as_chunks::<4>() else {
                    return None;
                };
                for (weight, bytes) in page.iter_mut().zip(bytes) {
                    let value = f32::from_le_bytes(*bytes);
                    *weight = if value.is_finite() { value } else { 0.0 };
                }
            }
            GOOD | JUNK => {
                let ring = if *kind == GOOD {
                    &mut self.good
                } else {
                    &mut self.junk
                };
                let features = decode(value)?;
                if place >= ring.max {
                    return None;
                }
                if place >= ring.kept.len() {
                    ring.kept.resize(place + 1, Features::default());
                }
                *ring.kept.get_mut(place)? = features;
            }
            _ => return None,
        }
        Some(())
    }

    fn restore_head(&mut self, value: &[u8]) -> Option<()> {
        let (numbers, &[]) = value.as_chunks::<4>() else {
            return None;
        };
        let [bias, good, junk, turn, good_next, junk_next] = numbers else {
            return None;
        };
        let next = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(0);
        self.bias = f32::from_le_bytes(*bias);
        self.examples = Examples {
            good: u32::from_le_bytes(*good),
            junk: u32::from_le_bytes(*junk),
        };
        self.turn = u32::from_le_bytes(*turn);
        self.good.next = next(good_next);
        self.junk.next = next(junk_next);
        Some(())
    }
}

fn key(kind: u8, place: usize) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&u16::try_from(place).unwrap_or(u16::MAX).to_be_bytes());
    key
}

/// Of each view its count and its hashes.
fn encode(features: &Features) -> Vec<u8> {
    let mut value = Vec::new();
    for view in &features.0 {
        let count = u32::try_from(view.len()).unwrap_or(u32::MAX);
        value.extend_from_slice(&count.to_le_bytes());
        for hash in view {
            value.extend_from_slice(&hash.to_le_bytes());
        }
    }
    value
}

fn decode(value: &[u8]) -> Option<Features> {
    let (numbers, &[]) = value.as_chunks::<4>() else {
        return None;
    };
    let mut numbers = numbers.iter().map(|bytes| u32::from_le_bytes(*bytes));
    let mut views: [Vec<u32>; View::COUNT] = Default::default();
    for view in &mut views {
        let count = usize::try_from(numbers.next()?).ok()?;
        if count > FEATURES_MAX {
            return None;
        }
        view.extend(numbers.by_ref().take(count));
        if view.len() != count {
            return None;
        }
    }
    numbers.next().is_none().then_some(Features(views))
}

//! Groups of three bytes that follow each other in a text.
//!
//! A substring of a text has no group that the text has not: whoever lacks one of a needle's
//! groups does not contain the needle.

use facteur_message::collation::push_casemap;

/// Different groups of one message that are kept; more, and it is read in every search.
const GROUPS_MAX: usize = 1 << 16;
/// Bytes of text of one message that are looked at.
const TEXT_BYTES_MAX: usize = 32 << 20;

const ALL: usize = 1 << 24;

/// The groups of one message after the other.
#[derive(Debug)]
pub struct Grams {
    /// One bit for every group.
    seen: Vec<u64>,
    found: Vec<u32>,
    /// The last two bytes of the present text, as many as there were.
    before: u32,
    bytes: usize,
    total: usize,
    image: String,
}

impl Default for Grams {
    fn default() -> Self {
        Grams {
            seen: vec![0; ALL / 64],
            found: Vec::new(),
            before: 0,
            bytes: 0,
            total: 0,
            image: String::new(),
        }
    }
}

impl Grams {
    /// A piece of the present text; false: enough.
    pub fn push(&mut self, text: &str) -> bool {
        let mut image = std::mem::take(&mut self.image);
        image.clear();
        push_casemap(text, &mut image);
        self.total += image.len();
        for byte in image.bytes() {
            self.before = (self.before << 8 | u32::from(byte)) & 0x00ff_ffff;
            self.bytes += 1;
            if self.bytes >= 3 {
                self.add(self.before);
            }
        }
        self.image = image;
        self.is_whole()
    }

    fn add(&mut self, gram: u32) {
        if let Some(word) = self.seen.get_mut(gram as usize / 64) {
            let bit = 1 << (gram % 64);
            if *word & bit == 0 && self.found.len() <= GROUPS_MAX {
                *word |= bit;
                self.found.push(gram);
            }
        }
    }

    /// What follows is another text.
    pub fn end_text(&mut self) {
        self.bytes = 0;
    }

    fn is_whole(&self) -> bool {
        self.found.len() <= GROUPS_MAX && self.total <= TEXT_BYTES_MAX
    }

    /// Ascending; `None`: there were too many. Ready for the next message.
    pub fn finish(&mut self) -> Option<Vec<u32>> {
        let whole = self.is_whole();
        let mut found = std::mem::take(&mut self.found);
        for gram in &found {
            if let Some(word) = self.seen.get_mut(*gram as usize / 64) {
                *word = 0;
            }
        }
        (self.bytes, self.total) = (0, 0);
        found.sort_unstable();
        whole.then_some(found)
    }
}

/// The groups of a needle, which is an image already; none when it is shorter than three bytes.
pub fn of_needle(needle: &str) -> Vec<u32> {
    let mut grams: Vec<u32> = needle
        .as_bytes()
        .windows(3)
        .map(|bytes| {
            bytes
                .iter()
                .fold(0, |gram, byte| gram << 8 | u32::from(*byte))
        })
        .collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

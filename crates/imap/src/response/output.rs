//! What waits for the socket: bytes and references to stored ranges, in order.

use super::{Output, Stored};
use crate::limits;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Before `tail`.
    parts: Vec<Output>,
    tail: Vec<u8>,
    /// Of the byte parts, `tail` apart.
    part_bytes: usize,
    stored: usize,
}

impl Queue {
    /// Where to print.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    pub(crate) fn push_stored(&mut self, stored: Stored) {
        if stored.range.is_empty() {
            return;
        }
        self.close_tail();
        self.stored += 1;
        self.parts.push(Output::Stored(stored));
    }

    pub(crate) fn len(&self) -> usize {
        self.part_bytes + self.tail.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= limits::OUTPUT_BYTES_SOFT || self.stored >= limits::OUTPUT_STORED_SOFT
    }

    pub(crate) fn take(&mut self) -> Vec<Output> {
        self.close_tail();
        self.part_bytes = 0;
        self.stored = 0;
        std::mem::take(&mut self.parts)
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.part_bytes += self.tail.len();
            self.parts
                .push(Output::Bytes(std::mem::take(&mut self.tail)));
        }
    }
}

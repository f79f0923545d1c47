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
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Queue {
            tail: Vec::with_capacity(bytes),
            ..Queue::default()
        }
    }

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

    /// What waits in another comes behind; `first_handle`: added to what its stored ranges are known by.
    pub(crate) fn append(&mut self, other: Queue, first_handle: u64) {
        if other.parts.is_empty() && !self.tail.is_empty() {
            return self.tail.extend_from_slice(&other.tail);
        }
        self.close_tail();
        self.part_bytes += other.part_bytes;
        self.stored += other.stored;
        self.parts.extend(other.parts.into_iter().map(|mut part| {
            if let Output::Stored(stored) = &mut part {
                stored.handle += first_handle;
            }
            part
        }));
        self.tail = other.tail;
    }

    pub(crate) fn len(&self) -> usize {
        self.part_bytes + self.tail.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.tail.is_empty()
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

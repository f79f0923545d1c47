//! Newer edits laid over older rows, both ascending.

use std::borrow::Borrow;
use std::iter::Peekable;
use std::ops::ControlFlow;

use super::Edit;
use crate::Error;

/// Calls `each` for what is there after the edits.
pub struct Overlay<I: Iterator, F> {
    edits: Peekable<I>,
    each: F,
}

impl<K, E, I, F> Overlay<I, F>
where
    K: AsRef<[u8]>,
    E: Borrow<Edit>,
    I: Iterator<Item = (K, E)>,
    F: FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
{
    pub fn new(edits: I, each: F) -> Self {
        Overlay {
            edits: edits.peekable(),
            each,
        }
    }

    /// The next of the older rows.
    pub fn row(&mut self, key: &[u8], value: &[u8]) -> Result<ControlFlow<()>, Error> {
        while let Some((edited, edit)) = self.edits.next_if(|(edited, _)| edited.as_ref() <= key) {
            let is_this = edited.as_ref() == key;
            if let Some(new) = edit.borrow()
                && (self.each)(edited.as_ref(), new)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            if is_this {
                return Ok(ControlFlow::Continue(()));
            }
        }
        (self.each)(key, value)
    }

    /// The edits behind the last row.
    pub fn rest(mut self) -> Result<(), Error> {
        for (key, edit) in self.edits {
            if let Some(value) = edit.borrow()
                && (self.each)(key.as_ref(), value)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

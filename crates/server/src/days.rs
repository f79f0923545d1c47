//! Notes with one file for each day, read by lines.

use std::ops::ControlFlow;

use facteur_store::{Error, Notes, Timestamp};

use crate::admin::rfc3339;

pub const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// `2026-11-22`, of a day counted from 1970.
pub fn name(day: i64) -> String {
    let start = Timestamp(day.saturating_mul(DAY_MILLIS));
    let mut text = rfc3339(start);
    text.truncate("2026-11-22".len());
    text
}

/// Removes what is older than `first`, and the oldest of what is more than `bytes_max`.
pub fn forget(notes: &Notes, first: i64, bytes_max: u64) -> Result<(), Error> {
    let files = notes.list()?;
    let first = name(first);
    let mut bytes: u64 = files.iter().map(|(_, size)| size).sum();
    for (file, size) in files {
        if file < first || bytes > bytes_max {
            notes.remove(&file)?;
            bytes = bytes.saturating_sub(size);
        }
    }
    Ok(())
}

/// All lines of a file that are shorter than `line_bytes_max`.
pub fn each_line(
    notes: &Notes,
    name: &str,
    line_bytes_max: usize,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    let mut buffer = vec![0; line_bytes_max];
    let mut offset = 0;
    loop {
        let count = notes.read(name, offset, &mut buffer)?;
        let piece = buffer.get(..count).unwrap_or_default();
        // What has no end yet is read with the next piece.
        let whole = match memchr::memrchr(b'\n', piece) {
            Some(at) => at + 1,
            None => count,
        };
        if whole == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        let lines = piece.get(..whole).unwrap_or_default();
        for line in lines.split(|byte| *byte == b'\n') {
            if each(line).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        offset += whole as u64;
    }
}

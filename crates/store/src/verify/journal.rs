//! The journal's records, and the index that follows from them.

use std::cmp::Ordering;

use super::Report;
use crate::index::View;
use crate::journal::{Found, Scan, Segments, place, segment_path};
use crate::{Error, keys};

/// Reads every record of every segment.
pub fn check(segments: &Segments, numbers: &[u32], report: &mut Report) -> Result<(), Error> {
    // Segment and length of the one before.
    let mut before: Option<(u32, u64)> = None;
    for number in numbers {
        let Some(segment) = report.note(segments.get(*number))? else {
            before = None;
            continue;
        };
        if let Some((last, len)) = before
            && last.checked_add(1) == Some(*number)
            && segment.header.previous_len != len
        {
            report.fault(format!(
                "{} has another length than the segment after it says",
                segment_path(last)
            ));
        }
        let mut scan = Scan::new(segment, 0)?;
        before = Some((*number, scan.file_len()));
        loop {
            match scan.next_record()? {
                Found::Record(..) => report.journal_records += 1,
                Found::End(_) => break,
                Found::Torn(position) | Found::Damaged(position) => {
                    report.fault(format!("the record in {} is damaged", place(position)));
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Row by row: the index as it is and the one that the journal gives.
pub fn compare(index: &View, rebuilt: &View, report: &mut Report) -> Result<(), Error> {
    let not_position = |row: &Result<(Vec<u8>, Vec<u8>), Error>| match row {
        Ok((key, _)) => key != keys::POSITION,
        Err(_) => true,
    };
    let mut ours = index.rows()?.filter(not_position);
    let mut theirs = rebuilt.rows()?.filter(not_position);
    let (mut our, mut their) = (ours.next().transpose()?, theirs.next().transpose()?);
    loop {
        let order = match (&our, &their) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        match (order, &our, &their) {
            (Ordering::Equal, Some((key, a)), Some((_, b))) if a != b => {
                report.fault(format!(
                    "the index has another value than the journal for {}",
                    name(key)
                ));
            }
            (Ordering::Less, Some((key, _)), _) => {
                report.fault(format!(
                    "the index has {} that the journal does not give",
                    name(key)
                ));
            }
            (Ordering::Greater, _, Some((key, _))) => {
                report.fault(format!(
                    "the index lacks {} that the journal gives",
                    name(key)
                ));
            }
            _ => {}
        }
        if order != Ordering::Greater {
            our = ours.next().transpose()?;
        }
        if order != Ordering::Less {
            their = theirs.next().transpose()?;
        }
    }
}

fn name(key: &[u8]) -> String {
    match keys::parse(key) {
        Some(name) => format!("the row {name:?}"),
        None => format!("the unknown row {key:?}"),
    }
}

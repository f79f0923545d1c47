//! `store verify`: is everything on the disk what it should be?
//!
//! 1. Start-up's recovery, so that the index has applied the whole journal.
//! 2. Every record of every segment: checksums and lengths.
//! 3. The index is rebuilt from the journal beside the old one and compared row by row.
//! 4. Every row: references, counters, uids and modseqs.
//! 5. Every body: read, unpacked and hashed.
//!
//! Whatever is wrong becomes a sentence; only a disk that does not answer is an error.

mod bodies;
mod journal;
mod rows;

use std::sync::Arc;

use crate::index::Index;
use crate::journal::Segments;
use crate::recover::{self, list_segments};
use crate::*;

/// More faults are not listed: the first ones tell what to do.
const FAULTS_MAX: usize = 1000;
const TEMPORARY_FILE: &str = "verify.tmp";

/// What `verify` found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub accounts: u64,
    pub mailboxes: u64,
    pub messages: u64,
    pub tombstones: u64,
    pub queue_entries: u64,
    pub blobs: u64,
    pub journal_records: u64,
    /// Each a sentence that names the place. Empty: clean.
    pub faults: Vec<String>,
}

impl Report {
    fn fault(&mut self, sentence: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(sentence.into());
        }
    }

    /// Damage becomes a fault and `None`; other errors stay errors.
    fn note<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Disk(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Disk(error))
            }
            Err(error) => {
                self.fault(error.to_string());
                Ok(None)
            }
        }
    }
}

impl Store {
    /// Reads everything, rebuilds the index from the journal beside the old one and compares.
    /// The store must not be open anywhere.
    pub fn verify(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Report, Error> {
        let mut report = Report::default();
        let segments = Arc::new(Segments::new(disk.clone()));
        let recovered = recover::recover(&segments, &clock);
        let recovered = report.note(recovered)?;
        let numbers = list_segments(&*disk)?;
        journal::check(&segments, &numbers, &mut report)?;
        let Some(mut recovered) = recovered else {
            return Ok(report);
        };
        let checked = index::guarded(|| recovered.index.check());
        if report.note(checked)? == Some(false) {
            report.fault("the index had damaged pages");
        }
        if recovered.recovery.index_rebuilt {
            report.fault("the index was damaged or missing: it is built again from the journal");
        }
        let view = recovered.index.view()?;
        let base = recovered.appender.base();
        let compared =
            index::guarded(|| compare_rebuilt(&segments, &numbers, base, &view, &mut report));
        report.note(compared)?;
        let references = index::guarded(|| rows::check(&view, &mut report));
        if let Some(references) = report.note(references)? {
            let bodies =
                index::guarded(|| bodies::check(&segments, &view, references, &mut report));
            report.note(bodies)?;
        }
        drop(view);
        let flushed = index::guarded(|| recovered.index.flush());
        report.note(flushed)?;
        let closed = index::guarded(move || {
            drop(recovered);
            Ok(())
        });
        report.note(closed)?;
        Ok(report)
    }
}

fn compare_rebuilt(
    segments: &Segments,
    numbers: &[u32],
    base: u32,
    view: &index::View,
    report: &mut Report,
) -> Result<(), Error> {
    let disk = segments.disk();
    let rebuilt = Index::temporary(&**disk, TEMPORARY_FILE)?;
    let from = crate::journal::Position::new(base, 0);
    let mut recovery = Recovery::default();
    let replayed = recover::replay(&rebuilt, segments, numbers, from, &mut recovery);
    let compared = match replayed {
        Ok(_) => journal::compare(view, &rebuilt.view()?, report),
        Err(error) => Err(error),
    };
    drop(rebuilt);
    disk.remove(TEMPORARY_FILE).map_err(Error::Disk)?;
    compared
}

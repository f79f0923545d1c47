//! Every body: counted, read and hashed.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::Report;
use crate::index::View;
use crate::journal::Segments;
use crate::keys::{self, Name};
use crate::limits::CHUNK_BYTES_MAX;
use crate::rows::Blob;
use crate::{BlobId, Error};

/// How many messages and queue entries have a body, and how long they think it is.
#[derive(Debug, Default)]
pub struct References(pub HashMap<BlobId, (u64, u64)>);

impl References {
    pub fn add(&mut self, id: BlobId, size: u64, report: &mut Report) {
        let (count, first_size) = self.0.entry(id).or_insert((0, size));
        *count += 1;
        if *first_size != size {
            report.fault(format!("the body {} has two sizes", hex(id)));
        }
    }
}

fn hex(id: BlobId) -> String {
    id.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn check(
    segments: &Segments,
    view: &View,
    mut references: References,
    report: &mut Report,
) -> Result<(), Error> {
    let (first, end) = keys::all_blobs();
    view.scan(&first, &end, |key, value| {
        let Some(Name::Blob(id)) = keys::parse(key) else {
            return Ok(ControlFlow::Continue(()));
        };
        report.blobs += 1;
        let Some(blob) = report.note(Blob::decode(value))? else {
            return Ok(ControlFlow::Continue(()));
        };
        let (count, size) = references.0.remove(&id).unwrap_or((0, blob.size));
        if count != blob.references {
            report.fault(format!(
                "the body {} counts {} references and has {count}",
                hex(id),
                blob.references
            ));
        }
        if size != blob.size {
            report.fault(format!(
                "the body {} has another size than its messages",
                hex(id)
            ));
        }
        check_bytes(segments, id, &blob, report)?;
        Ok(ControlFlow::Continue(()))
    })?;
    for id in references.0.into_keys() {
        report.fault(format!("the body {} is missing", hex(id)));
    }
    Ok(())
}

fn check_bytes(
    segments: &Segments,
    id: BlobId,
    blob: &Blob,
    report: &mut Report,
) -> Result<(), Error> {
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    let last = blob.chunks.len().saturating_sub(1);
    let mut bytes = Vec::new();
    for (at, chunk) in blob.chunks.iter().enumerate() {
        bytes.clear();
        let read = segments.read_chunk(chunk.position, chunk.stored, &mut bytes);
        if report.note(read)?.is_none() {
            report.fault(format!("the body {} cannot be read", hex(id)));
            return Ok(());
        }
        if at < last && bytes.len() != CHUNK_BYTES_MAX {
            report.fault(format!("the body {} has a short piece in it", hex(id)));
        }
        size += bytes.len() as u64;
        hasher.update(&bytes);
    }
    if size != blob.size || *hasher.finalize().as_bytes() != id.0 {
        report.fault(format!(
            "the body {} has other bytes than its name says",
            hex(id)
        ));
    }
    Ok(())
}

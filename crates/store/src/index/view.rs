//! A picture of the index that does not change: the file's rows, and over them what it does not
//! have yet.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use redb::ReadOnlyTable;

use super::memtable::Recent;
use super::{Overlay, failed, pages};
use crate::Error;
use crate::codec::Reader;
use crate::journal::Position;
use crate::keys::{self, Span};
use crate::sweep::Sweeps;
use crate::tx::KeyValue;

#[derive(Clone, Debug)]
pub struct View {
    table: Arc<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    recent: Recent,
}

impl View {
    pub(super) fn new(table: ReadOnlyTable<&'static [u8], &'static [u8]>) -> Self {
        View {
            table: Arc::new(table),
            recent: Recent::default(),
        }
    }

    pub(super) fn with(self, recent: Recent) -> Self {
        View { recent, ..self }
    }

    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = match self.recent.get(key) {
            Some(edit) => edit,
            None => self.get_of_file(key)?,
        };
        let Some(value) = value else {
            return Ok(None);
        };
        self.sweeps().over(key, value).map(Some)
    }

    /// What is laid over the rows here.
    pub fn sweeps(&self) -> &Sweeps {
        &self.recent.sweeps
    }

    fn get_of_file(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if let Some((page, slot)) = pages::place(key) {
            let Some(page) = self.table.get(page.as_slice()).map_err(failed)? else {
                return Ok(None);
            };
            let row = pages::find(page.value(), slot)?;
            return Ok(row.map(<[u8]>::to_vec));
        }
        let value = self.table.get(key).map_err(failed)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Rows with `first <= key < end`, ascending, until `each` breaks.
    pub fn scan(
        &self,
        first: &[u8],
        end: &[u8],
        each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        if first >= end {
            return Ok(());
        }
        let mut overlay = Overlay::new(self.recent.range(first, end), self.sweeps().before(each));
        let (from, to) = (pages::bound(first, false), pages::bound(end, true));
        let found = self.table.range(from.as_slice()..to.as_slice());
        for found in found.map_err(failed)? {
            let (key, value) = found.map_err(failed)?;
            let Some(rows) = pages::rows(key.value(), value.value()) else {
                if overlay.row(key.value(), value.value())?.is_break() {
                    return Ok(());
                }
                continue;
            };
            for row in rows {
                let (key, value) = row?;
                let within = first <= key.as_slice() && key.as_slice() < end;
                if within && overlay.row(&key, value)?.is_break() {
                    return Ok(());
                }
            }
        }
        overlay.rest()
    }

    /// The rows of a span as an iterator, for walking over two at once.
    pub fn span(
        &self,
        (first, end): Span,
    ) -> Result<impl Iterator<Item = Result<KeyValue, Error>> + use<>, Error> {
        let mut edits = self.recent.range(&first, &end).peekable();
        let sweeps = self.sweeps().clone();
        let mut rows = self.rows_of_file((first, end))?.peekable();
        let next = move || loop {
            let order = match (rows.peek(), edits.peek()) {
                (None, None) => return None,
                (Some(Err(_)), _) | (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(Ok((key, _))), Some((edited, _))) => key.cmp(edited),
            };
            if order.is_lt() {
                return rows.next();
            }
            if order.is_eq() {
                rows.next();
            }
            if let (key, Some(value)) = edits.next()? {
                return Some(Ok((key, value)));
            }
        };
        Ok(std::iter::from_fn(next).map(move |row| {
            let (key, value) = row?;
            let value = sweeps.over(&key, value)?;
            Ok((key, value))
        }))
    }

    fn rows_of_file(
        &self,
        (first, end): Span,
    ) -> Result<impl Iterator<Item = Result<KeyValue, Error>> + use<>, Error> {
        let (from, to) = (pages::bound(&first, false), pages::bound(&end, true));
        let found = self.table.range(from.as_slice()..to.as_slice());
        let expanded = found.map_err(failed)?.flat_map(|found| {
            let found = found.map_err(failed);
            match found.and_then(|(key, value)| expand(key.value(), value.value())) {
                Ok(rows) => rows.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        Ok(expanded.filter(move |row| match row {
            Ok((key, _)) => first <= *key && *key < end,
            Err(_) => true,
        }))
    }

    /// The next row at or after `first`, below `end`.
    pub fn first(&self, first: &[u8], end: &[u8]) -> Result<Option<KeyValue>, Error> {
        let mut found = None;
        self.scan(first, end, |key, value| {
            found = Some((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// All rows.
    pub fn rows(&self) -> Result<impl Iterator<Item = Result<KeyValue, Error>> + use<>, Error> {
        self.span((Vec::new(), vec![0xff]))
    }

    /// Up to where the file has the journal applied.
    pub fn position(&self) -> Result<Position, Error> {
        match self.get(keys::POSITION)? {
            None => Ok(Position::default()),
            Some(value) => {
                let mut reader = Reader::version(&value, "applied position", 1)?;
                Ok(Position(reader.u64()?))
            }
        }
    }
}

/// What one value of the table stands for.
fn expand(key: &[u8], value: &[u8]) -> Result<Vec<KeyValue>, Error> {
    match pages::rows(key, value) {
        None => Ok(vec![(key.to_vec(), value.to_vec())]),
        Some(rows) => rows
            .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
            .collect(),
    }
}

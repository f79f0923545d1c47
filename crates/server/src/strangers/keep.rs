//! The tables, and the derived file behind them.
//!
//! | key | row |
//! |---|---|
//! | 1, host | a ban: since, until, how many there were and why |
//! | 2, host | somebody logged in from there: first, last |
//! | 3, hash of network and domain | mail that was told to come again: first, last, whether it came |
//! | 4, account, hash of a network | the account logged in from there: first, last |

use std::ops::ControlFlow;
use std::sync::Arc;

use facteur_store::{Derived, Error, Store};

use super::table::{Key, Row, Table};
use super::{ban, grey, homes};
use crate::kept;

/// The format is part of the name: another one begins empty.
const FILE: &str = "strangers-1.redb";

#[derive(Debug)]
pub(super) struct Keep {
    /// `None`: it can't be opened, and nothing lasts.
    file: Option<Arc<Derived>>,
    pub(super) bans: Table,
    pub(super) homes: Table,
    pub(super) grey: Table,
    pub(super) places: Table,
}

/// What the file has to learn.
pub(super) struct Changes {
    file: Arc<Derived>,
    rows: Vec<(Vec<u8>, Option<Row>)>,
}

impl kept::Keep for Keep {
    type Changes = Changes;

    fn open(store: &Store) -> Keep {
        let mut keep = Keep {
            file: None,
            bans: Table::new(ban::KIND),
            homes: Table::new(homes::HOMES),
            grey: Table::new(grey::KIND),
            places: Table::new(homes::PLACES),
        };
        match store.derived(FILE) {
            Ok(file) => {
                let file = Arc::new(file);
                if let Err(error) = keep.read(&file) {
                    tracing::warn!(%error, "what is known of strangers can't be read");
                }
                keep.file = Some(file);
            }
            Err(error) => tracing::warn!(%error, "what is known of strangers will not last"),
        }
        keep
    }

    fn take_changes(&mut self) -> Option<Changes> {
        let file = Arc::clone(self.file.as_ref()?);
        let mut rows = Vec::new();
        for table in self.tables() {
            let letter = table.kind().letter;
            let changed = table.take_changes().into_iter();
            rows.extend(changed.map(|(key, row)| ([&[letter][..], &key].concat(), row)));
        }
        (!rows.is_empty()).then_some(Changes { file, rows })
    }

    fn write(changes: Changes) -> Result<(), Error> {
        let (mut gone, mut put) = (Vec::new(), Vec::new());
        for (key, row) in changes.rows {
            match row {
                Some(row) => put.push((key, row.encode())),
                None => {
                    let after = [key.as_slice(), &[0]].concat();
                    gone.push((key, after));
                }
            }
        }
        changes.file.apply(&gone, &put)?;
        changes.file.flush()
    }
}

impl Keep {
    fn tables(&mut self) -> [&mut Table; 4] {
        [
            &mut self.bans,
            &mut self.homes,
            &mut self.grey,
            &mut self.places,
        ]
    }

    fn read(&mut self, file: &Derived) -> Result<(), Error> {
        let view = file.view()?;
        for table in self.tables() {
            let letter = table.kind().letter;
            view.scan(&[letter], &[letter + 1], |key, value| {
                let key = key.get(1..).and_then(|key| Key::try_from(key).ok());
                if let (Some(key), Some(row)) = (key, Row::decode(value)) {
                    table.restore(key, row);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }
}

//! Programs that may send, by name.

use std::ops::ControlFlow;

use crate::keys::{self, Name};
use crate::limits::PROGRAMS_MAX;
use crate::tx::Tx;
use crate::{Error, Program, Store, rows};

impl Store {
    /// By name.
    pub fn programs(&self) -> Result<Vec<Program>, Error> {
        let (first, end) = keys::all_programs();
        let mut programs = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if let Some(Name::Program(name)) = keys::parse(key) {
                let name = String::from_utf8_lossy(name).into_owned();
                programs.push(rows::decode_program(value, name)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(programs)
    }

    pub fn program(&self, name: &str) -> Result<Option<Program>, Error> {
        let value = self.view()?.get(&keys::program(name))?;
        value
            .map(|value| rows::decode_program(&value, name.to_owned()))
            .transpose()
    }

    /// # Errors
    /// [`Error::Exists`]; [`Error::BadName`] for an empty name; [`Error::TooManyEntries`].
    pub async fn add_program(&self, program: Program) -> Result<(), Error> {
        if program.name.is_empty() {
            return Err(Error::BadName);
        }
        self.write(move |tx| add(tx, &program)).await
    }

    /// False: there was none.
    pub async fn remove_program(&self, name: &str) -> Result<bool, Error> {
        self.remove_row(keys::program(name)).await
    }
}

fn add(tx: &mut Tx<'_>, program: &Program) -> Result<(), Error> {
    let key = keys::program(&program.name);
    if tx.get(&key)?.is_some() {
        return Err(Error::Exists);
    }
    let (first, end) = keys::all_programs();
    if tx.scan(&(first, end), PROGRAMS_MAX)?.len() >= PROGRAMS_MAX {
        return Err(Error::TooManyEntries);
    }
    tx.put(key, rows::encode_program(program));
    Ok(())
}

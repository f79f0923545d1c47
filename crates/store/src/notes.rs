//! Files that only grow, beside the store, for what is told of the mail and is no part of it: its
//! history, and what others report of it. Unless they are appended durably, nobody waits for them: after a
//! crash their last lines may be missing.

use std::sync::Arc;

use crate::disk::{Disk, File};
use crate::*;

/// A directory of such files.
#[derive(Clone, Debug)]
pub struct Notes {
    disk: Arc<dyn Disk>,
    directory: &'static str,
}

impl Store {
    /// The directory is made when it is missing; blocking.
    pub fn notes(&self, directory: &'static str) -> Result<Notes, Error> {
        let disk = Arc::clone(&self.engine.shared.disk);
        disk.create_directory(directory).map_err(Error::Disk)?;
        Ok(Notes { disk, directory })
    }
}

/// All of them blocking.
impl Notes {
    /// Ascending, with their sizes in bytes.
    pub fn list(&self) -> Result<Vec<(String, u64)>, Error> {
        let mut names = self.disk.list(self.directory).map_err(Error::Disk)?;
        names.sort_unstable();
        names
            .into_iter()
            .map(|name| {
                let size = self.open(&name, false)?.len().map_err(Error::Disk)?;
                Ok((name, size))
            })
            .collect()
    }

    /// Behind what the file has; it is made when it is missing.
    pub fn append(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let file = self.open(name, true)?;
        let end = file.len().map_err(Error::Disk)?;
        file.write_all_at(bytes, end).map_err(Error::Disk)
    }

    /// The same, and on the disk before it returns.
    pub fn append_durably(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.append(name, bytes)?;
        let file = self.open(name, false)?;
        file.sync_data().map_err(Error::Disk)?;
        // The file may be new, and the directory too.
        for directory in [self.directory, ""] {
            let made = self.disk.sync_directory(directory);
            made.map_err(Error::Disk)?;
        }
        Ok(())
    }

    /// At most `out.len()` bytes from `offset`; gives how many there were.
    pub fn read(&self, name: &str, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        let file = self.open(name, false)?;
        let left = file.len().map_err(Error::Disk)?.saturating_sub(offset);
        let count = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let part = out.get_mut(..count).unwrap_or_default();
        file.read_exact_at(part, offset).map_err(Error::Disk)?;
        Ok(count)
    }

    pub fn remove(&self, name: &str) -> Result<(), Error> {
        self.disk.remove(&self.path(name)).map_err(Error::Disk)
    }

    fn open(&self, name: &str, create: bool) -> Result<Arc<dyn File>, Error> {
        let opened = self.disk.open(&self.path(name), create);
        opened.map_err(Error::Disk)
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}

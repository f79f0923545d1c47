//! The real disk: one directory, locked for this process.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::io::{ReadWriteFlags, preadv2};

use super::{Disk, File};

const LOCK_FILE: &str = "lock";

/// A directory of the file system. Only one process at a time may have it.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// Held for as long as the disk is; the kernel lets go when the process ends, however it ends.
    _lock: fs::File,
}

#[derive(Debug)]
struct RealFile(fs::File);

impl RealDisk {
    /// Opens `directory`, making it when it is missing (for its owner alone).
    ///
    /// Fails with [`io::ErrorKind::WouldBlock`] when another process has it.
    pub fn open(directory: impl AsRef<Path>) -> io::Result<Arc<dyn Disk>> {
        let root = directory.as_ref().to_path_buf();
        create_directory(&root, true)?;
        let lock = options(true).open(root.join(LOCK_FILE))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Arc::new(RealDisk { root, _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "another process has this store open",
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// The error of [`RealDisk::open`] means that another process has the store.
    pub fn is_locked(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::WouldBlock
    }
}

fn options(create: bool) -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(create).mode(0o600);
    options
}

fn create_directory(path: &Path, parents: bool) -> io::Result<()> {
    let made = fs::DirBuilder::new()
        .recursive(parents)
        .mode(0o700)
        .create(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let file = options(create).open(self.root.join(path))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn create_directory(&self, path: &str) -> io::Result<()> {
        create_directory(&self.root.join(path), false)
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        fs::File::open(self.root.join(directory))?.sync_all()
    }

    fn available_bytes(&self) -> io::Result<u64> {
        let space = statvfs(&self.root)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let len = buffer.len();
        let mut buffers = [io::IoSliceMut::new(buffer)];
        // EAGAIN, a short read, a file system that knows no such thing: the caller reads as ever.
        let read = preadv2(&self.0, &mut buffers, offset, ReadWriteFlags::NOWAIT);
        Ok(read == Ok(len))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opening_is_refused_until_the_first_ends() {
        let directory = tempfile::tempdir().unwrap();
        let first = RealDisk::open(directory.path()).unwrap();
        assert!(RealDisk::is_locked(
            &RealDisk::open(directory.path()).unwrap_err()
        ));
        drop(first);
        assert!(RealDisk::open(directory.path()).is_ok());
    }

    #[test]
    fn files_are_read_where_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        disk.create_directory("sub").unwrap();
        disk.create_directory("sub").unwrap();
        let file = disk.open("sub/a", true).unwrap();
        file.write_all_at(b"hello", 3).unwrap();
        file.sync_data().unwrap();
        disk.rename("sub/a", "sub/b").unwrap();
        disk.sync_directory("sub").unwrap();
        assert_eq!(disk.list("sub").unwrap(), ["b"]);
        let mut bytes = [0; 4];
        disk.open("sub/b", false)
            .unwrap()
            .read_exact_at(&mut bytes, 4)
            .unwrap();
        assert_eq!(&bytes, b"ello");
        let file = disk.open("sub/b", false).unwrap();
        assert!(!file.read_cached_at(&mut bytes, 5).unwrap());
        if file.read_cached_at(&mut bytes, 3).unwrap() {
            assert_eq!(&bytes, b"hell");
        }
        assert!(disk.open("sub/a", false).is_err());
        assert!(disk.available_bytes().unwrap() > 0);
    }
}

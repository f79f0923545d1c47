//! The disk seam: the only way to files of the store. One real implementation, one faulty one in
//! `facteur-sim`. Paths are relative to the store's directory.

mod real;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use real::RealDisk;

/// A directory of files.
pub trait Disk: Send + Sync + fmt::Debug + 'static {
    /// Opens for reading and writing; creates an empty file when `create` and it is missing.
    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn File>>;
    /// Names of the files in `directory` ("" is the root), in no order. A missing directory is empty.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    /// Atomic replace. Durable only after `sync_directory`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, path: &str) -> io::Result<()>;
    fn create_directory(&self, path: &str) -> io::Result<()>;
    /// Makes creations, renames and removals in `directory` durable.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;
    /// Bytes that may still be written by us.
    fn available_bytes(&self) -> io::Result<u64>;
}

#[expect(
    clippy::len_without_is_empty,
    reason = "a file's length is asked for, its emptiness never"
)]
/// A file: positioned reads and writes, no cursor.
pub trait File: Send + Sync + fmt::Debug + 'static {
    fn len(&self) -> io::Result<u64>;
    /// Reads exactly `buffer.len()` bytes at `offset`; `UnexpectedEof` when the file is shorter.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// The same when it needs no wait for the device; false: it does, or nobody can tell.
    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let _ = (buffer, offset);
        Ok(false)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// fdatasync: on return everything written before is durable.
    fn sync_data(&self) -> io::Result<()>;
}

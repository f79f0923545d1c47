//! Compression (zstd) of what goes into the journal: pieces of bodies, redo of transactions.
//!
//! Each thread keeps its contexts: making one costs as much as packing a small message.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

const LEVEL: i32 = 1;
/// Smaller pieces are not worth the attempt.
const BYTES_MIN: usize = 512;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Packed, when that saves an eighth or more.
pub fn pack(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() < BYTES_MIN {
        return None;
    }
    let packed = COMPRESSOR.with_borrow_mut(|held| {
        if held.is_none() {
            *held = Compressor::new(LEVEL).ok();
        }
        held.as_mut()?.compress(raw).ok()
    });
    packed.filter(|packed| packed.len() < raw.len() - raw.len() / 8)
}

/// The bytes again; `raw_len` is how many they were at most.
pub fn unpack(packed: &[u8], raw_len: usize) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    unpack_into(packed, raw_len, &mut raw)?;
    Ok(raw)
}

/// Appends the bytes to `out`; after an error `out` may hold more than before.
pub fn unpack_into(packed: &[u8], raw_len: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    out.resize(start + raw_len, 0);
    let space = out.get_mut(start..).unwrap_or_default();
    let len = DECOMPRESSOR.with_borrow_mut(|held| {
        let decompressor = match held {
            Some(decompressor) => decompressor,
            None => held.insert(Decompressor::new()?),
        };
        decompressor.decompress_to_buffer(packed, space)
    })?;
    out.truncate(start + len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_packed_and_comes_back() {
        let raw = b"Received: from elsewhere\r\n".repeat(100);
        let packed = pack(&raw).unwrap();
        assert!(packed.len() < raw.len() / 8);
        assert_eq!(unpack(&packed, raw.len()).unwrap(), raw);
        assert!(unpack(&packed, raw.len() - 1).is_err());
    }

    #[test]
    fn what_is_short_or_random_is_left_alone() {
        assert_eq!(pack(&[b'a'; 100]), None);
        let mut noise = vec![0; 4096];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        assert_eq!(pack(&noise), None);
    }
}

//! Finding and inflating one file of a ZIP archive (APPNOTE.TXT 6.3), without ZIP64, encryption and
//! methods other than stored and deflated. What the archive says about sizes is believed only as
//! far as there are bytes, and output is cut at a bound of ours.

use flate2::{Decompress, FlushDecompress, Status};

use crate::limits::{END_BYTES_MAX, ENTRIES_MAX, PIECE_BYTES};

const END_SIGNATURE: u32 = 0x0605_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const END_BYTES: usize = 22;
const CENTRAL_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
const ENCRYPTED: u16 = 1;

/// A file's bytes as they are in the archive.
#[derive(Debug)]
pub struct Entry<'a> {
    data: &'a [u8],
    deflated: bool,
}

fn number16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*bytes))
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

fn size32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number32(bytes, at)?).ok()
}

/// The file of that name, of the first of them.
pub fn find<'a>(archive: &'a [u8], name: &[u8]) -> Option<Entry<'a>> {
    find_by(archive, |own| own.eq_ignore_ascii_case(name))
}

/// The first file whose name is wanted.
pub fn find_by(archive: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<Entry<'_>> {
    let mut directory = archive.get(directory_at(archive)?..)?;
    for _ in 0..ENTRIES_MAX {
        if number32(directory, 0)? != CENTRAL_SIGNATURE {
            return None;
        }
        let name_bytes = usize::from(number16(directory, 28)?);
        let more = usize::from(number16(directory, 30)?) + usize::from(number16(directory, 32)?);
        let own = directory.get(CENTRAL_BYTES..)?.get(..name_bytes)?;
        if wanted(own) {
            return entry(archive, directory);
        }
        directory = directory.get(CENTRAL_BYTES + name_bytes + more..)?;
    }
    None
}

/// Where the directory begins: the last end record that fits.
fn directory_at(archive: &[u8]) -> Option<usize> {
    let from = archive.len().saturating_sub(END_BYTES_MAX);
    let last = archive.len().checked_sub(END_BYTES)?;
    let mut places = (from..=last).rev();
    let end = places.find(|at| number32(archive, *at) == Some(END_SIGNATURE))?;
    size32(archive, end + 16)
}

/// From its record in the directory.
fn entry<'a>(archive: &'a [u8], record: &[u8]) -> Option<Entry<'a>> {
    if number16(record, 8)? & ENCRYPTED != 0 {
        return None;
    }
    let deflated = match number16(record, 10)? {
        0 => false,
        8 => true,
        _ => return None,
    };
    let size = size32(record, 20)?;
    let local = archive.get(size32(record, 42)?..)?;
    if number32(local, 0)? != LOCAL_SIGNATURE {
        return None;
    }
    let before = usize::from(number16(local, 26)?) + usize::from(number16(local, 28)?);
    let data = local.get(LOCAL_BYTES + before..)?;
    Some(Entry {
        data: data.get(..size).unwrap_or(data),
        deflated,
    })
}

/// Gives the file in pieces until `each` says false, `left` is used up, or it is damaged.
pub fn inflate(entry: &Entry<'_>, left: &mut usize, each: &mut dyn FnMut(&[u8]) -> bool) {
    if !entry.deflated {
        for piece in entry.data.chunks(PIECE_BYTES) {
            let piece = piece.get(..*left).unwrap_or(piece);
            *left -= piece.len();
            if piece.is_empty() || !each(piece) {
                return;
            }
        }
        return;
    }
    let mut inflater = Decompress::new(false);
    let mut data = entry.data;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    while *left > 0 {
        piece.clear();
        let before = inflater.total_in();
        let status = inflater.decompress_vec(data, &mut piece, FlushDecompress::None);
        let taken = usize::try_from(inflater.total_in() - before).unwrap_or(usize::MAX);
        data = data.get(taken..).unwrap_or_default();
        let got = piece.get(..*left).unwrap_or(&piece);
        *left -= got.len();
        // Neither taken nor given: there is no more to come.
        if !got.is_empty() && !each(got) || got.is_empty() && taken == 0 {
            return;
        }
        if !matches!(status, Ok(Status::Ok)) {
            return;
        }
    }
}

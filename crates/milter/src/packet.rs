//! Framing: four bytes of length, big-endian, then so many bytes, the first of them a letter.

use crate::limits::PACKET_BYTES_MAX;
use crate::session::Broken;

/// Appends one packet.
pub(crate) fn write(out: &mut Vec<u8>, letter: u8, parts: &[&[u8]]) {
    let length: usize = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(letter);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A text may not hold the NUL that ends it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    bytes.push(0);
    bytes
}

/// Takes packets out of a stream.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

/// A letter and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub letter: u8,
    pub bytes: Vec<u8>,
}

impl Reader {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// `None`: not all of it is there yet.
    pub fn packet(&mut self) -> Result<Option<Packet>, Broken> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length == 0 || length > PACKET_BYTES_MAX {
            return Err(Broken::Length);
        }
        let Some((letter, bytes)) = rest.get(..length).and_then(<[u8]>::split_first) else {
            return Ok(None);
        };
        let packet = Packet {
            letter: *letter,
            bytes: bytes.to_vec(),
        };
        self.buffer.drain(..4 + length);
        Ok(Some(packet))
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// Texts that each end with a NUL.
pub(crate) fn texts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = bytes.strip_suffix(&[0]);
    whole
        .into_iter()
        .flat_map(|bytes| bytes.split(|byte| *byte == 0))
}

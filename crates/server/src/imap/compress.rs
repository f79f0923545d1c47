//! COMPRESS=DEFLATE (RFC 4978): raw DEFLATE (RFC 1951) between the session and the wire.
//!
//! Invariants: what comes in is inflated a bounded piece at a time, and the session has done with
//! one piece before it gets the next; who sends far more than compression of mail explains is cut
//! off; in IDLE no compressor is kept, only the window that the client's data may refer to.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::limits::{
    COMPRESSED_FREE_BYTES, COMPRESSED_RATIO_MAX, INFLATED_BYTES_MAX, INFLATED_PIECE_BYTES,
};

/// The client's data is not DEFLATE, ends, or is a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Deflate {
    inflater: Decompress,
    /// Received and not inflated yet: at most what one read gives.
    pending: Vec<u8>,
    /// Made when there is something to say.
    deflater: Option<Compress>,
}

impl Deflate {
    pub(super) fn new() -> Box<Self> {
        Box::new(Deflate {
            inflater: Decompress::new(false),
            pending: Vec::new(),
            deflater: None,
        })
    }

    /// From the wire; only when [`Deflate::inflate`] has nothing left.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Gives the session some of what was received. How many bytes; 0: read more.
    pub(super) fn inflate(&mut self, mut feed: impl FnMut(&[u8])) -> Result<usize, Refused> {
        let mut given = 0;
        let mut piece = [0; INFLATED_PIECE_BYTES];
        while given < INFLATED_BYTES_MAX {
            let (read, written) = (self.inflater.total_in(), self.inflater.total_out());
            let flush = FlushDecompress::None;
            let status = self.inflater.decompress(&self.pending, &mut piece, flush);
            let read = count(self.inflater.total_in() - read);
            let written = count(self.inflater.total_out() - written);
            self.pending.drain(..read.min(self.pending.len()));
            feed(piece.get(..written).unwrap_or_default());
            given += written;
            let allowed = self
                .inflater
                .total_in()
                .saturating_mul(COMPRESSED_RATIO_MAX);
            if self.inflater.total_out() > COMPRESSED_FREE_BYTES.saturating_add(allowed) {
                return Err(Refused);
            }
            match status {
                Ok(Status::Ok) if read + written > 0 => {}
                Ok(Status::Ok | Status::BufError) => break,
                Ok(Status::StreamEnd) | Err(_) => return Err(Refused),
            }
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        Ok(given)
    }

    /// What of the client's bytes is not compressed any more.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.pending
    }

    /// Compressed, perhaps held back in part until [`Deflate::flush`].
    pub(super) fn deflate(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.run(bytes, FlushCompress::None)
    }

    /// The rest of it, so that the client can read all. `rest`: nothing more for a while; the next
    /// bytes refer to none before and need no compressor kept (RFC 4978 §4, Z_FULL_FLUSH).
    pub(super) fn flush(&mut self, rest: bool) -> io::Result<Vec<u8>> {
        if self.deflater.is_none() {
            return Ok(Vec::new());
        }
        let flush = match rest {
            true => FlushCompress::Full,
            false => FlushCompress::Sync,
        };
        let out = self.run(&[], flush)?;
        if rest {
            self.deflater = None;
        }
        Ok(out)
    }

    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
        let deflater = self
            .deflater
            .get_or_insert_with(|| Compress::new(Compression::fast(), false));
        let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
        loop {
            let before = deflater.total_in();
            deflater
                .compress_vec(bytes, &mut out, flush)
                .map_err(io::Error::other)?;
            let read = count(deflater.total_in() - before);
            bytes = bytes.get(read..).unwrap_or_default();
            if bytes.is_empty() && out.len() < out.capacity() {
                return Ok(out);
            }
            out.reserve(INFLATED_PIECE_BYTES);
        }
    }
}

fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn said(text: &[u8]) -> Vec<u8> {
        let mut client = Deflate::new();
        let mut wire = client.deflate(text).unwrap();
        wire.extend(client.flush(false).unwrap());
        wire
    }

    #[test]
    fn what_one_side_says_the_other_hears() {
        let text: Vec<u8> = (0..300_000_u32)
            .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
            .collect();
        let (mut ours, mut client) = (Deflate::new(), Deflate::new());
        let mut heard = Vec::new();
        for (turn, part) in text.chunks(100_000).enumerate() {
            let mut wire = ours.deflate(part).unwrap();
            wire.extend(ours.flush(turn % 2 == 0).unwrap());
            for bytes in wire.chunks(16_384) {
                client.receive(bytes);
                while client
                    .inflate(|piece| heard.extend_from_slice(piece))
                    .unwrap()
                    > 0
                {}
            }
        }
        assert!(heard == text);
        assert!(client.pending.capacity() == 0);
    }

    #[test]
    fn one_turn_gives_a_bounded_piece() {
        let mut server = Deflate::new();
        server.receive(&said(&vec![b'a'; 2 << 20]));
        let given = server.inflate(|_| {}).unwrap();
        assert!(given < 2 * INFLATED_BYTES_MAX, "{given}");
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut client = Compress::new(Compression::best(), false);
        let mut server = Deflate::new();
        let zeros = vec![0; 1 << 20];
        let mut total = 0;
        for _ in 0..64 {
            let mut wire = Vec::with_capacity(64 << 10);
            let flush = FlushCompress::Sync;
            client.compress_vec(&zeros, &mut wire, flush).unwrap();
            server.receive(&wire);
            loop {
                match server.inflate(|_| {}) {
                    Ok(0) => break,
                    Ok(given) => total += given as u64,
                    Err(Refused) => {
                        assert!(total < 4 * COMPRESSED_FREE_BYTES, "{total}");
                        return;
                    }
                }
            }
        }
        panic!("{total} bytes went through");
    }

    #[test]
    fn what_is_not_deflate_is_refused() {
        let mut server = Deflate::new();
        server.receive(b"a NOOP\r\n");
        assert_eq!(server.inflate(|_| {}), Err(Refused));
    }

    /// Everything that comes out of a wire cut into such pieces, and whether it was refused.
    fn hear(wire: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let (mut server, mut heard) = (Deflate::new(), Vec::new());
        for bytes in wire.chunks(piece.max(1)) {
            server.receive(bytes);
            loop {
                match server.inflate(|piece| heard.extend_from_slice(piece)) {
                    Ok(0) => break,
                    Ok(given) => assert!(given < INFLATED_BYTES_MAX + INFLATED_PIECE_BYTES),
                    Err(Refused) => return (heard, true),
                }
            }
            let allowed = COMPRESSED_FREE_BYTES + COMPRESSED_RATIO_MAX * wire.len() as u64;
            assert!(heard.len() as u64 <= allowed);
        }
        (heard, false)
    }

    proptest! {
        /// Whatever comes, damaged or not, and however it is cut: nobody spins, nothing grows, and
        /// the session is given the same bytes.
        #[test]
        fn any_bytes_in_any_pieces(
            texts in vec((vec(any::<u8>(), 0..40), 1_usize..3000), 1..6),
            damage in vec((any::<Index>(), any::<u8>()), 0..4),
            piece in 1_usize..5000,
        ) {
            let mut client = Deflate::new();
            let mut wire = Vec::new();
            for (text, times) in texts {
                wire.extend(client.deflate(&text.repeat(times)).unwrap());
                wire.extend(client.flush(times % 2 == 0).unwrap());
            }
            let whole = hear(&wire, wire.len());
            prop_assert!(!whole.1);
            for (place, byte) in damage {
                let length = wire.len();
                if let Some(at) = wire.get_mut(place.index(length.max(1))) {
                    *at = byte;
                }
            }
            let (heard, refused) = hear(&wire, wire.len());
            let (again, refused_again) = hear(&wire, piece);
            prop_assert_eq!(refused, refused_again);
            // What comes before the damage is given or not as it is cut.
            let common = heard.len().min(again.len());
            prop_assert!(heard.get(..common) == again.get(..common));
            prop_assert!(refused || heard.len() == again.len());
        }

        #[test]
        fn noise(wire in vec(any::<u8>(), 0..2000), piece in 1_usize..200) {
            prop_assert_eq!(hear(&wire, wire.len()).1, hear(&wire, piece).1);
        }
    }
}

//! The message to its end, before the server is called: a program may take longer to write it than a
//! server waits. What is large is put into a file without a name, which goes with the process.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Cursor, Read, Seek, Write};

use facteur_programs::sendmail::Pieces;

/// Kept in memory.
const MEMORY_BYTES_MAX: usize = 64 << 10;
/// More no server takes; a program that never ends must not fill the disk.
const MESSAGE_BYTES_MAX: u64 = 1 << 30;

#[derive(Debug)]
pub enum SpoolError {
    Input(io::Error),
    /// There is no place to keep it.
    Place(io::Error),
    TooBig,
}

/// What was read, with LF as the end of each line.
pub type Whole = BufReader<Box<dyn Read>>;

/// Reads to the end; `ends_at_dot`: or to a line with a dot alone.
pub fn read(input: impl BufRead, ends_at_dot: bool) -> Result<Whole, SpoolError> {
    let mut pieces = Pieces::new(input, ends_at_dot);
    let mut memory = Vec::new();
    let mut file: Option<BufWriter<File>> = None;
    let mut total = 0u64;
    while let Some(mut piece) = pieces.next_piece().map_err(SpoolError::Input)? {
        if piece.ends {
            piece.bytes.push(b'\n');
        }
        total = total.saturating_add(piece.bytes.len() as u64);
        if total > MESSAGE_BYTES_MAX {
            return Err(SpoolError::TooBig);
        }
        memory.extend_from_slice(&piece.bytes);
        if memory.len() > MEMORY_BYTES_MAX {
            put(&mut file, &memory).map_err(SpoolError::Place)?;
            memory.clear();
        }
    }
    let stored = file.map(finish).transpose().map_err(SpoolError::Place)?;
    let rest = Cursor::new(memory);
    Ok(BufReader::new(match stored {
        Some(file) => Box::new(file.chain(rest)),
        None => Box::new(rest),
    }))
}

fn put(file: &mut Option<BufWriter<File>>, bytes: &[u8]) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        None => file.insert(BufWriter::new(tempfile::tempfile()?)),
    };
    file.write_all(bytes)
}

fn finish(file: BufWriter<File>) -> io::Result<File> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8], ends_at_dot: bool) -> Vec<u8> {
        let mut read = read(Cursor::new(text.to_vec()), ends_at_dot).unwrap();
        let mut all = Vec::new();
        read.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn small_and_large() {
        assert_eq!(whole(b"", true), b"");
        assert_eq!(whole(b"a\r\n\r\nb\n.\nc", true), b"a\n\nb\n");
        assert_eq!(whole(b"a\r\n\r\nb\n.\nc", false), b"a\n\nb\n.\nc\n");
        let line = [&[b'x'; 99][..], b"\n"].concat();
        let large = line.repeat(3000);
        assert_eq!(whole(&large, true), large);
        let mut long = vec![b'x'; 3 * MEMORY_BYTES_MAX];
        long.push(b'\n');
        assert_eq!(whole(&long, true), long);
    }
}

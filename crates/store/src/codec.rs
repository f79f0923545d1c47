//! Values of the index and payloads of the journal: LEB128 numbers and length-prefixed bytes.
//!
//! Every value begins with a format version, so that the next version reads what this one wrote.

use crate::Error;

/// What the row of a message takes, about.
const ROW_BYTES: usize = 32;

/// Appends fields to a buffer.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn version(version: u8) -> Self {
        let mut bytes = Vec::with_capacity(ROW_BYTES);
        bytes.push(version);
        Writer(bytes)
    }

    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    pub fn u64(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.0.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.u64(u64::from(value))
    }

    pub fn u128(&mut self, mut value: u128) -> &mut Self {
        while value >= 0x80 {
            self.0.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// Zigzag, so that small negative numbers stay small.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.u64(((value << 1) ^ (value >> 63)) as u64)
    }

    pub fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64);
        self.fixed(bytes)
    }

    pub fn str(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// `None` is 0, `Some` is 1 and the value.
    pub fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T) -> &mut Self,
    ) -> &mut Self {
        match value {
            None => self.u8(0),
            Some(value) => write(self.u8(1), value),
        }
    }
}

/// Takes fields from a buffer; every method fails on a short or malformed one.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` names the kind of value in the error.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Reader { bytes, what }
    }

    /// Takes the version; fails on one that this program does not know.
    pub fn version(bytes: &'a [u8], what: &'static str, known: u8) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, what);
        match reader.u8()? {
            version if version == known => Ok(reader),
            _ => Err(reader.damaged("unknown version")),
        }
    }

    pub fn damaged(&self, what: &str) -> Error {
        Error::Damaged {
            place: self.what.to_owned(),
            what: what.to_owned(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn fixed(&mut self, len: usize) -> Result<&'a [u8], Error> {
        match self.bytes.split_at_checked(len) {
            Some((head, tail)) => {
                self.bytes = tail;
                Ok(head)
            }
            None => Err(self.damaged("value is too short")),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.fixed(N)?;
        bytes
            .try_into()
            .map_err(|_| self.damaged("value is too short"))
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        let [byte] = self.array::<1>()?;
        Ok(byte)
    }

    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("not a boolean")),
        }
    }

    pub fn u128(&mut self) -> Result<u128, Error> {
        if let Some((byte @ ..0x80, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return Ok(u128::from(*byte));
        }
        let mut value = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            if shift > 121 && bits >> (128 - shift) != 0 {
                return Err(self.damaged("number is too large"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("number is too long"))
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        // Nearly all numbers are short.
        let (mut value, mut shift) = (0u64, 0);
        for (at, byte) in self.bytes.iter().take(9).enumerate() {
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.bytes = self.bytes.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
            shift += 7;
        }
        let value = self.u128()?;
        u64::try_from(value).map_err(|_| self.damaged("number is too large"))
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        let value = self.u64()?;
        u32::try_from(value).map_err(|_| self.damaged("number is too large"))
    }

    pub fn i64(&mut self) -> Result<i64, Error> {
        let value = self.u64()?;
        Ok(((value >> 1) as i64) ^ -((value & 1) as i64))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let len = self.u64()?;
        let len = usize::try_from(len).map_err(|_| self.damaged("length is too large"))?;
        self.fixed(len)
    }

    pub fn string(&mut self) -> Result<String, Error> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.damaged("text is not UTF-8"))
    }

    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        Ok(if self.bool()? {
            Some(read(self)?)
        } else {
            None
        })
    }

    /// A list whose length stands in front of it.
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = self.u64()?;
        // A count larger than what is left is damage: every entry takes a byte or more.
        if count > self.bytes.len() as u64 {
            return Err(self.damaged("list is too long"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// Nothing may follow.
    pub fn end(self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.damaged("bytes after the value"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(a: u128, b: i64, c: u32, d: u64, bytes: Vec<u8>) {
            let mut writer = Writer::version(7);
            writer.u128(a).i64(b).u32(c).u64(d).bytes(&bytes).option(Some(c), Writer::u32);
            let mut reader = Reader::version(&writer.0, "test", 7).unwrap();
            prop_assert_eq!(reader.u128().unwrap(), a);
            prop_assert_eq!(reader.i64().unwrap(), b);
            prop_assert_eq!(reader.u32().unwrap(), c);
            prop_assert_eq!(reader.u64().unwrap(), d);
            prop_assert_eq!(reader.bytes().unwrap(), &bytes[..]);
            prop_assert_eq!(reader.option(Reader::u32).unwrap(), Some(c));
            reader.end().unwrap();
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes, "test");
            while reader.u128().is_ok() || reader.bytes().is_ok() {
                if reader.is_empty() {
                    break;
                }
            }
        }
    }
}

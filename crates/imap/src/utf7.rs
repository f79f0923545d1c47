//! Modified UTF-7 of mailbox names, RFC 3501 §5.1.3.
//!
//! Decoding is strict, so that a name has one spelling: printable ASCII stands for itself, `&-` is
//! `&`, everything else is UTF-16 in base64 with `,` for `/`, without padding, its unused bits zero,
//! and no two shifts touch.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Not well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// UTF-8 of `name`.
pub fn decode(name: &[u8]) -> Result<String, Malformed> {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name.iter().copied();
    // A shift just ended: another may not begin (it would have been one).
    let mut after_shift = false;
    while let Some(byte) = rest.next() {
        match byte {
            b'&' => {
                let units = shifted(&mut rest)?;
                if units.is_empty() {
                    decoded.push('&');
                    after_shift = false;
                    continue;
                }
                if after_shift {
                    return Err(Malformed);
                }
                for unit in char::decode_utf16(units) {
                    let char = unit.map_err(|_| Malformed)?;
                    if matches!(char, ' '..='~') {
                        return Err(Malformed);
                    }
                    decoded.push(char);
                }
                after_shift = true;
            }
            b' '..=b'~' => {
                decoded.push(char::from(byte));
                after_shift = false;
            }
            _ => return Err(Malformed),
        }
    }
    Ok(decoded)
}

/// The UTF-16 units up to and with the `-` that ends the shift.
fn shifted(rest: &mut impl Iterator<Item = u8>) -> Result<Vec<u16>, Malformed> {
    let mut units = Vec::new();
    let (mut bits, mut count) = (0u32, 0u32);
    loop {
        let byte = rest.next().ok_or(Malformed)?;
        if byte == b'-' {
            // Fewer than six bits left, all zero.
            let padded = count < 6 && bits & ((1 << count) - 1) == 0;
            return if padded { Ok(units) } else { Err(Malformed) };
        }
        bits = bits << 6 | u32::from(value(byte).ok_or(Malformed)?);
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xffff).map_err(|_| Malformed)?);
            bits &= (1 << count) - 1;
        }
    }
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b',' => Some(63),
        _ => None,
    }
}

/// Appends `name` to `out`.
pub fn encode(name: &str, out: &mut Vec<u8>) {
    let mut shift = Shift::default();
    for char in name.chars() {
        match char {
            '&' => {
                shift.end(out);
                out.extend_from_slice(b"&-");
            }
            ' '..='~' => {
                shift.end(out);
                out.push(u8::try_from(char).unwrap_or(b'?'));
            }
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    shift.push(*unit, out);
                }
            }
        }
    }
    shift.end(out);
}

#[derive(Default)]
struct Shift {
    open: bool,
    bits: u32,
    count: u32,
}

impl Shift {
    fn push(&mut self, unit: u16, out: &mut Vec<u8>) {
        if !self.open {
            out.push(b'&');
            self.open = true;
        }
        self.bits = self.bits << 16 | u32::from(unit);
        self.count += 16;
        while self.count >= 6 {
            self.count -= 6;
            out.push(digit(self.bits >> self.count));
            self.bits &= (1 << self.count) - 1;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push(digit(self.bits << (6 - self.count)));
        }
        if self.open {
            out.push(b'-');
        }
        *self = Shift::default();
    }
}

fn digit(bits: u32) -> u8 {
    let index = usize::try_from(bits & 63).unwrap_or(0);
    ALPHABET.get(index).copied().unwrap_or(b'A')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(name: &str) -> String {
        let mut out = Vec::new();
        encode(name, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// RFC 3501 §5.1.3 and names that clients use.
    #[test]
    fn known_names() {
        for (utf8, utf7) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("☺!", "&Jjo-!"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("Éléments envoyés", "&AMk-l&AOk-ments envoy&AOk-s"),
            ("Tom & Jerry", "Tom &- Jerry"),
            ("&é&", "&-&AOk-&-"),
            ("😀", "&2D3eAA-"),
            ("", ""),
            ("INBOX", "INBOX"),
        ] {
            assert_eq!(encoded(utf8), utf7);
            assert_eq!(decode(utf7.as_bytes()).as_deref(), Ok(utf8), "{utf7}");
        }
    }

    #[test]
    fn refused() {
        for name in [
            // RFC 3501 §5.1.3: superfluous shift.
            "&U,BTFw-&ZeVnLIqe-",
            // No end.
            "&Jjo!",
            "&Jjo",
            "&",
            // Printable ASCII in base64: "a".
            "&AGE-",
            // Bits left over: not zero; six of them.
            "&Jjp-",
            "&JjoA-",
            // Half a pair.
            "&2D0-",
            "&3gA-",
            // Padding, the other alphabet.
            "&Jjo=-",
            "&U/BTFw-",
            // Bytes that no name has.
            "caf\u{e9}",
            "a\tb",
        ] {
            assert_eq!(decode(name.as_bytes()), Err(Malformed), "{name}");
        }
    }

    proptest! {
        #[test]
        fn inverse(name in any::<String>()) {
            prop_assert_eq!(decode(encoded(&name).as_bytes()), Ok(name));
        }

        /// One spelling for each name.
        #[test]
        fn strict(bytes in proptest::collection::vec(prop_oneof![Just(b'&'), Just(b'-'), Just(b'A'), any::<u8>()], 0..24)) {
            if let Ok(name) = decode(&bytes) {
                prop_assert_eq!(encoded(&name).into_bytes(), bytes);
            }
        }
    }
}

//! Rights as letters, RFC 4314 §2.1.

/// In the order of the bits, which are the store's.
const LETTERS: &[u8; 11] = b"lrswipkxtea";
/// `c` and `d` of RFC 2086 stand for these (RFC 4314 §2.1.1).
const CREATE: Rights = Rights(1 << 6 | 1 << 7);
const DELETE: Rights = Rights(1 << 8 | 1 << 9);

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(pub u16);

impl Rights {
    /// `None`: a letter means nothing.
    pub(crate) fn parse(letters: &[u8]) -> Option<Rights> {
        letters.iter().try_fold(Rights(0), |rights, letter| {
            let more = match letter {
                b'c' => CREATE,
                b'd' => DELETE,
                letter => {
                    let bit = LETTERS.iter().position(|known| known == letter)?;
                    Rights(1 << bit)
                }
            };
            Some(Rights(rights.0 | more.0))
        })
    }

    /// With the obsolete letters of those that are set (RFC 4314 §2.1.1).
    pub(crate) fn letters(self) -> Vec<u8> {
        let mut letters = self.plain();
        for (letter, members) in [(b'c', CREATE), (b'd', DELETE)] {
            if self.0 & members.0 != 0 {
                letters.push(letter);
            }
        }
        letters
    }

    /// One letter for each.
    pub fn plain(self) -> Vec<u8> {
        let letters = LETTERS.iter().enumerate();
        let set = letters.filter(|(bit, _)| self.0 & (1 << bit) != 0);
        set.map(|(_, letter)| *letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Rights;

    fn both(written: &str) -> Option<String> {
        let letters = Rights::parse(written.as_bytes())?.letters();
        Some(String::from_utf8_lossy(&letters).into_owned())
    }

    /// RFC 4314 §2.1.1.
    #[test]
    fn obsolete_letters_stand_for_others() {
        assert_eq!(both("lrswida").as_deref(), Some("lrswitead"));
        assert_eq!(both("lrswikda").as_deref(), Some("lrswikteacd"));
        assert_eq!(both("c").as_deref(), Some("kxc"));
        assert_eq!(both("").as_deref(), Some(""));
        assert_eq!(both("lrQ"), None);
        assert_eq!(both("q"), None);
    }
}

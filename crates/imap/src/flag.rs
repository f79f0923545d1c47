//! Flags and keywords, RFC 9051 §2.3.2.

use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;

/// System flags as bits; the same bits as the store's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    pub const SEEN: SystemFlags = SystemFlags(1);
    pub const ANSWERED: SystemFlags = SystemFlags(2);
    pub const FLAGGED: SystemFlags = SystemFlags(4);
    pub const DELETED: SystemFlags = SystemFlags(8);
    pub const DRAFT: SystemFlags = SystemFlags(16);
    pub const ALL: SystemFlags = SystemFlags(31);

    pub const fn contains(self, other: SystemFlags) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn with(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 | other.0)
    }
}

/// In the order they are printed.
pub(crate) const SYSTEM_FLAGS: [(SystemFlags, &str); 5] = [
    (SystemFlags::ANSWERED, "\\Answered"),
    (SystemFlags::FLAGGED, "\\Flagged"),
    (SystemFlags::DELETED, "\\Deleted"),
    (SystemFlags::SEEN, "\\Seen"),
    (SystemFlags::DRAFT, "\\Draft"),
];

/// Flags as a client wrote them. `\Recent` is dropped, keywords are valid and distinct without
/// regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagNames {
    pub system: SystemFlags,
    pub keywords: Vec<String>,
}

/// Flags of a message to print: bit N of `keywords` is entry N of `names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagList<'a> {
    pub system: SystemFlags,
    pub keywords: u128,
    pub names: &'a [String],
}

/// RFC 9051 §9 `flag-keyword`: an atom.
pub(crate) fn keyword(cursor: &mut Cursor<'_>) -> Parse<String> {
    let keyword = cursor.atom().map_err(|_| Fault::Flag)?;
    if keyword.len() > limits::KEYWORD_BYTES_MAX {
        return Err(Fault::Flag);
    }
    Ok(keyword.to_owned())
}

/// `(` flags `)`.
pub(crate) fn flag_list(cursor: &mut Cursor<'_>) -> Parse<FlagNames> {
    let mut flags = FlagNames::default();
    cursor.list(limits::FLAGS_MAX, |cursor| flag(cursor, &mut flags))?;
    Ok(flags)
}

/// Flags without parentheses, at least one (STORE).
pub(crate) fn flags_bare(cursor: &mut Cursor<'_>) -> Parse<FlagNames> {
    let mut flags = FlagNames::default();
    flag(cursor, &mut flags)?;
    for _ in 0..limits::FLAGS_MAX {
        if cursor.end().is_ok() {
            return Ok(flags);
        }
        cursor.space()?;
        flag(cursor, &mut flags)?;
    }
    Err(Fault::TooMuch)
}

/// Flags that begin with `\` and are not known can't be kept: refused (RFC 9051 §2.3.2). `\Recent`
/// is dropped: clients that copy from another server send it along.
fn flag(cursor: &mut Cursor<'_>, flags: &mut FlagNames) -> Parse<()> {
    if cursor.skip(b'\\') {
        let name = cursor.atom().map_err(|_| Fault::Flag)?;
        if name.eq_ignore_ascii_case("Recent") {
            return Ok(());
        }
        let (bit, _) = SYSTEM_FLAGS
            .iter()
            .find(|(_, spelt)| {
                spelt
                    .get(1..)
                    .is_some_and(|spelt| spelt.eq_ignore_ascii_case(name))
            })
            .ok_or(Fault::Flag)?;
        flags.system = flags.system.with(*bit);
        return Ok(());
    }
    let keyword = keyword(cursor)?;
    if !flags
        .keywords
        .iter()
        .any(|other| other.eq_ignore_ascii_case(&keyword))
    {
        flags.keywords.push(keyword);
    }
    Ok(())
}

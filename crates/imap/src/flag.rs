//! Flags and keywords, RFC 9051 §2.3.2.

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

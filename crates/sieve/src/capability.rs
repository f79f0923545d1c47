//! The extensions: one row each. What is not here is not announced and can't be required.

/// An extension, or a comparator that must be required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    Fileinto,
    Envelope,
    EncodedCharacter,
    ComparatorOctet,
    ComparatorCasemap,
    ComparatorNumeric,
    ComparatorUnicode,
    Copy,
    Variables,
    Relational,
    Subaddress,
    Imap4Flags,
    Mailbox,
    SpecialUse,
    MailboxId,
    Reject,
    Ereject,
    Vacation,
    VacationSeconds,
    Date,
    Index,
    Body,
    Environment,
    Ihave,
    Duplicate,
    Include,
    Regex,
    Editheader,
    Foreverypart,
    Mime,
    Extracttext,
    Enotify,
    Fcc,
    Spamtest,
    SpamtestPlus,
    Virustest,
    Extlists,
    MailboxMetadata,
    ServerMetadata,
}

use Capability as C;

/// Name in `require`, in the order of the enum.
const TABLE: &[(Capability, &str)] = &[
    (C::Fileinto, "fileinto"),
    (C::Envelope, "envelope"),
    (C::EncodedCharacter, "encoded-character"),
    (C::ComparatorOctet, "comparator-i;octet"),
    (C::ComparatorCasemap, "comparator-i;ascii-casemap"),
    // RFC 5228 §2.7.3.
    (C::ComparatorNumeric, "comparator-i;ascii-numeric"),
    // RFC 5051.
    (C::ComparatorUnicode, "comparator-i;unicode-casemap"),
    // RFC 3894.
    (C::Copy, "copy"),
    // RFC 5229.
    (C::Variables, "variables"),
    // RFC 5231.
    (C::Relational, "relational"),
    // RFC 5233.
    (C::Subaddress, "subaddress"),
    // RFC 5232.
    (C::Imap4Flags, "imap4flags"),
    // RFC 5490 §3.
    (C::Mailbox, "mailbox"),
    // RFC 8579.
    (C::SpecialUse, "special-use"),
    // RFC 9042.
    (C::MailboxId, "mailboxid"),
    // RFC 5429.
    (C::Reject, "reject"),
    (C::Ereject, "ereject"),
    // RFC 5230.
    (C::Vacation, "vacation"),
    // RFC 6131.
    (C::VacationSeconds, "vacation-seconds"),
    // RFC 5260.
    (C::Date, "date"),
    (C::Index, "index"),
    // RFC 5173.
    (C::Body, "body"),
    // RFC 5183.
    (C::Environment, "environment"),
    // RFC 5463.
    (C::Ihave, "ihave"),
    // RFC 7352.
    (C::Duplicate, "duplicate"),
    // RFC 6609.
    (C::Include, "include"),
    // draft-ietf-sieve-regex.
    (C::Regex, "regex"),
    // RFC 5293.
    (C::Editheader, "editheader"),
    // RFC 5703; `replace` and `enclose` are left out: a filter that writes a message anew breaks
    // its signatures and what a person can prove with it.
    (C::Foreverypart, "foreverypart"),
    (C::Mime, "mime"),
    (C::Extracttext, "extracttext"),
    // RFC 5435.
    (C::Enotify, "enotify"),
    // RFC 8580.
    (C::Fcc, "fcc"),
    // RFC 5235.
    (C::Spamtest, "spamtest"),
    (C::SpamtestPlus, "spamtestplus"),
    (C::Virustest, "virustest"),
    // RFC 6134.
    (C::Extlists, "extlists"),
    // RFC 5490 §3, §4.
    (C::MailboxMetadata, "mboxmetadata"),
    (C::ServerMetadata, "servermetadata"),
];

impl Capability {
    /// The capability of that name; names are exact (RFC 5228 §3.2).
    pub fn named(name: &str) -> Option<Capability> {
        TABLE
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(capability, _)| *capability)
    }

    pub fn name(self) -> &'static str {
        TABLE
            .iter()
            .find(|(capability, _)| *capability == self)
            .map_or("", |(_, name)| name)
    }

    /// RFC 6131 §2: vacation-seconds brings vacation with it; RFC 5235 §3.2.
    pub fn implies(self) -> Option<Capability> {
        match self {
            C::VacationSeconds => Some(C::Vacation),
            C::SpamtestPlus => Some(C::Spamtest),
            _ => None,
        }
    }
}

/// What ManageSieve lists under SIEVE (RFC 5804 §1.7).
pub fn announced() -> String {
    let names: Vec<&str> = TABLE.iter().map(|(_, name)| *name).collect();
    names.join(" ")
}

/// What `notify` can do, for ManageSieve (RFC 5804 §1.7).
pub const NOTIFY_METHODS: &str = "mailto";

/// Schemes of lists' names, for ManageSieve (RFC 6134 §2.8).
pub const LIST_SCHEMES: &str = "urn";

/// Which were required so far.
#[derive(Clone, Debug, Default)]
pub struct Required(u64);

impl Required {
    pub fn add(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u64;
        if let Some(other) = capability.implies() {
            self.add(other);
        }
    }

    pub fn has(&self, capability: Capability) -> bool {
        self.0 & (1 << capability as u64) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name() {
        for (place, (capability, name)) in TABLE.iter().enumerate() {
            assert_eq!(*capability as usize, place);
            assert_eq!(Capability::named(name), Some(*capability));
            assert_eq!(capability.name(), *name);
        }
        assert_eq!(Capability::named("Fileinto"), None);
    }
}

//! What others report of mail in our domains' names (DMARC, RFC 7489 §7.2) and of TLS on the way to them
//! (RFC 8460): read when it arrives, before it is acknowledged, kept for 90 days and told by
//! `facteur domain reports`.
//!
//! The address that our records name, [`ADDRESS`], is there in each domain without anybody making it.
//! A report is put into the mailbox [`MAILBOX`] of whoever looks after the domain, not into INBOX.
//!
//! A report is the claim of whoever sent it. Only those whose sender is proven are told together
//! (RFC 7489 §7.2.1.1, RFC 8460 §3); one that arrives twice counts once; there are bounds for a day.
//! Nothing but the telling depends on any of it, and no mail is refused for its sake.

mod entry;
mod keep;
pub(crate) mod limits;
mod summary;
#[cfg(test)]
mod tests;

use std::ops::Range;

use facteur_message::decode::PartDecoder;
use facteur_message::{Encoding, Facts, PartBody};
use facteur_senders::reports::package::{self, Named};
use facteur_senders::results::Findings;
use facteur_senders::{dkim, dmarc};
use facteur_store::{Body, Error, Store};
use tokio::sync::Semaphore;

pub use entry::{Arrival, Entry, Row, Said, TlsRow, entries};
pub use keep::{Kept, Reports};
pub use summary::{Adding, Advice, Meaning, Summary};

use limits::{ATTACHED_BYTES_MAX, ATTACHED_MAX, READ_BYTES};

/// The local part that our records name. Those of older ones name the postmaster.
pub const ADDRESS: &str = "reports";

/// Whose mail is looked at.
pub const ADDRESSES: [&str; 2] = [ADDRESS, "postmaster"];

/// Where reports lie.
pub const MAILBOX: &str = "Reports";

/// One at a time: a report is whole in memory while it is read.
pub(crate) fn places() -> Semaphore {
    Semaphore::new(1)
}

/// What proves who sent a report.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The domain in From, in A-labels.
    pub author: String,
    /// It stands behind the message.
    pub vouched: bool,
    /// Domains whose signature is right.
    pub signers: Vec<String>,
}

impl Evidence {
    pub fn of(findings: &Findings) -> Self {
        let right = |one: &&dkim::Checked| match one.outcome {
            dkim::Outcome::Pass => true,
            // RFC 8460 §3: a key may be for such reports alone.
            dkim::Outcome::Policy(why) => why == dkim::FOR_TLS_REPORTS,
            _ => false,
        };
        let signers = findings.dkim.iter().filter(right);
        Evidence {
            author: findings.dmarc.domain.clone(),
            vouched: findings.dmarc.outcome == dmarc::Outcome::Pass,
            signers: signers.map(|one| one.domain.to_ascii_lowercase()).collect(),
        }
    }
}

/// An attachment that may be a report.
#[derive(Clone, Debug)]
pub struct Attached {
    body: Range<u64>,
    encoding: Encoding,
}

/// The attachments of a message that are named or typed as reports are, a few of them. What is a report
/// shows when it is read; this only keeps us from opening every archive.
pub fn attached(facts: &Facts) -> Vec<Attached> {
    let subject = facts.envelope.subject.as_deref().unwrap_or_default();
    let subject = String::from_utf8_lossy(subject).to_ascii_lowercase();
    let said = subject.contains("report domain:");
    let parts = facts.root.walk().filter(|part| {
        let (kind, subtype) = part.media_type();
        let name = part.file_name();
        let typed = subtype.to_ascii_lowercase().starts_with(b"tlsrpt");
        let named = name.as_deref().and_then(Named::parse).is_some();
        let leaf = part.content == PartBody::Leaf;
        leaf && package::may_hold(kind, subtype, name.as_deref()) && (typed || named || said)
    });
    let parts = parts.take(ATTACHED_MAX).map(|part| Attached {
        body: part.body.start..part.body.end,
        encoding: part.encoding(),
    });
    parts.collect()
}

/// An attachment's content; `None`: it is too large. Blocking.
pub fn content(store: &Store, body: &Body, attached: &Attached) -> Result<Option<Vec<u8>>, Error> {
    let mut decoder = PartDecoder::new(attached.encoding);
    let (mut out, mut piece) = (Vec::new(), Vec::new());
    let mut at = attached.body.start;
    while at < attached.body.end && out.len() <= ATTACHED_BYTES_MAX {
        let end = attached.body.end.min(at.saturating_add(READ_BYTES));
        piece.clear();
        store.read_new_body(body, at..end, &mut piece)?;
        decoder.push(&piece, &mut out);
        at = end;
    }
    decoder.finish(&mut out);
    Ok((out.len() <= ATTACHED_BYTES_MAX).then_some(out))
}

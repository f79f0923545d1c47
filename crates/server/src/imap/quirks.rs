//! Known faults of clients, one table: who, what goes wrong, what is done. Section 2 E of the field
//! survey and the clients' own trackers are where they come from.
//!
//! A client is recognised by its ID (RFC 2971) or by what it does wrong ([`Deviation`]). What hides
//! a capability hides it for every session of the account from then on, until the server is started
//! anew: a client that is mended meanwhile gets it back. The log says it once per account.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use facteur_imap::session::Deviation;
use facteur_store::AccountId;

use super::limits::QUIRK_ACCOUNTS_MAX;
use super::link::Link;
use crate::context::SessionId;
use crate::drive::Stream;

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Quirk {
    /// For the log and `account show`.
    pub(crate) name: &'static str,
    pub(crate) client: &'static str,
    /// What the user sees when nothing is done.
    pub(crate) symptom: &'static str,
    pub(crate) remedy: &'static str,
    sign: Sign,
    /// Capabilities that the account's sessions no longer have.
    hides: &'static [&'static str],
    /// In `tests/transcripts/imap/`.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test looks for the file"))]
    transcript: &'static str,
}

/// How the client is recognised.
#[derive(Debug)]
enum Sign {
    /// By the beginning of its name in ID, in lower case, or by what it does.
    Id(&'static str, Deviation),
    Does(Deviation),
    /// Not at all: everybody is answered so that this client works too.
    Everybody,
}

pub(crate) const TABLE: &[Quirk] = &[
    Quirk {
        name: "uidonly-numbers",
        client: "Microsoft Office 365",
        symptom: "enables UIDONLY, then fetches by number, is refused and gets no mail",
        remedy: "such a FETCH is answered and ends UIDONLY; UIDONLY is no longer offered",
        sign: Sign::Id("microsoft office 365", Deviation::NumbersUnderUidOnly),
        hides: &["UIDONLY"],
        transcript: "quirk-uidonly.txt",
    },
    Quirk {
        name: "idle-command",
        client: "Apple Mail on iOS",
        symptom: "sends a command in IDLE without DONE and waits for its answer for ever",
        remedy: "the command ends IDLE and is carried out",
        sign: Sign::Does(Deviation::CommandInIdle),
        hides: &[],
        transcript: "quirk-idle-command.txt",
    },
    Quirk {
        name: "idle-pipelined",
        client: "Apple Mail on iOS 18 and later",
        symptom: "sends DONE and the next commands at once; never ends syncing if they are dropped",
        remedy: "all that comes after DONE is carried out",
        sign: Sign::Everybody,
        hides: &[],
        transcript: "quirk-idle-pipelined.txt",
    },
    Quirk {
        name: "rev1-answers",
        client: "Outlook on Android and iOS",
        symptom: "shows mailboxes but no mail where SEARCH is answered as in IMAP4rev2 unasked",
        remedy: "answers are those of IMAP4rev1 until ENABLE IMAP4rev2",
        sign: Sign::Everybody,
        hides: &[],
        transcript: "quirk-rev1-answers.txt",
    },
    Quirk {
        name: "inbox-spelling",
        client: "Roundcube, FairEmail and others",
        symptom: "show the inbox twice where it is spelt otherwise than INBOX",
        remedy: "whatever a client calls it, it is answered as INBOX",
        sign: Sign::Everybody,
        hides: &[],
        transcript: "quirk-inbox-spelling.txt",
    },
    Quirk {
        name: "multiappend-spaces",
        client: "imapclient (Python)",
        symptom: "puts two spaces between the messages of one APPEND, which then fails",
        remedy: "the second space is passed over",
        sign: Sign::Everybody,
        hides: &[],
        transcript: "multiappend.txt",
    },
    Quirk {
        name: "subscriptions-ignored",
        client: "Apple Mail",
        symptom: "downloads every mailbox that LIST names, subscribed or not",
        remedy: "none that would not hide mail: give rights only to those who shall read it",
        sign: Sign::Everybody,
        hides: &[],
        transcript: "subscriptions.txt",
    },
];

fn by_id(name: &str) -> impl Iterator<Item = &'static Quirk> {
    let name = name.to_ascii_lowercase();
    let is = move |quirk: &&Quirk| match quirk.sign {
        Sign::Id(start, _) => name.starts_with(start),
        Sign::Does(_) | Sign::Everybody => false,
    };
    TABLE.iter().filter(is)
}

fn by_deviation(deviation: Deviation) -> impl Iterator<Item = &'static Quirk> {
    let is = move |quirk: &&Quirk| match quirk.sign {
        Sign::Id(_, sign) | Sign::Does(sign) => sign == deviation,
        Sign::Everybody => false,
    };
    TABLE.iter().filter(is)
}

/// What one connection's client is known for.
#[derive(Debug, Default)]
pub(super) struct Client {
    account: Option<AccountId>,
    known: Vec<&'static Quirk>,
}

/// The client gave its name in ID.
pub(super) fn named<S: Stream>(link: &mut Link<S>, name: &str) {
    by_id(name).for_each(|quirk| know(link, quirk));
}

/// The client did something wrong.
pub(super) fn deviated<S: Stream>(link: &mut Link<S>, deviation: Deviation) {
    by_deviation(deviation).for_each(|quirk| know(link, quirk));
}

/// Somebody logged in: the client may be known by its ID, and the account by other sessions.
pub(super) fn entered<S: Stream>(link: &mut Link<S>, account: AccountId) {
    link.client.account = Some(account);
    for quirk in link.client.known.clone() {
        link.ctx().quirks.note(account, quirk, link.id());
    }
    let hidden = link.ctx().quirks.hidden(account);
    link.session.hide(&hidden);
}

/// The connection belongs to nobody again.
pub(super) fn left<S: Stream>(link: &mut Link<S>) {
    link.client.account = None;
}

fn know<S: Stream>(link: &mut Link<S>, quirk: &'static Quirk) {
    let client = &mut link.client;
    if !client.known.iter().any(|known| known.name == quirk.name) {
        client.known.push(quirk);
    }
    link.session.hide(quirk.hides);
    if let Some(account) = link.client.account {
        link.ctx().quirks.note(account, quirk, link.id());
    }
}

/// Which accounts use which of those clients.
#[derive(Debug, Default)]
pub struct Quirks {
    met: Mutex<BTreeMap<AccountId, Vec<&'static str>>>,
}

impl Quirks {
    /// The account's user has such a client; the log says so the first time.
    fn note(&self, account: AccountId, quirk: &'static Quirk, session: SessionId) {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if !met.contains_key(&account) && met.len() >= QUIRK_ACCOUNTS_MAX {
            met.pop_first();
        }
        let names = met.entry(account).or_default();
        if names.contains(&quirk.name) {
            return;
        }
        names.push(quirk.name);
        drop(met);
        tracing::warn!(
            %session,
            quirk = quirk.name,
            client = quirk.client,
            symptom = quirk.symptom,
            remedy = quirk.remedy,
            "the client has a known fault"
        );
    }

    /// Names of the rows that the account's clients are known for.
    pub(crate) fn of(&self, account: AccountId) -> Vec<&'static str> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.get(&account).cloned().unwrap_or_default()
    }

    /// What the account's sessions are not offered.
    fn hidden(&self, account: AccountId) -> Vec<&'static str> {
        let names = self.of(account);
        let rows = TABLE.iter().filter(|quirk| names.contains(&quirk.name));
        rows.flat_map(|quirk| quirk.hides).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Quirks, Sign, TABLE, by_deviation, by_id};
    use crate::context::SessionId;
    use crate::imap::limits::QUIRK_ACCOUNTS_MAX;
    use facteur_imap::session::Deviation;
    use facteur_store::AccountId;
    use std::path::Path;

    #[test]
    fn every_row_has_its_transcript_and_its_line_in_the_manual() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manuals = ["clients.md", "clients.fr.md"].map(|name| {
            std::fs::read_to_string(root.join("../../docs/manual").join(name)).unwrap()
        });
        for quirk in TABLE {
            let transcript = root.join("tests/transcripts/imap").join(quirk.transcript);
            assert!(transcript.exists(), "{}", quirk.transcript);
            for manual in &manuals {
                assert!(
                    manual.contains(&format!("`{}`", quirk.name)),
                    "{}",
                    quirk.name
                );
            }
            assert!(!quirk.client.is_empty() && !quirk.symptom.is_empty());
            assert!(!quirk.remedy.is_empty());
            // Only a client that is recognised has something hidden from it.
            assert!(quirk.hides.is_empty() || !matches!(quirk.sign, Sign::Everybody));
        }
    }

    #[test]
    fn clients_are_recognised() {
        let names = |name: &str| by_id(name).map(|quirk| quirk.name).collect::<Vec<_>>();
        assert_eq!(names("Microsoft Office 365"), ["uidonly-numbers"]);
        assert!(names("Thunderbird").is_empty());
        let mut by = by_deviation(Deviation::CommandInIdle);
        assert_eq!(by.next().map(|quirk| quirk.name), Some("idle-command"));
    }

    #[test]
    fn what_is_known_of_accounts_is_bounded() {
        let quirks = Quirks::default();
        for account in 0..=QUIRK_ACCOUNTS_MAX as u32 {
            quirks.note(AccountId(account), &TABLE[0], SessionId(1));
        }
        let last = AccountId(QUIRK_ACCOUNTS_MAX as u32);
        assert_eq!(quirks.hidden(last), ["UIDONLY"]);
        assert!(quirks.of(AccountId(0)).is_empty());
        assert_eq!(quirks.met.lock().unwrap().len(), QUIRK_ACCOUNTS_MAX);
    }
}

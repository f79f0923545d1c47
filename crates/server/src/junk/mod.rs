//! Junk: judges mail that comes in, and learns from what people do with it.
//!
//! What was learned is derived from the store and kept in a file beside it (`keep.rs`): lost, it is
//! learned anew from what lies in the mailboxes. `teach.rs` follows the accounts that change;
//! `lesson.rs` says what a change teaches; `origin.rs` reads where a message came from out of the
//! fields that we wrote, the same when it arrives and when somebody judges it later.
//!
//! No message is refused for its content: junk is filed into the Junk mailbox.

mod keep;
mod lesson;
mod origin;
mod teach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use facteur_filter::{
    Evidence, Features, Label, Model, Opinion, Traits, Verdict, Vouched, extract, judge, traits,
};
use facteur_message::{Address, Facts};
use facteur_store::{AccountId, Derived, Error, SpecialUse, Store};

use keep::Keep;
pub(crate) use origin::network_of;
pub use teach::run;

use crate::limits::{
    JUNK_ACCOUNT_MODELS_MAX, JUNK_ADDRESSES_MAX, JUNK_INLINE_BYTES_MAX, JUNK_RECENT_LESSONS_MAX,
    NOTE_CHARS_MAX,
};

/// The field that tells the verdict, in front of the message.
pub const FIELD: &str = "X-Facteur-Verdict";

/// The filter of a server.
#[derive(Debug)]
pub struct Filter {
    store: Store,
    state: Mutex<Option<State>>,
    /// Accounts that changed since the last look.
    changed: Mutex<BTreeSet<AccountId>>,
    news: tokio::sync::Notify,
}

#[derive(Debug)]
struct State {
    keep: Keep,
    server: Model,
    /// The last used at the end.
    accounts: Vec<(AccountId, Model)>,
    lessons: Lessons,
}

/// What was taught of late, so that nobody teaches the same twice, and not everybody too much.
#[derive(Debug, Default)]
struct Lessons {
    recent: VecDeque<(AccountId, u64, Label)>,
    /// Of the day, by account, for everybody.
    day: i64,
    given: std::collections::HashMap<AccountId, u32>,
}

/// A message that came in, as far as it is looked at.
#[derive(Debug)]
pub struct Question {
    /// Its first bytes, at most [`facteur_filter::limits::HEAD_BYTES_MAX`].
    pub head: Vec<u8>,
    pub facts: Arc<Facts>,
    /// What we write in front of every copy.
    pub trace: String,
    pub vouched: Vouched,
    pub bad_hello: bool,
    /// A list warns of the peer.
    pub listed: bool,
    /// A milter does not want it.
    pub warned: bool,
    /// Points of rspamd.
    pub rspamd: Option<f32>,
    /// What other programs say, in words.
    pub notes: Vec<String>,
    pub accounts: Vec<AccountId>,
}

/// What becomes of one account's copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Filing {
    pub account: AccountId,
    pub verdict: Verdict,
    /// By the verdict, or since its author's domain wants it set aside, whatever else speaks for it.
    pub junk: bool,
    /// Where it goes when that is not INBOX.
    pub mailbox: Option<String>,
    /// What other programs say, in words.
    pub notes: Vec<String>,
}

/// What its bytes say, whoever gets it.
struct Looked {
    features: Option<Features>,
    traits: Traits,
    from: Option<String>,
}

impl Looked {
    /// Without an opinion there is no need to look at words.
    fn at(question: &Question, has_opinion: bool) -> Looked {
        let (head, facts) = (&question.head, &question.facts);
        let prefix = question.trace.as_bytes();
        Looked {
            features: has_opinion.then(|| extract(prefix, head, facts)),
            traits: traits(head, facts),
            from: facts.envelope.from.first().and_then(address_of),
        }
    }
}

impl Filing {
    fn new(store: &Store, account: AccountId, evidence: &Evidence) -> Result<Filing, Error> {
        let verdict = judge(evidence);
        let junk = verdict.is_junk() || evidence.vouched == Vouched::SetAside;
        Ok(Filing {
            account,
            verdict,
            junk,
            notes: Vec::new(),
            mailbox: match junk {
                true => junk_mailbox(store, account)?,
                false => None,
            },
        })
    }
}

/// `None`: it has none, junk stays in INBOX with its verdict.
fn junk_mailbox(store: &Store, account: AccountId) -> Result<Option<String>, Error> {
    let mut mailboxes = store.mailboxes(account)?.into_iter();
    let junk = mailboxes.find(|mailbox| mailbox.special_use == Some(SpecialUse::Junk));
    Ok(junk.map(|mailbox| mailbox.name))
}

impl Filter {
    /// Opens nothing yet.
    pub fn new(store: Store) -> Self {
        Filter {
            store,
            state: Mutex::new(None),
            changed: Mutex::new(BTreeSet::new()),
            news: tokio::sync::Notify::new(),
        }
    }

    /// A verdict for each account; blocking.
    pub fn judge(&self, question: &Question) -> Result<Vec<Filing>, Error> {
        let has_opinion = self.open()?.as_ref().is_some_and(State::has_opinion);
        // Not with the lock: it may be large.
        let looked = Looked::at(question, has_opinion);
        let mut state = self.open()?;
        let state = state.as_mut().ok_or(Error::Closed)?;
        self.filings(state, question, &looked)
    }

    /// The same without a thread for it, of a small message when all is at hand and nobody else is at
    /// it: most are judged so. `None`: it would take longer.
    pub fn judge_at_once(&self, question: &Question) -> Option<Result<Vec<Filing>, Error>> {
        if question.head.len() > JUNK_INLINE_BYTES_MAX {
            return None;
        }
        let mut state = self.state.try_lock().ok()?;
        let state = state.as_mut()?;
        let has_opinion = state.has_opinion();
        if has_opinion && !state.has_models(&question.accounts) {
            return None;
        }
        let looked = Looked::at(question, has_opinion);
        Some(self.filings(state, question, &looked))
    }

    fn filings(
        &self,
        state: &mut State,
        question: &Question,
        looked: &Looked,
    ) -> Result<Vec<Filing>, Error> {
        let mut filings = Vec::new();
        for account in &question.accounts {
            let evidence = Evidence {
                vouched: question.vouched,
                bad_hello: question.bad_hello,
                listed: question.listed,
                warned: question.warned,
                rspamd: question.rspamd,
                ..state.evidence(*account, looked, question.trace.as_bytes())?
            };
            filings.push(Filing {
                notes: question.notes.clone(),
                ..Filing::new(&self.store, *account, &evidence)?
            });
        }
        Ok(filings)
    }

    /// What is known without the filter: who vouches. Blocking.
    pub fn judge_by_sender(
        &self,
        accounts: &[AccountId],
        vouched: Vouched,
    ) -> Result<Vec<Filing>, Error> {
        let evidence = Evidence {
            vouched,
            ..Evidence::default()
        };
        let accounts = accounts.iter();
        accounts
            .map(|account| Filing::new(&self.store, *account, &evidence))
            .collect()
    }

    /// Whether the account has written to that address, in lower case; blocking.
    pub fn wrote_to(&self, account: AccountId, address: &str) -> Result<bool, Error> {
        let state = self.open()?;
        let state = state.as_ref().ok_or(Error::Closed)?;
        Ok(state.keep.relation(account, address)?.1)
    }

    /// Whether one of the accounts had mail from one of these authors, or wrote to one. Blocking.
    pub fn is_known(&self, accounts: &[AccountId], from: &[Address]) -> Result<bool, Error> {
        let state = self.open()?;
        let state = state.as_ref().ok_or(Error::Closed)?;
        for address in from.iter().filter_map(address_of).take(JUNK_ADDRESSES_MAX) {
            for account in accounts {
                let (had_from, wrote_to) = state.keep.relation(*account, &address)?;
                if had_from || wrote_to {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What people made of earlier mail from a peer and the network around it: -1 all good, 1 all
    /// junk. Blocking.
    pub fn standing(&self, peer: IpAddr) -> Result<f32, Error> {
        let state = self.open()?;
        let state = state.as_ref().ok_or(Error::Closed)?;
        let pasts = state.keep.pasts(&origin::of_peer(peer))?;
        let sum = pasts.address.leaning() + pasts.network.leaning() / 2.0;
        Ok(sum.clamp(-1.0, 1.0))
    }

    /// Somebody changed something there.
    pub fn note_changes(&self, accounts: &[AccountId]) {
        lock(&self.changed).extend(accounts);
        self.news.notify_one();
    }

    /// Lets go of what an account taught about itself, when it is no more. Blocking.
    pub fn forget(&self, account: AccountId) -> Result<(), Error> {
        let mut state = self.open()?;
        let state = state.as_mut().ok_or(Error::Closed)?;
        state.accounts.retain(|(have, _)| *have != account);
        state.keep.forget(account)
    }

    fn open(&self) -> Result<MutexGuard<'_, Option<State>>, Error> {
        let mut state = lock(&self.state);
        if state.is_none() {
            let file: Derived = self.store.derived(keep::FILE)?;
            let keep = Keep::new(Arc::new(file));
            *state = Some(State {
                server: keep.server()?,
                keep,
                accounts: Vec::new(),
                lessons: Lessons::default(),
            });
        }
        Ok(state)
    }
}

impl State {
    fn has_opinion(&self) -> bool {
        !self.server.examples().are_few()
    }

    /// In memory.
    fn has_models(&self, accounts: &[AccountId]) -> bool {
        let has = |account| self.accounts.iter().any(|(have, _)| have == account);
        accounts.iter().all(has)
    }

    fn evidence(
        &mut self,
        account: AccountId,
        looked: &Looked,
        prefix: &[u8],
    ) -> Result<Evidence, Error> {
        let opinion = match &looked.features {
            Some(features) => Some(Opinion {
                log_odds: self.server.score(features) + self.account(account)?.score(features),
                examples: self.server.examples(),
            }),
            None => None,
        };
        let origin = origin::read(prefix);
        let pasts = self.keep.pasts(&origin)?;
        let (known, correspondent) = match &looked.from {
            Some(from) => self.keep.relation(account, from)?,
            None => (false, false),
        };
        Ok(Evidence {
            opinion,
            traits: looked.traits,
            correspondent,
            first_time: !known && !correspondent,
            address: pasts.address,
            network: pasts.network,
            domain: pasts.domain,
            signer: pasts.signer,
            ..Evidence::default()
        })
    }

    /// The account's own model, from the file when it was not used of late.
    fn account(&mut self, account: AccountId) -> Result<&mut Model, Error> {
        let place = self.accounts.iter().position(|(have, _)| *have == account);
        let entry = match place {
            Some(place) => self.accounts.remove(place),
            None => (account, self.keep.account(account)?),
        };
        if self.accounts.len() >= JUNK_ACCOUNT_MODELS_MAX {
            self.accounts.remove(0);
        }
        self.accounts.push(entry);
        let last = self.accounts.last_mut().ok_or(Error::Closed)?;
        Ok(&mut last.1)
    }
}

impl Lessons {
    /// Whether this is news; remembers it.
    fn is_new(&mut self, account: AccountId, message: u64, label: Label) -> bool {
        let lesson = (account, message, label);
        if self.recent.contains(&lesson) {
            return false;
        }
        self.recent
            .retain(|(a, m, _)| (*a, *m) != (account, message));
        self.recent.push_back(lesson);
        if self.recent.len() > JUNK_RECENT_LESSONS_MAX {
            self.recent.pop_front();
        }
        true
    }
}

/// Normalised `local@domain`.
fn address_of(address: &Address) -> Option<String> {
    match address {
        Address::Mailbox {
            local: Some(local),
            domain: Some(domain),
            ..
        } => {
            let (local, domain) = (
                String::from_utf8_lossy(local),
                String::from_utf8_lossy(domain),
            );
            Some(format!("{local}@{domain}").to_lowercase())
        }
        _ => None,
    }
}

/// The verdict with its reasons in words, as a field with its CRLF.
pub fn field(filing: &Filing) -> String {
    let called = if filing.junk { "junk" } else { "good" };
    let mut text = format!("{FIELD}: {called} {:+.1}", filing.verdict.points);
    for reason in &filing.verdict.reasons {
        text.push_str(&format!(
            ";\r\n\t{:+.1} {} ({})",
            reason.points, reason.name, reason.en
        ));
    }
    for note in &filing.notes {
        text.push_str(&format!(";\r\n\t{}", plain(note)));
    }
    text.push_str("\r\n");
    text
}

/// Another program's words, as a header may hold them.
fn plain(note: &str) -> String {
    let fine = |c: char| matches!(c, ' '..='~') && c != ';';
    let chars = note.chars().map(|c| if fine(c) { c } else { '?' });
    chars.take(NOTE_CHARS_MAX).collect()
}

/// The reasons on one line, for the log.
pub fn summary(verdict: &Verdict) -> String {
    let reasons = verdict.reasons.iter();
    let reasons: Vec<String> = reasons
        .map(|reason| format!("{} {:+.1}", reason.name, reason.points))
        .collect();
    reasons.join(", ")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

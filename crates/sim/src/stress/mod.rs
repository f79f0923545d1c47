//! Many clients at once on the same mailboxes, with random commands; each holds every untagged
//! response against its own picture of the mailbox, and all of them against what they know
//! together.
//!
//! [`Run`] is seeded. In lockstep ([`Run::step`]) one client after the other, or a few at once, do
//! one thing each: on a server in the same process a failure is replayed by its seed. Freely
//! ([`Client::step`] in a task of its own) every client goes as fast as it can; then the order of
//! one client's commands alone depends on the seed.
//!
//! | checked | by |
//! |---|---|
//! | numbers, uids ascending, EXISTS, when EXPUNGE and VANISHED may come (RFC 9051 §7.5.1) | `heard`, [`picture`] |
//! | news end up as what there is; a FETCH leaves out only what is then told gone | [`Client`]'s `verify` |
//! | MODSEQ never goes back, HIGHESTMODSEQ and UIDNEXT are true, one modseq is one state | [`ledger`] |
//! | QRESYNC from any state remembered gives what a full FETCH gives (RFC 7162 §3.2.5) | `resync` |
//! | APPENDUID and COPYUID name the message they say, bodies come back whole | [`ledger`] |
//! | what is acknowledged and nobody took away is there; what is gone stays gone | [`ledger`] |
//! | SEARCH, SORT and THREAD of what is known, `$` | `looks` |

mod changes;
mod client;
mod deflate;
mod finish;
mod heard;
pub mod ledger;
mod looks;
mod numbers;
pub mod picture;
pub mod response;
pub mod session;

use std::sync::{Arc, Mutex};

use crate::Random;

pub use client::{Client, Login, MAILBOXES, Net, Pending};
pub use deflate::Deflated;
pub use finish::audit;
pub use ledger::Ledger;
pub use session::{BoxStream, Stream};

/// All clients of one seed.
pub struct Run {
    pub seed: u64,
    pub clients: Vec<Client>,
    random: Random,
    net: Arc<dyn Net>,
    ledger: Arc<Mutex<Ledger>>,
    logins: Vec<Login>,
}

impl Run {
    /// `clients` of them, in turn for each login.
    pub fn new(seed: u64, clients: usize, net: Arc<dyn Net>, logins: Vec<Login>) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let make = |id: usize| {
            let login = logins[id % logins.len()].clone();
            Client::new(id, seed, Arc::clone(&net), Arc::clone(&ledger), login)
        };
        Run {
            seed,
            clients: (0..clients).map(make).collect(),
            random: Random::new(seed),
            net: Arc::clone(&net),
            ledger: Arc::clone(&ledger),
            logins,
        }
    }

    /// Makes the mailboxes that are always there.
    pub async fn prepare(&mut self) -> Result<(), String> {
        for login in self.logins.clone() {
            let mut client = self.one_more(login);
            client.prepare().await?;
        }
        Ok(())
    }

    fn one_more(&self, login: Login) -> Client {
        let id = self.clients.len();
        let (net, ledger) = (Arc::clone(&self.net), Arc::clone(&self.ledger));
        Client::new(id, self.seed, net, ledger, login)
    }

    /// One to three clients do one thing each, at the same time.
    pub async fn step(&mut self) -> Result<(), String> {
        let count = self.clients.len();
        let first = self.random.index(count);
        let width = match self.random.below(4) {
            0 | 1 => 1,
            other => other as usize,
        };
        let width = width.min(count);
        let mut chosen = Vec::new();
        for offset in 0..width {
            let at = (first + offset * (count / width).max(1)) % count;
            if !chosen.contains(&at) {
                chosen.push(at);
            }
        }
        let alone = chosen.len() == 1;
        let mut some: Vec<&mut Client> = self
            .clients
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| chosen.contains(at))
            .map(|(_, client)| client)
            .collect();
        let outcome = match some.as_mut_slice() {
            [one] => one.step(alone).await,
            [one, two] => {
                let (first, second) = tokio::join!(one.step(false), two.step(false));
                first.and(second)
            }
            [one, two, three] => {
                let all = tokio::join!(one.step(false), two.step(false), three.step(false));
                all.0.and(all.1).and(all.2)
            }
            _ => Ok(()),
        };
        self.net.settle().await;
        outcome
    }

    /// Nobody does anything any more: every client knows what there is, and nothing is lost.
    pub async fn finish(&mut self) -> Result<(), String> {
        for client in &mut self.clients {
            client.quiesce().await?;
        }
        for login in self.logins.clone() {
            let mut auditor = self.one_more(login);
            audit(&mut auditor).await?;
        }
        Ok(())
    }
}

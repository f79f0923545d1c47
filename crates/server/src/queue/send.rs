//! One attempt at one queue entry: hosts in order, until each recipient has an answer.
//!
//! Who got a temporary answer is tried at the next host (RFC 5321 §5.1). When a connection breaks
//! after the message was sent, nobody is tried elsewhere at once: it may have been taken, and a
//! copy that comes later is rarer than two that come together.

use std::sync::Arc;
use std::time::Duration;

use facteur_smtp::Secret;
use facteur_smtp::client::{Config, LocalError, Login, Stage};
use facteur_store::{QueueEntry, QueueRecipient, RecipientState, TlsWish};

use super::connect;
use super::converse::{Ended, Spoken, converse, unusable};
use super::dialogue::{Dialogue, Secured};
use super::hosts::Hosts;
use super::letter::{Letter, Recipient};
use super::limits;
use super::pace::Contact;
use super::plan::Outcome;
use super::pool::Pool;
use super::prove;
use super::reports::Reports;
use super::route::{self, Hop, Question, ours};
use super::security::Security;
use super::sts::Policies;
use super::tls::ClientTls;
use super::ways::Found;
use crate::Context;
use crate::admin::normalise_domain;
use crate::consent::{self, Standing};
use crate::dns::Dns;
use crate::limits::CONSENT_LOOK_AGAIN;
use crate::net::{Net, Socket};

/// What all attempts share.
#[derive(Clone, Debug)]
pub struct Sender {
    pub ctx: Arc<Context>,
    pub dns: Arc<dyn Dns>,
    pub net: Arc<dyn Net>,
    pub tls: ClientTls,
    pub(super) pool: Arc<Pool>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) policies: Arc<Policies>,
    pub(super) ways: Arc<Found>,
    pub(super) reports: Arc<Reports>,
}

impl Sender {
    pub fn new(ctx: Arc<Context>, dns: Arc<dyn Dns>, net: Arc<dyn Net>, tls: ClientTls) -> Self {
        Sender {
            ctx,
            dns,
            net,
            tls,
            pool: Arc::default(),
            hosts: Arc::default(),
            policies: Arc::default(),
            ways: Arc::default(),
            reports: Arc::default(),
        }
    }

    /// A connection that can be used further waits for the next message.
    pub(super) async fn put_back(&self, dialogue: Dialogue) {
        let now = self.ctx.clock.monotonic();
        if let Some(dialogue) = self.pool.give(dialogue.hop().clone(), dialogue, now) {
            dialogue.quit().await;
        }
    }
}

/// What an attempt told.
#[derive(Debug)]
pub struct Attempt {
    /// One for each recipient of the entry, `None` where there was nothing to do.
    pub outcomes: Vec<Option<Outcome>>,
    pub contact: Contact,
    /// Nobody was asked: each host is known not to answer, and is left alone for this long still.
    pub rest: Option<Duration>,
}

/// The recipients still to be tried, with what stands for them if nobody says more.
#[derive(Debug)]
struct Progress {
    outcomes: Vec<Option<Outcome>>,
    /// Indices of the recipients without a final answer.
    open: Vec<usize>,
}

/// Tries an entry's pending recipients.
pub async fn attempt(sender: &Sender, entry: &QueueEntry) -> Attempt {
    let told = |outcomes| Attempt {
        outcomes,
        contact: Contact::None,
        rest: None,
    };
    let pending = |recipient: &QueueRecipient| recipient.state == RecipientState::Pending;
    if !entry.recipients.iter().any(pending) {
        return told(vec![None; entry.recipients.len()]);
    }
    let ctx = &sender.ctx;
    match entry
        .wishes
        .forward
        .map(|id| consent::standing_of(&ctx.store, id))
    {
        None | Some(Ok(Standing::Goes)) => {}
        Some(Ok(Standing::Refused)) => {
            let refused = ours("5.7.1", "Its owner does not want mail to be sent on there.");
            return told(for_all(entry, &Outcome::Failed(refused)));
        }
        Some(Ok(Standing::Waits { .. })) => {
            let asked = ours(
                "4.7.1",
                "Its owner has not agreed yet that mail is sent on there.",
            );
            return Attempt {
                rest: Some(CONSENT_LOOK_AGAIN),
                ..told(for_all(entry, &Outcome::Delayed(asked)))
            };
        }
        Some(Err(error)) => {
            tracing::error!(%error, "whether mail may go on is not known");
            let unknown = ours(
                "4.3.0",
                "Whether mail may be sent on there is not known now.",
            );
            return told(for_all(entry, &Outcome::Delayed(unknown)));
        }
    }
    let by = entry.wishes.deliver_by.filter(|by| by.or_return);
    if by.is_some_and(|by| ctx.clock.now() >= by.at) {
        // RFC 2852 §4.1.4: it does not arrive late, it comes back.
        let late = ours("5.4.7", "The time by which it was to arrive is over.");
        return told(for_all(entry, &Outcome::Failed(late)));
    }
    match way(sender, entry).await {
        Ok(hops) => {
            let attempt = ask(sender, entry, &hops).await;
            if attempt.contact != Contact::Reached {
                sender.ways.forget(&entry.domain);
            }
            attempt
        }
        Err(outcome) => told(for_all(entry, &outcome)),
    }
}

/// Where the message may go, and what is to be proven there.
async fn way(sender: &Sender, entry: &QueueEntry) -> Result<Arc<[Hop]>, Outcome> {
    let ctx = &sender.ctx;
    // What was held for our own people; or the domain became ours meanwhile.
    let domain = normalise_domain(&entry.domain).map(|domain| ctx.store.domain(&domain));
    match domain.unwrap_or(Ok(None)) {
        Ok(None) => {}
        Ok(Some(_)) => return Ok([route::home(&ctx.config.hostname)].into()),
        Err(error) => {
            tracing::error!(id = entry.id.0, %error, "whose domain it is can't be read");
            let told = ours("4.3.0", "This server can't read its own domains now.");
            return Err(Outcome::Delayed(told));
        }
    }
    let now = ctx.clock.monotonic();
    // A wish of the sender's is judged for itself.
    let usual = entry.wishes.tls == TlsWish::AsPolicy;
    if usual && let Some(hops) = sender.ways.get(&entry.domain, now) {
        return Ok(hops);
    }
    let question = Question {
        domain: &entry.domain,
        hostname: &ctx.config.hostname,
        config: &ctx.config.queue,
        dns: sender.dns.as_ref(),
        clock: ctx.clock.as_ref(),
    };
    let hops = route::route(&question).await?;
    let hops = prove::demand(sender, entry, hops).await?;
    if usual {
        sender.ways.set(&entry.domain, &hops, now);
    }
    Ok(hops.into())
}

/// Asks the hosts in their order.
async fn ask(sender: &Sender, entry: &QueueEntry, hops: &[Hop]) -> Attempt {
    let letter = Letter::new(entry);
    let mut progress = Progress::new(&letter);
    let mut left: Vec<(usize, Hop)> = hops.iter().cloned().enumerate().collect();
    let mut sum = Sum::default();
    while let Some((_, first)) = left.first()
        && !progress.open.is_empty()
        && sum.answers < limits::HOSTS_ASKED_MAX
    {
        let host = first.host.clone();
        let of_host = left.iter().take_while(|(_, hop)| hop.host == host);
        let addresses: Vec<(usize, Hop)> = of_host.cloned().collect();
        let tried = try_host(sender, &letter, &progress.open, &addresses).await;
        left.retain(|(index, _)| !tried.hops.contains(index));
        sum.contacts.push(tried.contact);
        match tried.ended {
            Ended::Answered { outcomes, stop } => {
                sum.answers += 1;
                progress.note(outcomes);
                if stop {
                    break;
                }
            }
            Ended::Unusable { told, permanent } => {
                tracing::info!(id = entry.id.0, host, why = told.text, "host of no use");
                sum.only_temporary |= !permanent;
                sum.rests.push(tried.rest);
                sum.told = Some(told);
            }
        }
    }
    let told = sum.told.clone();
    let told = told.unwrap_or_else(|| ours("4.4.1", "No host answers."));
    let failed = !sum.only_temporary && sum.answers == 0;
    Attempt {
        outcomes: progress.finish(&if failed {
            Outcome::Failed(told)
        } else {
            Outcome::Delayed(told)
        }),
        contact: sum.contact(),
        rest: sum.rest(),
    }
}

/// What the hosts of an attempt told together.
#[derive(Debug, Default)]
struct Sum {
    told: Option<super::plan::Told>,
    only_temporary: bool,
    answers: usize,
    contacts: Vec<Contact>,
    rests: Vec<Option<Duration>>,
}

impl Sum {
    fn contact(&self) -> Contact {
        let by_weight = [Contact::Setback, Contact::Reached, Contact::Unreachable];
        let mut by_weight = by_weight.into_iter();
        let found = by_weight.find(|contact| self.contacts.contains(contact));
        found.unwrap_or(Contact::None)
    }

    /// When nobody was asked: until the first may be.
    fn rest(&self) -> Option<Duration> {
        let nobody = self.answers == 0 && self.rests.iter().all(Option::is_some);
        self.rests
            .iter()
            .flatten()
            .min()
            .copied()
            .filter(|_| nobody)
    }
}

/// What came of one host.
struct Tried {
    ended: Ended,
    contact: Contact,
    /// Its addresses that need not be tried again.
    hops: Vec<usize>,
    /// All of them are known not to answer, for this long still.
    rest: Option<Duration>,
}

async fn try_host(
    sender: &Sender,
    letter: &Letter<'_>,
    open: &[usize],
    hops: &[(usize, Hop)],
) -> Tried {
    let tried = |ended, contact, hops| Tried {
        ended,
        contact,
        hops,
        rest: None,
    };
    let now = sender.ctx.clock.monotonic();
    for (index, hop) in hops {
        let Some(dialogue) = sender.waiting(hop, now) else {
            continue;
        };
        if let Spoken::Ended(ended, contact) = converse(sender, letter, open, dialogue, true).await
        {
            return tried(ended, contact, vec![*index]);
        }
        break;
    }
    let rest = |hop: &Hop| sender.hosts.rest(hop.socket_address(), now);
    let alive: Vec<_> = hops
        .iter()
        .filter(|(_, hop)| rest(hop).is_none())
        .cloned()
        .collect();
    let all = hops.iter().map(|(index, _)| *index).collect();
    let Some((_, first)) = hops.first() else {
        let told = ours("4.4.1", "No host answers.");
        let permanent = false;
        return tried(Ended::Unusable { told, permanent }, Contact::None, all);
    };
    if alive.is_empty() {
        let told = ours("4.4.1", &format!("{} did not answer of late.", first.host));
        return Tried {
            ended: Ended::Unusable {
                told,
                permanent: false,
            },
            contact: Contact::Unreachable,
            hops: all,
            rest: hops.iter().filter_map(|(_, hop)| rest(hop)).min(),
        };
    }
    let race = connect::race(sender, &alive).await;
    for (_, hop) in alive
        .iter()
        .filter(|(index, _)| race.failed.contains(index))
    {
        sender.hosts.failed(hop.socket_address(), now);
    }
    let winner = race.winner.and_then(|(index, socket)| {
        let (_, hop) = alive.iter().find(|(one, _)| *one == index)?;
        Some((index, hop, socket))
    });
    let Some((index, hop, socket)) = winner else {
        let ended = unusable(first, LocalError::ConnectionLost);
        return tried(ended, Contact::Unreachable, all);
    };
    let (ended, contact) = speak(sender, letter, open, hop, socket).await;
    tried(ended, contact, vec![index])
}

/// Opportunistic TLS that fails in the handshake is tried again without (RFC 7435); what a policy
/// or a smarthost demands is not.
async fn speak(
    sender: &Sender,
    letter: &Letter<'_>,
    open: &[usize],
    hop: &Hop,
    socket: Box<dyn Socket>,
) -> (Ended, Contact) {
    let mut spoken = begin(sender, letter, open, hop, socket).await;
    if matches!(spoken, Spoken::Error(LocalError::NoTls, _))
        && hop.security == Security::Opportunistic
    {
        let clear = Hop {
            security: Security::Clear,
            ..hop.clone()
        };
        let mut race = connect::race(sender, &[(0, clear.clone())]).await;
        spoken = match race.winner.take() {
            Some((_, socket)) => begin(sender, letter, open, &clear, socket).await,
            None => Spoken::Error(LocalError::ConnectionLost, Stage::Greeting),
        };
    }
    match spoken {
        Spoken::Ended(ended, contact) => (ended, contact),
        Spoken::Stale => {
            let ended = unusable(hop, LocalError::ConnectionLost);
            (ended, Contact::Setback)
        }
        Spoken::Error(error, stage) => {
            // Who takes a connection and never speaks holds up everybody who comes.
            let mute = error == LocalError::TimedOut
                && matches!(stage, Stage::Greeting | Stage::Hello | Stage::StartTls);
            if mute {
                let now = sender.ctx.clock.monotonic();
                sender.hosts.failed(hop.socket_address(), now);
            }
            let contact = if mute {
                Contact::Unreachable
            } else {
                Contact::Setback
            };
            (unusable(hop, error), contact)
        }
    }
}

/// The first message over a new connection.
async fn begin(
    sender: &Sender,
    letter: &Letter<'_>,
    open: &[usize],
    hop: &Hop,
    socket: Box<dyn Socket>,
) -> Spoken {
    let config = &sender.ctx.config.queue;
    let smarthost = config.smarthost_of(&letter.entry.domain);
    let login = smarthost.and_then(|smarthost| {
        Some(Login {
            user: smarthost.user.clone()?,
            password: Secret(smarthost.password.clone()?.into_bytes()),
        })
    });
    let config = Config {
        hello: sender.ctx.config.hostname.clone(),
        lmtp: hop.security == Security::Home,
        tls: hop.security.tls(),
        login,
    };
    let secured = sender.secured(hop);
    let implicit = hop.security == Security::CheckedImplicit;
    let now = sender.ctx.clock.monotonic();
    match Dialogue::open(socket, hop, config, secured, implicit, now).await {
        Ok(dialogue) => converse(sender, letter, open, dialogue, false).await,
        Err(error) => Spoken::Error(error, Stage::StartTls),
    }
}

impl Sender {
    fn secured(&self, hop: &Hop) -> Secured {
        let watched = hop.applied.as_ref().is_some_and(|applied| applied.watched);
        let watched = watched && hop.security == Security::Opportunistic;
        match watched.then(|| self.tls.watching()).flatten() {
            Some((connector, witness)) => Secured {
                connector,
                witness: Some(witness),
            },
            None => Secured {
                connector: self.tls.connector(&hop.security),
                witness: None,
            },
        }
    }

    /// A connection that waits, opened as the hop demands or, where nothing is demanded, without
    /// TLS since that has failed there.
    fn waiting(&self, hop: &Hop, now: Duration) -> Option<Dialogue> {
        self.pool.take(hop, now).or_else(|| {
            if hop.security != Security::Opportunistic {
                return None;
            }
            let clear = Hop {
                security: Security::Clear,
                ..hop.clone()
            };
            self.pool.take(&clear, now)
        })
    }
}

impl Progress {
    fn new(letter: &Letter<'_>) -> Self {
        let mut outcomes = Vec::new();
        let mut open = Vec::new();
        for (index, recipient) in letter.recipients.iter().enumerate() {
            outcomes.push(match recipient {
                Recipient::Done => None,
                Recipient::Senseless => {
                    let told = ours("5.1.3", "The address makes no sense.");
                    Some(Outcome::Failed(told))
                }
                Recipient::Pending(_) => {
                    open.push(index);
                    None
                }
            });
        }
        Progress { outcomes, open }
    }

    /// What a later host says replaces what an earlier one said.
    fn note(&mut self, said: Vec<(usize, Outcome)>) {
        for (index, outcome) in said {
            if !matches!(outcome, Outcome::Delayed(_)) {
                self.open.retain(|open| *open != index);
            }
            if let Some(place) = self.outcomes.get_mut(index) {
                *place = Some(outcome);
            }
        }
    }

    /// `otherwise`: for those of whom no host said anything.
    fn finish(mut self, otherwise: &Outcome) -> Vec<Option<Outcome>> {
        for index in self.open {
            if let Some(place @ None) = self.outcomes.get_mut(index) {
                *place = Some(otherwise.clone());
            }
        }
        self.outcomes
    }
}

fn for_all(entry: &QueueEntry, outcome: &Outcome) -> Vec<Option<Outcome>> {
    entry
        .recipients
        .iter()
        .map(|r| (r.state == RecipientState::Pending).then(|| outcome.clone()))
        .collect()
}

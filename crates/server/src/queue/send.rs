//! One attempt at one queue entry: hosts in order, until each recipient has an answer.
//!
//! What a host says for good (2yz, 5yz to a recipient) stands; who got a temporary answer is tried
//! at the next host (RFC 5321 §5.1). When a connection breaks after the message was sent, nobody is
//! tried elsewhere at once: it may have been taken, and a copy that comes later is rarer than two
//! that come together.

use std::collections::VecDeque;
use std::sync::Arc;

use facteur_smtp::address::Domain;
use facteur_smtp::client::{
    Answer, Config, Failure, LocalError, Login, Mail, MailRecipient, Report, Stage, Step, Tls,
    Verdict,
};
use facteur_smtp::{Address, Body, Notify, Ret, Secret};
use facteur_store::{QueueEntry, QueueRecipient, RecipientState};
use tokio_rustls::TlsConnector;

use super::dialogue::{Dialogue, Outgoing};
use super::limits;
use super::plan::{Outcome, Told};
use super::route::{self, Hop, Question, ours};
use super::tls::ClientTls;
use crate::Context;
use crate::dns::Dns;

/// What all attempts share.
#[derive(Clone, Debug)]
pub struct Sender {
    pub ctx: Arc<Context>,
    pub dns: Arc<dyn Dns>,
    pub tls: ClientTls,
}

/// The recipients still to be tried, with what stands for them if nobody says more.
#[derive(Debug)]
struct Progress {
    outcomes: Vec<Option<Outcome>>,
    /// Indices of the recipients without a final answer.
    open: Vec<usize>,
}

/// How one host ended.
enum Ended {
    /// It answered for recipients. `stop`: don't ask another host now.
    Answered {
        outcomes: Vec<(usize, Outcome)>,
        stop: bool,
    },
    /// No transaction took place there: the next host may do.
    Unusable { told: Told, permanent: bool },
}

/// Tries an entry's pending recipients; gives an outcome for each of its recipients, `None` where
/// there was nothing to do.
pub async fn attempt(sender: &Sender, entry: &QueueEntry) -> Vec<Option<Outcome>> {
    let pending = |recipient: &QueueRecipient| recipient.state == RecipientState::Pending;
    if !entry.recipients.iter().any(pending) {
        return vec![None; entry.recipients.len()];
    }
    let ctx = &sender.ctx;
    let question = Question {
        domain: &entry.domain,
        hostname: &ctx.config.hostname,
        config: &ctx.config.queue,
        dns: sender.dns.as_ref(),
        clock: ctx.clock.as_ref(),
    };
    let hops = match route::route(&question).await {
        Ok(hops) => hops,
        Err(outcome) => return for_all(entry, &outcome),
    };
    let letter = Letter::new(entry);
    let mut progress = Progress::new(&letter);
    let mut unusable = None;
    let mut all_permanent = true;
    let mut answers = 0;
    for hop in &hops {
        if progress.open.is_empty() || answers >= limits::HOSTS_ASKED_MAX {
            break;
        }
        match try_hop(sender, &letter, &progress.open, hop).await {
            Ended::Answered { outcomes, stop } => {
                answers += 1;
                progress.note(outcomes);
                if stop {
                    break;
                }
            }
            Ended::Unusable { told, permanent } => {
                tracing::info!(id = entry.id.0, host = hop.host, address = %hop.address,
                    why = told.text, "host of no use");
                all_permanent &= permanent;
                unusable = Some(told);
            }
        }
    }
    let told = unusable.unwrap_or_else(|| ours("4.4.1", "No host answers."));
    progress.finish(&if all_permanent && answers == 0 {
        Outcome::Failed(told)
    } else {
        Outcome::Delayed(told)
    })
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

/// A queue entry with its addresses parsed.
struct Letter<'a> {
    entry: &'a QueueEntry,
    reverse_path: Option<Address>,
    /// As in the entry.
    recipients: Vec<Recipient>,
}

enum Recipient {
    Pending(MailRecipient),
    Done,
    /// Does not parse, which the way in should not have let through.
    Senseless,
}

impl<'a> Letter<'a> {
    fn new(entry: &'a QueueEntry) -> Self {
        Letter {
            entry,
            // A reverse-path that does not parse can't be answered to: null says so.
            reverse_path: Address::parse(&entry.reverse_path).ok().map(in_ascii),
            recipients: entry.recipients.iter().map(Recipient::of).collect(),
        }
    }

    /// One transaction for these recipients.
    fn mail(&self, indices: &[usize]) -> Mail {
        let entry = self.entry;
        let recipients = indices
            .iter()
            .filter_map(|index| match self.recipients.get(*index)? {
                Recipient::Pending(recipient) => Some(recipient.clone()),
                Recipient::Done | Recipient::Senseless => None,
            });
        Mail {
            reverse_path: self.reverse_path.clone(),
            recipients: recipients.collect(),
            size: entry.body_size.saturating_add(entry.prefix.len() as u64),
            body: match (entry.body_binary, entry.body_8bit) {
                (true, _) => Body::BinaryMime,
                (false, true) => Body::EightBitMime,
                (false, false) => Body::SevenBit,
            },
            smtputf8: entry.smtputf8,
            ret: entry.return_headers_only.then_some(Ret::Headers),
            envelope_id: entry.envelope_id.clone(),
        }
    }
}

impl Recipient {
    fn of(recipient: &QueueRecipient) -> Self {
        if recipient.state != RecipientState::Pending {
            return Recipient::Done;
        }
        let Ok(address) = Address::parse(&recipient.address) else {
            return Recipient::Senseless;
        };
        Recipient::Pending(MailRecipient {
            address: in_ascii(address),
            notify: recipient.notify.map(|notify| Notify {
                success: notify.success,
                failure: notify.failure,
                delay: notify.delay,
            }),
            original: recipient.original.clone(),
        })
    }
}

/// A domain in U-labels needs no SMTPUTF8 on the way once it is in A-labels (RFC 6531 §3.2); only
/// the local part does.
fn in_ascii(mut address: Address) -> Address {
    if let Domain::Name(name) = &mut address.domain
        && !name.is_ascii()
        && let Ok(ascii) = idna::domain_to_ascii_strict(name)
    {
        *name = ascii;
    }
    address
}

/// Opportunistic TLS that fails in the handshake is tried again without (RFC 7435); what a
/// smarthost demands is not.
async fn try_hop(sender: &Sender, letter: &Letter<'_>, open: &[usize], hop: &Hop) -> Ended {
    let smarthost = sender.ctx.config.queue.smarthost.as_ref();
    let first = match smarthost {
        Some(smarthost) if smarthost.implicit_tls => Tls::Active,
        Some(_) => Tls::Required,
        None => Tls::Opportunistic,
    };
    match converse(sender, letter, open, hop, first).await {
        Ok(ended) => ended,
        Err(LocalError::NoTls) if first == Tls::Opportunistic => {
            match converse(sender, letter, open, hop, Tls::Never).await {
                Ok(ended) => ended,
                Err(error) => unusable(hop, error),
            }
        }
        Err(error) => unusable(hop, error),
    }
}

fn unusable(hop: &Hop, error: LocalError) -> Ended {
    let mut told = ours(
        error.status(),
        &format!("{} [{}]: {error}.", hop.host, hop.address),
    );
    if error == LocalError::ConnectionLost {
        // RFC 3463 X.4.1: nobody answers; once a message is on its way it is X.4.2.
        told.status = "4.4.1".to_owned();
    }
    Ended::Unusable {
        told,
        permanent: false,
    }
}

/// One connection. An error: nothing was said about the recipients.
async fn converse(
    sender: &Sender,
    letter: &Letter<'_>,
    open: &[usize],
    hop: &Hop,
    tls: Tls,
) -> Result<Ended, LocalError> {
    let (config, connector) = settings(sender, tls);
    let mut dialogue = Dialogue::open(hop, config, connector, tls == Tls::Active).await?;
    let mut transfer = Transfer {
        waiting: open.iter().copied().collect(),
        batch: Vec::new(),
        outcomes: Vec::new(),
        hop,
    };
    let error = loop {
        match dialogue.next().await {
            Ok(Step::Ready) => {
                let max = dialogue.client().extensions().recipients_max;
                if !transfer.next_batch(max) {
                    dialogue.quit().await;
                    return Ok(transfer.answered(false));
                }
                dialogue.client().send(letter.mail(&transfer.batch));
            }
            Ok(Step::SendBody) => {
                let message = Outgoing {
                    store: &sender.ctx.store,
                    prefix: &letter.entry.prefix,
                    blob: letter.entry.blob,
                    body_size: letter.entry.body_size,
                };
                if let Err(error) = dialogue.send_body(&message).await {
                    break error;
                }
            }
            Ok(Step::Sent(report)) => transfer.note(report),
            Ok(Step::Failed(failure)) => return Ok(failed(hop, &failure)),
            Ok(Step::Close) if !transfer.outcomes.is_empty() => {
                return Ok(transfer.answered(false));
            }
            Ok(Step::Close | Step::Read | Step::StartTls) => break LocalError::ConnectionLost,
            Err(error) => break error,
        }
    };
    let stop = matches!(dialogue.client().stage(), Stage::Body | Stage::DataEnd);
    if let Some(report) = dialogue.client().interrupted(error) {
        transfer.note(report);
    }
    if transfer.outcomes.is_empty() {
        return Err(error);
    }
    Ok(transfer.answered(stop))
}

fn settings(sender: &Sender, tls: Tls) -> (Config, TlsConnector) {
    let smarthost = sender.ctx.config.queue.smarthost.as_ref();
    let login = smarthost.and_then(|smarthost| {
        Some(Login {
            user: smarthost.user.clone()?,
            password: Secret(smarthost.password.clone()?.into_bytes()),
        })
    });
    let connector = match smarthost {
        Some(_) => TlsConnector::from(Arc::clone(&sender.tls.checked)),
        None => TlsConnector::from(Arc::clone(&sender.tls.opportunistic)),
    };
    let config = Config {
        hello: sender.ctx.config.hostname.clone(),
        lmtp: false,
        tls,
        login,
    };
    (config, connector)
}

/// The recipients on one connection, in transactions of as many as the server takes.
struct Transfer<'a> {
    waiting: VecDeque<usize>,
    /// In the open transaction.
    batch: Vec<usize>,
    outcomes: Vec<(usize, Outcome)>,
    hop: &'a Hop,
}

impl Transfer<'_> {
    /// RFC 9422 may say fewer than every server takes. False: nobody is left.
    fn next_batch(&mut self, recipients_max: Option<usize>) -> bool {
        let max = recipients_max
            .unwrap_or(limits::RECIPIENTS_AT_ONCE)
            .clamp(1, limits::RECIPIENTS_AT_ONCE);
        let count = max.min(self.waiting.len());
        self.batch = self.waiting.drain(..count).collect();
        !self.batch.is_empty()
    }

    /// The report speaks of the batch, in its order.
    fn note(&mut self, report: Report) {
        let batch = std::mem::take(&mut self.batch);
        let some_went = report
            .recipients
            .iter()
            .any(|r| r.verdict == Verdict::Delivered);
        for (index, recipient) in batch.into_iter().zip(report.recipients) {
            // RFC 5321 §4.5.3.1.10: 452 to RCPT may mean "no more in this transaction". Some went,
            // so the rest is tried in another, and this comes to an end.
            let more = matches!(&recipient.answer, Answer::Reply(reply) if reply.code == 452);
            if some_went && more {
                self.waiting.push_back(index);
                continue;
            }
            let told = told(self.hop, &recipient.answer, report.dsn);
            let outcome = match recipient.verdict {
                Verdict::Delivered => Outcome::Delivered(told),
                Verdict::Temporary => Outcome::Delayed(told),
                Verdict::Permanent => Outcome::Failed(told),
            };
            self.outcomes.push((index, outcome));
        }
    }

    fn answered(self, stop: bool) -> Ended {
        Ended::Answered {
            outcomes: self.outcomes,
            stop,
        }
    }
}

fn failed(hop: &Hop, failure: &Failure) -> Ended {
    Ended::Unusable {
        told: told(hop, &failure.answer, false),
        permanent: failure.is_permanent(),
    }
}

fn told(hop: &Hop, answer: &Answer, dsn: bool) -> Told {
    match answer {
        Answer::Reply(reply) => Told {
            status: answer.status(),
            text: reply.to_string(),
            host: hop.host.clone(),
            dsn_passed_on: dsn,
        },
        Answer::Local(error) => ours(
            error.status(),
            &format!("{} [{}]: {error}.", hop.host, hop.address),
        ),
    }
}

fn for_all(entry: &QueueEntry, outcome: &Outcome) -> Vec<Option<Outcome>> {
    entry
        .recipients
        .iter()
        .map(|r| (r.state == RecipientState::Pending).then(|| outcome.clone()))
        .collect()
}

//! One message over one connection.
//!
//! What a host says for good (2yz, 5yz to a recipient) stands. A connection that waited for a
//! message and turns out to be gone says nothing: the message goes over a new one, as long as no
//! byte of its body was sent.

use std::collections::VecDeque;

use facteur_smtp::client::{Answer, Failure, LocalError, Report, Stage, Step, Verdict};

use super::applied::{self, Flaw};
use super::dialogue::{Dialogue, Outgoing, Shown};
use super::letter::Letter;
use super::limits;
use super::pace::Contact;
use super::plan::{Outcome, Told};
use super::route::{Hop, ours};
use super::security::Security;
use super::send::Sender;

/// How one host ended.
#[derive(Debug)]
pub enum Ended {
    /// It answered for recipients. `stop`: don't ask another host now.
    Answered {
        outcomes: Vec<(usize, Outcome)>,
        stop: bool,
    },
    /// No transaction took place there: the next host may do.
    Unusable { told: Told, permanent: bool },
}

/// How a conversation ended.
#[derive(Debug)]
pub enum Spoken {
    Ended(Ended, Contact),
    /// Nothing was said about the recipients.
    Error(LocalError, Stage),
    /// The connection had ended while it waited.
    Stale,
}

/// `reused`: the connection has waited for this message.
pub async fn converse(
    sender: &Sender,
    letter: &Letter<'_>,
    open: &[usize],
    mut dialogue: Dialogue,
    reused: bool,
) -> Spoken {
    let hop = dialogue.hop().clone();
    let mut transfer = Transfer {
        waiting: open.iter().copied().collect(),
        batch: Vec::new(),
        outcomes: Vec::new(),
        hop: &hop,
        setback: false,
        relayed: false,
    };
    // Until the first byte of a body a stale connection costs nothing.
    let mut fresh = !reused;
    let mut told = reused;
    let error = loop {
        match dialogue.next().await {
            Ok(Step::Ready) => {
                if !std::mem::replace(&mut told, true) {
                    tell_ready(sender, &hop, dialogue.shown());
                }
                sender.hosts.answered(hop.socket_address());
                let extensions = dialogue.client().extensions();
                if let Some((status, words)) = letter.lacks(extensions, &hop.security) {
                    let text = format!("{} [{}]: {words}.", hop.host, hop.address);
                    let told = ours(status, &text);
                    sender.put_back(dialogue).await;
                    let permanent = true;
                    return Spoken::Ended(Ended::Unusable { told, permanent }, Contact::Reached);
                }
                transfer.relayed =
                    hop.security != Security::Home && letter.is_relayed_out_of_sight(extensions);
                let max = extensions.recipients_max;
                if !transfer.next_batch(max) {
                    sender.put_back(dialogue).await;
                    return transfer.answered(false);
                }
                dialogue
                    .client()
                    .send(letter.mail(&transfer.batch, sender.ctx.clock.now()));
            }
            Ok(Step::SendBody) => {
                fresh = true;
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
            Ok(Step::Sent(report)) if !fresh && is_farewell(&report) => return Spoken::Stale,
            Ok(Step::Sent(report)) => {
                fresh = true;
                dialogue.count_message();
                transfer.note(report);
            }
            Ok(Step::Failed(failure)) => {
                if !told {
                    tell_failed(sender, &hop, dialogue.shown(), &failure);
                }
                return failed(&hop, &failure);
            }
            Ok(Step::Close) if !transfer.outcomes.is_empty() => return transfer.answered(false),
            Ok(Step::Close | Step::Read | Step::StartTls) => break LocalError::ConnectionLost,
            Err(error) => break error,
        }
    };
    if let (false, Shown::Failed(flaw)) = (told, dialogue.shown()) {
        applied::tell(sender, &hop, Some(flaw));
    }
    if !fresh {
        return Spoken::Stale;
    }
    let stage = dialogue.client().stage();
    let stop = matches!(stage, Stage::Body | Stage::DataEnd);
    if let Some(report) = dialogue.client().interrupted(error) {
        transfer.note(report);
    }
    if transfer.outcomes.is_empty() {
        return Spoken::Error(error, stage);
    }
    transfer.setback = true;
    transfer.answered(stop)
}

/// A new connection that serves (RFC 8460 §4.2).
fn tell_ready(sender: &Sender, hop: &Hop, shown: Shown) {
    match shown {
        // It was told why when the handshake failed.
        Shown::Clear if hop.security == Security::Clear => {}
        Shown::Clear => applied::tell(sender, hop, Some(Flaw::NO_STARTTLS)),
        Shown::Tls(flaw) => applied::tell(sender, hop, flaw),
        Shown::Failed(flaw) => applied::tell(sender, hop, Some(flaw)),
    }
}

/// One that does not: what is not about TLS is not told.
fn tell_failed(sender: &Sender, hop: &Hop, shown: Shown, failure: &Failure) {
    match (shown, &failure.answer) {
        // Whatever it does not want of us, TLS was in order.
        (Shown::Tls(flaw), _) => applied::tell(sender, hop, flaw),
        (_, Answer::Local(LocalError::NoTls)) => {
            applied::tell(sender, hop, Some(Flaw::NO_STARTTLS));
        }
        (_, Answer::Reply(_)) if failure.stage == Stage::StartTls => {
            applied::tell(sender, hop, Some(Flaw::STARTTLS_REFUSED));
        }
        _ => {}
    }
}

/// 421 to everything: the host ended the connection (RFC 5321 §3.8).
fn is_farewell(report: &Report) -> bool {
    let is_421 = |answer: &Answer| matches!(answer, Answer::Reply(reply) if reply.code == 421);
    report.recipients.iter().all(|one| is_421(&one.answer))
}

pub fn unusable(hop: &Hop, error: LocalError) -> Ended {
    let mut told = ours(
        error.status(),
        &format!("{} [{}]: {error}.", hop.host, hop.address),
    );
    if error == LocalError::ConnectionLost {
        // RFC 3463 X.4.1: nobody answers; once a message is on its way it is X.4.2.
        told.status = "4.4.1".to_owned();
    }
    if error == LocalError::NoTls && hop.security.demands_tls() {
        // RFC 5248 X.7.10 is for a login; X.7.5 says that proving somebody failed.
        told.status = "4.7.5".to_owned();
        told.text = format!(
            "{} [{}]: {}",
            hop.host,
            hop.address,
            hop.security.unproven()
        );
    }
    Ended::Unusable {
        told,
        permanent: false,
    }
}

/// The recipients on one connection, in transactions of as many as the server takes.
struct Transfer<'a> {
    waiting: VecDeque<usize>,
    /// In the open transaction.
    batch: Vec<usize>,
    outcomes: Vec<(usize, Outcome)>,
    hop: &'a Hop,
    /// The host wants less of us.
    setback: bool,
    /// The sender is to hear that the message was handed over (RFC 2852).
    relayed: bool,
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
        // 4yz to everybody is about us or the message; 421 says that it is about the connection.
        self.setback |= is_farewell(&report) || all_delayed(&report);
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
            let mut told = told(self.hop, &recipient.answer, report.dsn);
            told.relayed = self.relayed;
            let outcome = match recipient.verdict {
                Verdict::Delivered => Outcome::Delivered(told),
                Verdict::Temporary => Outcome::Delayed(told),
                Verdict::Permanent => Outcome::Failed(told),
            };
            self.outcomes.push((index, outcome));
        }
    }

    fn answered(self, stop: bool) -> Spoken {
        let contact = if self.setback {
            Contact::Setback
        } else {
            Contact::Reached
        };
        let outcomes = self.outcomes;
        Spoken::Ended(Ended::Answered { outcomes, stop }, contact)
    }
}

fn all_delayed(report: &Report) -> bool {
    let mut verdicts = report.recipients.iter().map(|one| one.verdict);
    verdicts.all(|verdict| verdict == Verdict::Temporary)
}

fn failed(hop: &Hop, failure: &Failure) -> Spoken {
    if let Answer::Local(error) = failure.answer {
        return Spoken::Error(error, failure.stage);
    }
    let ended = Ended::Unusable {
        told: told(hop, &failure.answer, false),
        permanent: failure.is_permanent(),
    };
    Spoken::Ended(ended, Contact::Setback)
}

fn told(hop: &Hop, answer: &Answer, dsn: bool) -> Told {
    match answer {
        Answer::Reply(reply) => Told {
            status: answer.status(),
            text: reply.to_string(),
            host: hop.host.clone(),
            dsn_passed_on: dsn,
            relayed: false,
        },
        Answer::Local(error) => ours(
            error.status(),
            &format!("{} [{}]: {error}.", hop.host, hop.address),
        ),
    }
}

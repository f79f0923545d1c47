//! One attempt at one queue entry: hosts in order, until one answers for the recipients.

use std::sync::Arc;

use facteur_smtp::client::{
    self, Answer, Config, Failure, LocalError, Login, Mail, MailRecipient, Report, Step, Tls,
    Verdict,
};
use facteur_smtp::{Address, Body, Notify, Ret, Secret};
use facteur_store::{QueueEntry, QueueRecipient, RecipientState};
use tokio_rustls::TlsConnector;

use super::dialogue::{Dialogue, Outgoing};
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

/// How one host ended.
enum Ended {
    /// It answered for the recipients.
    Answered(Report),
    /// No transaction took place there: the next host may do.
    Unusable { told: Told, permanent: bool },
}

/// Tries an entry's pending recipients; gives an outcome for each of its recipients, `None` where
/// there was nothing to do.
pub async fn attempt(sender: &Sender, entry: &QueueEntry) -> Vec<Option<Outcome>> {
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
    let Some(mail) = mail(entry) else {
        return for_all(
            entry,
            &Outcome::Failed(ours("5.1.3", "An address makes no sense.")),
        );
    };
    let mut last = None;
    let mut all_permanent = true;
    for hop in &hops {
        match try_hop(sender, entry, &mail, hop).await {
            Ended::Answered(report) => return outcomes(entry, report, hop),
            Ended::Unusable { told, permanent } => {
                tracing::info!(id = entry.id.0, host = hop.host, address = %hop.address,
                    why = told.text, "host of no use");
                all_permanent &= permanent;
                last = Some(told);
            }
        }
    }
    let told = last.unwrap_or_else(|| ours("4.4.1", "No host answers."));
    let outcome = if all_permanent {
        Outcome::Failed(told)
    } else {
        Outcome::Delayed(told)
    };
    for_all(entry, &outcome)
}

/// Opportunistic TLS that fails in the handshake is tried again without (RFC 7435); what a
/// smarthost demands is not.
async fn try_hop(sender: &Sender, entry: &QueueEntry, mail: &Mail, hop: &Hop) -> Ended {
    let smarthost = sender.ctx.config.queue.smarthost.as_ref();
    let first = match smarthost {
        Some(smarthost) if smarthost.implicit_tls => Tls::Active,
        Some(_) => Tls::Required,
        None => Tls::Opportunistic,
    };
    match converse(sender, entry, mail, hop, first).await {
        Ok(ended) => ended,
        Err(LocalError::NoTls) if first == Tls::Opportunistic => {
            match converse(sender, entry, mail, hop, Tls::Never).await {
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
    entry: &QueueEntry,
    mail: &Mail,
    hop: &Hop,
    tls: Tls,
) -> Result<Ended, LocalError> {
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
    let mut dialogue = Dialogue::open(hop, config, connector, tls == Tls::Active).await?;
    loop {
        match dialogue.next().await {
            Ok(Step::Ready) => dialogue.client().send(mail.clone()),
            Ok(Step::SendBody) => {
                let message = Outgoing {
                    store: &sender.ctx.store,
                    prefix: &entry.prefix,
                    blob: entry.blob,
                    body_size: entry.body_size,
                };
                if let Err(error) = dialogue.send_body(&message).await {
                    return interrupted(&mut dialogue, error);
                }
            }
            Ok(Step::Sent(report)) => {
                dialogue.quit().await;
                return Ok(Ended::Answered(report));
            }
            Ok(Step::Failed(failure)) => return Ok(failed(hop, &failure)),
            Ok(Step::Close | Step::Read | Step::StartTls) => {
                return interrupted(&mut dialogue, LocalError::ConnectionLost);
            }
            Err(error) => return interrupted(&mut dialogue, error),
        }
    }
}

fn interrupted(dialogue: &mut Dialogue, error: LocalError) -> Result<Ended, LocalError> {
    match dialogue.client().interrupted(error) {
        Some(report) => Ok(Ended::Answered(report)),
        None => Err(error),
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

fn pending(recipient: &QueueRecipient) -> bool {
    recipient.state == RecipientState::Pending
}

fn for_all(entry: &QueueEntry, outcome: &Outcome) -> Vec<Option<Outcome>> {
    entry
        .recipients
        .iter()
        .map(|recipient| pending(recipient).then(|| outcome.clone()))
        .collect()
}

/// The report speaks of the pending recipients, in their order.
fn outcomes(entry: &QueueEntry, report: Report, hop: &Hop) -> Vec<Option<Outcome>> {
    let dsn = report.dsn;
    let mut reports = report.recipients.into_iter();
    entry
        .recipients
        .iter()
        .map(|recipient| {
            if !pending(recipient) {
                return None;
            }
            let report = reports.next()?;
            let told = told(hop, &report.answer, dsn);
            Some(match report.verdict {
                Verdict::Delivered => Outcome::Delivered(told),
                Verdict::Temporary => Outcome::Delayed(told),
                Verdict::Permanent => Outcome::Failed(told),
            })
        })
        .collect()
}

/// `None`: an address does not parse, which the way in should not have let through.
fn mail(entry: &QueueEntry) -> Option<Mail> {
    let reverse_path = match entry.reverse_path.as_str() {
        "" => None,
        text => Some(Address::parse(text).ok()?),
    };
    let recipients = entry
        .recipients
        .iter()
        .filter(|recipient| pending(recipient))
        .map(|recipient| {
            Some(MailRecipient {
                address: Address::parse(&recipient.address).ok()?,
                notify: recipient.notify.map(|notify| Notify {
                    success: notify.success,
                    failure: notify.failure,
                    delay: notify.delay,
                }),
                original: recipient.original.clone(),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let body = match (entry.body_binary, entry.body_8bit) {
        (true, _) => Body::BinaryMime,
        (false, true) => Body::EightBitMime,
        (false, false) => Body::SevenBit,
    };
    Some(client::Mail {
        reverse_path,
        recipients,
        size: entry.body_size.saturating_add(entry.prefix.len() as u64),
        body,
        smtputf8: entry.smtputf8,
        ret: entry.return_headers_only.then_some(Ret::Headers),
        envelope_id: entry.envelope_id.clone(),
    })
}

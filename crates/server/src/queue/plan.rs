//! What happens next to a queue entry: decided here without I/O, done elsewhere.
//!
//! RFC 5321 §4.5.4.1 (retry with growing intervals, give up after days), RFC 3461 §5 and §6
//! (which reports), RFC 3464 (their content). Invariant: every recipient ends exactly once, as
//! delivered or as failed, and a failure makes at most one report.

use std::time::Duration;

use facteur_store::{
    Ending, Notify, QueueEntry, QueueRecipient, RecipientState, SentState, Timestamp, WaitReason,
};

use crate::config::QueueConfig;

/// What one attempt told about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered(Told),
    /// 4yz, or no answer: again later.
    Delayed(Told),
    /// 5yz, or nothing that time could heal.
    Failed(Told),
}

/// What was said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// RFC 3463 status, "5.1.1".
    pub status: String,
    /// The reply of the other host, or our own sentence.
    pub text: String,
    /// The host that said it; empty when it is we who say it.
    pub host: String,
    /// The next host takes over the duty to report (it offered DSN, RFC 3461 §5.2.1).
    pub dsn_passed_on: bool,
    /// A hand-over that the sender hears of even so (RFC 2852: by-trace, or a host without
    /// DELIVERBY).
    pub relayed: bool,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    pub address: String,
    pub original: Option<String>,
    pub action: Action,
    pub told: Told,
}

pub use facteur_store::ReportAction as Action;

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The entry to keep; `None`: it is done.
    pub entry: Option<QueueEntry>,
    /// The entry as it is now, whether it is kept or not.
    pub after: QueueEntry,
    /// What to tell the sender, in one report; empty: nothing.
    pub report: Vec<Reported>,
    /// What it means for each recipient, for the program that sent it; none where nobody was asked.
    pub endings: Vec<Option<Ending>>,
}

const DEFAULT_NOTIFY: Notify = Notify {
    success: false,
    failure: true,
    delay: true,
};

/// `outcomes`: one for each recipient of the entry, in its order; `None` where the recipient was
/// not pending. `rest`: nobody was asked, since no host answers; one may be after this time.
pub fn plan(
    now: Timestamp,
    entry: &QueueEntry,
    outcomes: &[Option<Outcome>],
    rest: Option<Duration>,
    config: &QueueConfig,
) -> Next {
    let mut next = entry.clone();
    if rest.is_none() {
        next.attempts = entry.attempts.saturating_add(1);
    }
    let late = entry.wishes.deliver_by.is_some_and(|by| now >= by.at);
    // RFC 2852 §4.1.4: by-mode R comes back when it is late, by-mode N is told of and goes on.
    let returns = entry.wishes.deliver_by.is_some_and(|by| by.or_return);
    let expired = now >= entry.expires || (late && returns);
    // One that was held begins to wait when it may leave (RFC 4865).
    let millis = i64::try_from(config.expires_after.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp(entry.expires.0.saturating_sub(millis)).max(entry.created);
    let long = late || now >= since.after(config.delay_notice_after);
    let tell_delay = !entry.delay_notified && long;
    let mut report = Vec::new();
    let mut words = None;
    let mut endings = Vec::new();
    for (recipient, outcome) in next.recipients.iter_mut().zip(outcomes) {
        let Some(outcome) = outcome else {
            report.extend(settled_here(entry, recipient));
            endings.push(None);
            continue;
        };
        let outcome = match outcome {
            Outcome::Delayed(told) if expired => Outcome::Failed(gave_up(told)),
            other => other.clone(),
        };
        if let Some(line) = report_line(recipient, &outcome, tell_delay) {
            report.push(line);
        }
        // While no host answers there is news only when that is the end.
        let news = rest.is_none() || !matches!(outcome, Outcome::Delayed(_));
        endings.push(news.then(|| ending(&outcome)));
        next.reason = reason(&outcome);
        words = Some(in_words(&outcome));
        recipient.state = match outcome {
            Outcome::Delivered(told) => RecipientState::Delivered { reply: told.text },
            Outcome::Failed(told) => RecipientState::Failed { reply: told.text },
            Outcome::Delayed(_) => RecipientState::Pending,
        };
    }
    if let Some(words) = words {
        next.last_outcome = words;
    }
    // RFC 5321 §6.1: nothing is ever reported to the null reverse-path.
    if entry.reverse_path.is_empty() {
        report.clear();
    }
    if report.iter().any(|line| line.action == Action::Delayed) {
        next.delay_notified = true;
    }
    let pending = next
        .recipients
        .iter()
        .any(|recipient| recipient.state == RecipientState::Pending);
    let pause = rest.unwrap_or_else(|| wait(next.attempts, config));
    let end = next_end(now, entry);
    next.due = now.after(pause).min(end.max(now));
    Next {
        entry: pending.then(|| next.clone()),
        after: next,
        report,
        endings,
    }
}

fn ending(outcome: &Outcome) -> Ending {
    let (state, told) = match outcome {
        Outcome::Delivered(told) => (SentState::Delivered, told),
        Outcome::Delayed(told) => (SentState::Deferred, told),
        Outcome::Failed(told) => (SentState::Bounced, told),
    };
    Ending {
        state,
        hard: state == SentState::Bounced && is_wrong_address(told),
        told: told.text.clone(),
    }
}

/// RFC 3463 §3.2, §3.3: there is no such address or domain, or it is out of use for good. A host
/// without such codes does not say it: its 550 may be about us or the message. What we found out
/// ourselves does not say it either: for a minute DNS may not know a name.
fn is_wrong_address(told: &Told) -> bool {
    !told.host.is_empty() && is_wrong_status(&told.status)
}

/// The same, read off the status alone.
pub fn is_wrong_status(status: &str) -> bool {
    matches!(
        status,
        "5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1"
    )
}

/// First interval doubled with every attempt, up to the longest.
pub fn wait(attempts: u32, config: &QueueConfig) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    config
        .retry_first
        .saturating_mul(1 << doublings)
        .min(config.retry_max)
}

/// When something is to be decided whatever the hosts do.
fn next_end(now: Timestamp, entry: &QueueEntry) -> Timestamp {
    let by = entry.wishes.deliver_by.map(|by| by.at);
    let by = by.filter(|at| *at > now);
    by.map_or(entry.expires, |at| at.min(entry.expires))
}

/// Why it waits, read off the last thing that was told.
fn reason(outcome: &Outcome) -> WaitReason {
    let told = match outcome {
        Outcome::Delivered(told) | Outcome::Delayed(told) | Outcome::Failed(told) => told,
    };
    match told.status.as_str() {
        _ if !told.host.is_empty() => WaitReason::Answered,
        "4.4.3" => WaitReason::Dns,
        "4.7.5" => WaitReason::Unproven,
        "4.7.30" => WaitReason::TlsDemanded,
        "4.3.0" => WaitReason::Here,
        "4.7.1" => WaitReason::Unconfirmed,
        _ => WaitReason::Unreachable,
    }
}

fn gave_up(told: &Told) -> Told {
    // RFC 3463 §3.5: X.4.7, delivery time expired.
    Told {
        status: "5.4.7".to_owned(),
        ..told.clone()
    }
}

fn report_line(
    recipient: &QueueRecipient,
    outcome: &Outcome,
    tell_delay: bool,
) -> Option<Reported> {
    let notify = recipient.notify.unwrap_or(DEFAULT_NOTIFY);
    let (action, told) = match outcome {
        Outcome::Failed(told) => notify.failure.then_some((Action::Failed, told)),
        Outcome::Delayed(told) => (tell_delay && notify.delay).then_some((Action::Delayed, told)),
        Outcome::Delivered(told) => {
            let asked = notify.success && !told.dsn_passed_on;
            // NOTIFY=NEVER goes before (RFC 2852 §4.1).
            let traced = told.relayed && (notify.success || notify.failure || notify.delay);
            (asked || traced).then_some((Action::Relayed, told))
        }
    }?;
    Some(Reported {
        address: recipient.address.clone(),
        original: recipient.original.clone(),
        action,
        told: told.clone(),
    })
}

/// What was settled before the entry was made comes here only to be told (RFC 3461 §5.2.8): a
/// message has arrived with our own people, or one of them does not take it.
fn settled_here(entry: &QueueEntry, recipient: &QueueRecipient) -> Option<Reported> {
    if entry.attempts > 0 {
        return None;
    }
    let notify = recipient.notify.unwrap_or(DEFAULT_NOTIFY);
    let (action, status, text) = match &recipient.state {
        RecipientState::Delivered { reply } if notify.success => {
            (Action::Delivered, "2.1.5", reply.as_str())
        }
        RecipientState::Failed { reply } if notify.failure => {
            let (status, text) = reply.split_once(' ')?;
            (Action::Failed, status, text)
        }
        _ => return None,
    };
    Some(Reported {
        address: recipient.address.clone(),
        original: recipient.original.clone(),
        action,
        told: Told {
            status: status.to_owned(),
            text: text.to_owned(),
            host: String::new(),
            dsn_passed_on: false,
            relayed: false,
        },
    })
}

/// For `queue show`: the newest thing that happened.
fn in_words(outcome: &Outcome) -> String {
    let told = match outcome {
        Outcome::Delivered(told) | Outcome::Delayed(told) | Outcome::Failed(told) => told,
    };
    if told.host.is_empty() {
        told.text.clone()
    } else {
        format!("{}: {}", told.host, told.text)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use facteur_store::{BlobId, QueueId};

    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    pub(in super::super) fn entry(notify: &[Option<Notify>]) -> QueueEntry {
        QueueEntry {
            id: QueueId(1),
            domain: "remote.test".to_owned(),
            reverse_path: "alice@example.test".to_owned(),
            recipients: notify
                .iter()
                .enumerate()
                .map(|(number, notify)| QueueRecipient {
                    address: format!("r{number}@remote.test"),
                    original: None,
                    notify: *notify,
                    state: RecipientState::Pending,
                })
                .collect(),
            blob: BlobId([0; 32]),
            prefix: Vec::new().into(),
            body_size: 10,
            body_8bit: false,
            body_binary: false,
            smtputf8: false,
            return_headers_only: false,
            envelope_id: None,
            language: "en".to_owned(),
            created: Timestamp(0),
            due: Timestamp(0),
            expires: Timestamp(5 * DAY),
            held: false,
            attempts: 0,
            last_outcome: String::new(),
            delay_notified: false,
            wishes: facteur_store::Wishes::default(),
            reason: WaitReason::NotTried,
            group: facteur_store::QueueGroup {
                first: QueueId(1),
                count: 1,
            },
            owing: None,
        }
    }

    fn told(status: &str) -> Told {
        Told {
            status: status.to_owned(),
            text: "said so".to_owned(),
            host: "mx.remote.test".to_owned(),
            dsn_passed_on: false,
            relayed: false,
        }
    }

    fn all(outcome: &Outcome, count: usize) -> Vec<Option<Outcome>> {
        vec![Some(outcome.clone()); count]
    }

    #[test]
    fn delivered_entries_are_done_without_a_word() {
        let entry = entry(&[None, None]);
        let outcomes = all(&Outcome::Delivered(told("2.0.0")), 2);
        let next = plan(
            Timestamp(0),
            &entry,
            &outcomes,
            None,
            &QueueConfig::default(),
        );
        assert_eq!((next.entry, next.report), (None, Vec::new()));
    }

    #[test]
    fn one_failure_is_reported_once_and_the_others_go_on() {
        let first = entry(&[None, None]);
        let outcomes = [
            Some(Outcome::Failed(told("5.1.1"))),
            Some(Outcome::Delayed(told("4.2.0"))),
        ];
        let config = QueueConfig::default();
        let next = plan(Timestamp(0), &first, &outcomes, None, &config);
        assert_eq!(next.report.len(), 1);
        assert_eq!(next.report[0].action, Action::Failed);
        let kept = next.entry.expect("one recipient is pending");
        assert_eq!(kept.due, Timestamp(300_000));
        assert_eq!(kept.last_outcome, "mx.remote.test: said so");
        let outcomes = [None, Some(Outcome::Delivered(told("2.0.0")))];
        let next = plan(kept.due, &kept, &outcomes, None, &config);
        assert_eq!((next.entry, next.report), (None, Vec::new()));
    }

    #[test]
    fn intervals_grow_to_the_longest() {
        let config = QueueConfig::default();
        let minutes: Vec<u64> = (1..9).map(|n| wait(n, &config).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 240, 240]);
        assert_eq!(wait(u32::MAX, &config), config.retry_max);
    }

    #[test]
    fn who_asked_is_told_of_an_arrival_here_once() {
        let config = QueueConfig::default();
        let success = Notify {
            success: true,
            failure: false,
            delay: false,
        };
        let mut entry = entry(&[Some(success), None]);
        for recipient in &mut entry.recipients {
            recipient.state = RecipientState::Delivered {
                reply: "delivered".to_owned(),
            };
        }
        let next = plan(Timestamp(HOUR), &entry, &[None, None], None, &config);
        assert_eq!(next.entry, None);
        let actions: Vec<Action> = next.report.iter().map(|line| line.action).collect();
        assert_eq!(actions, [Action::Delivered]);
        entry.reverse_path.clear();
        let silent = plan(Timestamp(HOUR), &entry, &[None, None], None, &config);
        assert!(silent.report.is_empty());
    }

    #[test]
    fn who_did_not_get_it_here_is_told_of_once() {
        let config = QueueConfig::default();
        let never = Notify {
            success: false,
            failure: false,
            delay: false,
        };
        let mut entry = entry(&[None, Some(never)]);
        for recipient in &mut entry.recipients {
            recipient.state = RecipientState::Failed {
                reply: "5.2.2 the mailbox is full".to_owned(),
            };
        }
        let next = plan(Timestamp(HOUR), &entry, &[None, None], None, &config);
        assert_eq!(next.entry, None);
        let told: Vec<_> = next
            .report
            .iter()
            .map(|line| {
                (
                    line.action,
                    line.told.status.as_str(),
                    line.told.text.as_str(),
                )
            })
            .collect();
        assert_eq!(told, [(Action::Failed, "5.2.2", "the mailbox is full")]);
        entry.attempts = 1;
        let again = plan(Timestamp(HOUR), &entry, &[None, None], None, &config);
        assert!(again.report.is_empty());
    }

    #[test]
    fn a_delay_is_told_once_and_the_end_always() {
        let config = QueueConfig::default();
        let outcomes = all(&Outcome::Delayed(told("4.4.1")), 1);
        let early = plan(Timestamp(HOUR), &entry(&[None]), &outcomes, None, &config);
        assert!(early.report.is_empty());
        let late = plan(
            Timestamp(5 * HOUR),
            &entry(&[None]),
            &outcomes,
            None,
            &config,
        );
        assert_eq!(late.report[0].action, Action::Delayed);
        let kept = late.entry.expect("it goes on");
        let again = plan(Timestamp(10 * HOUR), &kept, &outcomes, None, &config);
        assert!(again.report.is_empty());
        let end = plan(Timestamp(5 * DAY), &kept, &outcomes, None, &config);
        assert_eq!(end.entry, None);
        assert_eq!(end.report[0].action, Action::Failed);
        assert_eq!(end.report[0].told.status, "5.4.7");
    }

    #[test]
    fn the_last_attempt_is_at_expiry_and_not_after() {
        let config = QueueConfig::default();
        let mut entry = entry(&[None]);
        entry.attempts = 20;
        let outcomes = all(&Outcome::Delayed(told("4.4.1")), 1);
        let next = plan(Timestamp(5 * DAY - HOUR), &entry, &outcomes, None, &config);
        assert_eq!(next.entry.expect("not yet over").due, Timestamp(5 * DAY));
    }

    #[test]
    fn notify_decides_what_is_told() {
        let never = Notify {
            success: false,
            failure: false,
            delay: false,
        };
        let success = Notify {
            success: true,
            failure: false,
            delay: false,
        };
        let config = QueueConfig::default();
        let cases = [
            (Some(never), Outcome::Failed(told("5.0.0")), None),
            (None, Outcome::Delivered(told("2.0.0")), None),
            (
                Some(success),
                Outcome::Delivered(told("2.0.0")),
                Some(Action::Relayed),
            ),
            (
                Some(success),
                Outcome::Delivered(Told {
                    dsn_passed_on: true,
                    ..told("2.0.0")
                }),
                None,
            ),
            (Some(success), Outcome::Failed(told("5.0.0")), None),
        ];
        for (notify, outcome, expected) in cases {
            let next = plan(
                Timestamp(0),
                &entry(&[notify]),
                &[Some(outcome)],
                None,
                &config,
            );
            assert_eq!(next.report.first().map(|line| line.action), expected);
        }
    }

    /// What the program that sent it is told.
    #[test]
    fn endings() {
        let config = QueueConfig::default();
        let entry = entry(&[None]);
        let ending = |now, outcome, rest| {
            let next = plan(now, &entry, &[Some(outcome)], rest, &config);
            next.endings.into_iter().next().flatten()
        };
        let soon = entry.created;
        let hard = |status| {
            let ending = ending(soon, Outcome::Failed(told(status)), None);
            ending.map(|it| (it.state, it.hard))
        };
        assert_eq!(hard("5.1.1"), Some((SentState::Bounced, true)));
        assert_eq!(hard("5.7.1"), Some((SentState::Bounced, false)));
        // DNS did not know the name, and nobody was asked.
        let nobody = Told {
            host: String::new(),
            ..told("5.1.2")
        };
        let unasked = ending(soon, Outcome::Failed(nobody), None).map(|it| (it.state, it.hard));
        assert_eq!(unasked, Some((SentState::Bounced, false)));
        assert_eq!(hard("5.1.2"), Some((SentState::Bounced, true)));
        // A bare 550 may be about the message.
        assert_eq!(hard("5.0.0"), Some((SentState::Bounced, false)));
        let rest = Some(Duration::from_secs(60));
        let waits = Outcome::Delayed(told("4.4.1"));
        assert_eq!(ending(soon, waits.clone(), rest), None);
        // No host answered to the end.
        let gone = ending(entry.expires, waits, rest).map(|it| (it.state, it.hard));
        assert_eq!(gone, Some((SentState::Bounced, false)));
    }

    #[test]
    fn the_null_reverse_path_is_never_written_to() {
        let mut entry = entry(&[None]);
        entry.reverse_path.clear();
        let outcomes = all(&Outcome::Failed(told("5.1.1")), 1);
        let next = plan(
            Timestamp(0),
            &entry,
            &outcomes,
            None,
            &QueueConfig::default(),
        );
        assert_eq!((next.entry, next.report), (None, Vec::new()));
    }
}

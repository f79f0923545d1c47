//! Reports that wait a moment for each other: a message to several domains is one entry each, and its
//! sender is told once of all that fails, or is late, at about the same time.
//!
//! What is owed stands in the entry, committed with the outcome that it tells of, so that nothing
//! of it is lost or told twice. Pure.

use facteur_store::{OwedLine, Owing, QueueEntry, RecipientState, Timestamp, WaitReason};

use super::limits::REPORT_WAIT;
use super::plan::{Next, Reported, Told};

/// What becomes of an entry, and of the others whose reports are in its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `None`: it is done.
    pub entry: Option<QueueEntry>,
    pub report: Vec<Reported>,
    pub others: Vec<(facteur_store::QueueId, Option<QueueEntry>)>,
}

/// Something of it is still to be tried.
pub fn is_open(entry: &QueueEntry) -> bool {
    let pending = |state: &RecipientState| *state == RecipientState::Pending;
    entry.recipients.iter().any(|it| pending(&it.state))
}

/// The entry's turn has come for its report alone: nobody is to be tried yet.
pub fn only_report(entry: &QueueEntry, now: Timestamp) -> Option<Next> {
    let owing = entry.owing.as_ref()?;
    let open = is_open(entry);
    if open && now >= owing.retry {
        return None;
    }
    let mut after = entry.clone();
    if open {
        after.due = owing.retry;
    }
    Some(Next {
        entry: open.then(|| after.clone()),
        after,
        report: Vec::new(),
        endings: Vec::new(),
    })
}

/// Whether the report waits: others may still fail, and the first failure is not long ago.
pub fn is_for_later(now: Timestamp, next: &Next, others_open: bool) -> bool {
    let since = next.after.owing.as_ref().map_or(now, |owing| owing.since);
    others_open && now < since.after(REPORT_WAIT)
}

/// Decides; `others`: entries of the same message that owe reports.
pub fn decide(now: Timestamp, next: &Next, others: Vec<QueueEntry>, others_open: bool) -> Decision {
    let mut after = next.after.clone();
    let owing = after.owing.take();
    let since = owing.as_ref().map_or(now, |owing| owing.since);
    let mut lines = owing.map(|owing| owing.lines).unwrap_or_default();
    lines.extend(next.report.iter().map(kept));
    let open = is_open(&after);
    if !lines.is_empty() && is_for_later(now, next, others_open) {
        let (retry, told) = (after.due, since.after(REPORT_WAIT));
        after.due = match open {
            true => told.min(retry),
            false => {
                after.reason = WaitReason::Reporting;
                told
            }
        };
        after.owing = Some(Owing {
            since,
            retry,
            lines,
        });
        return Decision {
            entry: Some(after),
            report: Vec::new(),
            others: Vec::new(),
        };
    }
    let mut settled = Vec::new();
    for mut other in others {
        let Some(owing) = other.owing.take() else {
            continue;
        };
        lines.extend(owing.lines);
        let id = other.id;
        other.due = owing.retry;
        settled.push((id, is_open(&other).then_some(other)));
    }
    Decision {
        entry: open.then_some(after),
        report: lines.into_iter().map(told).collect(),
        others: settled,
    }
}

fn kept(line: &Reported) -> OwedLine {
    OwedLine {
        address: line.address.clone(),
        original: line.original.clone(),
        action: line.action,
        status: line.told.status.clone(),
        text: line.told.text.clone(),
        host: line.told.host.clone(),
    }
}

fn told(line: OwedLine) -> Reported {
    Reported {
        address: line.address,
        original: line.original,
        action: line.action,
        told: Told {
            status: line.status,
            text: line.text,
            host: line.host,
            dsn_passed_on: false,
            relayed: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use facteur_store::{QueueId, ReportAction};

    use super::super::plan::tests::entry;
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const RETRY: Timestamp = Timestamp(1_300_000);

    fn line(address: &str) -> Reported {
        told(OwedLine {
            address: address.to_owned(),
            original: None,
            action: ReportAction::Failed,
            status: "5.1.1".to_owned(),
            text: "nobody".to_owned(),
            host: "mx.test".to_owned(),
        })
    }

    /// `open`: a recipient is still to be tried.
    fn next(id: u64, open: bool, report: &[&str]) -> Next {
        let mut after = entry(&[None, None]);
        after.id = QueueId(id);
        after.due = RETRY;
        let failed = RecipientState::Failed {
            reply: "nobody".to_owned(),
        };
        after.recipients[0].state = failed.clone();
        if !open {
            after.recipients[1].state = failed;
        }
        Next {
            entry: open.then(|| after.clone()),
            after,
            report: report.iter().map(|address| line(address)).collect(),
            endings: Vec::new(),
        }
    }

    fn addresses(report: &[Reported]) -> Vec<&str> {
        report.iter().map(|line| line.address.as_str()).collect()
    }

    #[test]
    fn alone_it_is_told_at_once() {
        for open in [true, false] {
            let decision = decide(NOW, &next(1, open, &["a"]), Vec::new(), false);
            assert_eq!(addresses(&decision.report), ["a"]);
            assert_eq!(decision.entry.is_some(), open);
            assert!(
                decision
                    .entry
                    .is_none_or(|it| it.due == RETRY && it.owing.is_none())
            );
        }
        let quiet = decide(NOW, &next(1, false, &[]), Vec::new(), true);
        assert_eq!((quiet.entry, quiet.report), (None, Vec::new()));
    }

    #[test]
    fn beside_others_it_waits_and_never_longer_than_said() {
        let told_at = NOW.after(REPORT_WAIT);
        for (open, due) in [(true, told_at.min(RETRY)), (false, told_at)] {
            let decision = decide(NOW, &next(1, open, &["a"]), Vec::new(), true);
            assert!(decision.report.is_empty());
            let kept = decision.entry.expect("it owes a report");
            assert_eq!(kept.due, due);
            // Its turn comes for the report alone.
            let turn = only_report(&kept, told_at).expect("nobody is tried");
            assert_eq!(turn.after.due, if open { RETRY } else { due });
            let early = decide(NOW, &turn, Vec::new(), true);
            assert_eq!(early.entry.map(|it| it.owing.is_some()), Some(true));
            let decision = decide(told_at, &turn, Vec::new(), true);
            assert_eq!(addresses(&decision.report), ["a"]);
            assert_eq!(decision.entry.map(|it| it.due), open.then_some(RETRY));
        }
    }

    /// An attempt comes first when its time has come; what it gives is told with the rest.
    #[test]
    fn an_attempt_that_is_due_is_made() {
        let first = decide(NOW, &next(1, true, &["a"]), Vec::new(), true);
        let kept = first.entry.expect("kept");
        assert_eq!(only_report(&kept, RETRY), None);
        // By hand, too.
        assert!(only_report(&kept, NOW).is_some());
        assert_eq!(only_report(&kept.clone().tried_at(NOW), NOW), None);
        let mut second = next(1, false, &["b"]);
        second.after.owing = kept.owing;
        let decision = decide(RETRY, &second, Vec::new(), true);
        assert_eq!(addresses(&decision.report), ["a", "b"]);
        assert_eq!(decision.entry, None);
    }

    #[test]
    fn the_last_one_tells_for_all() {
        let owes = |id, open, address: &str| {
            let decision = decide(NOW, &next(id, open, &[address]), Vec::new(), true);
            decision.entry.expect("kept")
        };
        let others = vec![owes(2, true, "b"), owes(3, false, "c")];
        let decision = decide(NOW, &next(1, false, &["a"]), others, false);
        assert_eq!(addresses(&decision.report), ["a", "b", "c"]);
        assert_eq!(decision.entry, None);
        let [(QueueId(2), Some(kept)), (QueueId(3), None)] = decision.others.as_slice() else {
            panic!("{:?}", decision.others);
        };
        assert_eq!((kept.due, &kept.owing), (RETRY, &None));
    }
}

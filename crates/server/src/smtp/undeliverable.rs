//! Who does not get a message after all, found out when it is there: the others still do.
//!
//! LMTP answers for each recipient (RFC 2033 §4.2). SMTP has one answer for all of them: when
//! somebody got the message, the sender of it is told of the others by a report (RFC 5321 §6.1).

use facteur_smtp::server::Refusal;
use facteur_store::{AccountId, Error};

use super::decide::Door;
use super::directory::Target;

/// Why a mailbox does not take the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    Full,
    /// It was in this mailbox before and came back (RFC 5321 §6.3).
    Loop,
    /// The owner's filter refuses it (RFC 5429).
    Filtered,
}

impl Undeliverable {
    /// RFC 3463 status and our sentence, for a report.
    pub fn told(self) -> &'static str {
        match self {
            Undeliverable::Full => "5.2.2 the mailbox is full",
            Undeliverable::Loop => "5.4.6 the message has been in this mailbox before",
            Undeliverable::Filtered => "5.7.1 the recipient's filter refuses the message",
        }
    }

    fn refusal(self) -> Refusal {
        match self {
            Undeliverable::Full => Refusal::MailboxFull,
            Undeliverable::Loop => Refusal::Loop,
            Undeliverable::Filtered => Refusal::Filtered,
        }
    }
}

/// What becomes of the recipients, in their order.
#[derive(Debug, PartialEq, Eq)]
pub struct Sorted {
    /// Where the message goes; empty for a recipient that does not get it.
    pub targets: Vec<Vec<Target>>,
    /// LMTP's replies.
    pub results: Vec<Result<(), Refusal>>,
    /// Places of recipients that the sender is told of.
    pub reports: Vec<(usize, Undeliverable)>,
}

impl Sorted {
    /// Nobody gets it, and everything is well: it was for the server itself.
    pub fn nothing(recipients: usize) -> Sorted {
        Sorted {
            targets: vec![Vec::new(); recipients],
            results: vec![Ok(()); recipients],
            reports: Vec::new(),
        }
    }

    /// Of those who get it here.
    pub fn accounts(&self) -> Vec<AccountId> {
        let targets = self.targets.iter().flatten();
        let accounts = targets.filter_map(|target| match target {
            Target::Local { account, .. } => Some(*account),
            Target::Remote { .. } | Target::Reply(_) | Target::Report => None,
        });
        accounts.collect()
    }
}

/// Something goes to other hosts.
pub fn leave(targets: &[Vec<Target>]) -> bool {
    let mut targets = targets.iter().flatten();
    targets.any(|target| matches!(target, Target::Remote { .. }))
}

/// Takes out what can't be delivered. `Err(Ok(_))`: nothing is left, the message as a whole is
/// refused; `Err(Err(_))`: the store failed.
pub fn sort(
    targets: Vec<Vec<Target>>,
    door: Door,
    judge: impl Fn(&Target) -> Result<Option<Undeliverable>, Error>,
) -> Result<Sorted, Result<Refusal, Error>> {
    let mut sorted = Sorted {
        targets: Vec::new(),
        results: Vec::new(),
        reports: Vec::new(),
    };
    for list in targets {
        let (mut kept, mut out) = (Vec::new(), None);
        for target in list {
            match judge(&target).map_err(Err)? {
                None => kept.push(target),
                // Full tells more: it may pass.
                Some(why) if out != Some(Undeliverable::Full) => out = Some(why),
                Some(_) => {}
            }
        }
        let place = sorted.targets.len();
        sorted.results.push(match (out, kept.is_empty()) {
            (Some(why), true) => Err(why.refusal()),
            _ => Ok(()),
        });
        let told = match (out, kept.is_empty()) {
            (Some(_), true) if door == Door::Lmtp => None,
            (out, true) => out,
            // One of several behind an alias; who has the message already misses nothing.
            (out, false) => out.filter(|why| *why == Undeliverable::Full),
        };
        sorted.reports.extend(told.map(|why| (place, why)));
        sorted.targets.push(kept);
    }
    if door != Door::Lmtp && sorted.targets.iter().all(Vec::is_empty) {
        let full = sorted.results.contains(&Err(Refusal::MailboxFull));
        let refusal = if full {
            Refusal::MailboxFull
        } else {
            Refusal::Loop
        };
        return Err(Ok(refusal));
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_store::AccountId;

    fn local(account: u32) -> Target {
        Target::Local {
            account: AccountId(account),
            address: String::new(),
            language: "en".into(),
        }
    }

    /// Account 1 takes it, 2 is full, 3 had it before.
    fn sorted(door: Door, targets: &[&[u32]]) -> Result<Sorted, Refusal> {
        let of = |list: &&[u32]| list.iter().map(|account| local(*account)).collect();
        let judge = |target: &Target| {
            Ok(match target {
                Target::Local { account, .. } if account.0 == 2 => Some(Undeliverable::Full),
                Target::Local { account, .. } if account.0 == 3 => Some(Undeliverable::Loop),
                _ => None,
            })
        };
        sort(targets.iter().map(of).collect(), door, judge).map_err(|refused| refused.unwrap())
    }

    #[test]
    fn the_others_still_get_it() {
        let mixed: &[&[u32]] = &[&[1], &[2], &[3], &[1, 2], &[1, 3]];
        let kept = vec![
            vec![local(1)],
            vec![],
            vec![],
            vec![local(1)],
            vec![local(1)],
        ];
        let results = vec![
            Ok(()),
            Err(Refusal::MailboxFull),
            Err(Refusal::Loop),
            Ok(()),
            Ok(()),
        ];
        let mx = sorted(Door::Mx, mixed).unwrap();
        assert_eq!(mx.targets, kept);
        let (full, again) = (Undeliverable::Full, Undeliverable::Loop);
        assert_eq!(mx.reports, [(1, full), (2, again), (3, full)]);
        let lmtp = sorted(Door::Lmtp, mixed).unwrap();
        assert_eq!((lmtp.targets, lmtp.results), (kept, results));
        assert_eq!(lmtp.reports, [(3, full)]);
    }

    #[test]
    fn for_nobody_left_there_is_one_answer() {
        assert_eq!(sorted(Door::Mx, &[&[3]]), Err(Refusal::Loop));
        assert_eq!(sorted(Door::Mx, &[&[3], &[2]]), Err(Refusal::MailboxFull));
        assert!(sorted(Door::Lmtp, &[&[3], &[2]]).is_ok());
    }
}

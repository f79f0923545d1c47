//! The verdict on a message: pure, from what was gathered while it came in.

use facteur_message::HeaderFacts;
use facteur_senders::dmarc;
use facteur_smtp::server::Refusal;

use crate::limits;
use crate::senders::Author;

/// Which door the message came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Port 25.
    Mx,
    /// 587 and 465, logged in.
    Submission,
    /// LMTP: another server of this machine took it already.
    Lmtp,
}

/// Whom the message names as its authors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authors {
    /// Every mailbox in From belongs to who logged in.
    pub from_is_own: bool,
    /// The one in Sender too, or there is no such field.
    pub sender_is_own: bool,
}

/// What is known at the end of the data.
#[derive(Clone, Copy, Debug)]
pub struct Gathered<'a> {
    pub door: Door,
    pub header: &'a HeaderFacts,
    pub size: u64,
    pub message_bytes_max: u64,
    /// Only asked on submission.
    pub authors: Authors,
    pub author: &'a Author,
    /// What the domain in From says; `None`: it was not asked.
    pub dmarc: Option<&'a dmarc::Checked>,
    /// 0 to 99, by chance.
    pub dice: u8,
}

/// Always with its reason in words, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept {
        /// RFC 6409 §8.2, §8.3: submission adds what is missing.
        add_date: bool,
        add_message_id: bool,
        /// Into Junk: why.
        junk: Option<&'static str>,
    },
    Refuse {
        refusal: Refusal,
        reason: &'static str,
    },
}

/// Decides; pure.
pub fn decide(gathered: Gathered<'_>) -> Verdict {
    let refuse = |refusal, reason| Verdict::Refuse { refusal, reason };
    let header = gathered.header;
    let submission = gathered.door == Door::Submission;
    if gathered.size > gathered.message_bytes_max {
        refuse(Refusal::TooBig, "the message is too big")
    } else if header.received_count > limits::RECEIVED_MAX {
        // RFC 5321 §6.3.
        refuse(Refusal::Loop, "too many Received fields")
    } else if submission && header.from_count != 1 {
        // RFC 5322 §3.6.
        refuse(Refusal::NoFrom, "not exactly one From field")
    } else if gathered.door == Door::Mx && *gathered.author == Author::Unclear {
        // RFC 7489 §6.6.1: whom would a reader be shown?
        refuse(Refusal::NoFrom, "From names nobody, or is there twice")
    } else if gathered.door == Door::Mx && *gathered.author == Author::Several {
        refuse(Refusal::NoFrom, "From names people of several domains")
    } else if submission && !gathered.authors.from_is_own {
        refuse(Refusal::SenderNotYours, "From is not the sender's own")
    } else if submission && !gathered.authors.sender_is_own {
        refuse(Refusal::SenderNotYours, "Sender is not the sender's own")
    } else {
        let junk = match gathered.dmarc.map(|dmarc| asked_for(dmarc, gathered.dice)) {
            Some(Asked::Refuse(refusal, reason)) => return refuse(refusal, reason),
            Some(Asked::Junk(reason)) => Some(reason),
            Some(Asked::Nothing) | None => None,
        };
        Verdict::Accept {
            add_date: submission && !header.has_date,
            add_message_id: submission && !header.has_message_id,
            junk,
        }
    }
}

enum Asked {
    Nothing,
    Junk(&'static str),
    Refuse(Refusal, &'static str),
}

/// What the domain in From wants done (RFC 7489 §6.6.2).
fn asked_for(dmarc: &dmarc::Checked, dice: u8) -> Asked {
    let strict = dmarc.policy != dmarc::Policy::None;
    if dmarc.outcome == dmarc::Outcome::TempError && strict {
        // What would vouch for it is not known now: neither taken nor lost.
        let reason = "the domain in From wants a check that DNS does not allow now";
        return Asked::Refuse(Refusal::Unverifiable, reason);
    }
    match dmarc.disposition(dice) {
        dmarc::Policy::None => Asked::Nothing,
        dmarc::Policy::Quarantine => Asked::Junk("the domain in From asks to set it apart"),
        dmarc::Policy::Reject => Asked::Refuse(
            Refusal::NotVouchedFor,
            "the domain in From does not vouch for it and asks to refuse it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Authors = Authors {
        from_is_own: true,
        sender_is_own: true,
    };

    fn header() -> HeaderFacts {
        HeaderFacts {
            from_count: 1,
            has_date: true,
            has_message_id: true,
            ..HeaderFacts::default()
        }
    }

    fn verdict(door: Door, change: impl FnOnce(&mut HeaderFacts)) -> Verdict {
        let mut header = header();
        change(&mut header);
        let author = match header.from_count {
            1 => Author::One("there.test".into()),
            _ => Author::Unclear,
        };
        decide(Gathered {
            door,
            header: &header,
            size: 10,
            message_bytes_max: 10,
            authors: OWN,
            author: &author,
            dmarc: None,
            dice: 0,
        })
    }

    fn refusal_of(verdict: Verdict) -> Option<Refusal> {
        match verdict {
            Verdict::Refuse { refusal, .. } => Some(refusal),
            Verdict::Accept { .. } => None,
        }
    }

    #[test]
    fn the_table() {
        use Door::{Lmtp, Mx, Submission};
        type Change = fn(&mut HeaderFacts);
        let rows: [(&str, Change, [Option<Refusal>; 3]); 5] = [
            ("good", |_| (), [None, None, None]),
            (
                "no From",
                |header| header.from_count = 0,
                [Some(Refusal::NoFrom), Some(Refusal::NoFrom), None],
            ),
            (
                "two From fields",
                |header| header.from_count = 2,
                [Some(Refusal::NoFrom), Some(Refusal::NoFrom), None],
            ),
            (
                "at the limit",
                |header| header.received_count = limits::RECEIVED_MAX,
                [None, None, None],
            ),
            (
                "loops",
                |header| header.received_count = limits::RECEIVED_MAX + 1,
                [Some(Refusal::Loop); 3],
            ),
        ];
        for (name, change, expected) in rows {
            for (door, expected) in [Mx, Submission, Lmtp].into_iter().zip(expected) {
                assert_eq!(
                    refusal_of(verdict(door, change)),
                    expected,
                    "{name} {door:?}"
                );
            }
        }
    }

    #[test]
    fn submission_adds_what_is_missing() {
        for (door, added) in [
            (Door::Mx, false),
            (Door::Submission, true),
            (Door::Lmtp, false),
        ] {
            let verdict = verdict(door, |header| {
                header.has_date = false;
                header.has_message_id = false;
            });
            let expected = Verdict::Accept {
                add_date: added,
                add_message_id: added,
                junk: None,
            };
            assert_eq!(verdict, expected);
        }
    }

    #[test]
    fn what_the_header_does_not_say() {
        let header = header();
        let author = Author::One("there.test".into());
        let good = Gathered {
            door: Door::Submission,
            header: &header,
            size: 10,
            message_bytes_max: 10,
            authors: OWN,
            author: &author,
            dmarc: None,
            dice: 0,
        };
        let big = Gathered { size: 11, ..good };
        assert_eq!(refusal_of(decide(big)), Some(Refusal::TooBig));
        for (from_is_own, sender_is_own) in [(false, true), (true, false), (false, false)] {
            let foreign = Gathered {
                authors: Authors {
                    from_is_own,
                    sender_is_own,
                },
                ..good
            };
            assert_eq!(refusal_of(decide(foreign)), Some(Refusal::SenderNotYours));
            let door = Door::Mx;
            assert_eq!(refusal_of(decide(Gathered { door, ..foreign })), None);
        }
    }

    #[test]
    fn what_the_domain_in_from_wants() {
        use dmarc::{Outcome, Policy};
        let header = header();
        let author = Author::One("bank.test".into());
        let (refused, later) = (Some(Refusal::NotVouchedFor), Some(Refusal::Unverifiable));
        for (outcome, policy, percent, refusal, junk) in [
            (Outcome::Pass, Policy::Reject, 100, None, false),
            (Outcome::None, Policy::None, 100, None, false),
            (Outcome::Fail, Policy::None, 100, None, false),
            (Outcome::Fail, Policy::Quarantine, 100, None, true),
            (Outcome::Fail, Policy::Reject, 100, refused, false),
            (Outcome::Fail, Policy::Reject, 51, refused, false),
            (Outcome::Fail, Policy::Reject, 50, None, true),
            (Outcome::Fail, Policy::Quarantine, 50, None, false),
            (Outcome::TempError, Policy::Reject, 100, later, false),
            (Outcome::TempError, Policy::None, 100, None, false),
            (Outcome::PermError, Policy::None, 100, None, false),
        ] {
            let dmarc = dmarc::Checked {
                outcome,
                policy,
                percent,
                ..dmarc::Checked::default()
            };
            let verdict = decide(Gathered {
                door: Door::Mx,
                header: &header,
                size: 10,
                message_bytes_max: 10,
                authors: OWN,
                author: &author,
                dmarc: Some(&dmarc),
                dice: 50,
            });
            let in_junk = matches!(verdict, Verdict::Accept { junk: Some(_), .. });
            let name = format!("{outcome} {policy} {percent}");
            assert_eq!((refusal_of(verdict), in_junk), (refusal, junk), "{name}");
        }
        let several = Gathered {
            door: Door::Mx,
            header: &header,
            size: 10,
            message_bytes_max: 10,
            authors: OWN,
            author: &Author::Several,
            dmarc: None,
            dice: 0,
        };
        assert_eq!(refusal_of(decide(several)), Some(Refusal::NoFrom));
    }
}

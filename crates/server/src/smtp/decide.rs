//! The verdict on a message: pure, from what was gathered while it came in.

use facteur_message::HeaderFacts;
use facteur_smtp::server::Refusal;

use crate::limits;

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
}

/// Always with its reason in words, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept {
        /// RFC 6409 §8.2, §8.3: submission adds what is missing.
        add_date: bool,
        add_message_id: bool,
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
        // RFC 5322 §3.6. On port 25 old and broken mail still comes in without; what a reader is
        // shown then is the business of the checks on its origin.
        refuse(Refusal::NoFrom, "not exactly one From field")
    } else if submission && !gathered.authors.from_is_own {
        refuse(Refusal::SenderNotYours, "From is not the sender's own")
    } else if submission && !gathered.authors.sender_is_own {
        refuse(Refusal::SenderNotYours, "Sender is not the sender's own")
    } else {
        Verdict::Accept {
            add_date: submission && !header.has_date,
            add_message_id: submission && !header.has_message_id,
        }
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
        decide(Gathered {
            door,
            header: &header,
            size: 10,
            message_bytes_max: 10,
            authors: OWN,
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
                [None, Some(Refusal::NoFrom), None],
            ),
            (
                "two From fields",
                |header| header.from_count = 2,
                [None, Some(Refusal::NoFrom), None],
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
            };
            assert_eq!(verdict, expected);
        }
    }

    #[test]
    fn what_the_header_does_not_say() {
        let header = header();
        let good = Gathered {
            door: Door::Submission,
            header: &header,
            size: 10,
            message_bytes_max: 10,
            authors: OWN,
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
}

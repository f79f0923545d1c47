//! What it teaches that a message is where it is, as it is: pure.

use facteur_filter::Label;
use facteur_store::{SpecialUse, SystemFlags};

/// What is known of a message that somebody changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placed {
    pub(super) special_use: Option<SpecialUse>,
    pub(super) is_inbox: bool,
    /// We filed it into Junk when it came.
    pub(super) was_junk: bool,
    pub(super) flags: SystemFlags,
    /// $Junk or Junk, and $NotJunk or NonJunk (Thunderbird and Apple Mail set one of each pair).
    pub(super) says_junk: bool,
    pub(super) says_good: bool,
    /// It lies there long enough that nobody will call it junk any more.
    pub(super) settled: bool,
}

/// `None`: nothing. What we filed ourselves teaches nothing until somebody disagrees.
pub(super) fn lesson(placed: Placed) -> Option<Label> {
    let has = |flag| placed.flags.contains(flag);
    match (placed.says_junk, placed.says_good) {
        (true, true) => return None,
        (true, false) => return Some(Label::Junk),
        (false, true) => return Some(Label::Good),
        (false, false) => {}
    }
    match placed.special_use {
        Some(SpecialUse::Junk) => (!placed.was_junk).then_some(Label::Junk),
        Some(SpecialUse::Trash | SpecialUse::Drafts | SpecialUse::Sent) => None,
        Some(SpecialUse::Archive) | None => {
            let rescued = placed.was_junk;
            let used = has(SystemFlags::ANSWERED) || has(SystemFlags::FLAGGED);
            let filed = !placed.is_inbox && has(SystemFlags::SEEN);
            let kept = placed.settled && has(SystemFlags::SEEN) && !has(SystemFlags::DELETED);
            (rescued || used || filed || kept).then_some(Label::Good)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use Label::{Good, Junk};
        let inbox = Placed {
            is_inbox: true,
            ..Placed::default()
        };
        let junk = Placed {
            special_use: Some(SpecialUse::Junk),
            ..Placed::default()
        };
        let seen = SystemFlags::SEEN;
        let rows = [
            ("new", inbox, None),
            (
                "read",
                Placed {
                    flags: seen,
                    ..inbox
                },
                None,
            ),
            (
                "read and kept",
                Placed {
                    flags: seen,
                    settled: true,
                    ..inbox
                },
                Some(Good),
            ),
            (
                "kept unread",
                Placed {
                    settled: true,
                    ..inbox
                },
                None,
            ),
            (
                "answered",
                Placed {
                    flags: SystemFlags::ANSWERED,
                    ..inbox
                },
                Some(Good),
            ),
            (
                "rescued",
                Placed {
                    was_junk: true,
                    ..inbox
                },
                Some(Good),
            ),
            ("moved to Junk", junk, Some(Junk)),
            (
                "filed by us",
                Placed {
                    was_junk: true,
                    ..junk
                },
                None,
            ),
            (
                "and agreed",
                Placed {
                    was_junk: true,
                    says_junk: true,
                    ..junk
                },
                Some(Junk),
            ),
            (
                "marked in INBOX",
                Placed {
                    says_junk: true,
                    ..inbox
                },
                Some(Junk),
            ),
            (
                "marked good in Junk",
                Placed {
                    says_good: true,
                    ..junk
                },
                Some(Good),
            ),
            (
                "both",
                Placed {
                    says_good: true,
                    says_junk: true,
                    ..inbox
                },
                None,
            ),
            (
                "filed and read",
                Placed {
                    flags: seen,
                    ..Placed::default()
                },
                Some(Good),
            ),
            ("filed unread", Placed::default(), None),
            (
                "thrown away",
                Placed {
                    special_use: Some(SpecialUse::Trash),
                    flags: seen,
                    was_junk: true,
                    ..Placed::default()
                },
                None,
            ),
            (
                "one's own",
                Placed {
                    special_use: Some(SpecialUse::Sent),
                    flags: seen,
                    ..Placed::default()
                },
                None,
            ),
        ];
        for (name, placed, expected) in rows {
            assert_eq!(lesson(placed), expected, "{name}");
        }
    }
}

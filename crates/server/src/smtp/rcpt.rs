//! RCPT: is the recipient taken? RFC 5321 §3.3, §3.6.2: only people who logged in are relayed for.

use facteur_smtp::server::Refusal;

use super::directory::{Found, Target};

/// What is known when RCPT comes.
#[derive(Clone, Debug)]
pub struct RcptFacts {
    /// The client logged in: on 587 and 465 only.
    pub authenticated: bool,
    pub found: Found,
    /// A limit of `rates.rs` is met.
    pub over: bool,
    /// Behind it is a group that does not take mail from who sends this.
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RcptVerdict {
    Accept(Vec<Target>),
    Refuse(Refusal),
}

/// Decides; pure.
pub fn check_rcpt(facts: RcptFacts) -> RcptVerdict {
    if facts.over {
        return RcptVerdict::Refuse(Refusal::RateLimited);
    }
    match facts.found {
        Found::Targets(_) if facts.closed => RcptVerdict::Refuse(Refusal::NotOpenToYou),
        Found::Targets(targets) => RcptVerdict::Accept(targets),
        Found::Elsewhere(target) if facts.authenticated => RcptVerdict::Accept(vec![target]),
        Found::Elsewhere(_) => RcptVerdict::Refuse(Refusal::RelayDenied),
        Found::NoDomain => RcptVerdict::Refuse(Refusal::NoSuchMailbox),
        Found::Nobody => RcptVerdict::Refuse(Refusal::NoSuchMailbox),
        Found::Disabled => RcptVerdict::Refuse(Refusal::MailboxDisabled),
        Found::Full => RcptVerdict::Refuse(Refusal::MailboxFull),
        // Ours to repair: the sender keeps the message meanwhile.
        Found::BadAlias => RcptVerdict::Refuse(Refusal::Temporary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_store::AccountId;

    fn local() -> Target {
        Target::Local {
            account: AccountId(1),
            address: "alice@example.test".into(),
            language: "en".into(),
        }
    }

    fn remote() -> Target {
        Target::Remote {
            address: "x@elsewhere.test".into(),
            domain: "elsewhere.test".into(),
            forward: None,
        }
    }

    #[test]
    fn strangers_reach_our_people_only() {
        use RcptVerdict::{Accept, Refuse};
        let table = [
            (Found::Targets(vec![local()]), false, Accept(vec![local()])),
            (Found::Targets(vec![local()]), true, Accept(vec![local()])),
            // An alias of ours may lead out: its owner wanted that.
            (
                Found::Targets(vec![remote()]),
                false,
                Accept(vec![remote()]),
            ),
            (
                Found::Elsewhere(remote()),
                false,
                Refuse(Refusal::RelayDenied),
            ),
            (Found::Elsewhere(remote()), true, Accept(vec![remote()])),
            (Found::NoDomain, false, Refuse(Refusal::NoSuchMailbox)),
            (Found::NoDomain, true, Refuse(Refusal::NoSuchMailbox)),
            (Found::Nobody, false, Refuse(Refusal::NoSuchMailbox)),
            (Found::Nobody, true, Refuse(Refusal::NoSuchMailbox)),
            (Found::Disabled, false, Refuse(Refusal::MailboxDisabled)),
            (Found::Full, false, Refuse(Refusal::MailboxFull)),
            (Found::BadAlias, false, Refuse(Refusal::Temporary)),
        ];
        for (found, authenticated, expected) in table {
            let facts = RcptFacts {
                authenticated,
                found: found.clone(),
                over: false,
                closed: false,
            };
            assert_eq!(
                check_rcpt(facts.clone()),
                expected,
                "{found:?} {authenticated}"
            );
            let closed = RcptFacts {
                closed: true,
                ..facts.clone()
            };
            let expected = match found {
                Found::Targets(_) => Refuse(Refusal::NotOpenToYou),
                _ => expected,
            };
            assert_eq!(check_rcpt(closed), expected, "{found:?} {authenticated}");
            let over = RcptFacts {
                over: true,
                ..facts
            };
            assert_eq!(check_rcpt(over), Refuse(Refusal::RateLimited));
        }
    }
}

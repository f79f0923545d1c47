//! Who sends this? Mail that nobody vouches for, from a host without a name of its own, to people who
//! never heard of its author, is told to come again (greylisting): RFC 5321 §4.5.4.1 makes a mail
//! server do that. Whoever SPF or DKIM speaks for is never delayed, so the many hosts of a large
//! provider never meet this.

use std::net::IpAddr;

use facteur_message::Facts;
use facteur_senders::results::Findings;
use facteur_senders::reverse::Reverse;
use facteur_senders::{arc, dkim, spf};
use facteur_smtp::server::Refusal;

use super::Driver;
use super::sender::Origin;
use super::undeliverable::Sorted;
use crate::drive::{self, Stream};
use crate::junk::network_of;

/// From here on people's judgement of a network counts as good.
const GOOD_STANDING: f32 = -0.2;

/// What the checks leave to doubt; pure. What DNS does not say now is no doubt.
fn is_doubtful(findings: &Findings, ip: IpAddr) -> bool {
    let spf = findings.spf.outcome;
    let mut signed = findings.dkim.iter().map(|one| &one.outcome);
    let vouched = matches!(spf, spf::Outcome::Pass | spf::Outcome::TempError)
        || signed.any(|one| matches!(one, dkim::Outcome::Pass | dkim::Outcome::TempError))
        || findings.arc.outcome == arc::Outcome::Pass;
    let named = match &findings.reverse {
        Reverse::Pass(name) => !is_generic(name, ip),
        Reverse::TempError => true,
        Reverse::Fail | Reverse::PermError => false,
    };
    !vouched && !named
}

/// Parts of names that providers give to all of their customers alike.
const GENERIC: [&str; 12] = [
    "dyn",
    "dynamic",
    "dhcp",
    "dsl",
    "adsl",
    "vdsl",
    "pool",
    "ppp",
    "dialup",
    "dial",
    "broadband",
    "cable",
];

/// A name made from the address, or one of those that change hands.
fn is_generic(name: &str, ip: IpAddr) -> bool {
    let name = name.to_ascii_lowercase();
    let words = || name.split(|c: char| !c.is_ascii_alphabetic());
    if words().any(|word| GENERIC.contains(&word)) {
        return true;
    }
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let numbers: Vec<u16> = name
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|digits| digits.parse().ok())
                .collect();
            let [a, b, c, d] = ip.octets().map(u16::from);
            let has = |part: u16| numbers.contains(&part);
            let hex = format!("{:08x}", ip.to_bits());
            // Two of one network may be `mx3` and `mx4`: the last two parts at least.
            name.contains(&hex) || (numbers.len() >= 2 && has(c) && has(d) && (has(a) || has(b)))
        }
        IpAddr::V6(ip) => {
            let digits: String = name.chars().filter(char::is_ascii_hexdigit).collect();
            let nibbles = format!("{:032x}", ip.to_bits());
            let host = nibbles.get(16..).unwrap_or_default();
            digits.contains(host)
        }
    }
}

impl<S: Stream> Driver<S> {
    pub(super) async fn greylist(
        &self,
        origin: Option<&Origin>,
        facts: &Facts,
        sorted: &Sorted,
    ) -> Result<(), Refusal> {
        let (Some(origin), Some(ip)) = (origin, self.stranger()) else {
            return Ok(());
        };
        if !is_doubtful(&origin.findings, ip) || self.standing < GOOD_STANDING {
            return Ok(());
        }
        let accounts = sorted.accounts();
        let from = facts.envelope.from.clone();
        let ctx = std::sync::Arc::clone(self.wire.context());
        let known = drive::blocking(move || ctx.junk.is_known(&accounts, &from)).await;
        if known.map_err(|error| self.store_failed(&error))? {
            return Ok(());
        }
        let path = self.reverse_path();
        let domain = path.rsplit_once('@').map_or("", |(_, domain)| domain);
        let strangers = &self.wire.context().strangers;
        if strangers.passes_grey(&network_of(ip), domain) {
            return Ok(());
        }
        tracing::info!(
            session = %self.wire.peer().session,
            id = self.id(),
            from = path,
            peer = %ip,
            reason = "nobody vouches for it, its server has no name of its own, nobody here knows it",
            "doubtful sender told to come again"
        );
        Err(Refusal::Greylisted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing() {
        for (name, ip, generic) in [
            ("mail.example.org", "192.0.2.1", false),
            ("mx1.example.org", "192.0.2.1", false),
            ("mx2-1.example.org", "192.0.2.1", false),
            ("192-0-2-1.isp.example", "192.0.2.1", true),
            ("1.2.0.192.isp.example", "192.0.2.1", true),
            ("host-002-001.192.isp.example", "192.0.2.1", true),
            ("c0000201.isp.example", "192.0.2.1", true),
            ("p57.dynamic.isp.example", "192.0.2.1", true),
            ("dyn-7.isp.example", "192.0.2.1", true),
            ("dynamite.example", "192.0.2.1", false),
            ("mail.example.org", "2001:db8::1", false),
            (
                "2001-db8-0000-0000-0011-2233-4455-6677.isp.example",
                "2001:db8::11:2233:4455:6677",
                true,
            ),
        ] {
            assert_eq!(is_generic(name, ip.parse().unwrap()), generic, "{name}");
        }
    }

    #[test]
    fn the_table() {
        use spf::Outcome::{Fail, None, Pass, SoftFail, TempError};
        let named = || Reverse::Pass("mx.example.org".to_owned());
        let generic = || Reverse::Pass("192-0-2-1.isp.example".to_owned());
        for (spf, dkim, reverse, doubtful) in [
            (None, Option::None, Reverse::PermError, true),
            (Fail, Option::None, Reverse::Fail, true),
            (SoftFail, Some(dkim::Outcome::Fail("x")), generic(), true),
            (None, Option::None, named(), false),
            (None, Option::None, Reverse::TempError, false),
            (Pass, Option::None, Reverse::PermError, false),
            (TempError, Option::None, Reverse::PermError, false),
            (Fail, Some(dkim::Outcome::Pass), Reverse::PermError, false),
            (Fail, Some(dkim::Outcome::TempError), Reverse::Fail, false),
        ] {
            let checked = dkim.map(|outcome| dkim::Checked {
                outcome,
                domain: String::new(),
                selector: String::new(),
                algorithm: Option::None,
                prefix: String::new(),
                testing: false,
            });
            let findings = Findings {
                spf: spf::Checked {
                    outcome: spf,
                    ..spf::Checked::default()
                },
                dkim: checked.into_iter().collect(),
                reverse,
                ..Findings::default()
            };
            let found = is_doubtful(&findings, "192.0.2.1".parse().unwrap());
            assert_eq!(found, doubtful, "{findings:?}");
        }
    }
}

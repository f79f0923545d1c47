//! MTA-STS: a domain says over HTTPS which hosts take its mail and that they prove themselves
//! (RFC 8461).
//!
//! Invariants: a policy that was taken is kept on the disk and honoured until it expires, whatever
//! the DNS or the policy host say meanwhile (§3.1, §5.1); nothing but a policy fetched over a proven
//! connection, without redirection, replaces it (§3.3).

mod cache;
mod fetch;

pub use cache::{Policies, Ways};

use std::time::Duration;

/// RFC 8461 §3.2: a larger value counts as this.
const MAX_AGE_MAX: u64 = 31_557_600;
const MX_PATTERNS_MAX: usize = 100;
pub const POLICY_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Enforce,
    Testing,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    /// Lower case; `*.` before the rest stands for one label.
    pub mx: Vec<String>,
    pub max_age: Duration,
}

impl Policy {
    /// RFC 8461 §3.2. `None`: it is none.
    pub fn parse(text: &str) -> Option<Policy> {
        let mut version = None;
        let mut mode = None;
        let mut max_age = None;
        let mut mx = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            // Of a field that may be there once the first counts; unknown ones are passed over.
            match name.trim() {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" if mx.len() < MX_PATTERNS_MAX => mx.push(value.to_ascii_lowercase()),
                _ => {}
            }
        }
        let mode = match mode? {
            "enforce" => Mode::Enforce,
            "testing" => Mode::Testing,
            "none" => Mode::None,
            _ => return None,
        };
        let digits = max_age.filter(|value| (1..=10).contains(&value.len()))?;
        let seconds: u64 = digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())??;
        if version != Some("STSv1") || (mx.is_empty() && mode != Mode::None) {
            return None;
        }
        Some(Policy {
            mode,
            mx,
            max_age: Duration::from_secs(seconds.min(MAX_AGE_MAX)),
        })
    }

    /// RFC 8461 §4.1.
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx
            .iter()
            .any(|pattern| match pattern.strip_prefix("*.") {
                Some(rest) => host
                    .split_once('.')
                    .is_some_and(|(label, parent)| !label.is_empty() && parent == rest),
                None => *pattern == host,
            })
    }
}

/// The id of the policy that a domain announces (RFC 8461 §3.1): from the TXT records of `_mta-sts`.
/// `None`: none, or more than one, or one that can't be read.
pub fn announced(records: &[String]) -> Option<String> {
    let is_sts = |record: &&String| {
        let rest = record.strip_prefix("v=STSv1");
        rest.is_some_and(|rest| rest.trim_start().starts_with(';'))
    };
    let mut ours = records.iter().filter(is_sts);
    let (record, None) = (ours.next()?, ours.next()) else {
        return None;
    };
    let fields = record.split(';').skip(1);
    let id = fields
        .filter_map(|field| field.trim().split_once('='))
        .find(|(name, _)| name.trim() == "id")?;
    let id = id.1.trim();
    let good = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let good = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n\
                    mx: *.Example.net\r\nmax_age: 604800\r\nfuture: x\r\n";
        let policy = Policy::parse(good).unwrap();
        assert_eq!(
            (policy.mode, policy.max_age.as_secs()),
            (Mode::Enforce, 604_800)
        );
        for (host, named) in [
            ("mail.example.com", true),
            ("MAIL.example.com.", true),
            ("mail.example.com.evil.test", false),
            ("x.mail.example.com", false),
            ("a.example.net", true),
            ("a.b.example.net", false),
            ("example.net", false),
            (".example.net", false),
            ("aexample.net", false),
        ] {
            assert_eq!(policy.names(host), named, "{host}");
        }
        let long = Policy::parse("version: STSv1\nmode: testing\nmx: a.b\nmax_age: 9999999999");
        assert_eq!(long.unwrap().max_age.as_secs(), MAX_AGE_MAX);
        let none = "version: STSv1\nmode: none\nmax_age: 86400";
        assert_eq!(Policy::parse(none).unwrap().mode, Mode::None);
        for bad in [
            "",
            "version: STSv2\nmode: none\nmax_age: 1",
            "mode: none\nmax_age: 1",
            "version: STSv1\nmode: strict\nmx: a\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1",
            "version: STSv1\nmode: enforce\nmx: a\nmax_age: +1",
            "version: STSv1\nmode: enforce\nmx: a\nmax_age: 99999999999",
            "version: STSv1\nmode: enforce\nmx: a\n",
            "version: STSv1\nmode: enforce\nmx a\nmax_age: 1",
            "<html>\n",
        ] {
            assert_eq!(Policy::parse(bad), None, "{bad}");
        }
        // The first of two counts.
        let twice = "version: STSv1\nmode: enforce\nmode: none\nmx: a.b\nmax_age: 1";
        assert_eq!(Policy::parse(twice).unwrap().mode, Mode::Enforce);
    }

    #[test]
    fn announcements() {
        let of = |records: &[&str]| {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            announced(&records)
        };
        let id = Some("20160831085700Z".to_owned());
        assert_eq!(of(&["v=STSv1; id=20160831085700Z;"]), id);
        assert_eq!(of(&["v=STSv1;id=20160831085700Z"]), id);
        assert_eq!(
            of(&["v=spf1 -all", "v=STSv1; x=y; id=20160831085700Z;"]),
            id
        );
        for bad in [
            &[][..],
            &["v=STSv1"],
            &["v=STSv1; id="],
            &["v=STSv1; id=a b"],
            &["v=STSv1; id=a-b"],
            &["v=STSv10; id=a"],
            &["V=STSv1; id=a"],
            &["id=a; v=STSv1"],
            &["v=STSv1; id=a", "v=STSv1; id=a"],
            &["v=STSv1; id=123456789012345678901234567890123"],
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }
}

//! Where a domain wants reports about it to go: the addresses in its DMARC record (RFC 7489 §6.2), with
//! the consent of those that are elsewhere (§7.1), and in its TLSRPT record (RFC 8460 §3).

use crate::dmarc;
use crate::dns::{Answers, Nothing, Wanted, is_name};
use crate::limits;
use crate::tags::is_space;

/// A place that takes reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Mail {
        /// As it is written there; nobody looked whether it makes sense.
        address: String,
        /// Of the report as it travels.
        bytes_max: Option<u64>,
    },
    /// An https: address; DMARC has none.
    Web(String),
}

impl Place {
    /// The host of an address, in lower case.
    pub fn host(&self) -> Option<String> {
        match self {
            Place::Mail { address, .. } => {
                let (_, host) = address.rsplit_once('@')?;
                Some(host.trim_end_matches('.').to_ascii_lowercase())
            }
            Place::Web(_) => None,
        }
    }
}

/// A comma-separated list; what is not understood is passed over.
pub fn parse(list: &str) -> Vec<Place> {
    let places = list.split(',').filter_map(place);
    places.take(limits::REPORT_ADDRESSES_MAX).collect()
}

fn place(uri: &str) -> Option<Place> {
    let uri = uri.trim_matches(is_space);
    let (scheme, rest) = uri.split_once(':')?;
    if scheme.eq_ignore_ascii_case("https") {
        return rest.starts_with("//").then(|| Place::Web(uri.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("mailto") {
        return None;
    }
    let (path, size) = match rest.split_once('!') {
        Some((path, size)) => (path, Some(bytes(size.trim_matches(is_space))?)),
        None => (rest, None),
    };
    // RFC 6068 §2: what a form would fill in is nothing to us.
    let path = path.split('?').next().unwrap_or_default();
    let address = decode(path.trim_matches(is_space))?;
    let (local, host) = address.rsplit_once('@')?;
    (!local.is_empty() && is_name(host)).then(|| Place::Mail {
        bytes_max: size,
        address: address.clone(),
    })
}

/// RFC 7489 §6.4: powers of two.
fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some(number.saturating_mul(1 << shift))
}

/// RFC 3986 §2.1; only what can stand in an address.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    let text = String::from_utf8(out).ok()?;
    let plain = text.chars().all(|c| !c.is_control() && c != ' ');
    plain.then_some(text)
}

/// What the TXT records of `_smtp._tls` ask for. `None`: none of them is one, or several are.
pub fn of_tls(records: &[String]) -> Option<Vec<Place>> {
    let fields = |record: &'_ str| -> Option<String> {
        let rest = record
            .strip_prefix("v=TLSRPTv1")?
            .trim_start_matches(is_space);
        rest.strip_prefix(';').map(str::to_owned)
    };
    let mut ours = records.iter().filter_map(|record| fields(record));
    let (fields, None) = (ours.next()?, ours.next()) else {
        return None;
    };
    let fields = fields.split(';').filter_map(|field| field.split_once('='));
    let mut rua = fields.filter(|(name, _)| name.trim_matches(is_space) == "rua");
    rua.next().map(|(_, list)| parse(list))
}

/// Where reports about a domain may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    pub places: Vec<Place>,
    /// DNS did not answer about some.
    pub doubtful: bool,
}

/// Those of the places in the domain's DMARC record that are its own or agree (RFC 7489 §7.1).
pub fn destinations(
    domain: &str,
    places: &[Place],
    answers: &mut Answers,
) -> Result<Destinations, Wanted> {
    let mut found = Destinations::default();
    let mut wanted = None;
    for place in places {
        let Some(host) = place.host() else {
            continue;
        };
        match consent(domain, &host, answers) {
            Err(more) => wanted = Some(more),
            Ok(Consent::Own) => found.places.push(place.clone()),
            Ok(Consent::Denied) => {}
            Ok(Consent::Unknown) => found.doubtful = true,
            Ok(Consent::Given(instead)) if instead.is_empty() => found.places.push(place.clone()),
            Ok(Consent::Given(instead)) => {
                // Nobody is pointed at by somebody else.
                if instead.iter().all(|it| it.host().as_ref() == Some(&host)) {
                    found.places.extend(instead);
                }
            }
        }
    }
    match wanted {
        Some(wanted) => Err(wanted),
        None => {
            let mut unique: Vec<Place> = Vec::new();
            for place in found.places {
                if !unique.contains(&place) && unique.len() < limits::REPORT_ADDRESSES_MAX {
                    unique.push(place);
                }
            }
            found.places = unique;
            Ok(found)
        }
    }
}

enum Consent {
    Own,
    /// With the places to use instead.
    Given(Vec<Place>),
    Denied,
    Unknown,
}

fn consent(domain: &str, host: &str, answers: &mut Answers) -> Result<Consent, Wanted> {
    if domain.eq_ignore_ascii_case(host) {
        return Ok(Consent::Own);
    }
    let theirs = dmarc::organization(domain, answers);
    let (theirs, its) = (theirs?, dmarc::organization(host, answers)?);
    if theirs.is_some() && theirs == its {
        return Ok(Consent::Own);
    }
    let name = format!("{domain}._report._dmarc.{host}");
    let records = match answers.txt(&name)? {
        Ok(records) => records,
        Err(Nothing::Temporary) => return Ok(Consent::Unknown),
        // Who they are is not known, so that it may be their own.
        Err(_) if theirs.is_none() || its.is_none() => return Ok(Consent::Unknown),
        Err(_) => return Ok(Consent::Denied),
    };
    let agreeing = records.iter().find_map(|record| agreement(record));
    Ok(agreeing.map_or(Consent::Denied, Consent::Given))
}

/// RFC 7489 §7.1: only the version must be there.
fn agreement(record: &[u8]) -> Option<Vec<Place>> {
    let text = std::str::from_utf8(record).ok()?;
    let mut fields = text.split(';').map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (name.trim_matches(is_space), value.trim_matches(is_space))
    });
    if fields.next() != Some(("v", "DMARC1")) {
        return None;
    }
    let rua = fields.find(|(name, _)| name.eq_ignore_ascii_case("rua"));
    Some(rua.map(|(_, list)| parse(list)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Kind};

    fn mail(address: &str, bytes_max: Option<u64>) -> Place {
        Place::Mail {
            address: address.to_owned(),
            bytes_max,
        }
    }

    #[test]
    fn places() {
        for (text, expected) in [
            ("mailto:a@b.test", Some(mail("a@b.test", None))),
            (
                " MAILTO:a@b.test ! 10m ",
                Some(mail("a@b.test", Some(10 << 20))),
            ),
            ("mailto:a@b.test!5", Some(mail("a@b.test", Some(5)))),
            ("mailto:a@b.test!2K", Some(mail("a@b.test", Some(2048)))),
            (
                "mailto:a@b.test!99999999t",
                Some(mail("a@b.test", Some(u64::MAX))),
            ),
            (
                "mailto:a%2Bb%21@b.test?subject=x",
                Some(mail("a+b!@b.test", None)),
            ),
            (
                "https://b.test/x",
                Some(Place::Web("https://b.test/x".to_owned())),
            ),
            ("mailto:a@b.test!10x", None),
            ("mailto:a@b.test!", None),
            ("mailto:b.test", None),
            ("mailto:@b.test", None),
            ("mailto:a@b..test", None),
            ("mailto:a%0d%0ab@b.test", None),
            ("mailto:a%4", None),
            ("http://b.test/x", None),
            ("https:b.test", None),
            ("a@b.test", None),
        ] {
            assert_eq!(parse(text), Vec::from_iter(expected), "{text}");
        }
        let many = vec!["mailto:a@b.test"; 50].join(",");
        assert_eq!(parse(&many).len(), limits::REPORT_ADDRESSES_MAX);
    }

    #[test]
    fn tls_records() {
        let of = |records: &[&str]| {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            of_tls(&records)
        };
        let a = || Some(vec![mail("a@b.test", None)]);
        assert_eq!(of(&["v=TLSRPTv1;rua=mailto:a@b.test"]), a());
        assert_eq!(
            of(&["v=spf1 -all", "v=TLSRPTv1 ; x=y; rua = mailto:a@b.test;"]),
            a()
        );
        assert_eq!(of(&["v=TLSRPTv1; rua=ftp:x"]), Some(vec![]));
        for bad in [
            &[][..],
            &["v=TLSRPTv1"],
            &["v=TLSRPTv1; x=y"],
            &["v=TLSRPTv10; rua=mailto:a@b.test"],
            &["V=TLSRPTv1; rua=mailto:a@b.test"],
            &[
                "v=TLSRPTv1; rua=mailto:a@b.test",
                "v=TLSRPTv1; rua=mailto:a@b.test",
            ],
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }

    /// `zone`: TXT records; other names do not exist, "?" does not answer.
    fn go(zone: &[(&str, &str)], list: &str) -> Destinations {
        let mut answers = Answers::default();
        loop {
            if let Ok(found) = destinations("mail.blue.test", &parse(list), &mut answers) {
                return found;
            }
            for question in answers.take_wanted() {
                assert_eq!(question.kind, Kind::Txt);
                let name = question.name.trim_end_matches('.');
                let found = zone.iter().find(|(at, _)| *at == name);
                let answer = match found {
                    Some((_, "?")) => Answer::Temporary,
                    Some((_, text)) => Answer::Txt(vec![text.as_bytes().to_vec()]),
                    None => Answer::NoSuchName,
                };
                answers.put(question, answer);
            }
        }
    }

    /// RFC 7489 §7.1, step by step.
    #[test]
    fn who_is_elsewhere_has_to_agree() {
        let blue = ("_dmarc.blue.test", "v=DMARC1; p=none");
        let at = "mail.blue.test._report._dmarc.red.test";
        let list = "mailto:x@red.test";
        let places = |zone: &[(&str, &str)], list| {
            let found = go(zone, list);
            assert!(!found.doubtful);
            found.places
        };
        assert_eq!(places(&[blue], list), []);
        assert_eq!(places(&[blue, (at, "v=DMARC1")], list), parse(list));
        assert_eq!(places(&[blue, (at, "v=DMARC1; rua=")], list), parse(list));
        assert_eq!(places(&[blue, (at, "v=spf1 -all")], list), []);
        let other = "v=DMARC1; rua=mailto:y@RED.test!1m";
        assert_eq!(
            places(&[blue, (at, other)], list),
            parse("mailto:y@RED.test!1m")
        );
        let third = "v=DMARC1; rua=mailto:x@red.test, mailto:victim@green.test";
        assert_eq!(places(&[blue, (at, third)], list), []);
        // Of one organization nobody is asked.
        for own in [
            "mailto:x@mail.blue.test",
            "mailto:x@blue.test",
            "mailto:x@in.blue.test",
        ] {
            assert_eq!(places(&[blue], own), parse(own), "{own}");
        }
        let mixed = "mailto:x@blue.test,mailto:x@red.test,https://red.test/,mailto:x@blue.test";
        assert_eq!(places(&[blue], mixed), parse("mailto:x@blue.test"));
    }

    #[test]
    fn what_dns_does_not_say_is_doubtful() {
        let blue = ("_dmarc.blue.test", "v=DMARC1; p=none");
        let at = "mail.blue.test._report._dmarc.red.test";
        let list = "mailto:x@red.test,mailto:x@blue.test";
        let found = go(&[blue, (at, "?")], list);
        assert!(found.doubtful);
        assert_eq!(found.places, parse("mailto:x@blue.test"));
    }
}

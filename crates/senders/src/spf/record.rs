//! The grammar of SPF records, RFC 7208 §4.5, §5, §6, §12.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::macros::{self, Spec};
use crate::limits;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// Prefix lengths of both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    pub four: u8,
    pub six: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    All,
    Include(Spec),
    A(Option<Spec>, Cidr),
    Mx(Option<Spec>, Cidr),
    Ptr(Option<Spec>),
    Network(IpAddr, u8),
    Exists(Spec),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub directives: Vec<(Qualifier, Mechanism)>,
    pub redirect: Option<Spec>,
    pub explanation: Option<Spec>,
}

/// A record that does not follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRecord;

/// RFC 7208 §4.5: is this TXT record one of ours?
pub fn is_spf(record: &[u8]) -> bool {
    let Some((version, rest)) = record.split_at_checked(6) else {
        return false;
    };
    version.eq_ignore_ascii_case(b"v=spf1") && rest.first().is_none_or(|byte| *byte == b' ')
}

/// The whole record is read before any of it is used (RFC 7208 §4.6).
pub fn parse(record: &[u8]) -> Result<Record, BadRecord> {
    if record.len() > limits::SPF_RECORD_BYTES_MAX {
        return Err(BadRecord);
    }
    let text = std::str::from_utf8(record).map_err(|_| BadRecord)?;
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !text.bytes().all(printable) {
        return Err(BadRecord);
    }
    let mut parsed = Record::default();
    for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
        take_term(term, &mut parsed)?;
    }
    Ok(parsed)
}

fn take_term(term: &str, record: &mut Record) -> Result<(), BadRecord> {
    let (qualifier, rest) = match term.split_at_checked(1) {
        Some(("+", rest)) => (Some(Qualifier::Pass), rest),
        Some(("-", rest)) => (Some(Qualifier::Fail), rest),
        Some(("~", rest)) => (Some(Qualifier::SoftFail), rest),
        Some(("?", rest)) => (Some(Qualifier::Neutral), rest),
        _ => (None, term),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end).ok_or(BadRecord)?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(BadRecord);
    }
    match (rest.strip_prefix('='), qualifier) {
        (Some(value), None) => take_modifier(name, value, record),
        (Some(_), Some(_)) => Err(BadRecord),
        (None, qualifier) => {
            let mechanism = mechanism(&name.to_ascii_lowercase(), rest)?;
            let qualifier = qualifier.unwrap_or(Qualifier::Pass);
            record.directives.push((qualifier, mechanism));
            Ok(())
        }
    }
}

fn take_modifier(name: &str, value: &str, record: &mut Record) -> Result<(), BadRecord> {
    let place = match name.to_ascii_lowercase().as_str() {
        "redirect" => &mut record.redirect,
        "exp" => &mut record.explanation,
        // RFC 7208 §6: what is not known is passed over, once its syntax is right.
        _ => return macros::parse(value, true).map(|_| ()),
    };
    match place {
        Some(_) => Err(BadRecord),
        None => {
            *place = Some(macros::domain_spec(value)?);
            Ok(())
        }
    }
}

fn mechanism(name: &str, rest: &str) -> Result<Mechanism, BadRecord> {
    let argument = rest.strip_prefix(':');
    Ok(match name {
        "all" if rest.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(macros::domain_spec(argument.ok_or(BadRecord)?)?),
        "exists" => Mechanism::Exists(macros::domain_spec(argument.ok_or(BadRecord)?)?),
        "ptr" => Mechanism::Ptr(optional_spec(rest)?),
        "a" | "mx" => {
            let (before, cidr) = dual_cidr(rest)?;
            let spec = optional_spec(before)?;
            if name == "a" {
                Mechanism::A(spec, cidr)
            } else {
                Mechanism::Mx(spec, cidr)
            }
        }
        "ip4" => {
            let (address, length) = network(argument.ok_or(BadRecord)?, 32)?;
            let address: Ipv4Addr = address.parse().map_err(|_| BadRecord)?;
            Mechanism::Network(address.into(), length)
        }
        "ip6" => {
            let (address, length) = network(argument.ok_or(BadRecord)?, 128)?;
            let address: Ipv6Addr = address.parse().map_err(|_| BadRecord)?;
            Mechanism::Network(address.into(), length)
        }
        _ => return Err(BadRecord),
    })
}

fn optional_spec(rest: &str) -> Result<Option<Spec>, BadRecord> {
    match rest.strip_prefix(':') {
        Some(spec) => macros::domain_spec(spec).map(Some),
        None if rest.is_empty() => Ok(None),
        None => Err(BadRecord),
    }
}

fn network(text: &str, max: u8) -> Result<(&str, u8), BadRecord> {
    match text.split_once('/') {
        Some((address, length)) => Ok((address, prefix_length(length, max)?)),
        None => Ok((text, max)),
    }
}

/// `/24`, `//64`, `/24//64` at the end.
fn dual_cidr(text: &str) -> Result<(&str, Cidr), BadRecord> {
    let mut cidr = Cidr { four: 32, six: 128 };
    let mut rest = text;
    if let Some((before, six)) = rest.rsplit_once("//")
        && is_number(six)
    {
        cidr.six = prefix_length(six, 128)?;
        rest = before;
    }
    if let Some((before, four)) = rest.rsplit_once('/')
        && (is_number(four) || four.is_empty())
    {
        cidr.four = prefix_length(four, 32)?;
        rest = before;
    }
    Ok((rest, cidr))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 7208 §5.6: no leading zeros.
fn prefix_length(text: &str, max: u8) -> Result<u8, BadRecord> {
    if !is_number(text) || (text.len() > 1 && text.starts_with('0')) {
        return Err(BadRecord);
    }
    let length: u8 = text.parse().map_err(|_| BadRecord)?;
    if length > max {
        return Err(BadRecord);
    }
    Ok(length)
}

/// Is the address in the network? Families don't mix.
pub fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(length.min(32));
            let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(length.min(128));
            let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(contains(ip("1.2.3.0"), 24, ip("1.2.3.9")));
        assert!(!contains(ip("1.2.3.0"), 24, ip("1.2.4.9")));
        assert!(contains(ip("9.9.9.9"), 0, ip("1.2.4.9")));
        assert!(contains(ip("2001:db8::"), 32, ip("2001:db8:1::1")));
        assert!(!contains(ip("::"), 0, ip("1.2.3.4")));
    }

    #[test]
    fn wholes() {
        for (record, good) in [
            ("v=spf1", true),
            ("v=spf1 a:example.com/24//64 mx//64 -all", true),
            ("v=spf1 a:example.com/33", false),
            ("v=spf1 a:example.com/024", false),
            ("v=spf1 a/", false),
            ("v=spf1 ip4:1.2.3", false),
            ("v=spf1 redirect=a.test redirect=b.test", false),
            ("v=spf1 -redirect=a.test", false),
            ("v=spf1 include", false),
            ("v=spf1 all:x", false),
            ("v=spf1 x-y=%{i", false),
        ] {
            assert_eq!(parse(record.as_bytes()).is_ok(), good, "{record}");
        }
    }
}

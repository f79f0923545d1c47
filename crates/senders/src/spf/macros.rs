//! Macros of SPF, RFC 7208 §7.

use std::net::IpAddr;

use super::record::BadRecord;
use crate::limits;

/// Text with macros, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec(Vec<Token>);

impl Spec {
    /// `%{p}` is somewhere in it: the client's validated name is wanted.
    pub fn wants_name(&self) -> bool {
        let wants = |token: &Token| matches!(token, Token::Macro { letter: 'p', .. });
        self.0.iter().any(wants)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Macro {
        /// In lower case.
        letter: char,
        escape: bool,
        /// Parts that are kept, from the right.
        keep: usize,
        reverse: bool,
        delimiters: String,
    },
}

/// What the macros stand for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    pub local: &'a str,
    pub sender_domain: &'a str,
    pub domain: &'a str,
    pub ip: IpAddr,
    /// The client's validated name, or "unknown".
    pub name: &'a str,
    pub hello: &'a str,
    pub receiver: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// RFC 7208 §7.1: `c`, `r` and `t` only in explanations.
pub fn parse(text: &str, explanation: bool) -> Result<Spec, BadRecord> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            literal.push(c);
            continue;
        }
        match rest.next() {
            Some('%') => literal.push('%'),
            Some('_') => literal.push(' '),
            Some('-') => literal.push_str("%20"),
            Some('{') => {
                let (inside, after) = rest.as_str().split_once('}').ok_or(BadRecord)?;
                rest = after.chars();
                if !literal.is_empty() {
                    tokens.push(Token::Text(std::mem::take(&mut literal)));
                }
                tokens.push(one_macro(inside, explanation)?);
            }
            _ => return Err(BadRecord),
        }
    }
    if !literal.is_empty() {
        tokens.push(Token::Text(literal));
    }
    Ok(Spec(tokens))
}

fn one_macro(inside: &str, explanation: bool) -> Result<Token, BadRecord> {
    let mut rest = inside.chars();
    let first = rest.next().ok_or(BadRecord)?;
    let letter = first.to_ascii_lowercase();
    let allowed = if explanation {
        "slodiphvcrt"
    } else {
        "slodiphv"
    };
    if !allowed.contains(letter) {
        return Err(BadRecord);
    }
    let rest = rest.as_str();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(end).ok_or(BadRecord)?;
    let keep = match digits {
        "" => usize::MAX,
        digits => digits.parse().unwrap_or(usize::MAX),
    };
    if keep == 0 {
        return Err(BadRecord);
    }
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(delimiters) => (true, delimiters),
        None => (false, rest),
    };
    if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
        return Err(BadRecord);
    }
    Ok(Token::Macro {
        letter,
        escape: first.is_ascii_uppercase(),
        keep,
        reverse,
        delimiters: if delimiters.is_empty() {
            ".".to_owned()
        } else {
            delimiters.to_owned()
        },
    })
}

/// RFC 7208 §7.1 domain-spec: it ends in a macro or in a label that no address could be.
pub fn domain_spec(text: &str) -> Result<Spec, BadRecord> {
    let spec = parse(text, false)?;
    match spec.0.last() {
        Some(Token::Macro { .. }) => Ok(spec),
        Some(Token::Text(_)) => {
            let end = text.strip_suffix('.').unwrap_or(text);
            let (_, top) = end.rsplit_once('.').ok_or(BadRecord)?;
            if is_top_label(top) {
                Ok(spec)
            } else {
                Err(BadRecord)
            }
        }
        None => Err(BadRecord),
    }
}

fn is_top_label(label: &str) -> bool {
    let inside = label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let ends = !label.starts_with('-') && !label.ends_with('-');
    let number = label.bytes().all(|byte| byte.is_ascii_digit());
    inside && ends && !number && !label.is_empty()
}

/// A name to ask for: shortened from the left when it is too long (RFC 7208 §7.3).
pub fn name(spec: &Spec, values: &Values<'_>) -> String {
    let full = expand(spec, values);
    let mut name = full.strip_suffix('.').unwrap_or(&full);
    while name.len() > limits::NAME_BYTES_MAX {
        match name.split_once('.') {
            Some((_, rest)) => name = rest,
            None => break,
        }
    }
    name.to_owned()
}

pub fn expand(spec: &Spec, values: &Values<'_>) -> String {
    let mut text = String::new();
    for token in &spec.0 {
        match token {
            Token::Text(literal) => text.push_str(literal),
            Token::Macro {
                letter,
                escape,
                keep,
                reverse,
                delimiters,
            } => {
                let value = value(*letter, values);
                let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
                if *reverse {
                    parts.reverse();
                }
                let skip = parts.len().saturating_sub(*keep);
                let kept = parts.get(skip..).unwrap_or_default().join(".");
                if *escape {
                    push_escaped(&mut text, &kept);
                } else {
                    text.push_str(&kept);
                }
            }
        }
    }
    text
}

fn value(letter: char, values: &Values<'_>) -> String {
    match letter {
        's' => format!("{}@{}", values.local, values.sender_domain),
        'l' => values.local.to_owned(),
        'o' => values.sender_domain.to_owned(),
        'd' => values.domain.to_owned(),
        'i' => match values.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => nibbles(ip).collect::<Vec<String>>().join("."),
        },
        'p' => values.name.to_owned(),
        'v' => match values.ip {
            IpAddr::V4(_) => "in-addr".to_owned(),
            IpAddr::V6(_) => "ip6".to_owned(),
        },
        'h' => values.hello.to_owned(),
        'c' => values.ip.to_string(),
        'r' => values.receiver.to_owned(),
        't' => values.now.to_string(),
        _ => String::new(),
    }
}

fn nibbles(ip: std::net::Ipv6Addr) -> impl DoubleEndedIterator<Item = String> {
    let octets = ip.octets();
    let halves = octets
        .into_iter()
        .flat_map(|octet| [octet >> 4, octet & 15]);
    halves
        .map(|half| format!("{half:x}"))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Where the names of an address are (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let parts: Vec<String> = nibbles(ip).rev().collect();
            format!("{}.ip6.arpa", parts.join("."))
        }
    }
}

/// RFC 7208 §7.3: as in a URL (RFC 3986 §2.3).
fn push_escaped(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7208 §7.4.
    #[test]
    fn the_examples_of_the_rfc() {
        let values = |ip: &str| Values {
            local: "strong-bad",
            sender_domain: "email.example.com",
            domain: "email.example.com",
            ip: ip.parse().unwrap(),
            name: "unknown",
            hello: "mail.example.com",
            receiver: "here.test",
            now: 7,
        };
        let four = "192.0.2.3";
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            (
                "%{ir}.%{v}._spf.%{d2}",
                "3.2.0.192.in-addr._spf.example.com",
            ),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            (
                "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
                "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
            ),
            (
                "%{d2}.trusted-domains.example.net",
                "example.com.trusted-domains.example.net",
            ),
            ("%{S}%_%%%-", "strong-bad%40email.example.com %%20"),
        ] {
            let spec = parse(text, true).unwrap();
            assert_eq!(expand(&spec, &values(four)), expected, "{text}");
        }
        let six = parse("%{ir}.%{v}._spf.%{d2}", false).unwrap();
        assert_eq!(
            expand(&six, &values("2001:db8::cb01")),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    #[test]
    fn long_names_lose_their_left() {
        let spec = parse(&format!("{}%{{d}}", "abcdefghi.".repeat(30)), false).unwrap();
        let values = Values {
            local: "",
            sender_domain: "",
            domain: "example.com",
            ip: [1, 2, 3, 4].into(),
            name: "",
            hello: "",
            receiver: "",
            now: 0,
        };
        let name = name(&spec, &values);
        assert_eq!(name.len(), 24 * 10 + 11);
    }
}

//! Mailboxes as SMTP spells them: RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3.
//!
//! A local part is kept by its value: `"joe"@x` and `joe@x` are the same mailbox (RFC 5321 §4.1.2),
//! and `"a@b"@x` stays one local part `a@b`. `Display` quotes again where it must.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits;

/// `local-part@domain`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Without quotes; case as given.
    pub local: String,
    pub domain: Domain,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// As given: A-labels or U-labels, any case.
    Name(String),
    Literal(IpAddr),
    /// RFC 5321 §4.1.3 General-address-literal.
    General {
        tag: String,
        content: String,
    },
}

/// Where RCPT points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipient {
    Address(Address),
    /// RFC 5321 §4.1.1.3: `<Postmaster>` without a domain, any case.
    Postmaster,
}

/// Not an address of RFC 5321.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    Syntax,
    /// Longer than RFC 5321 §4.5.3.1 allows.
    TooLong,
}

impl Address {
    /// Parses `local-part@domain`. UTF-8 is taken in both halves; [`Address::is_ascii`] tells.
    ///
    /// # Errors
    /// When it is not a Mailbox of RFC 5321 §4.1.2 as extended by RFC 6531 §3.3.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        let (address, rest) = mailbox(text)?;
        if rest.is_empty() {
            Ok(address)
        } else {
            Err(AddressError::Syntax)
        }
    }

    /// False: needs SMTPUTF8 on the way (RFC 6531).
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain.is_ascii()
    }
}

impl Domain {
    /// A domain name or an address literal in brackets.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Domain, AddressError> {
        let (domain, rest) = domain(text)?;
        if rest.is_empty() {
            Ok(domain)
        } else {
            Err(AddressError::Syntax)
        }
    }

    fn is_ascii(&self) -> bool {
        match self {
            Domain::Name(name) => name.is_ascii(),
            Domain::Literal(_) | Domain::General { .. } => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            write!(f, "{}@{}", self.local, self.domain)
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            write!(f, "\"@{}", self.domain)
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Name(name) => f.write_str(name),
            Domain::Literal(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Domain::Literal(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
            Domain::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recipient::Address(address) => address.fmt(f),
            Recipient::Postmaster => f.write_str("postmaster"),
        }
    }
}

/// `<>` is `None`. Gives what follows the path.
pub(crate) fn reverse_path(text: &str) -> Result<(Option<Address>, &str), AddressError> {
    if let Some(rest) = text.strip_prefix("<>") {
        return Ok((None, rest));
    }
    let (address, rest) = path(text)?;
    Ok((Some(address), rest))
}

pub(crate) fn forward_path(text: &str) -> Result<(Recipient, &str), AddressError> {
    let postmaster = "<postmaster>";
    if let (Some(head), Some(rest)) = (text.get(..postmaster.len()), text.get(postmaster.len()..))
        && head.eq_ignore_ascii_case(postmaster)
    {
        return Ok((Recipient::Postmaster, rest));
    }
    let (address, rest) = path(text)?;
    Ok((Recipient::Address(address), rest))
}

/// `"<" [ A-d-l ":" ] Mailbox ">"`.
fn path(text: &str) -> Result<(Address, &str), AddressError> {
    let inner = text.strip_prefix('<').ok_or(AddressError::Syntax)?;
    let inner = source_route(inner)?;
    let (address, rest) = mailbox(inner)?;
    let used = inner.len() - rest.len();
    let rest = rest.strip_prefix('>').ok_or(AddressError::Syntax)?;
    if used + 2 > limits::PATH_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    Ok((address, rest))
}

/// RFC 5321 Appendix C: a route must be accepted and is ignored.
fn source_route(text: &str) -> Result<&str, AddressError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    let mut rest = text;
    loop {
        rest = rest.strip_prefix('@').ok_or(AddressError::Syntax)?;
        (_, rest) = domain(rest)?;
        if text.len() - rest.len() > limits::ROUTE_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
        if let Some(rest) = rest.strip_prefix(':') {
            return Ok(rest);
        }
        rest = rest.strip_prefix(',').ok_or(AddressError::Syntax)?;
    }
}

fn mailbox(text: &str) -> Result<(Address, &str), AddressError> {
    let (local, rest) = if text.starts_with('"') {
        quoted_string(text)?
    } else {
        dot_string(text)?
    };
    if local.len() > limits::LOCAL_PART_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    let rest = rest.strip_prefix('@').ok_or(AddressError::Syntax)?;
    let (domain, rest) = domain(rest)?;
    Ok((Address { local, domain }, rest))
}

fn dot_string(text: &str) -> Result<(String, &str), AddressError> {
    let end = text
        .find(|c: char| c != '.' && !is_atext(c))
        .unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    if is_dot_string(local) {
        Ok((local.to_owned(), rest))
    } else {
        Err(AddressError::Syntax)
    }
}

fn is_dot_string(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3, and RFC 6531 §3.3: any character beyond ASCII, controls excepted.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '!' | '#'
                | '$'
                | '%'
                | '&'
                | '\''
                | '*'
                | '+'
                | '-'
                | '/'
                | '='
                | '?'
                | '^'
                | '_'
                | '`'
                | '{'
                | '|'
                | '}'
                | '~'
        )
        || is_utf8_text(c)
}

fn is_utf8_text(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

fn quoted_string(text: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            // RFC 5321 lets the empty string through its grammar; no mailbox is called so.
            '"' if local.is_empty() => return Err(AddressError::Syntax),
            '"' => return Ok((local, text.get(at + 1..).unwrap_or_default())),
            // RFC 5321 §4.1.2 quoted-pairSMTP: graphic or space.
            '\\' => match chars.next() {
                Some((_, c @ ' '..='~')) => local.push(c),
                _ => return Err(AddressError::Syntax),
            },
            ' '..='~' => local.push(c),
            c if is_utf8_text(c) => local.push(c),
            _ => return Err(AddressError::Syntax),
        }
        if local.len() > limits::LOCAL_PART_BYTES_MAX {
            return Err(AddressError::TooLong);
        }
    }
    Err(AddressError::Syntax)
}

fn domain(text: &str) -> Result<(Domain, &str), AddressError> {
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, rest) = inner.split_once(']').ok_or(AddressError::Syntax)?;
        return Ok((literal(inner)?, rest));
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.') || is_utf8_text(c)))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.len() > limits::DOMAIN_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    if name.split('.').all(is_label) {
        Ok((Domain::Name(name.to_owned()), rest))
    } else {
        Err(AddressError::Syntax)
    }
}

/// RFC 5321 §2.3.5 sub-domain: at most 63 octets (RFC 1035 §2.3.4; a U-label may take more bytes).
fn is_label(label: &str) -> bool {
    let long = label.is_ascii() && label.len() > 63;
    !label.is_empty() && !long && !label.starts_with('-') && !label.ends_with('-')
}

fn literal(inner: &str) -> Result<Domain, AddressError> {
    if let Ok(ip) = inner.parse::<Ipv4Addr>() {
        return Ok(Domain::Literal(IpAddr::V4(ip)));
    }
    let (tag, content) = inner.split_once(':').ok_or(AddressError::Syntax)?;
    if tag.eq_ignore_ascii_case("IPv6") {
        let ip: Ipv6Addr = content.parse().map_err(|_| AddressError::Syntax)?;
        return Ok(Domain::Literal(IpAddr::V6(ip)));
    }
    let legal_tag = is_label(tag) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let legal = !content.is_empty() && content.bytes().all(|b| matches!(b, 33..=90 | 94..=126));
    if !legal_tag || !legal || inner.len() > limits::DOMAIN_BYTES_MAX {
        return Err(AddressError::Syntax);
    }
    Ok(Domain::General {
        tag: tag.to_owned(),
        content: content.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_addresses() {
        let table = [
            ("Smith@bar.com", "Smith", "Smith@bar.com"),
            ("JOE+tag@x", "JOE+tag", "JOE+tag@x"),
            ("\"Joe\\,Smith\"@x.y", "Joe,Smith", "\"Joe,Smith\"@x.y"),
            ("\"joe\"@x.y", "joe", "joe@x.y"),
            ("\"a@b\"@x.y", "a@b", "\"a@b\"@x.y"),
            ("\"a b\"@x.y", "a b", "\"a b\"@x.y"),
            ("\"a\\\"b\\\\\"@x.y", "a\"b\\", "\"a\\\"b\\\\\"@x.y"),
            ("\"a..b\"@x.y", "a..b", "\"a..b\"@x.y"),
            (
                "!#$%&'*+-/=?^_`{|}~@x",
                "!#$%&'*+-/=?^_`{|}~",
                "!#$%&'*+-/=?^_`{|}~@x",
            ),
            ("a@[123.255.37.2]", "a", "a@[123.255.37.2]"),
            ("a@[IPv6:2001:db8::1]", "a", "a@[IPv6:2001:db8::1]"),
            ("a@[ipv6:::1]", "a", "a@[IPv6:::1]"),
            ("a@[x-tag:what]", "a", "a@[x-tag:what]"),
            ("a@1.2.3.example", "a", "a@1.2.3.example"),
            ("rené@exämple.test", "rené", "rené@exämple.test"),
        ];
        for (text, local, shown) in table {
            let address = Address::parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!(address.local, local, "{text}");
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(address.is_ascii(), text.is_ascii());
        }
    }

    #[test]
    fn invalid_addresses() {
        for text in [
            "",
            "a",
            "@x",
            "a@",
            "a@@x",
            "a b@x",
            ".a@x",
            "a.@x",
            "a..b@x",
            "a@.x",
            "a@x.",
            "a@x..y",
            "a@-x",
            "a@x-",
            "a@x_y",
            "\"a@x",
            "\"\"@x",
            "\"a\"b@x",
            "\"a\\\"@x",
            "a@[",
            "a@[1.2.3]",
            "a@[1.2.3.256]",
            "a@[IPv6:zz]",
            "a@[1.2.3.4",
            "a@x y",
            "a@x>",
            "(c)a@x",
            "a@[:x]",
            "a@[t:]",
            "a\u{7}@x",
            "\"a\u{7}\"@x",
            "a\u{85}@x",
            "<a@x>",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
        let long = format!("{}@x", "a".repeat(65));
        assert_eq!(Address::parse(&long), Err(AddressError::TooLong));
        let long = format!("a@{}", "abcdefg.".repeat(40));
        assert_eq!(Address::parse(&long), Err(AddressError::TooLong));
        let long = format!("a@{}.x", "a".repeat(64));
        assert_eq!(Address::parse(&long), Err(AddressError::Syntax));
    }

    #[test]
    fn paths() {
        let (address, rest) = reverse_path("<@hosta.int,@jkl.org:userc@d.bar.org> SIZE=1").unwrap();
        assert_eq!(address.unwrap().to_string(), "userc@d.bar.org");
        assert_eq!(rest, " SIZE=1");
        assert_eq!(reverse_path("<>").unwrap(), (None, ""));
        assert_eq!(
            forward_path("<PostMaster>").unwrap().0,
            Recipient::Postmaster
        );
        assert!(forward_path("<>").is_err());
        assert!(reverse_path("<postmaster>").is_err());
        assert!(reverse_path("< a@x>").is_err());
        assert!(reverse_path("<a@x >").is_err());
        assert!(reverse_path("<@a:@b:c@d>").is_err());
        assert!(reverse_path("<@a,b:c@d>").is_err());
        assert!(reverse_path("a@x").is_err());
        let (_, rest) = forward_path("<\"a>b\"@x>").unwrap();
        assert_eq!(rest, "");
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_to_the_same(local in "[ -~é]{1,60}", domain in "[a-z][a-z0-9]{0,20}(\\.[a-z]{1,9}){0,3}") {
            prop_assume!(local.len() <= limits::LOCAL_PART_BYTES_MAX);
            let address = Address { local, domain: Domain::Name(domain) };
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }

        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = Address::parse(&text);
            let _ = forward_path(&text);
        }
    }
}

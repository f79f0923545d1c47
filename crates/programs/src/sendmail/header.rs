//! A message from a program of this machine made fit to be sent: names without a domain get ours, Bcc
//! goes, a missing From is written. Pure.

use std::io::{self, BufRead};

use facteur_message::build::Header;
use facteur_message::header::fields;
use facteur_message::{Address, address, encoded_word};

use super::arguments::Call;
use super::pieces::{Piece, Pieces};
use crate::limits::HEADER_BYTES_MAX;

/// Fields that name who gets the message (RFC 5322 §3.6.3), and the same of one that is sent on.
const RECIPIENTS: [&str; 3] = ["To", "Cc", "Bcc"];
const RESENT_RECIPIENTS: [&str; 3] = ["Resent-To", "Resent-Cc", "Resent-Bcc"];
/// Other fields of addresses that people read.
const ADDRESSES: [&str; 6] = [
    "From",
    "Sender",
    "Reply-To",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
];
/// Nobody is to see them.
const HIDDEN: [&str; 3] = ["Bcc", "Resent-Bcc", "Return-Path"];

/// Who is told to whom the message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Empty: the null reverse-path.
    pub from: String,
    /// None twice.
    pub recipients: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// This can't be an address.
    Address(String),
    /// It has no domain, and the server has none to add.
    NoDomain(String),
    NoRecipient,
}

/// Why no header could be read.
#[derive(Debug)]
pub enum ReadError {
    Input(io::Error),
    TooBig,
}

/// The header's lines with CRLF, without the blank line, and what was read of the body.
pub fn read<R: BufRead>(pieces: &mut Pieces<R>) -> Result<(Vec<u8>, Option<Piece>), ReadError> {
    let mut header = Vec::new();
    while let Some(piece) = pieces.next_piece().map_err(ReadError::Input)? {
        if piece.begins && piece.ends && piece.bytes.is_empty() {
            return Ok((header, None));
        }
        if piece.begins && !is_header_line(&piece.bytes, header.is_empty()) {
            return Ok((header, Some(piece)));
        }
        header.extend_from_slice(&piece.bytes);
        if piece.ends {
            header.extend_from_slice(b"\r\n");
        }
        if header.len() > HEADER_BYTES_MAX {
            return Err(ReadError::TooBig);
        }
    }
    Ok((header, None))
}

/// A line that may be in a header; `first`: nothing is before it.
fn is_header_line(line: &[u8], first: bool) -> bool {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return !first;
    }
    // Some programs put a mailbox's separator first.
    if first && line.starts_with(b"From ") {
        return true;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// `header`: fields with CRLF, without the blank line. `default`: what the server takes the program
/// for.
pub fn prepare(
    header: &[u8],
    call: &Call,
    default: Option<&str>,
) -> Result<(Envelope, Vec<u8>), Bad> {
    let domain = default
        .and_then(|default| default.rsplit_once('@'))
        .map(|(_, domain)| domain);
    let from = match &call.from {
        Some(given) => reverse_path(given, domain)?,
        None => default.unwrap_or_default().to_owned(),
    };
    let mut recipients = Vec::new();
    for given in &call.recipients {
        add_recipients(&mut recipients, given.as_bytes(), domain)?;
    }
    if call.read_recipients {
        let resent = |name: &&str| fields(header).any(|field| field.is(name));
        let names = match RESENT_RECIPIENTS.iter().any(resent) {
            true => RESENT_RECIPIENTS,
            false => RECIPIENTS,
        };
        for field in fields(header) {
            if names.iter().any(|name| field.is(name)) {
                add_recipients(&mut recipients, &field.unfolded(), domain)?;
            }
        }
    }
    if recipients.is_empty() {
        return Err(Bad::NoRecipient);
    }
    let header = rewrite(header, call, &from, default, domain);
    Ok((Envelope { from, recipients }, header))
}

fn rewrite(
    header: &[u8],
    call: &Call,
    from: &str,
    default: Option<&str>,
    domain: Option<&str>,
) -> Vec<u8> {
    let mut out = Vec::new();
    if !fields(header).any(|field| field.is("From")) {
        let author = match from.is_empty() {
            true => default.unwrap_or_default(),
            false => from,
        };
        let name = call.full_name.as_deref().unwrap_or_default();
        out = Header::new()
            .addresses("From", &[(name, author)])
            .into_bytes();
    }
    let listed = || {
        RECIPIENTS
            .iter()
            .chain(&RESENT_RECIPIENTS)
            .chain(&ADDRESSES)
    };
    for field in fields(header) {
        let separator = field.raw.starts_with(b"From ") && !field.is("From");
        if !field.is_field || separator || HIDDEN.iter().any(|name| field.is(name)) {
            continue;
        }
        let name = listed().find(|name| field.is(name));
        match name.and_then(|name| completed(name, &field.unfolded(), domain)) {
            Some(field) => out.extend_from_slice(&field),
            None => out.extend_from_slice(field.raw),
        }
    }
    out
}

/// The field with our domain where there was none; `None`: it can stay as it is.
fn completed(name: &str, value: &[u8], domain: Option<&str>) -> Option<Vec<u8>> {
    let domain = domain?;
    let list = address::parse_list(value);
    let mut incomplete = false;
    let mut written: Vec<(String, String)> = Vec::new();
    for entry in &list {
        let Address::Mailbox {
            name,
            local: Some(local),
            domain: own,
            broken: false,
            ..
        } = entry
        else {
            // Groups and what can't be read stay as they were written.
            return None;
        };
        incomplete |= own.is_none();
        let shown = name.as_deref().map(encoded_word::decode);
        let own = match own {
            Some(own) => std::str::from_utf8(own).ok()?,
            None => domain,
        };
        written.push((shown.unwrap_or_default(), spelt(local, own)?));
    }
    if !incomplete {
        return None;
    }
    let pairs: Vec<(&str, &str)> = written
        .iter()
        .map(|(name, address)| (name.as_str(), address.as_str()))
        .collect();
    Some(Header::new().addresses(name, &pairs).into_bytes())
}

fn reverse_path(given: &str, domain: Option<&str>) -> Result<String, Bad> {
    let bare = given.trim();
    if bare.is_empty() || bare == "<>" {
        return Ok(String::new());
    }
    let mut list = Vec::new();
    add_recipients(&mut list, bare.as_bytes(), domain)?;
    match <[String; 1]>::try_from(list) {
        Ok([only]) => Ok(only),
        Err(_) => Err(Bad::Address(shown(given.as_bytes()))),
    }
}

fn add_recipients(out: &mut Vec<String>, value: &[u8], domain: Option<&str>) -> Result<(), Bad> {
    let bad = || Bad::Address(shown(value));
    if !address::is_whole(value) {
        return Err(bad());
    }
    for entry in address::parse_list(value) {
        let Address::Mailbox {
            local,
            domain: own,
            broken,
            ..
        } = entry
        else {
            continue;
        };
        let local = local.filter(|_| !broken).ok_or_else(bad)?;
        let own = own.map(String::from_utf8).transpose().map_err(|_| bad())?;
        let own = match own {
            Some(own) => own,
            None => domain
                .ok_or_else(|| Bad::NoDomain(shown(value)))?
                .to_owned(),
        };
        let address = spelt(&local, &own).ok_or_else(bad)?;
        if !out.contains(&address) {
            out.push(address);
        }
    }
    Ok(())
}

/// As RFC 5321 §4.1.2 writes it; `None`: it can't be, or would be more than an address.
fn spelt(local: &[u8], domain: &str) -> Option<String> {
    let local = std::str::from_utf8(local).ok()?;
    let fine = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_control());
    if !fine(local) || !fine(domain) || domain.contains([' ', '<', '>']) {
        return None;
    }
    let atom =
        |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let plain = local
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(atom));
    if plain {
        return Some(format!("{local}@{domain}"));
    }
    let escaped = local.replace('\\', "\\\\").replace('"', "\\\"");
    Some(format!("\"{escaped}\"@{domain}"))
}

fn shown(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Option<&str> = Some("backup@example.test");

    fn call(recipients: &[&str]) -> Call {
        Call {
            recipients: recipients.iter().map(ToString::to_string).collect(),
            ..Call::default()
        }
    }

    fn from_header() -> Call {
        Call {
            read_recipients: true,
            ..Call::default()
        }
    }

    fn prepared(header: &str, call: &Call) -> (Envelope, String) {
        let (envelope, header) = prepare(header.as_bytes(), call, DEFAULT).unwrap();
        (envelope, String::from_utf8(header).unwrap())
    }

    #[test]
    fn cron() {
        let header = "From: root (Cron Daemon)\r\nTo: root\r\n\
                      Subject: Cron <root@host> true\r\nX-Cron-Env: <A=b>\r\n";
        let (envelope, header) = prepared(header, &call(&["root"]));
        assert_eq!(envelope.from, "backup@example.test");
        assert_eq!(envelope.recipients, ["root@example.test"]);
        assert_eq!(
            header,
            "From: Cron Daemon <root@example.test>\r\nTo: root@example.test\r\n\
             Subject: Cron <root@host> true\r\nX-Cron-Env: <A=b>\r\n"
        );
    }

    #[test]
    fn recipients_from_the_header() {
        let header = "To: Ann <ann@a.test>,\r\n bob, undisclosed:;\r\nCc: ann@a.test\r\n\
                      Bcc: \"odd one\"@b.test\r\nSubject: x\r\n";
        let (envelope, header) = prepared(header, &from_header());
        let expected = ["ann@a.test", "bob@example.test", "\"odd one\"@b.test"];
        assert_eq!(envelope.recipients, expected);
        // A list with a group is not written anew, but Bcc goes in any case.
        assert_eq!(
            header,
            "From: backup@example.test\r\nTo: Ann <ann@a.test>,\r\n bob, undisclosed:;\r\n\
             Cc: ann@a.test\r\nSubject: x\r\n"
        );
        let resent = "To: a@a.test\r\nResent-To: b@b.test\r\nFrom: c@example.test\r\n";
        let (envelope, _) = prepared(resent, &from_header());
        assert_eq!(envelope.recipients, ["b@b.test"]);
        let both = Call {
            recipients: vec!["x@x.test, Y <y@y.test>".into()],
            ..from_header()
        };
        let (envelope, _) = prepared("To: a@a.test\r\n", &both);
        assert_eq!(envelope.recipients, ["x@x.test", "y@y.test", "a@a.test"]);
    }

    #[test]
    fn who_sends() {
        let named = |from: &str, name: Option<&str>| Call {
            from: Some(from.into()),
            full_name: name.map(str::to_owned),
            ..call(&["a@a.test"])
        };
        let (envelope, header) = prepared("Subject: x\r\n", &named("shop", Some("The Shop")));
        assert_eq!(envelope.from, "shop@example.test");
        assert_eq!(
            header,
            "From: The Shop <shop@example.test>\r\nSubject: x\r\n"
        );
        for null in ["", "<>"] {
            let (envelope, header) = prepared("", &named(null, None));
            assert_eq!(envelope.from, "");
            assert_eq!(header, "From: backup@example.test\r\n");
        }
        let (envelope, header) = prepared("From: x@y.test\r\n", &named("Z <z@y.test>", Some("N")));
        assert_eq!(
            (envelope.from.as_str(), header.as_str()),
            ("z@y.test", "From: x@y.test\r\n")
        );
        let (_, header) = prepared("From alice Mon Jan  1\r\nFrom: x@y.test\r\n", &call(&["a"]));
        assert_eq!(header, "From: x@y.test\r\n");
        let (_, header) = prepared("From : x@y.test\r\n", &call(&["a"]));
        assert_eq!(header, "From : x@y.test\r\n");
    }

    #[test]
    fn what_can_not_be_sent() {
        let bad = |header: &str, call: &Call, default| {
            prepare(header.as_bytes(), call, default).unwrap_err()
        };
        assert_eq!(
            bad("Subject: x\r\n", &from_header(), DEFAULT),
            Bad::NoRecipient
        );
        assert_eq!(
            bad("To: undisclosed:;\r\n", &from_header(), DEFAULT),
            Bad::NoRecipient
        );
        assert_eq!(
            bad("", &call(&["root"]), None),
            Bad::NoDomain("root".into())
        );
        for address in [
            "a@b.test\r\nRCPT TO:<c@d.test>",
            "<a@b.test",
            "a b@c.test",
            "a@b@c",
        ] {
            let found = bad("", &call(&[address]), DEFAULT);
            assert_eq!(found, Bad::Address(address.into()));
        }
    }

    #[test]
    fn header_lines() {
        for (line, first, expected) in [
            ("Subject: x", true, true),
            ("Subject : x", false, true),
            (" folded", false, true),
            (" folded", true, false),
            ("From a Mon", true, true),
            ("From a Mon", false, false),
            ("Hello there: x", true, false),
            ("no colon", false, false),
            (": x", false, false),
            ("", true, false),
        ] {
            assert_eq!(is_header_line(line.as_bytes(), first), expected, "{line}");
        }
    }
}

//! Authentication-Results, RFC 8601: written for those who read the message, and recognised where
//! somebody wrote one in our name.

use std::net::IpAddr;

use crate::reverse::Reverse;
use crate::{arc, dkim, dmarc, spf};

/// Everything that was found out about a message.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Of the reverse-path, or of the client's name where that was null.
    pub spf: spf::Checked,
    pub spf_of_hello: bool,
    pub dkim: Vec<dkim::Checked>,
    pub dmarc: dmarc::Checked,
    pub arc: arc::Checked,
    pub reverse: Reverse,
}

/// The field with its CRLF. `server`: our name.
pub fn field(server: &str, ip: IpAddr, findings: &Findings) -> String {
    let mut parts = vec![server.to_owned()];
    let spf = &findings.spf;
    let identity = if findings.spf_of_hello {
        "helo"
    } else {
        "mailfrom"
    };
    parts.push(format!(
        "spf={}{}",
        spf.outcome,
        property(&format!("smtp.{identity}"), &spf.domain)
    ));
    for one in &findings.dkim {
        let mut part = format!("dkim={}", one.outcome);
        if let Some(reason) = one.outcome.reason() {
            part.push_str(&format!(" reason=\"{reason}\""));
        }
        part.push_str(&property("header.d", &one.domain));
        part.push_str(&property("header.s", &one.selector));
        if let Some(algorithm) = one.algorithm {
            part.push_str(&property("header.a", algorithm.name()));
        }
        if !one.prefix.is_empty() {
            part.push_str(&format!(" header.b=\"{}\"", one.prefix));
        }
        parts.push(part);
    }
    if findings.dkim.is_empty() {
        parts.push("dkim=none".to_owned());
    }
    let dmarc = &findings.dmarc;
    let policy = match &dmarc.policy_domain {
        Some(_) => format!(" (p={})", dmarc.policy),
        None => String::new(),
    };
    let from = property("header.from", &dmarc.domain);
    parts.push(format!("dmarc={}{policy}{from}", dmarc.outcome));
    if findings.arc.outcome != arc::Outcome::None {
        parts.push(format!("arc={}", findings.arc.outcome));
    }
    parts.push(format!("iprev={} policy.iprev=\"{ip}\"", findings.reverse));
    format!("Authentication-Results: {}\r\n", parts.join(";\r\n\t"))
}

/// Nothing that could end the value or begin another.
fn property(name: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if value.is_empty() || value.len() > crate::limits::NAME_BYTES_MAX {
        return String::new();
    }
    let value: String = value
        .chars()
        .map(|c| if plain(c) { c } else { '?' })
        .collect();
    format!(" {name}={value}")
}

/// Does the field's value say that `server` wrote it? (RFC 8601 §2.5: the identifier comes first,
/// comments and folds aside.)
pub fn claims_to_be(value: &[u8], server: &str) -> bool {
    let mut rest = value;
    skip_comments(&mut rest);
    let mut name = Vec::new();
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let mut bytes = quoted.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => name.extend(bytes.next()),
                b'\r' | b'\n' => {}
                byte => name.push(*byte),
            }
        }
    } else {
        let ends = |byte: &u8| b" \t\r\n;(/".contains(byte);
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        name.extend_from_slice(rest.get(..end).unwrap_or_default());
    }
    while name.last() == Some(&b'.') {
        name.pop();
    }
    name.trim_ascii().eq_ignore_ascii_case(server.as_bytes())
}

fn skip_comments(rest: &mut &[u8]) {
    let mut depth = 0u32;
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'(' => depth = depth.saturating_add(1),
            b')' if depth > 0 => depth -= 1,
            b'\\' if depth > 0 => {
                *rest = after.get(1..).unwrap_or_default();
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if depth > 0 => {}
            _ => return,
        }
        *rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_field_it_is() {
        for (value, ours) in [
            (" mail.here.test; spf=pass", true),
            (" MAIL.Here.test 1; spf=pass", true),
            (
                "\r\n\t(a (nested \\) one)) \"mail.here\\.test\" ; none",
                true,
            ),
            (" mail.here.test", true),
            (" mail.here.test.; none", true),
            (" (mail.here.test) other.test; none", false),
            (" mail.here.test.other; none", false),
            (" other.test; mail.here.test", false),
            ("", false),
            (" ((((", false),
        ] {
            assert_eq!(
                claims_to_be(value.as_bytes(), "mail.here.test"),
                ours,
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_written() {
        let findings = Findings {
            spf: spf::Checked {
                outcome: spf::Outcome::Pass,
                domain: "bank.test".into(),
                explanation: None,
            },
            dkim: vec![dkim::Checked {
                outcome: dkim::Outcome::Fail("the body was changed"),
                domain: "bank;.test".into(),
                selector: "one".into(),
                algorithm: Some(dkim::Algorithm::RsaSha256),
                prefix: "abc/".into(),
                testing: false,
            }],
            dmarc: dmarc::Checked {
                outcome: dmarc::Outcome::Pass,
                domain: "bank.test".into(),
                policy_domain: Some("bank.test".into()),
                policy: dmarc::Policy::Reject,
                ..dmarc::Checked::default()
            },
            ..Findings::default()
        };
        assert_eq!(
            field("mail.here.test", [192, 0, 2, 1].into(), &findings),
            "Authentication-Results: mail.here.test;\r\n\
             \tspf=pass smtp.mailfrom=bank.test;\r\n\
             \tdkim=fail reason=\"the body was changed\" header.d=bank?.test header.s=one \
             header.a=rsa-sha256 header.b=\"abc/\";\r\n\
             \tdmarc=pass (p=reject) header.from=bank.test;\r\n\
             \tiprev=permerror policy.iprev=\"192.0.2.1\"\r\n"
        );
    }
}

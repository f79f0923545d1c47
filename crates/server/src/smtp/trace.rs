//! What we write in front of a message: Return-Path, Delivered-To, Received (RFC 5321 §4.4), and
//! on submission Date and Message-ID when they are missing (RFC 6409 §8).

use facteur_message::date;
use facteur_message::facts::Sent;

use crate::context::PeerAddress;
use crate::tls::TlsFacts;

/// How the message came to us, for one Received field.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// The argument of EHLO, HELO or LHLO.
    pub hello: &'a str,
    pub peer: PeerAddress,
    pub hostname: &'a str,
    /// The keyword of RFC 3848.
    pub protocol: &'a str,
    pub tls: Option<&'a TlsFacts>,
    /// Ours, for the log.
    pub id: &'a str,
    /// The recipient, when there is exactly one: others' names are nobody's business.
    pub only_recipient: Option<&'a str>,
    /// Seconds since 1970.
    pub at: i64,
}

/// The Received field with its CRLF.
pub fn received(arrival: &Arrival<'_>) -> String {
    let hello = if is_plain(arrival.hello) {
        arrival.hello
    } else {
        "unknown"
    };
    let mut field = format!("Received: from {hello} ({})", source(arrival.peer));
    field.push_str("\r\n\tby ");
    field.push_str(arrival.hostname);
    field.push_str(" with ");
    field.push_str(arrival.protocol);
    if let Some(tls) = arrival.tls {
        field.push_str(&format!(" ({} {})", tls.version, tls.cipher));
    }
    field.push_str("\r\n\tid ");
    field.push_str(arrival.id);
    if let Some(recipient) = arrival.only_recipient.filter(|text| is_plain(text)) {
        field.push_str(&format!("\r\n\tfor <{recipient}>"));
    }
    field.push_str("; ");
    field.push_str(&date_text(arrival.at));
    field.push_str("\r\n");
    field
}

/// RFC 5321 §4.4: the reverse-path as it was given, empty for null.
pub fn return_path(reverse_path: &str) -> String {
    format!("Return-Path: <{reverse_path}>\r\n")
}

pub fn delivered_to(address: &str) -> String {
    format!("Delivered-To: {address}\r\n")
}

pub fn date_field(at: i64) -> String {
    format!("Date: {}\r\n", date_text(at))
}

/// `random`: unique bytes.
pub fn message_id(random: &[u8], hostname: &str) -> String {
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("Message-ID: <{name}@{hostname}>\r\n")
}

fn date_text(at: i64) -> String {
    date::format(Sent {
        unix: at,
        offset_minutes: 0,
    })
}

/// RFC 5321 §4.1.3 address literals.
fn source(peer: PeerAddress) -> String {
    match peer.ip() {
        Some(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
        Some(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
        None => "local".to_owned(),
    }
}

/// Nothing that could end the field or open a comment.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 320
        && !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "()<>;,\\\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let tls = TlsFacts {
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            end_point: None,
            exporter: None,
        };
        let arrival = Arrival {
            hello: "client.test",
            peer: PeerAddress::Tcp("[2001:db8::1]:25".parse().unwrap()),
            hostname: "mail.example.test",
            protocol: "ESMTPS",
            tls: Some(&tls),
            id: "1-1",
            only_recipient: Some("alice@example.test"),
            at: 0,
        };
        assert_eq!(
            received(&arrival),
            "Received: from client.test ([IPv6:2001:db8::1])\r\n\
             \tby mail.example.test with ESMTPS (TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n\
             \tid 1-1\r\n\
             \tfor <alice@example.test>; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
        );
        let hostile = Arrival {
            hello: "a\r\nX: y",
            only_recipient: Some("\"a b\"@example.test"),
            tls: None,
            ..arrival
        };
        let field = received(&hostile);
        assert!(field.starts_with("Received: from unknown ("), "{field}");
        assert!(!field.contains("for <"), "{field}");
    }
}

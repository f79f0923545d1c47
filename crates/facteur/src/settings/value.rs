//! Values of settings: reading, checking, showing.

use std::net::{IpAddr, SocketAddr};

use facteur_server::ListenAddress;
use facteur_server::limits::{DNS_LISTS_MAX, MILTERS_MAX};
use facteur_server::strangers::Network;
use toml::Value;

use super::table::{Kind, TLS_MODES};
use crate::texts::{self, fill, t};

/// One TOML value.
pub(super) fn parse(text: &str) -> Option<Value> {
    let table: toml::Table = format!("value = {text}").parse().ok()?;
    table.get("value").cloned()
}

/// As the file would write it.
pub fn show(value: &Value) -> String {
    value.to_string()
}

/// On failure: what the value should be, in the user's language.
pub(super) fn check(kind: Kind, value: &Value) -> Result<(), String> {
    let text = value.as_str();
    let fine = match kind {
        Kind::HostName => text.is_some_and(is_host_name),
        Kind::Path => text.is_some_and(|text| !text.is_empty()),
        Kind::OptionalPath | Kind::Text => text.is_some(),
        Kind::Choice(choices) => text.is_some_and(|text| choices.contains(&text)),
        Kind::Addresses => value
            .as_array()
            .is_some_and(|list| list.iter().all(is_address)),
        Kind::Routes => value
            .as_array()
            .is_some_and(|list| list.iter().all(is_route)),
        Kind::Sockets => value.as_array().is_some_and(|list| {
            let few = list.len() <= MILTERS_MAX;
            let fine = |one: &Value| one.as_str().is_some_and(|text| socket(text).is_some());
            few && list.iter().all(fine)
        }),
        Kind::Domains => value.as_array().is_some_and(|list| {
            let few = list.len() <= DNS_LISTS_MAX;
            few && list
                .iter()
                .all(|one| one.as_str().is_some_and(is_host_name))
        }),
        Kind::Networks => value
            .as_array()
            .is_some_and(|list| list.iter().all(is_network)),
        Kind::Ips => value.as_array().is_some_and(|list| list.iter().all(is_ip)),
        Kind::OptionalAddress => text == Some("") || is_address(value),
        Kind::OptionalHostPort => {
            text.is_some_and(|text| text.is_empty() || host_port(text).is_some())
        }
        Kind::Certificates => value
            .as_array()
            .is_some_and(|list| list.iter().all(is_certificate)),
        Kind::Bool => value.is_bool(),
        Kind::Size => size(value).is_some_and(|bytes| bytes > 0),
        Kind::Number { min, max } => value
            .as_integer()
            .is_some_and(|number| (min..=max).contains(&number)),
    };
    if fine { Ok(()) } else { Err(expected(kind)) }
}

/// In words, for messages and the manual.
pub(super) fn expected(kind: Kind) -> String {
    match kind {
        Kind::HostName => t(texts::KIND_HOST_NAME).to_owned(),
        Kind::Path => t(texts::KIND_PATH).to_owned(),
        Kind::OptionalPath => t(texts::KIND_OPTIONAL_PATH).to_owned(),
        Kind::Choice(choices) => {
            let choices: Vec<String> = choices.iter().map(|word| format!("\"{word}\"")).collect();
            fill(texts::KIND_CHOICE, &[&choices.join(", ")])
        }
        Kind::Addresses => t(texts::KIND_ADDRESSES).to_owned(),
        Kind::Routes => t(texts::KIND_ROUTES).to_owned(),
        Kind::Sockets => t(texts::KIND_SOCKETS).to_owned(),
        Kind::Domains => t(texts::KIND_DOMAINS).to_owned(),
        Kind::Networks => t(texts::KIND_NETWORKS).to_owned(),
        Kind::Ips => t(texts::KIND_IPS).to_owned(),
        Kind::OptionalAddress => t(texts::KIND_OPTIONAL_ADDRESS).to_owned(),
        Kind::OptionalHostPort => t(texts::KIND_OPTIONAL_HOST_PORT).to_owned(),
        Kind::Certificates => t(texts::KIND_CERTIFICATES).to_owned(),
        Kind::Bool => t(texts::KIND_BOOL).to_owned(),
        Kind::Size => t(texts::KIND_SIZE).to_owned(),
        Kind::Number { min, max } => fill(texts::KIND_NUMBER, &[&min, &max]),
        Kind::Text => t(texts::KIND_TEXT).to_owned(),
    }
}

/// At least two labels of letters, digits and inner hyphens.
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

fn is_address(value: &Value) -> bool {
    let text = value.as_str();
    text.is_some_and(|text| text.parse::<SocketAddr>().is_ok())
}

fn is_route(value: &Value) -> bool {
    match value {
        Value::String(text) => route(text).is_some(),
        Value::Table(table) => is_route_table(table),
        _ => false,
    }
}

/// `domain` and `host`, perhaps `tls`, and `user` with `password_file`.
fn is_route_table(table: &toml::Table) -> bool {
    let known = ["domain", "host", "tls", "user", "password_file"];
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    let pair = [text("user"), text("password_file")];
    table.keys().all(|key| known.contains(&key.as_str()))
        && table.values().all(Value::is_str)
        && text("domain").is_some_and(is_host_name)
        && text("host").is_some_and(|host| host_port(host).is_some())
        && text("tls").is_none_or(|tls| TLS_MODES.contains(&tls))
        && (pair == [None; 2]
            || pair
                .iter()
                .flatten()
                .filter(|text| !text.is_empty())
                .count()
                == 2)
}

/// `domain=host:port`.
pub(super) fn route(text: &str) -> Option<(&str, &str, u16)> {
    let (domain, host) = text.split_once('=')?;
    let (host, port) = host_port(host)?;
    is_host_name(domain).then_some((domain, host, port))
}

/// `address:port`, or the absolute path of a socket.
pub(super) fn socket(text: &str) -> Option<ListenAddress> {
    if text.starts_with('/') {
        return Some(ListenAddress::Unix(text.into()));
    }
    text.parse().ok().map(ListenAddress::Tcp)
}

fn is_network(value: &Value) -> bool {
    let text = value.as_str();
    text.is_some_and(|text| text.parse::<Network>().is_ok())
}

fn is_ip(value: &Value) -> bool {
    let text = value.as_str();
    text.is_some_and(|text| text.parse::<IpAddr>().is_ok())
}

fn is_certificate(value: &Value) -> bool {
    let Some(table) = value.as_table() else {
        return false;
    };
    let file = |key| {
        let file = table.get(key).and_then(Value::as_str);
        file.is_some_and(|file| !file.is_empty())
    };
    table.len() == 2 && file("chain") && file("key")
}

/// `host:port`; an IPv6 address stands in brackets, which go.
pub(super) fn host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let fine = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            host.parse::<std::net::Ipv4Addr>().is_ok() || host == "localhost" || is_host_name(host)
        }
    };
    fine.then_some((bare.unwrap_or(host), port))
}

pub(super) fn size(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(bytes) => u64::try_from(*bytes).ok(),
        Value::String(text) => parse_size(text),
        _ => None,
    }
}

/// "100 MiB", "2G", "512": units are powers of 1024.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "o" => 1,
        "k" | "kib" | "kio" => 1 << 10,
        "m" | "mib" | "mio" => 1 << 20,
        "g" | "gib" | "gio" => 1 << 30,
        "t" | "tib" | "tio" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("100 MiB", Some(100 << 20)),
            ("2g", Some(2 << 30)),
            ("3 Gio", Some(3 << 30)),
            ("1.5 MiB", None),
            ("MiB", None),
            ("-1", None),
            ("99999999999 TiB", None),
            ("1 MB", None),
        ] {
            assert_eq!(parse_size(text), expected, "{text}");
        }
    }

    #[test]
    fn ways_of_domains() {
        for (text, fits) in [
            (r#"["a.test=b.test:25"]"#, true),
            (r#"["a.test=b.test"]"#, false),
            (r#"[{ domain = "a.test", host = "b.test:587" }]"#, true),
            (
                r#"[{ domain = "a.test", host = "b.test:587", tls = "implicit", user = "u", password_file = "p" }]"#,
                true,
            ),
            (
                r#"[{ domain = "a.test", host = "b.test:587", user = "u" }]"#,
                false,
            ),
            (
                r#"[{ domain = "a.test", host = "b.test:587", user = "u", password_file = "" }]"#,
                false,
            ),
            (
                r#"[{ domain = "a.test", host = "b.test:587", password = "p" }]"#,
                false,
            ),
            (
                r#"[{ domain = "a.test", host = "b.test:587", tls = "none" }]"#,
                false,
            ),
            (r#"[{ host = "b.test:587" }]"#, false),
            ("[1]", false),
        ] {
            let value = parse(text).unwrap();
            assert_eq!(check(Kind::Routes, &value).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn hosts_with_ports() {
        for (text, expected) in [
            ("smtp.example.org:587", Some(("smtp.example.org", 587))),
            ("127.0.0.1:2525", Some(("127.0.0.1", 2525))),
            ("[::1]:25", Some(("::1", 25))),
            ("localhost:25", Some(("localhost", 25))),
            ("smtp.example.org", None),
            ("smtp.example.org:0", None),
            ("::1:25", None),
            ("", None),
        ] {
            assert_eq!(host_port(text), expected, "{text}");
        }
    }
}

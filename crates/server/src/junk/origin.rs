//! Where a message came from, read from the fields that we wrote in front of it.

use std::net::IpAddr;

use facteur_message::header;

use crate::gate::counted_address;

/// What the past is remembered of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The peer; of IPv6 its /64.
    pub(super) address: Option<String>,
    /// The /24 around it, of IPv6 the /48.
    pub(super) network: Option<String>,
    /// Of the reverse-path.
    pub(super) domain: Option<String>,
    /// Who signed it.
    pub(super) signer: Option<String>,
}

/// `prefix`: Return-Path (the first that is there) and Received, as `smtp/trace.rs` writes them.
pub(super) fn read(prefix: &[u8]) -> Origin {
    let received = header::first(prefix, "Received");
    let peer = received.as_deref().and_then(peer);
    let path = header::first(prefix, "Return-Path").unwrap_or_default();
    let path = String::from_utf8_lossy(&path).to_lowercase();
    let path = path.trim_matches(['<', '>']);
    let results = header::first(prefix, "Authentication-Results");
    Origin {
        signer: results.as_deref().and_then(signer),
        address: peer.map(|peer| counted_address(peer).to_string()),
        network: peer.map(network_of),
        domain: path.rsplit_once('@').map(|(_, domain)| domain.to_owned()),
    }
}

/// A peer, without a message.
pub(super) fn of_peer(peer: IpAddr) -> Origin {
    Origin {
        address: Some(counted_address(peer).to_string()),
        network: Some(network_of(peer)),
        ..Origin::default()
    }
}

/// Of the first signature that is right: `dkim=pass header.d=example.org`, as
/// `facteur_senders::results` writes it.
fn signer(results: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(results);
    let mut parts = text.split(';').map(str::trim);
    let passed = parts.find(|part| part.starts_with("dkim=pass"))?;
    let mut words = passed.split_whitespace();
    let domain = words.find_map(|word| word.strip_prefix("header.d="))?;
    Some(domain.to_lowercase())
}

/// `from hello ([192.0.2.1]) by …` or `([IPv6:2001:db8::1])`; not one of this machine.
fn peer(received: &[u8]) -> Option<IpAddr> {
    let text = String::from_utf8_lossy(received);
    let (_, rest) = text.split_once("([")?;
    let (literal, _) = rest.split_once("])")?;
    let address: IpAddr = literal
        .strip_prefix("IPv6:")
        .unwrap_or(literal)
        .parse()
        .ok()?;
    (!address.is_loopback()).then_some(address)
}

/// The /24 of an address, of IPv6 the /48.
pub(crate) fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_our_own_fields() {
        let prefix = b"Return-Path: <Ann@Elsewhere.test>\r\nDelivered-To: a@b.test\r\n\
            Received: from hi ([192.0.2.7])\r\n\tby mail.test with ESMTP\r\n\tid 1-1; now\r\n";
        let origin = read(prefix);
        assert_eq!(origin.address.as_deref(), Some("192.0.2.7"));
        assert_eq!(origin.network.as_deref(), Some("192.0.2"));
        assert_eq!(origin.domain.as_deref(), Some("elsewhere.test"));
        let prefix = b"Return-Path: <>\r\nReceived: from x ([IPv6:2001:db8:1:2::3]) by y; z\r\n";
        let origin = read(prefix);
        assert_eq!(origin.address.as_deref(), Some("2001:db8:1:2::"));
        assert_eq!(origin.network.as_deref(), Some("2001:db8:1"));
        assert_eq!(origin.domain, None);
        let prefix = b"Authentication-Results: mail.test;\r\n\tspf=none;\r\n\
            \tdkim=fail reason=\"x\" header.d=a.test;\r\n\
            \tdkim=pass header.d=B.test header.s=one;\r\n\tdmarc=none\r\n";
        assert_eq!(read(prefix).signer.as_deref(), Some("b.test"));
        for nothing in [
            &b""[..],
            b"Received: from x (local) by y",
            b"Received: from x ([127.0.0.1]) by y",
        ] {
            assert_eq!(read(nothing), Origin::default());
        }
    }
}

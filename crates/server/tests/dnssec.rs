//! What is proven, what is not signed and what is bogus, told by a name server that plays a signed
//! root (RFC 4035, RFC 7672 §2).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use facteur_server::dns::{Dns, DnsError, SystemDns, Tlsa};
use hickory_proto::dnssec::crypto::Ed25519SigningKey;
use hickory_proto::dnssec::rdata::DNSKEY;
use hickory_proto::dnssec::{DnssecSigner, SigningKey, TrustAnchors};
use hickory_proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_proto::rr::rdata::{A, MX, NS, SOA, TLSA};
use hickory_proto::rr::{LowerName, Name, RData, Record};
use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn key() -> (Box<dyn SigningKey>, DNSKEY) {
    let pkcs8 = Ed25519SigningKey::generate_pkcs8().unwrap();
    let key = Ed25519SigningKey::from_pkcs8(&pkcs8).unwrap();
    let public = key.to_public_key().unwrap();
    let dnskey = DNSKEY::from_key(&public);
    (Box::new(key), dnskey)
}

/// A root that is all there is: one zone with everything, signed by a key.
async fn root(signed: bool) -> (SocketAddr, Arc<TrustAnchors>) {
    let mut zone = InMemoryZoneHandler::<hickory_server::net::runtime::TokioRuntimeProvider>::empty(
        Name::root(),
        ZoneType::Primary,
        AxfrPolicy::Deny,
        Some(NxProofKind::Nsec),
    );
    let soa = SOA::new(name("ns.test."), name("x.test."), 1, 300, 300, 300_000, 300);
    let tlsa = TLSA::new(
        CertUsage::DaneEe,
        Selector::Spki,
        Matching::Sha256,
        vec![7; 32],
    );
    let records = [
        (".", RData::SOA(soa)),
        (".", RData::NS(NS(name("ns.test.")))),
        ("ns.test.", RData::A(A(Ipv4Addr::LOCALHOST))),
        ("far.test.", RData::MX(MX::new(10, name("mx.far.test.")))),
        ("mx.far.test.", RData::A(A(ADDRESS))),
        ("_25._tcp.mx.far.test.", RData::TLSA(tlsa)),
    ];
    for (owner, data) in records {
        zone.upsert_mut(Record::from_rdata(name(owner), 300, data), 1);
    }
    let (key, dnskey) = key();
    let mut anchors = TrustAnchors::empty();
    anchors.insert(dnskey.public_key());
    if signed {
        let week = Duration::from_secs(7 * 86_400);
        let signer = DnssecSigner::new(dnskey, key, Name::root(), week);
        zone.add_zone_signing_key_mut(signer).unwrap();
        zone.secure_zone_mut().unwrap();
    }
    let mut catalog = Catalog::new();
    catalog.upsert(LowerName::from(Name::root()), vec![Arc::new(zone)]);
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let mut server = Server::new(catalog);
    server.register_socket(udp);
    server.register_listener(tcp, Duration::from_secs(5), 4096);
    tokio::spawn(async move { server.block_until_done().await });
    (address, Arc::new(anchors))
}

fn record() -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 1,
        matching: 1,
        data: vec![7; 32],
    }
}

#[tokio::test]
async fn a_signed_zone_proves_what_it_has_and_has_not() {
    let (address, anchors) = root(true).await;
    let dns = SystemDns::with_anchors(Some(address), Some(anchors)).unwrap();
    let mx = dns.mx_proven("far.test").await.unwrap();
    assert_eq!(mx[0].exchange, "mx.far.test");
    assert_eq!(dns.addresses_proven("mx.far.test").await, Ok(true));
    assert_eq!(dns.tlsa("_25._tcp.mx.far.test").await, Ok(vec![record()]));
    assert_eq!(
        dns.addresses("mx.far.test").await,
        Ok(vec![IpAddr::V4(ADDRESS)])
    );
    // Denials are proven as well.
    assert_eq!(
        dns.tlsa("_26._tcp.mx.far.test").await,
        Err(DnsError::NoRecords)
    );
    assert_eq!(dns.mx_proven("mx.far.test").await, Err(DnsError::NoRecords));
    assert_eq!(dns.addresses_proven("nobody.test").await, Ok(false));
}

/// The resolver passes on no signatures at all: nothing can be proven, and mail goes out as ever.
#[tokio::test]
async fn without_dnssec_nothing_is_proven() {
    let (address, anchors) = root(false).await;
    let dns = SystemDns::with_anchors(Some(address), Some(anchors)).unwrap();
    assert_eq!(dns.mx_proven("far.test").await, Err(DnsError::NoRecords));
    assert_eq!(dns.addresses_proven("mx.far.test").await, Ok(false));
    assert_eq!(
        dns.tlsa("_25._tcp.mx.far.test").await,
        Err(DnsError::NoRecords)
    );
    assert_eq!(dns.mx("far.test").await.unwrap().len(), 1);
}

/// Signed by somebody else's key: bogus, as long as something was proven before. Nobody may act on
/// it, nor on its absence.
#[tokio::test]
async fn what_is_bogus_is_no_answer() {
    let (address, anchors) = root(true).await;
    let (other, _) = root(true).await;
    let relay = Arc::new(std::sync::Mutex::new(address));
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let asked = front.local_addr().unwrap();
    let to = Arc::clone(&relay);
    tokio::spawn(async move {
        let mut packet = [0; 4096];
        while let Ok((length, peer)) = front.recv_from(&mut packet).await {
            let to = *to.lock().unwrap();
            let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            back.send_to(&packet[..length], to).await.unwrap();
            let mut reply = [0; 4096];
            let length = back.recv(&mut reply).await.unwrap();
            front.send_to(&reply[..length], peer).await.unwrap();
        }
    });
    let dns = SystemDns::with_anchors(Some(asked), Some(anchors)).unwrap();
    dns.mx_proven("far.test").await.unwrap();
    // From here on somebody else answers.
    *relay.lock().unwrap() = other;
    let told = dns.tlsa("_25._tcp.mx.far.test").await;
    assert!(matches!(told, Err(DnsError::Bogus)), "{told:?}");
    let told = dns.addresses_proven("mx.far.test").await;
    assert!(matches!(told, Err(DnsError::Bogus)), "{told:?}");
    let told = dns.tlsa("_26._tcp.mx.far.test").await;
    assert!(matches!(told, Err(DnsError::Bogus)), "{told:?}");
}

//! The DNS seam: where mail for a domain goes (RFC 5321 §5.1, RFC 7505).
//!
//! One real implementation on hickory, one table for tests. Both answer in mail terms; the
//! difference between "there is no such name" and "it can't be known now" decides whether a
//! message goes back to its sender, so it is kept apart everywhere.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use facteur_senders::dns as senders;
use facteur_senders::limits::{RECORDS_MAX, TXT_BYTES_MAX};
use hickory_proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    pub preference: u16,
    /// Without the final dot; empty is the null MX (RFC 7505).
    pub exchange: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// NXDOMAIN.
    NoSuchName,
    /// The name exists, records of this type do not.
    NoRecords,
    /// Time-out, SERVFAIL, no server: ask again later. The text is for the log.
    Temporary(String),
    /// The proof of the answer, or of there being none, is wrong (RFC 4035 §4.3): as little is known.
    Bogus,
}

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Vec<T>, DnsError>> + Send + 'a>>;

/// Whether what the DNS says is proven by DNSSEC (RFC 4033 §5). What is bogus is an error: nobody
/// may act on it, nor on its absence.
pub type Proven<'a> = Pin<Box<dyn Future<Output = Result<bool, DnsError>> + Send + 'a>>;

/// RFC 6698 §2.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}
/// The answer to one question about a sender.
pub type Asked<'a> = Pin<Box<dyn Future<Output = senders::Answer> + Send + 'a>>;

/// Names are ASCII (A-labels), without the final dot.
pub trait Dns: Send + Sync + fmt::Debug + 'static {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx>;
    /// IPv6 and IPv4 addresses, as they should be tried.
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr>;
    /// Texts, the strings of each joined.
    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, String>;
    /// The MX records, if they are proven; `NoRecords`: there are none, or none that is.
    fn mx_proven<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx>;
    fn addresses_proven<'a>(&'a self, host: &'a str) -> Proven<'a>;
    /// Proven records only; `NoRecords`: there is none, or none that is proven.
    fn tlsa<'a>(&'a self, name: &'a str) -> Answer<'a, Tlsa>;
    /// Records of one type, bounded, for the checks of senders.
    fn ask<'a>(&'a self, question: &'a senders::Question) -> Asked<'a>;
}

/// The real one: the system's resolvers, or one named server.
#[derive(Debug)]
pub struct SystemDns {
    resolver: TokioResolver,
    /// The same server, everything validated from the root's keys on.
    validating: TokioResolver,
    /// Once a proof of the root was seen, proofs are insisted on.
    dnssec: tokio::sync::OnceCell<()>,
    root_asked: Mutex<Option<tokio::time::Instant>>,
}

/// How long it is believed that the resolver can't do DNSSEC.
const DNSSEC_ASK_AGAIN: Duration = Duration::from_secs(600);

impl SystemDns {
    /// `None`: what `/etc/resolv.conf` says. The error is a sentence for the log.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        SystemDns::with_anchors(server, None)
    }

    /// `anchors`: keys to believe instead of the root's.
    pub fn with_anchors(
        server: Option<SocketAddr>,
        anchors: Option<Arc<TrustAnchors>>,
    ) -> Result<Self, String> {
        let resolver = SystemDns::builder(server)?;
        let mut validating = SystemDns::builder(server)?;
        validating.options_mut().validate = true;
        if let Some(anchors) = anchors {
            validating = validating.with_trust_anchor(anchors);
        }
        Ok(SystemDns {
            resolver: resolver.build().map_err(|error| error.to_string())?,
            validating: validating.build().map_err(|error| error.to_string())?,
            dnssec: tokio::sync::OnceCell::new(),
            root_asked: Mutex::new(None),
        })
    }

    fn builder(
        server: Option<SocketAddr>,
    ) -> Result<ResolverBuilder<TokioRuntimeProvider>, String> {
        Ok(match server {
            None => TokioResolver::builder_tokio().map_err(|error| error.to_string())?,
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                    .into_iter()
                    .map(|mut connection| {
                        connection.port = server.port();
                        connection
                    })
                    .collect();
                let name_server = NameServerConfig::new(server.ip(), true, connections);
                TokioResolver::builder_with_config(
                    ResolverConfig::from_parts(None, Vec::new(), vec![name_server]),
                    TokioRuntimeProvider::default(),
                )
            }
        })
    }

    /// Can anything be proven here? A resolver that strips signatures proves nothing, and mail goes
    /// out as if nobody signed; one that did prove something is held to it.
    async fn does_dnssec(&self) -> bool {
        if self.dnssec.initialized() {
            return true;
        }
        {
            let mut asked = self
                .root_asked
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if asked.is_some_and(|at| at.elapsed() < DNSSEC_ASK_AGAIN) {
                return false;
            }
            *asked = Some(tokio::time::Instant::now());
        }
        match self.validating.lookup(".", RecordType::SOA).await {
            Ok(lookup) if is_secure(lookup.answers(), RecordType::SOA) => {
                let _ = self.dnssec.set(());
                true
            }
            _ => {
                tracing::warn!("the resolver passes on no DNSSEC: DANE is not possible");
                false
            }
        }
    }

    /// Are the records proven? `None`: there are none, and that is not bogus.
    async fn proven(&self, name: &str, kind: RecordType) -> Result<Option<bool>, DnsError> {
        if !self.does_dnssec().await {
            return Ok(Some(false));
        }
        match self.validating.lookup(format!("{name}."), kind).await {
            Ok(lookup) => judge(lookup.answers(), kind).map(Some),
            Err(error) if is_denial(&error) => Ok(None),
            Err(error) => Err(classify(&error)),
        }
    }

    /// `NoRecords`: there are none, or none that is proven.
    async fn proven_records(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, DnsError> {
        if !self.does_dnssec().await {
            return Err(DnsError::NoRecords);
        }
        match self.validating.lookup(format!("{name}."), kind).await {
            Ok(lookup) => match judge(lookup.answers(), kind)? {
                true => Ok(lookup.answers().to_vec()),
                false => Err(DnsError::NoRecords),
            },
            Err(error) if is_denial(&error) => Err(DnsError::NoRecords),
            Err(error) => Err(classify(&error)),
        }
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, DnsError> {
        // The final dot keeps search domains out of it.
        let name = format!("{name}.");
        match self.resolver.lookup(name.as_str(), kind).await {
            Ok(lookup) => {
                let records: Vec<RData> = lookup
                    .answers()
                    .iter()
                    .filter(|record| record.record_type() == kind)
                    .map(|record| record.data.clone())
                    .collect();
                if records.is_empty() {
                    return Err(DnsError::NoRecords);
                }
                Ok(records)
            }
            Err(error) => Err(classify(&error)),
        }
    }
}

fn is_secure(records: &[Record], kind: RecordType) -> bool {
    let mut of_kind = records.iter().filter(|record| record.record_type() == kind);
    let aliases = records
        .iter()
        .filter(|record| record.record_type() == RecordType::CNAME);
    let all = of_kind.by_ref().chain(aliases).map(|record| record.proof);
    let proofs: Vec<Proof> = all.collect();
    !proofs.is_empty() && proofs.iter().all(Proof::is_secure)
}

/// Secure or not; neither is to be acted upon.
fn judge(records: &[Record], kind: RecordType) -> Result<bool, DnsError> {
    let unknown = |record: &Record| matches!(record.proof, Proof::Bogus | Proof::Indeterminate);
    if records.iter().any(unknown) {
        return Err(DnsError::Bogus);
    }
    Ok(is_secure(records, kind))
}

/// There is nothing: proven, or in a zone that is not signed. A denial that should have been proven
/// and was not is no denial.
fn is_denial(error: &NetError) -> bool {
    match error {
        NetError::Dns(hickory_resolver::net::DnsError::Nsec { proof, .. }) => {
            matches!(proof, Proof::Secure | Proof::Insecure)
        }
        _ => error.is_nx_domain() || error.is_no_records_found(),
    }
}

fn is_bogus(error: &NetError) -> bool {
    use hickory_resolver::net::DnsError;
    match error {
        NetError::Dns(DnsError::DnssecBogus) => true,
        NetError::Dns(DnsError::Nsec { proof, .. }) => proof.is_bogus(),
        _ => false,
    }
}

fn classify(error: &NetError) -> DnsError {
    if error.is_nx_domain() {
        DnsError::NoSuchName
    } else if error.is_no_records_found() {
        DnsError::NoRecords
    } else if is_bogus(error) {
        DnsError::Bogus
    } else {
        DnsError::Temporary(error.to_string())
    }
}

impl Dns for SystemDns {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx> {
        Box::pin(async move {
            let records = self.records(domain, RecordType::MX).await?;
            Ok(records.into_iter().filter_map(|data| mx(&data)).collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr> {
        Box::pin(async move {
            let (six, four) = tokio::join!(
                self.records(host, RecordType::AAAA),
                self.records(host, RecordType::A)
            );
            merge(addresses(six), addresses(four))
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, String> {
        Box::pin(async move {
            let records = self.records(name, RecordType::TXT).await?.into_iter();
            Ok(records
                .filter_map(|data| match data {
                    RData::TXT(txt) => {
                        let bytes = txt.txt_data.concat();
                        Some(String::from_utf8_lossy(&bytes).into_owned())
                    }
                    _ => None,
                })
                .collect())
        })
    }

    fn mx_proven<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx> {
        Box::pin(async move {
            let records = self.proven_records(domain, RecordType::MX).await?;
            Ok(records
                .iter()
                .filter_map(|record| mx(&record.data))
                .collect())
        })
    }

    fn addresses_proven<'a>(&'a self, host: &'a str) -> Proven<'a> {
        Box::pin(async move {
            // One family is enough: what answers at either has to prove itself by the same records
            // (RFC 7672 §2.2.2).
            let (six, four) = tokio::join!(
                self.proven(host, RecordType::AAAA),
                self.proven(host, RecordType::A)
            );
            let told = [six?, four?];
            Ok(told.contains(&Some(true)) && !told.contains(&Some(false)))
        })
    }

    fn ask<'a>(&'a self, question: &'a senders::Question) -> Asked<'a> {
        let kind = match question.kind {
            senders::Kind::Txt => RecordType::TXT,
            senders::Kind::A => RecordType::A,
            senders::Kind::Aaaa => RecordType::AAAA,
            senders::Kind::Mx => RecordType::MX,
            senders::Kind::Ptr => RecordType::PTR,
            senders::Kind::Srv => RecordType::SRV,
        };
        Box::pin(async move {
            match self.records(&question.name, kind).await {
                Ok(records) => answer(question.kind, records),
                Err(DnsError::NoSuchName) => senders::Answer::NoSuchName,
                Err(DnsError::NoRecords) => senders::Answer::NoRecords,
                Err(DnsError::Temporary(_) | DnsError::Bogus) => senders::Answer::Temporary,
            }
        })
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Answer<'a, Tlsa> {
        Box::pin(async move {
            let records = self.proven_records(name, RecordType::TLSA).await?;
            Ok(records.iter().filter_map(tlsa).collect())
        })
    }
}

fn mx(data: &RData) -> Option<Mx> {
    match data {
        RData::MX(mx) => Some(Mx {
            preference: mx.preference,
            exchange: mx.exchange.to_ascii().trim_end_matches('.').to_owned(),
        }),
        _ => None,
    }
}

fn tlsa(record: &Record) -> Option<Tlsa> {
    match &record.data {
        RData::TLSA(tlsa) => Some(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        _ => None,
    }
}

fn answer(kind: senders::Kind, records: Vec<RData>) -> senders::Answer {
    fn each<T>(records: Vec<RData>, take: impl FnMut(RData) -> Option<T>) -> Vec<T> {
        records
            .into_iter()
            .filter_map(take)
            .take(RECORDS_MAX)
            .collect()
    }
    let name =
        |name: &hickory_resolver::proto::rr::Name| name.to_ascii().trim_end_matches('.').to_owned();
    match kind {
        senders::Kind::Txt => senders::Answer::Txt(each(records, |data| match data {
            RData::TXT(txt) => {
                let mut text = txt.txt_data.concat();
                text.truncate(TXT_BYTES_MAX);
                Some(text)
            }
            _ => None,
        })),
        senders::Kind::A => senders::Answer::A(each(records, |data| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        })),
        senders::Kind::Aaaa => senders::Answer::Aaaa(each(records, |data| match data {
            RData::AAAA(address) => Some(address.0),
            _ => None,
        })),
        senders::Kind::Mx => senders::Answer::Mx(each(records, |data| match data {
            RData::MX(mx) => Some((mx.preference, name(&mx.exchange))),
            _ => None,
        })),
        senders::Kind::Ptr => senders::Answer::Ptr(each(records, |data| match data {
            RData::PTR(ptr) => Some(name(&ptr.0)),
            _ => None,
        })),
        senders::Kind::Srv => senders::Answer::Srv(each(records, |data| match data {
            RData::SRV(srv) => Some(senders::Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: name(&srv.target),
            }),
            _ => None,
        })),
    }
}

fn addresses(records: Result<Vec<RData>, DnsError>) -> Result<Vec<IpAddr>, DnsError> {
    Ok(records?
        .into_iter()
        .filter_map(|data| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        })
        .collect())
}

/// Both answers in one: an address of either family is enough, doubt about one is doubt only when
/// the other gave nothing.
fn merge(
    six: Result<Vec<IpAddr>, DnsError>,
    four: Result<Vec<IpAddr>, DnsError>,
) -> Result<Vec<IpAddr>, DnsError> {
    match (six, four) {
        (Ok(mut six), Ok(four)) => {
            six.extend(four);
            Ok(six)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        (Err(DnsError::Temporary(why)), _) | (_, Err(DnsError::Temporary(why))) => {
            Err(DnsError::Temporary(why))
        }
        (Err(DnsError::Bogus), _) | (_, Err(DnsError::Bogus)) => Err(DnsError::Bogus),
        (Err(DnsError::NoSuchName), Err(DnsError::NoSuchName)) => Err(DnsError::NoSuchName),
        (Err(_), Err(_)) => Err(DnsError::NoRecords),
    }
}

/// A table: for tests, and for a demo that must not ask the world.
#[derive(Debug, Default)]
pub struct TableDns {
    mx: Mutex<HashMap<String, Result<Vec<Mx>, DnsError>>>,
    addresses: Mutex<HashMap<String, Result<Vec<IpAddr>, DnsError>>>,
    txt: Mutex<HashMap<String, Result<Vec<String>, DnsError>>>,
    tlsa: Mutex<HashMap<String, Result<Vec<Tlsa>, DnsError>>>,
    /// Names of which the records are proven; an error where they are bogus.
    proven: Mutex<HashMap<String, Result<Vec<bool>, DnsError>>>,
    asked: Mutex<HashMap<senders::Question, senders::Answer>>,
}

impl TableDns {
    pub fn set_mx(&self, domain: &str, answer: Result<Vec<Mx>, DnsError>) {
        if let Ok(mut table) = self.mx.lock() {
            table.insert(domain.to_owned(), answer);
        }
    }

    /// What [`Dns::ask`] is answered; a name that nothing was set for does not exist.
    pub fn set_answer(&self, question: senders::Question, answer: senders::Answer) {
        if let Ok(mut table) = self.asked.lock() {
            table.insert(question, answer);
        }
    }

    pub fn set_addresses(&self, host: &str, answer: Result<Vec<IpAddr>, DnsError>) {
        if let Ok(mut table) = self.addresses.lock() {
            table.insert(host.to_owned(), answer);
        }
    }

    pub fn set_txt(&self, name: &str, answer: Result<Vec<String>, DnsError>) {
        if let Ok(mut table) = self.txt.lock() {
            table.insert(name.to_owned(), answer);
        }
    }

    pub fn set_tlsa(&self, name: &str, answer: Result<Vec<Tlsa>, DnsError>) {
        if let Ok(mut table) = self.tlsa.lock() {
            table.insert(name.to_owned(), answer);
        }
    }

    /// Of a domain's MX records or of a host's addresses.
    pub fn set_proven(&self, name: &str, answer: Result<bool, DnsError>) {
        if let Ok(mut table) = self.proven.lock() {
            table.insert(name.to_owned(), answer.map(|proven| vec![proven]));
        }
    }

    fn is_proven(&self, name: &str) -> Proven<'_> {
        let answer = match look_up(&self.proven, name) {
            Ok(proven) => Ok(proven.contains(&true)),
            Err(error @ (DnsError::Temporary(_) | DnsError::Bogus)) => Err(error),
            Err(DnsError::NoSuchName | DnsError::NoRecords) => Ok(false),
        };
        Box::pin(async move { answer })
    }
}

impl Dns for TableDns {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx> {
        let exists = look_up(&self.addresses, domain).is_ok();
        let answer = match look_up(&self.mx, domain) {
            Err(DnsError::NoSuchName) if exists => Err(DnsError::NoRecords),
            answer => answer,
        };
        Box::pin(async move { answer })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr> {
        let answer = look_up(&self.addresses, host);
        Box::pin(async move { answer })
    }

    fn txt<'a>(&'a self, name: &'a str) -> Answer<'a, String> {
        let answer = look_up(&self.txt, name);
        Box::pin(async move { answer })
    }

    fn mx_proven<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx> {
        Box::pin(async move {
            match self.is_proven(domain).await? {
                true => look_up(&self.mx, domain),
                false => Err(DnsError::NoRecords),
            }
        })
    }

    fn addresses_proven<'a>(&'a self, host: &'a str) -> Proven<'a> {
        self.is_proven(host)
    }

    fn tlsa<'a>(&'a self, name: &'a str) -> Answer<'a, Tlsa> {
        let answer = look_up(&self.tlsa, name);
        Box::pin(async move { answer })
    }

    fn ask<'a>(&'a self, question: &'a senders::Question) -> Asked<'a> {
        let answer = match self.asked.lock() {
            Ok(table) => table.get(question).cloned(),
            Err(_) => Some(senders::Answer::Temporary),
        };
        let answer = answer.unwrap_or(senders::Answer::NoSuchName);
        Box::pin(async move { answer })
    }
}

fn look_up<T: Clone>(
    table: &Mutex<HashMap<String, Result<Vec<T>, DnsError>>>,
    name: &str,
) -> Result<Vec<T>, DnsError> {
    match table.lock() {
        Ok(table) => table
            .get(name)
            .cloned()
            .unwrap_or(Err(DnsError::NoSuchName)),
        Err(_) => Err(DnsError::Temporary("the table is broken".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> DnsError {
        DnsError::Temporary("time-out".to_owned())
    }

    #[test]
    fn doubt_counts_only_when_nothing_is_known() {
        let four = vec![IpAddr::from([192, 0, 2, 1])];
        assert_eq!(merge(Err(temporary()), Ok(four.clone())), Ok(four));
        assert_eq!(
            merge(Err(temporary()), Err(DnsError::NoSuchName)),
            Err(temporary())
        );
        assert_eq!(
            merge(Err(DnsError::NoRecords), Err(DnsError::NoSuchName)),
            Err(DnsError::NoRecords)
        );
    }

    /// A name server of one page, over UDP and TCP, as the resolver of a small network answers.
    async fn name_server() -> SocketAddr {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (udp, tcp) = loop {
            let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let address = udp.local_addr().unwrap();
            if let Ok(tcp) = tokio::net::TcpListener::bind(address).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((count, peer)) = udp.recv_from(&mut buffer).await {
                let _ = udp.send_to(&reply_to(&buffer[..count]), peer).await;
            }
        });
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = tcp.accept().await {
                tokio::spawn(async move {
                    while let Ok(count) = socket.read_u16().await {
                        let mut query = vec![0; usize::from(count)];
                        socket.read_exact(&mut query).await.unwrap();
                        let reply = reply_to(&query);
                        let count = u16::try_from(reply.len()).unwrap();
                        socket.write_u16(count).await.unwrap();
                        socket.write_all(&reply).await.unwrap();
                    }
                });
            }
        });
        address
    }

    fn reply_to(query: &[u8]) -> Vec<u8> {
        use hickory_proto::op::{Message, ResponseCode};
        use hickory_proto::rr::rdata::{A, MX};
        use hickory_proto::rr::{Name, Record};
        let query = Message::from_vec(query).unwrap();
        let question = query.queries[0].clone();
        let name = question.name().to_ascii();
        let mx = |preference, exchange: &str| {
            RData::MX(MX::new(preference, Name::from_ascii(exchange).unwrap()))
        };
        let data: &[RData] = match (name.as_str(), question.query_type()) {
            ("two.test.", RecordType::MX) => &[mx(20, "b.test."), mx(10, "A.test.")],
            ("null.test.", RecordType::MX) => &[mx(0, ".")],
            ("a.test.", RecordType::A) => &[RData::A(A::new(192, 0, 2, 1))],
            _ => &[],
        };
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_desired = true;
        reply.metadata.recursion_available = true;
        reply.metadata.response_code = match name.as_str() {
            "broken.test." => ResponseCode::ServFail,
            "missing.test." => ResponseCode::NXDomain,
            _ => ResponseCode::NoError,
        };
        reply.add_query(question.clone());
        for data in data {
            reply.add_answer(Record::from_rdata(
                question.name().clone(),
                60,
                data.clone(),
            ));
        }
        reply.to_vec().unwrap()
    }

    #[tokio::test]
    async fn a_real_resolver_says_which_kind_of_no() {
        let dns = SystemDns::new(Some(name_server().await)).unwrap();
        let mx = |preference, exchange: &str| Mx {
            preference,
            exchange: exchange.to_owned(),
        };
        let mut two = dns.mx("two.test").await.unwrap();
        two.sort();
        assert_eq!(two, [mx(10, "A.test"), mx(20, "b.test")]);
        assert_eq!(dns.mx("null.test").await, Ok(vec![mx(0, "")]));
        assert_eq!(dns.mx("missing.test").await, Err(DnsError::NoSuchName));
        assert_eq!(dns.mx("a.test").await, Err(DnsError::NoRecords));
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(dns.addresses("a.test").await, Ok(vec![address]));
        assert_eq!(
            dns.addresses("missing.test").await,
            Err(DnsError::NoSuchName)
        );
        assert_eq!(dns.addresses("two.test").await, Err(DnsError::NoRecords));
        assert!(matches!(
            dns.mx("broken.test").await,
            Err(DnsError::Temporary(_))
        ));
        assert!(matches!(
            dns.addresses("broken.test").await,
            Err(DnsError::Temporary(_))
        ));
    }
}

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
use std::sync::Mutex;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

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
}

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Vec<T>, DnsError>> + Send + 'a>>;

/// Names are ASCII (A-labels), without the final dot.
pub trait Dns: Send + Sync + fmt::Debug + 'static {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx>;
    /// IPv6 and IPv4 addresses, as they should be tried.
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr>;
}

/// The real one: the system's resolvers, or one named server.
#[derive(Debug)]
pub struct SystemDns {
    resolver: TokioResolver,
}

impl SystemDns {
    /// `None`: what `/etc/resolv.conf` says. The error is a sentence for the log.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let builder = match server {
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
        };
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(SystemDns { resolver })
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

fn classify(error: &NetError) -> DnsError {
    if error.is_nx_domain() {
        DnsError::NoSuchName
    } else if error.is_no_records_found() {
        DnsError::NoRecords
    } else {
        DnsError::Temporary(error.to_string())
    }
}

impl Dns for SystemDns {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Mx> {
        Box::pin(async move {
            let records = self.records(domain, RecordType::MX).await?;
            Ok(records
                .into_iter()
                .filter_map(|data| match data {
                    RData::MX(mx) => Some(Mx {
                        preference: mx.preference,
                        exchange: mx.exchange.to_ascii().trim_end_matches('.').to_owned(),
                    }),
                    _ => None,
                })
                .collect())
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
        (Err(DnsError::NoSuchName), Err(DnsError::NoSuchName)) => Err(DnsError::NoSuchName),
        (Err(_), Err(_)) => Err(DnsError::NoRecords),
    }
}

/// A table: for tests, and for a demo that must not ask the world.
#[derive(Debug, Default)]
pub struct TableDns {
    mx: Mutex<HashMap<String, Result<Vec<Mx>, DnsError>>>,
    addresses: Mutex<HashMap<String, Result<Vec<IpAddr>, DnsError>>>,
}

impl TableDns {
    pub fn set_mx(&self, domain: &str, answer: Result<Vec<Mx>, DnsError>) {
        if let Ok(mut table) = self.mx.lock() {
            table.insert(domain.to_owned(), answer);
        }
    }

    pub fn set_addresses(&self, host: &str, answer: Result<Vec<IpAddr>, DnsError>) {
        if let Ok(mut table) = self.addresses.lock() {
            table.insert(host.to_owned(), answer);
        }
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

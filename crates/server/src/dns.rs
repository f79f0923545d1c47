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
}

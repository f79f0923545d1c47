//! A connection to one of a host's addresses: they are tried a moment after each other, and the
//! first that answers is taken (RFC 8305, as far as it is about connections).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::limits;
use super::route::Hop;
use super::security::Security;
use super::send::Sender;
use crate::config::Role;
use crate::context::{Peer, PeerAddress};
use crate::net::Socket;
use crate::smtp;

/// Under way between the queue and our own session.
const HOME_BYTES: usize = 64 * 1024;

/// What came of it.
pub struct Race {
    /// Index of the hop, and its socket.
    pub winner: Option<(usize, Box<dyn Socket>)>,
    /// Hops that did not answer.
    pub failed: Vec<usize>,
}

type Arrival = (usize, io::Result<Box<dyn Socket>>);

/// `hops`: the addresses of one host, those first that should be tried first.
pub async fn race(sender: &Sender, hops: &[(usize, Hop)]) -> Race {
    let mut race = Race {
        winner: None,
        failed: Vec::new(),
    };
    let mut running: JoinSet<Arrival> = JoinSet::new();
    let mut waiting = hops.iter();
    loop {
        if let Some((index, hop)) = waiting.next() {
            running.spawn(connect(sender.clone(), *index, hop.clone()));
        }
        if running.is_empty() {
            return race;
        }
        let ended = match waiting.len() {
            0 => running.join_next().await,
            // RFC 8305 §5: the connection attempt delay.
            _ => match timeout(limits::CONNECT_STAGGER, running.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
        };
        match ended {
            Some(Ok((index, Ok(socket)))) => {
                race.winner = Some((index, socket));
                return race;
            }
            Some(Ok((index, Err(_)))) => race.failed.push(index),
            Some(Err(_)) | None => {}
        }
    }
}

async fn connect(sender: Sender, index: usize, hop: Hop) -> Arrival {
    if hop.security == Security::Home {
        return (index, Ok(Box::new(home(&sender))));
    }
    let to = hop.socket_address();
    let from = source(&sender.ctx.config.queue.source_addresses, to.ip());
    let connecting = sender.net.connect(to, from);
    let socket = match timeout(limits::CONNECT, connecting).await {
        Ok(socket) => socket,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    (index, socket)
}

/// Our own LMTP session, as for any other server of this machine: filters, aliases and limits are
/// the same.
fn home(sender: &Sender) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(HOME_BYTES);
    let ctx = Arc::clone(&sender.ctx);
    let peer = Peer::new(ctx.next_session(), Role::Lmtp, PeerAddress::Inside);
    tokio::spawn(smtp::serve(theirs, peer, ctx));
    ours
}

/// The first of our addresses that is of the same family.
pub fn source(ours: &[IpAddr], to: IpAddr) -> Option<IpAddr> {
    ours.iter()
        .find(|from| from.is_ipv4() == to.is_ipv4())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_of_the_family() {
        let [four, six] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap());
        let to = |text: &str| text.parse().unwrap();
        let ours = [six, four, "192.0.2.2".parse().unwrap()];
        assert_eq!(source(&ours, to("198.51.100.1")), Some(four));
        assert_eq!(source(&ours, to("2001:db8::9")), Some(six));
        assert_eq!(source(&[four], to("2001:db8::9")), None);
        assert_eq!(source(&[], to("198.51.100.1")), None);
    }
}

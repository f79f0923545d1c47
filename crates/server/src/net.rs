//! The network seam: connections to other hosts. The system's sockets, or a world made for a test.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, UnixStream};

/// A connection: bytes both ways, an end, and failures.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Socket>>> + Send + 'a>>;

pub trait Net: Send + Sync + fmt::Debug + 'static {
    /// `from`: the address of ours to use; `None`: as the system has it. Time-outs are the
    /// caller's.
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting<'_>;

    /// The address that a connection to there would come from; `None`: nobody knows.
    fn source(&self, _: IpAddr) -> Option<IpAddr> {
        None
    }

    /// Whether the address is one of this machine's, public or not.
    fn is_own(&self, _: IpAddr) -> bool {
        false
    }

    /// A program of this machine.
    fn connect_unix<'a>(&'a self, path: &'a Path) -> Connecting<'a> {
        Box::pin(async move {
            let stream = UnixStream::connect(path).await?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}

/// TCP.
#[derive(Debug, Default)]
pub struct SystemNet;

impl Net for SystemNet {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting<'_> {
        Box::pin(async move {
            let socket = match to {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            if let Some(from) = from {
                socket.bind((from, 0).into())?;
            }
            let stream = socket.connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }

    /// A socket that is connected and sends nothing knows.
    fn source(&self, to: IpAddr) -> Option<IpAddr> {
        let any: IpAddr = match to {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((to, 25)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    /// Only an address of one's own can be bound. Where the system lets others be bound as well
    /// (`ip_nonlocal_bind`), nobody knows.
    fn is_own(&self, address: IpAddr) -> bool {
        let can_bind = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
        let nobodys = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        };
        can_bind(address) && !can_bind(nobodys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_connections_come_from() {
        let loopback = "127.0.0.1".parse().unwrap();
        assert_eq!(SystemNet.source(loopback), Some(loopback));
    }

    #[test]
    fn addresses_of_this_machine() {
        for (address, own) in [
            ("127.0.0.1", true),
            ("192.0.2.1", false),
            ("198.51.100.7", false),
            ("2001:db8::7", false),
        ] {
            assert_eq!(SystemNet.is_own(address.parse().unwrap()), own, "{address}");
        }
    }
}

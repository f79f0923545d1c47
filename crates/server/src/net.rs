//! The network seam: connections to other hosts. The system's sockets, or a world made for a test.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

/// A connection: bytes both ways, an end, and failures.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Socket>>> + Send + 'a>>;

pub trait Net: Send + Sync + fmt::Debug + 'static {
    /// `from`: the address of ours to use; `None`: as the system has it. Time-outs are the
    /// caller's.
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting<'_>;
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
}

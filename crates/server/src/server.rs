//! Start and stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use facteur_store::Store;
use tokio::task::JoinSet;

use crate::admin;
use crate::config::{Config, ListenAddress, Role};
use crate::context::Context;
use crate::dkim;
use crate::dns::{Dns, SystemDns};
use crate::feedback;
use crate::imap::catalog;
use crate::junk;
use crate::limits;
use crate::listen::{self, Listener};
use crate::net::{Net, SystemNet};
use crate::programs;
use crate::queue::{self, ClientTls, Sender};
use crate::strangers;
use crate::tls::TlsError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{role} can't listen on {address}: {source}", role = .role.name())]
    Listen {
        role: Role,
        address: String,
        source: std::io::Error,
    },
    #[error("the admin socket can't be made at {path}: {source}")]
    Admin {
        path: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("mail can't be sent: {0}")]
    Queue(String),
    /// A listener needs TLS and no certificate is configured.
    #[error("{} needs a certificate and none is configured", .0.name())]
    NoCertificate(Role),
}

/// The seams to the world beside clock and disk, which come with the store.
#[derive(Debug, Default)]
pub struct Seams {
    /// `None`: the real one, asking `queue.dns_server` or the system's resolvers.
    pub dns: Option<Arc<dyn Dns>>,
    /// `None`: the system's sockets.
    pub net: Option<Arc<dyn Net>>,
}

/// Where a listener listens, with the port that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Binds every listener, then serves. Needs a tokio runtime. An error leaves nothing running.
    pub async fn start(config: Config, store: Store, seams: Seams) -> Result<Running, StartError> {
        let dns = match seams.dns {
            Some(dns) => dns,
            None => Arc::new(SystemDns::new(config.queue.dns_server).map_err(StartError::Queue)?),
        };
        let net = seams.net.unwrap_or_else(|| Arc::new(SystemNet));
        let ctx = Context::with_seams(config, store, Some(Arc::clone(&dns)), Arc::clone(&net))?;
        let sender = queue_sender(&ctx, dns, net)?;
        let strangers = Arc::clone(&ctx);
        // Before the first of them comes.
        let loaded = tokio::task::spawn_blocking(move || {
            strangers.strangers.load();
            strangers.feedback.load();
        });
        let _ = loaded.await;
        let mut listeners = Vec::new();
        for listen in &ctx.config.listeners {
            if listen.role.is_implicit_tls() && ctx.tls.is_none() {
                return Err(StartError::NoCertificate(listen.role));
            }
            let (listener, bound) =
                Listener::bind(&listen.address, listen.role).map_err(|source| {
                    StartError::Listen {
                        role: listen.role,
                        address: match &listen.address {
                            ListenAddress::Tcp(address) => address.to_string(),
                            ListenAddress::Unix(path) => path.display().to_string(),
                        },
                        source,
                    }
                })?;
            listeners.push((listen.role, listener, bound));
        }
        let admin_socket = ctx.config.admin_socket.clone();
        let admin = match &admin_socket {
            Some(path) => Some(admin::listen(path).map_err(|source| StartError::Admin {
                path: path.display().to_string(),
                source,
            })?),
            None => None,
        };
        let mut tasks = JoinSet::new();
        let mut ports = Vec::new();
        for (role, listener, bound) in listeners {
            tracing::info!(role = role.name(), address = ?bound, "listening");
            tasks.spawn(listen::run(listener, role, Arc::clone(&ctx)));
            ports.push((role, bound));
        }
        if let (Some(listener), Some(path)) = (admin, admin_socket) {
            tasks.spawn(admin::serve(listener, path, Arc::clone(&ctx)));
        }
        tasks.spawn(watch_certificates(Arc::clone(&ctx)));
        tasks.spawn(maintain(Arc::clone(&ctx)));
        tasks.spawn(catalog::run(Arc::clone(&ctx)));
        tasks.spawn(junk::run(Arc::clone(&ctx)));
        tasks.spawn(dkim::run(Arc::clone(&ctx)));
        tasks.spawn(programs::run(sender.clone()));
        tasks.spawn(strangers::run(Arc::clone(&ctx)));
        tasks.spawn(feedback::run(sender.clone()));
        tasks.spawn(queue::run(sender));
        Ok(Running { ctx, ports, tasks })
    }
}

/// What the queue sends with.
fn queue_sender(
    ctx: &Arc<Context>,
    dns: Arc<dyn Dns>,
    net: Arc<dyn Net>,
) -> Result<Sender, StartError> {
    let config = &ctx.config.queue;
    let tls = ClientTls::new(config.extra_authorities.as_deref()).map_err(StartError::Queue)?;
    Ok(Sender::new(Arc::clone(ctx), dns, net, tls))
}

/// A server at work. Dropping it aborts everything; [`Running::stop`] is the way to end it.
#[derive(Debug)]
pub struct Running {
    ctx: Arc<Context>,
    pub ports: Vec<(Role, Bound)>,
    tasks: JoinSet<()>,
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

    /// Returns when the store has stopped because its disk failed: nothing more is kept, and the
    /// process has to end ([decision 30](../../../docs/decisions/0030-failed-disk.md)).
    pub async fn failed(&self) -> facteur_store::Error {
        self.ctx.store.failed().await
    }

    /// Reads the certificate files again; on an error the old ones stay.
    pub fn reload(&self) -> Result<(), StartError> {
        if let Some(tls) = &self.ctx.tls {
            tls.reload()?;
        }
        Ok(())
    }

    /// No new connection, a farewell to the idle ones, a bounded wait for the others, then the
    /// store is closed.
    pub async fn stop(mut self) -> Result<(), facteur_store::Error> {
        self.ctx.shutdown.start();
        while self.tasks.join_next().await.is_some() {}
        for (_, bound) in &self.ports {
            if let Bound::Unix(path) = bound {
                let _ = std::fs::remove_file(path);
            }
        }
        feedback::save(&self.ctx).await;
        self.ctx.store.close().await
    }
}

/// Takes up renewed certificates without a stop.
async fn watch_certificates(ctx: Arc<Context>) {
    let Some(tls) = &ctx.tls else { return };
    loop {
        tokio::select! {
            () = ctx.shutdown.wait() => return,
            () = tokio::time::sleep(limits::CERTIFICATE_CHECK) => {}
        }
        match tls.reload_if_changed() {
            Ok(true) => tracing::info!("certificates reloaded"),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "the new certificates can't be used, the old ones stay")
            }
        }
    }
}

/// Gives the store's care its time, a step now and then.
async fn maintain(ctx: Arc<Context>) {
    let mut pause = limits::MAINTAIN_PAUSE;
    loop {
        tokio::select! {
            () = ctx.shutdown.wait() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = match ctx.store.maintain().await {
            Ok(true) => limits::MAINTAIN_STEP_PAUSE,
            Ok(false) => limits::MAINTAIN_PAUSE,
            Err(error) => {
                tracing::error!(%error, "the store's maintenance failed");
                limits::MAINTAIN_PAUSE
            }
        };
    }
}

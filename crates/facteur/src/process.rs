//! A server as a process: log, signals, stop.

use std::io::IsTerminal;
use std::sync::Arc;

use facteur_server::{Running, StartError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::output::{Failure, STATUS_DISK_FAILED};
use crate::texts::{self, fill, t};

/// Log lines go to standard error.
pub fn log(level: &str) {
    let terminal = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .with_target(false);
    // A second one can't be set, and there is none.
    let _ = subscriber.try_init();
}

/// What asks a server to stop. Made before the server starts, so that no signal is lost.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn new() -> Result<Signals, Failure> {
        let take = |kind| {
            signal(kind).map_err(|error| Failure::new("runtime", t(texts::RUNTIME)).because(error))
        };
        Ok(Signals {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// Until SIGTERM or SIGINT, or until the disk fails; SIGHUP takes up renewed certificates.
    pub async fn wait(&mut self, running: &Running) {
        loop {
            tokio::select! {
                error = running.failed() => {
                    tracing::error!(%error, "the disk failed: the server stops, look at the disk and start it again");
                    return;
                }
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => match running.reload() {
                    Ok(()) => tracing::info!("certificates reloaded"),
                    Err(error) => tracing::error!(%error, "the certificates can't be used, the old ones stay"),
                },
            }
        }
    }
}

pub async fn stop(running: Running) -> Result<(), Failure> {
    tracing::info!("stopping");
    let context = Arc::clone(running.context());
    let stopped = running.stop().await;
    if let Some(error) = context.store.failure() {
        return Err(disk_failure(&error));
    }
    stopped.map_err(|error| Failure::new("store", t(texts::STORE_CLOSE)).because(error))
}

fn disk_failure(error: &facteur_store::Error) -> Failure {
    Failure {
        status: STATUS_DISK_FAILED,
        ..Failure::new("disk_failed", t(texts::DISK_FAILED)).because(error)
    }
}

pub fn start_failure(error: &StartError) -> Failure {
    match error {
        StartError::Listen {
            role,
            address,
            source,
        } => {
            let text = match source.kind() {
                std::io::ErrorKind::AddrInUse => texts::LISTEN_IN_USE,
                std::io::ErrorKind::PermissionDenied => texts::LISTEN_DENIED,
                _ => texts::LISTEN_FAILED,
            };
            Failure::new("listen", fill(text, &[&role.name(), address])).because(source)
        }
        StartError::Admin { path, source } => {
            Failure::new("listen", fill(texts::LISTEN_FAILED, &[&"admin", path])).because(source)
        }
        StartError::Queue(what) => Failure::new("queue", t(texts::QUEUE_START)).because(what),
        StartError::Tls(error) => Failure::new("tls", t(texts::TLS_FAILED)).because(error),
        StartError::NoCertificate(role) => {
            Failure::new("tls", fill(texts::TLS_NONE, &[&role.name()]))
        }
    }
}

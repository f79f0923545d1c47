//! The Unix socket. It appears under its name only when its mode is set, so that there is no moment
//! in which others may connect.

use std::fs::{self, Permissions};
use std::future::IntoFuture;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixListener;

use crate::Context;

/// Makes the socket with mode 0600; one that a dead server left is replaced. The caller holds the
/// store's lock, so no living server owns it.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    fs::rename(&new, path)?;
    Ok(listener)
}

/// Serves until the server stops, then removes the socket.
pub async fn serve(listener: UnixListener, path: PathBuf, context: Arc<Context>) {
    let shutdown = context.shutdown.clone();
    let graceful = context.shutdown.clone();
    let wait = context.config.stop_wait;
    let router = super::router(context);
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(async move { graceful.wait().await });
    tokio::select! {
        served = serving.into_future() => if let Err(error) = served {
            tracing::error!(%error, "the admin socket failed");
        },
        // A caller that never ends its request does not keep the server from stopping.
        () = async { shutdown.wait().await; tokio::time::sleep(wait).await } => {}
    }
    // Gone already is as good.
    let _ = fs::remove_file(path);
}

//! Asks the admin interface: over its socket when a server runs, else in this process on the store that
//! it opens. Commands can't tell which.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use facteur_server::dns::{Dns, SystemDns};
use facteur_server::{Config, Context, admin};
use facteur_store::Store;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::language::language_code;
use crate::output::Failure;
use crate::place::{Place, open_store};
use crate::texts::{self, fill, t};

/// An answer's JSON text.
const ANSWER_BYTES_MAX: usize = 256 << 20;

pub enum Client {
    Remote(PathBuf),
    Local {
        store: Store,
        router: Box<admin::Router>,
    },
}

impl Client {
    pub async fn open(place: &Place) -> Result<Client, Failure> {
        place.must_exist()?;
        let socket = place.admin_socket();
        match UnixStream::connect(&socket).await {
            Ok(_) => return Ok(Client::Remote(socket)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let sentence = fill(texts::ADMIN_DENIED, &[&socket.display()]);
                return Err(Failure::new("admin_denied", sentence));
            }
            // No socket, or one that a dead server left: nothing runs.
            Err(_) => {}
        }
        let (store, _) = open_store(&place.data, place.options())?;
        let config = match &place.settings {
            Some(settings) => settings.config()?,
            None => {
                let mut config = Config::new("localhost");
                language_code().clone_into(&mut config.language);
                config
            }
        };
        Client::local(store, config)
    }

    /// On a store that this process has open.
    pub fn local(store: Store, mut config: Config) -> Result<Client, Failure> {
        // Nothing listens here, so no certificate is read.
        config.certificates.clear();
        // `domain dns` asks; without a resolver it says that nothing is known.
        let dns = SystemDns::new(config.queue.dns_server).ok();
        let dns = dns.map(|dns| Arc::new(dns) as Arc<dyn Dns>);
        let context = Context::with_dns(config, store.clone(), dns)
            .map_err(|error| Failure::new("internal", t(texts::CODE_INTERNAL)).because(error))?;
        let router = Box::new(admin::router(context));
        Ok(Client::Local { store, router })
    }

    /// `subject`: the address, domain or number the call is about, for messages.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        subject: &str,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| body.to_string().into_bytes());
        let (fine, answer) = match self {
            Client::Remote(socket) => ask(socket, method, path, body)
                .await
                .map_err(|error| Failure::new("admin", t(texts::ADMIN_FAILED)).because(error))?,
            Client::Local { router, .. } => {
                let (status, answer) = admin::call(router, method, path, body).await;
                (status.is_success(), answer)
            }
        };
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|error| Failure::new("admin", t(texts::ADMIN_FAILED)).because(error))?;
        if fine {
            Ok(answer)
        } else {
            Err(refusal(&answer, subject))
        }
    }

    /// Waits until the store has let go of its directory.
    pub async fn close(self) -> Result<(), Failure> {
        match self {
            Client::Remote(_) => Ok(()),
            Client::Local { store, .. } => store
                .close()
                .await
                .map_err(|error| Failure::new("store", t(texts::STORE_CLOSE)).because(error)),
        }
    }
}

/// One request on one connection: whether it was a success, and the answer's bytes.
async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<(bool, Vec<u8>), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(UnixStream::connect(socket).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // It ends with the connection; what goes wrong shows in the answer.
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "facteur")
        .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let response = sender.send_request(request).await?;
    let fine = response.status().is_success();
    let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let answer = answer.collect().await?.to_bytes().to_vec();
    drop(sender);
    connection.abort();
    Ok((fine, answer))
}

fn refusal(answer: &Value, subject: &str) -> Failure {
    let field = |name: &str| answer.get(name).and_then(Value::as_str);
    let code = field("error").unwrap_or("internal");
    let sentence = match texts::of_code(code) {
        Some(text) => fill(text, &[&subject]),
        None => field("message").unwrap_or_default().to_owned(),
    };
    let failure = Failure::new(code, sentence);
    match field("cause") {
        Some(cause) => failure.because(cause),
        None => failure,
    }
}

/// One part of a path, percent-encoded (RFC 3986 §2.3 keeps the unreserved ones).
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_interface_has_a_text() {
        for code in admin::Code::all() {
            assert!(texts::of_code(code.name()).is_some(), "{}", code.name());
        }
    }

    #[test]
    fn segments() {
        assert_eq!(segment("a/é@x?"), "a%2F%C3%A9%40x%3F");
    }
}

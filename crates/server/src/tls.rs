//! TLS for every listener and STARTTLS: 1.2 and 1.3 only, PEM files, names by SNI, reload.
//!
//! What a handshake settled is kept as [`TlsFacts`], with the channel bindings that SCRAM-PLUS
//! needs (RFC 5929, RFC 9266). A client that offers application protocols must offer ours
//! (RFC 7301): a browser tricked into talking to a mail port is refused in the handshake.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use aws_lc_rs::digest;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::{CertificateFiles, Role};
use crate::drive::Stream;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{file}: {what}")]
    File { file: String, what: String },
    #[error("the TLS library refuses its own settings: {0}")]
    Settings(#[from] rustls::Error),
}

/// What a handshake settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// "TLSv1.3"
    pub version: &'static str,
    /// "TLS_AES_128_GCM_SHA256"
    pub cipher: String,
    /// RFC 5929 tls-server-end-point: a hash of our certificate; `None` where the RFC leaves the
    /// hash open (Ed25519 and the like).
    pub end_point: Option<Vec<u8>>,
    /// RFC 9266 tls-exporter; TLS 1.3 only.
    pub exporter: Option<[u8; 32]>,
}

/// The certificates in use. Handshakes take the newest picture; running sessions keep theirs.
#[derive(Debug)]
pub struct Tls {
    files: Vec<CertificateFiles>,
    current: RwLock<Arc<Snapshot>>,
    /// Modification times of the files as they were read.
    read: Mutex<Vec<Option<SystemTime>>>,
    tickets: Arc<dyn rustls::server::ProducesTickets>,
}

#[derive(Debug)]
struct Snapshot {
    names: Arc<Names>,
    smtp: Arc<ServerConfig>,
    imap: Arc<ServerConfig>,
    pop3: Arc<ServerConfig>,
    sieve: Arc<ServerConfig>,
    https: Arc<ServerConfig>,
}

impl Tls {
    pub fn load(files: &[CertificateFiles]) -> Result<Tls, TlsError> {
        let tickets = provider::Ticketer::new()?;
        let times = modification_times(files);
        let snapshot = Snapshot::load(files, &tickets)?;
        Ok(Tls {
            files: files.to_vec(),
            current: RwLock::new(Arc::new(snapshot)),
            read: Mutex::new(times),
            tickets,
        })
    }

    /// Reads the files again; on an error the certificates in use stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        let times = modification_times(&self.files);
        let snapshot = Snapshot::load(&self.files, &self.tickets)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = times;
        Ok(())
    }

    /// Reloads when a file has another modification time than when it was read. True: reloaded.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let times = modification_times(&self.files);
        let same = *self.read.lock().unwrap_or_else(PoisonError::into_inner) == times;
        if same {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// Whether one of the certificates in use is for that name.
    pub fn proves(&self, name: &str) -> bool {
        let snapshot = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let Ok(name) = ServerName::try_from(name) else {
            return false;
        };
        snapshot.names.keys.iter().any(|key| key.answers_for(&name))
    }

    /// The server's side of a handshake.
    pub async fn accept<S: Stream>(
        &self,
        role: Role,
        stream: S,
    ) -> io::Result<(TlsStream<S>, TlsFacts)> {
        let snapshot = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let acceptor = TlsAcceptor::from(Arc::clone(snapshot.config(role)));
        let stream = acceptor.accept(stream).await?;
        let facts = snapshot.facts(stream.get_ref().1);
        Ok((stream, facts))
    }
}

impl Snapshot {
    fn load(
        files: &[CertificateFiles],
        tickets: &Arc<dyn rustls::server::ProducesTickets>,
    ) -> Result<Snapshot, TlsError> {
        let library = Arc::new(provider::default_provider());
        let keys = files
            .iter()
            .map(|files| Certificate::load(files, &library))
            .collect::<Result<Vec<_>, _>>()?;
        let names = Arc::new(Names { keys });
        let config = |protocol: &[u8]| -> Result<Arc<ServerConfig>, TlsError> {
            let mut config = ServerConfig::builder_with_provider(Arc::clone(&library))
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&names) as Arc<dyn ResolvesServerCert>);
            config.alpn_protocols = vec![protocol.to_vec()];
            config.ticketer = Arc::clone(tickets);
            // One ticket is enough to come back, and half the bytes of a short session.
            config.send_tls13_tickets = 1;
            Ok(Arc::new(config))
        };
        Ok(Snapshot {
            smtp: config(b"smtp")?,
            imap: config(b"imap")?,
            pop3: config(b"pop3")?,
            sieve: config(b"managesieve")?,
            https: config(b"http/1.1")?,
            names,
        })
    }

    fn config(&self, role: Role) -> &Arc<ServerConfig> {
        match role {
            Role::Smtp | Role::Submission | Role::Submissions | Role::Lmtp | Role::Local => {
                &self.smtp
            }
            Role::Imap | Role::Imaps => &self.imap,
            Role::Pop3 | Role::Pop3s => &self.pop3,
            Role::Sieve => &self.sieve,
            Role::Https => &self.https,
        }
    }

    fn facts(&self, connection: &ServerConnection) -> TlsFacts {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS",
        };
        let cipher = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown");
        // RFC 9266 §4.2: without the extended master secret, TLS 1.2 must not use it.
        let exporter = (version == "TLSv1.3")
            .then(|| {
                connection
                    .export_keying_material([0u8; 32], b"EXPORTER-Channel-Binding", Some(b""))
                    .ok()
            })
            .flatten();
        TlsFacts {
            version,
            // RFC 8446 §B.4 names, without the library's mark of the version.
            cipher: cipher.replace("TLS13_", "TLS_"),
            end_point: self
                .names
                .pick(connection.server_name())
                .and_then(|certificate| certificate.end_point.clone()),
            exporter,
        }
    }
}

#[derive(Debug)]
struct Certificate {
    key: Arc<CertifiedKey>,
    end_point: Option<Vec<u8>>,
}

impl Certificate {
    fn load(files: &CertificateFiles, library: &CryptoProvider) -> Result<Self, TlsError> {
        let fault = |file: &std::path::Path, what: String| TlsError::File {
            file: file.display().to_string(),
            what,
        };
        let chain = CertificateDer::pem_file_iter(&files.chain)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
            .map_err(|error| fault(&files.chain, error.to_string()))?;
        let Some(leaf) = chain.first() else {
            return Err(fault(&files.chain, "holds no certificate".to_owned()));
        };
        let end_point = end_point(leaf);
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| fault(&files.key, error.to_string()))?;
        let key = CertifiedKey::from_der(chain, key, library)
            .map_err(|error| fault(&files.key, error.to_string()))?;
        Ok(Certificate {
            key: Arc::new(key),
            end_point,
        })
    }

    fn answers_for(&self, name: &ServerName<'_>) -> bool {
        self.key
            .cert
            .first()
            .and_then(|leaf| ParsedCertificate::try_from(leaf).ok())
            .is_some_and(|leaf| rustls::client::verify_server_name(&leaf, name).is_ok())
    }
}

/// Certificates by name, the first where none fits: a mail client with an odd idea of our name
/// gets a certificate to complain about instead of a closed connection.
#[derive(Debug)]
struct Names {
    keys: Vec<Certificate>,
}

impl Names {
    fn pick(&self, name: Option<&str>) -> Option<&Certificate> {
        name.and_then(|name| ServerName::try_from(name).ok())
            .and_then(|name| self.keys.iter().find(|key| key.answers_for(&name)))
            .or_else(|| self.keys.first())
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pick(hello.server_name())
            .map(|certificate| Arc::clone(&certificate.key))
    }
}

fn modification_times(files: &[CertificateFiles]) -> Vec<Option<SystemTime>> {
    files
        .iter()
        .flat_map(|files| [&files.chain, &files.key])
        .map(|path| fs::metadata(path).and_then(|data| data.modified()).ok())
        .collect()
}

/// RFC 5929 §4.1: the certificate hashed with the hash of its signature, SHA-256 in place of MD5
/// and SHA-1.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match signature_oid(certificate)? {
        // RSA PKCS#1 with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4 | 5 | 11]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] => &digest::SHA256,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => &digest::SHA384,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, … }, … }
fn signature_oid(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = der(certificate)?;
    let (_, _, rest) = der(certificate)?;
    let (_, algorithm, _) = der(rest)?;
    match der(algorithm)? {
        (0x06, oid, _) => Some(oid),
        _ => None,
    }
}

/// One DER element: tag, content, what follows.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(*first & 0x7f);
        if count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        let len = digits
            .iter()
            .fold(0usize, |len, digit| (len << 8) | usize::from(*digit));
        (len, rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((*tag, content, rest))
}

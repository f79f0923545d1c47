//! Connections to a server that runs: IMAP over TLS, deliveries by SMTP.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use facteur_sim::stress::{BoxStream, Net, Pending};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A server that was killed is back by then.
const TRIES_MAX: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

pub struct Live {
    imap: String,
    smtp: String,
    tls: TlsConnector,
    interruptions: AtomicU64,
}

impl Live {
    /// `ca`: a PEM file of who signed the server's certificate.
    pub fn new(imap: String, smtp: String, ca: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Live {
            imap,
            smtp,
            tls: TlsConnector::from(Arc::new(config)),
            interruptions: AtomicU64::new(0),
        })
    }

    /// The server is being stopped, or is back.
    pub fn interrupt(&self) {
        self.interruptions.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits for a server that is away.
    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let mut tries = 0;
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) if tries >= TRIES_MAX => return Err(error),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Net for Live {
    fn imap(&self) -> Pending<'_, io::Result<BoxStream>> {
        Box::pin(async {
            let stream = self.connect(&self.imap).await?;
            let host = self.imap.rsplit_once(':').map_or("", |(host, _)| host);
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            let stream = self.tls.connect(name, stream).await?;
            Ok(Box::new(stream) as BoxStream)
        })
    }

    fn mail(&self) -> Pending<'_, io::Result<(BoxStream, bool)>> {
        Box::pin(async {
            let stream = self.connect(&self.smtp).await?;
            Ok((Box::new(stream) as BoxStream, false))
        })
    }

    fn interruptions(&self) -> u64 {
        self.interruptions.load(Ordering::SeqCst)
    }

    fn settle(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

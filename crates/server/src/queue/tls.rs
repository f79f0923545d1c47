//! TLS towards other hosts.
//!
//! To an MX it is opportunistic (RFC 7435): its certificate is not checked, since without DANE or
//! MTA-STS an attacker who can forge it can as well strip STARTTLS. To a smarthost, which gets a
//! password, the name and the chain are checked and there is no way without TLS.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::applied::Flaw;
use super::dane::Dane;
use super::security::Security;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

#[derive(Clone, Debug)]
pub struct ClientTls {
    pub opportunistic: Arc<ClientConfig>,
    pub checked: Arc<ClientConfig>,
    library: Arc<CryptoProvider>,
    /// Checks name and chain; `None`: no authority is known.
    names: Option<Arc<WebPkiServerVerifier>>,
}

impl ClientTls {
    /// `extra`: a PEM file of authorities trusted beside the system's. The error is for the log.
    pub fn new(extra: Option<&Path>) -> Result<Self, String> {
        let library = Arc::new(provider::default_provider());
        let mut roots = RootCertStore::empty();
        // An unreadable certificate among the system's hundred is no reason to send nothing.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = extra {
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            roots.add_parsable_certificates(certificates);
        }
        let roots = Arc::new(roots);
        let names =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&library));
        let checked = builder(&library)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let opportunistic = builder(&library)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unnamed {
                dane: None,
                watched: None,
                library: Arc::clone(&library),
            }))
            .with_no_client_auth();
        Ok(ClientTls {
            opportunistic: Arc::new(opportunistic),
            checked: Arc::new(checked),
            library,
            names: names.build().ok(),
        })
    }

    /// HTTPS.
    pub(crate) fn web(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.checked))
    }

    /// What a handshake under this demand is made with.
    pub(super) fn connector(&self, security: &Security) -> TlsConnector {
        match security {
            Security::Clear | Security::Opportunistic | Security::Encrypted | Security::Home => {
                TlsConnector::from(Arc::clone(&self.opportunistic))
            }
            Security::Checked | Security::CheckedImplicit => {
                TlsConnector::from(Arc::clone(&self.checked))
            }
            Security::Dane(dane) => self.with(Unnamed {
                dane: Some(Arc::clone(dane)),
                watched: None,
                library: Arc::clone(&self.library),
            }),
        }
    }

    /// Takes every certificate, and tells whether it would have done.
    pub(super) fn watching(&self) -> Option<(TlsConnector, Arc<Witness>)> {
        let names = Arc::clone(self.names.as_ref()?);
        let witness = Arc::<Witness>::default();
        let connector = self.with(Unnamed {
            dane: None,
            watched: Some((names, Arc::clone(&witness))),
            library: Arc::clone(&self.library),
        });
        Some((connector, witness))
    }

    fn with(&self, verifier: Unnamed) -> TlsConnector {
        let mut config = ClientConfig::clone(&self.checked);
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(verifier));
        // A session of another verdict is not taken up again.
        config.resumption = rustls::client::Resumption::disabled();
        TlsConnector::from(Arc::new(config))
    }
}

/// What is wrong with a certificate that was taken all the same.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Option<Flaw>>);

impl Witness {
    pub(super) fn flaw(&self) -> Option<Flaw> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn builder(
    library: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    ClientConfig::builder_with_provider(Arc::clone(library))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())
}

/// Whatever the handshake calls the host: takes what the records name or, without any, every
/// certificate. The handshake's signatures are checked all the same.
#[derive(Debug)]
struct Unnamed {
    dane: Option<Arc<Dane>>,
    watched: Option<(Arc<WebPkiServerVerifier>, Arc<Witness>)>,
    library: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unnamed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some((names, witness)) = &self.watched
            && let Err(error) = names.verify_server_cert(end_entity, chain, name, ocsp, now)
        {
            let mut flaw = witness.0.lock().unwrap_or_else(PoisonError::into_inner);
            *flaw = Some(Flaw::of_tls(&error));
        }
        if let Some(dane) = &self.dane {
            dane.verify(&self.library, end_entity, chain, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.library.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.library.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.library
            .signature_verification_algorithms
            .supported_schemes()
    }
}

//! TLS towards other hosts.
//!
//! To an MX it is opportunistic (RFC 7435): its certificate is not checked, since without DANE or
//! MTA-STS an attacker who can forge it can as well strip STARTTLS. To a smarthost, which gets a
//! password, the name and the chain are checked and there is no way without TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use super::dane::Dane;
use super::security::Security;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

#[derive(Clone, Debug)]
pub struct ClientTls {
    pub opportunistic: Arc<ClientConfig>,
    pub checked: Arc<ClientConfig>,
    library: Arc<CryptoProvider>,
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
        let checked = builder(&library)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let opportunistic = builder(&library)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unnamed {
                dane: None,
                library: Arc::clone(&library),
            }))
            .with_no_client_auth();
        Ok(ClientTls {
            opportunistic: Arc::new(opportunistic),
            checked: Arc::new(checked),
            library,
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
            Security::Dane(dane) => {
                let verifier = Unnamed {
                    dane: Some(Arc::clone(dane)),
                    library: Arc::clone(&self.library),
                };
                let mut config = ClientConfig::clone(&self.checked);
                config
                    .dangerous()
                    .set_certificate_verifier(Arc::new(verifier));
                // A session of another verdict is not taken up again.
                config.resumption = rustls::client::Resumption::disabled();
                TlsConnector::from(Arc::new(config))
            }
        }
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
    library: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unnamed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
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

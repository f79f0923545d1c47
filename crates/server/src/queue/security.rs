//! What a connection has to prove before mail goes over it.

use std::sync::Arc;

use facteur_smtp::client::Tls;

use super::dane::Dane;

/// Connections are used again only for mail that demands the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// A handshake has failed there, and nothing demands one.
    Clear,
    /// TLS when it is offered, whoever it is (RFC 7435).
    Opportunistic,
    /// TLS, whoever it is: records that nobody can use demand it (RFC 7672 §2.2).
    Encrypted,
    /// Name and chain are checked: a smarthost, MTA-STS (RFC 8461 §4.2).
    Checked,
    /// The same from the first byte on.
    CheckedImplicit,
    /// A certificate that the signed zone names (RFC 7672).
    Dane(Arc<Dane>),
    /// No host at all: the domain is ours.
    Home,
}

impl Security {
    /// As the SMTP session is to behave.
    pub fn tls(&self) -> Tls {
        match self {
            Security::Clear | Security::Home => Tls::Never,
            Security::Opportunistic => Tls::Opportunistic,
            Security::Encrypted | Security::Checked | Security::Dane(_) => Tls::Required,
            Security::CheckedImplicit => Tls::Active,
        }
    }

    /// REQUIRETLS may go over it (RFC 8689 §4.2.1).
    pub fn is_proven(&self) -> bool {
        matches!(
            self,
            Security::Checked | Security::CheckedImplicit | Security::Dane(_) | Security::Home
        )
    }

    pub fn demands_tls(&self) -> bool {
        !matches!(
            self,
            Security::Clear | Security::Opportunistic | Security::Home
        )
    }

    /// For the sender, when the host did not prove itself.
    pub fn unproven(&self) -> &'static str {
        match self {
            Security::Clear | Security::Opportunistic | Security::Home => {
                "the TLS handshake failed."
            }
            Security::Encrypted => "it offers no TLS, which its domain demands (DANE).",
            Security::Checked | Security::CheckedImplicit => {
                "it can't prove its name, which is demanded of it."
            }
            Security::Dane(_) => "its certificate is not the one that its domain names (DANE).",
        }
    }
}

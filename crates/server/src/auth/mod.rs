//! Who is this? The one place where passwords and SASL mechanisms are checked.
//!
//! Mechanisms: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), SCRAM-SHA-256 and
//! SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677). A protocol session only frames the exchange.
//!
//! Invariants: an unknown account, a disabled one and a wrong password get one answer after the
//! same work; passwords cross only private connections ([`crate::Peer::is_private`]); nothing here
//! logs a password or a response.

use std::sync::Arc;

use facteur_store::{AccountId, Clock, Credentials, Store};

use crate::config::Config;
use crate::context::Peer;

/// Somebody who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account: AccountId,
    /// The account's own address, normalised.
    pub address: String,
}

/// Why a login failed; each protocol maps every variant to its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown, disabled, or wrong: the peer is not told which.
    BadCredentials,
    /// This mechanism needs TLS first.
    EncryptionRequired,
    /// Not one of [`Auth::mechanisms`].
    UnknownMechanism,
    /// The response breaks the mechanism's grammar.
    Malformed,
    /// Too many failures from this address, or too many logins at once: later.
    Busy,
    /// The store failed.
    Temporary,
}

/// What an exchange wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Send this (not yet base64) and bring the answer.
    Challenge(Vec<u8>),
    Done(Identity),
    Failed(Refusal),
}

#[derive(Debug)]
pub struct Auth {
    clock: Arc<dyn Clock>,
}

/// What a check needs beside the response.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
    pub peer: &'a Peer,
}

impl Auth {
    pub fn new(clock: Arc<dyn Clock>, hashes_at_once_max: usize) -> Self {
        let _ = hashes_at_once_max;
        Auth { clock }
    }

    /// Mechanism names to offer on this connection, strongest first.
    pub fn mechanisms(&self, config: &Config, peer: &Peer) -> &'static [&'static str] {
        let _ = (config, peer, &self.clock);
        &[]
    }

    /// USER/PASS and LOGIN: address and password in the clear. Waits for a place in the pool.
    pub async fn password(
        &self,
        scene: Scene<'_>,
        login: &str,
        password: &str,
    ) -> Result<Identity, Refusal> {
        let _ = (scene, login, password);
        Err(Refusal::Temporary)
    }

    /// Begins a SASL exchange; `mechanism` in any case.
    pub fn start(&self, scene: Scene<'_>, mechanism: &str) -> Result<Exchange, Refusal> {
        let _ = (scene, mechanism);
        Err(Refusal::UnknownMechanism)
    }
}

/// One SASL exchange.
#[derive(Debug)]
pub struct Exchange {}

impl Exchange {
    /// `response`: decoded bytes; `None` for "no initial response" in the first step.
    pub async fn step(
        &mut self,
        auth: &Auth,
        scene: Scene<'_>,
        response: Option<&[u8]>,
    ) -> Progress {
        let _ = (auth, scene, response);
        Progress::Failed(Refusal::Temporary)
    }
}

/// What to keep of a new password: argon2id hash and SCRAM keys. Takes about 50 ms of CPU.
pub fn make_credentials(clock: &dyn Clock, password: &str) -> Credentials {
    let _ = (clock, password);
    Credentials::default()
}

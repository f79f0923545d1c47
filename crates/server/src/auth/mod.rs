//! Who is this? The one place where passwords and SASL mechanisms are checked.
//!
//! Mechanisms: PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), SCRAM-SHA-256 and
//! SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677). A protocol session only frames the exchange.
//!
//! Invariants: an unknown account, a disabled one and a wrong password get one answer after the
//! same work; nothing is offered or checked on a connection that is not private
//! ([`crate::Peer::is_private`]); nothing here logs a password or a response.

mod access;
mod exchange;
mod failures;
mod password;
mod prepare;
mod scram;

use std::sync::Arc;

use aws_lc_rs::hmac;
use facteur_store::{Account, AccountId, AddressTarget, Clock, Store};

use crate::admin::normalise_address;
use crate::config::Config;
use crate::context::{Counters, Peer};
use crate::strangers::{Offence, Strangers};
use failures::Failures;
use password::Hasher;

pub use access::{Access, Ended};
pub use exchange::Exchange;
pub use password::make_credentials;

const ALL: &[&str] = &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"];
const WITHOUT_BINDING: &[&str] = &["SCRAM-SHA-256", "PLAIN", "LOGIN"];

/// Somebody who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub account: AccountId,
    /// The account's own address, normalised.
    pub address: String,
    /// Of the credentials that were right.
    pub(crate) stamp: access::Stamp,
}

/// Why a login failed; each protocol maps every variant to its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown, disabled, or wrong: the peer is not told which.
    BadCredentials,
    /// This needs TLS first.
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

impl Auth {
    /// Takes the next response of an exchange that a session holds while it is open. `None`: it
    /// holds none.
    pub async fn go_on(
        &self,
        held: &mut Option<Exchange>,
        scene: Scene<'_>,
        response: Option<&[u8]>,
    ) -> Option<Progress> {
        let mut exchange = held.take()?;
        let progress = exchange.step(self, scene, response).await;
        if matches!(progress, Progress::Challenge(_)) {
            *held = Some(exchange);
        }
        Some(progress)
    }
}

/// What a check needs beside the response.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
    pub counters: &'a Counters,
    pub strangers: &'a Strangers,
    pub peer: &'a Peer,
}

#[derive(Debug)]
pub struct Auth {
    clock: Arc<dyn Clock>,
    /// Keys the decoy salts and the cache; never leaves the process.
    secret: hmac::Key,
    hasher: Hasher,
    failures: Failures,
}

impl Auth {
    /// `lasting`: something secret that stays the same over restarts, so that the salt which SCRAM
    /// shows for a name that is not there does too; `None`: it changes with each start.
    pub fn new(clock: Arc<dyn Clock>, hashes_at_once_max: usize, lasting: Option<&[u8]>) -> Self {
        let mut secret = [0u8; 32];
        match lasting {
            Some(lasting) => secret = blake3::derive_key("facteur 2026 login secret", lasting),
            None => clock.random(&mut secret),
        }
        Auth {
            hasher: Hasher::new(&clock, hashes_at_once_max),
            failures: Failures::default(),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            clock,
        }
    }

    /// Mechanism names to offer on this connection as it is, strongest first. None without privacy:
    /// who logs in over plaintext reads mail over plaintext.
    pub fn mechanisms(&self, config: &Config, peer: &Peer) -> &'static [&'static str] {
        if peer.is_private(config) {
            match &peer.tls {
                Some(_) => self.mechanisms_under_tls(peer),
                None => WITHOUT_BINDING,
            }
        } else {
            &[]
        }
    }

    /// Mechanism names to offer once the connection is under TLS; before the handshake, as if it
    /// gave something to bind to, as nearly all do.
    pub fn mechanisms_under_tls(&self, peer: &Peer) -> &'static [&'static str] {
        match &peer.tls {
            Some(tls) if tls.end_point.is_none() && tls.exporter.is_none() => WITHOUT_BINDING,
            _ => ALL,
        }
    }

    /// USER/PASS and LOGIN: address and password in the clear. Waits for a place in the pool.
    pub async fn password(
        &self,
        scene: Scene<'_>,
        login: &str,
        password: &str,
    ) -> Result<Identity, Refusal> {
        if !scene.peer.is_private(scene.config) {
            return Err(Refusal::EncryptionRequired);
        }
        let guess = self.guess(login, password);
        self.check_failures(scene, login).inspect_err(|_| {
            let offence = Offence::Login(Some(guess));
            scene.strangers.offend(scene.peer.address, offence);
        })?;
        let account = self.account(scene, login).await?;
        let good = self
            .hasher
            .verify(&self.clock, &self.secret, account.as_ref(), password)
            .await?;
        self.settle_guess(scene, login, account.filter(|_| good), Some(guess))
    }

    /// Tells one wrong password from another, in this process alone.
    fn guess(&self, login: &str, password: &str) -> u64 {
        let tag = hmac::sign(&self.secret, format!("{login}\0{password}").as_bytes());
        let first = tag.as_ref().first_chunk();
        first.map_or(0, |first| u64::from_be_bytes(*first))
    }

    /// Begins a SASL exchange; `mechanism` in any case.
    pub fn start(&self, scene: Scene<'_>, mechanism: &str) -> Result<Exchange, Refusal> {
        if !scene.peer.is_private(scene.config) {
            return Err(Refusal::EncryptionRequired);
        }
        let mechanism = mechanism.to_ascii_uppercase();
        let offered = self.mechanisms(scene.config, scene.peer);
        let Some(mechanism) = offered.iter().find(|name| **name == mechanism) else {
            return Err(Refusal::UnknownMechanism);
        };
        Exchange::new(mechanism, offered).ok_or(Refusal::UnknownMechanism)
    }

    fn check_failures(&self, scene: Scene<'_>, login: &str) -> Result<(), Refusal> {
        let now = self.clock.monotonic();
        if self.failures.too_many(scene.peer.address, login, now) {
            log(scene, login, "too many failures of late");
            return Err(Refusal::Busy);
        }
        Ok(())
    }

    /// The account of a login name, when it may log in.
    async fn account(&self, scene: Scene<'_>, login: &str) -> Result<Option<Account>, Refusal> {
        let Some(address) = normalise_address(login) else {
            return Ok(None);
        };
        let found = find(scene.store, &address).map_err(|error| {
            tracing::error!(session = %scene.peer.session, %error, "the account can't be read");
            Refusal::Temporary
        })?;
        Ok(found.filter(|account| !account.disabled && account.removed.is_none()))
    }

    /// Counts, logs and answers: `account` is there when everything was right.
    fn settle(
        &self,
        scene: Scene<'_>,
        login: &str,
        account: Option<Account>,
    ) -> Result<Identity, Refusal> {
        self.settle_guess(scene, login, account, None)
    }

    fn settle_guess(
        &self,
        scene: Scene<'_>,
        login: &str,
        account: Option<Account>,
        guess: Option<u64>,
    ) -> Result<Identity, Refusal> {
        let Some(account) = account else {
            let now = self.clock.monotonic();
            self.failures.record(scene.peer.address, login, now);
            let offence = Offence::Login(guess);
            scene.strangers.offend(scene.peer.address, offence);
            Counters::add(&scene.counters.login_failures);
            log(scene, login, "unknown, disabled or wrong password");
            return Err(Refusal::BadCredentials);
        };
        let now = self.clock.monotonic();
        self.failures.forgive(scene.peer.address, login, now);
        scene.strangers.logged_in(scene.peer.address, account.id);
        scene.peer.place.logged_in();
        Counters::add(&scene.counters.logins);
        tracing::info!(session = %scene.peer.session, account = %account.address, "logged in");
        Ok(Identity {
            stamp: access::Stamp::of(&account.credentials),
            account: account.id,
            address: account.address,
        })
    }
}

fn find(store: &Store, address: &str) -> Result<Option<Account>, facteur_store::Error> {
    match store.address(address)? {
        Some(AddressTarget::Account(id)) => store.account(id),
        Some(AddressTarget::Alias(_)) | None => Ok(None),
    }
}

fn log(scene: Scene<'_>, login: &str, reason: &'static str) {
    // A password typed into the wrong field must not stay in a log for ever: only what looks like
    // an address is written.
    let login = normalise_address(login).unwrap_or_else(|| "(no address)".to_owned());
    tracing::info!(
        session = %scene.peer.session,
        peer = %scene.peer.address,
        login,
        reason,
        "login refused"
    );
}

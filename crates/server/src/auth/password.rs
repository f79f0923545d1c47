//! Password hashes: argon2id on a bounded pool, with a short memory of what was right.
//!
//! A mail program that polls logs in every minute with the same password; for ten minutes a keyed
//! hash of what was right answers instead of argon2id. The key covers the account and its stored
//! credentials, so a changed password forgets the old one. What was wrong is never remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::hmac;
use facteur_store::{Account, Clock, Credentials};
use tokio::sync::Semaphore;

use super::prepare::prepare;
use super::{Refusal, scram};
use crate::limits;

/// OWASP's second choice: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

pub(crate) struct Hasher {
    /// Hashes computed at the same time.
    running: Arc<Semaphore>,
    /// Logins that wait or run.
    waiting: Arc<Semaphore>,
    /// Checked for accounts that are not there: the same work, never right.
    decoy: Arc<str>,
    right: Mutex<HashMap<[u8; 32], Duration>>,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

impl Hasher {
    pub(crate) fn new(clock: &Arc<dyn Clock>, at_once_max: usize) -> Self {
        let mut random = [0u8; 32];
        clock.random(&mut random);
        Hasher {
            running: Arc::new(Semaphore::new(at_once_max.max(1))),
            waiting: Arc::new(Semaphore::new(limits::HASHES_WAITING_MAX)),
            decoy: decoy(&random).into(),
            right: Mutex::default(),
        }
    }

    pub(crate) async fn verify(
        &self,
        clock: &Arc<dyn Clock>,
        secret: &hmac::Key,
        account: Option<&Account>,
        password: &str,
    ) -> Result<bool, Refusal> {
        let stored = account
            .map(|account| account.credentials.argon2.as_str())
            .filter(|stored| !stored.is_empty());
        let prepared = prepare(password).filter(|text| text.len() <= limits::PASSWORD_BYTES_MAX);
        let known = account
            .zip(stored)
            .zip(prepared.as_deref())
            .map(|((account, stored), password)| cache_key(secret, account, stored, password));
        if known.is_some_and(|key| self.was_right(&key, clock.monotonic())) {
            return Ok(true);
        }
        let real = known.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let password = prepared.as_deref().unwrap_or_default().as_bytes().to_vec();
        let good = self.hash(stored, password).await? && real;
        if good && let Some(key) = known {
            self.remember(key, clock.monotonic());
        }
        Ok(good)
    }

    async fn hash(&self, stored: String, password: Vec<u8>) -> Result<bool, Refusal> {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(Refusal::Busy);
        };
        let running = Arc::clone(&self.running);
        let Ok(place) = running.acquire_owned().await else {
            return Err(Refusal::Temporary);
        };
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            matches(&stored, &password)
        });
        work.await.map_err(|error| {
            tracing::error!(%error, "the password hash failed");
            Refusal::Temporary
        })
    }

    fn was_right(&self, key: &[u8; 32], now: Duration) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(key).is_some_and(|until| now < *until)
    }

    fn remember(&self, key: [u8; 32], now: Duration) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= limits::REMEMBERED_LOGINS_MAX {
            right.retain(|_, until| now < *until);
        }
        if right.len() >= limits::REMEMBERED_LOGINS_MAX {
            right.clear();
        }
        right.insert(key, now.saturating_add(limits::LOGIN_REMEMBERED));
    }
}

/// What to keep of a new password: argon2id hash and SCRAM keys. Some 50 ms of CPU: call it off
/// the runtime's threads. A password that can't be used (empty, control characters, too long)
/// gives credentials that nothing matches.
pub fn make_credentials(clock: &dyn Clock, password: &str) -> Credentials {
    let Some(password) = prepare(password).filter(|text| text.len() <= limits::PASSWORD_BYTES_MAX)
    else {
        return Credentials::default();
    };
    let mut salts = [0u8; 32];
    clock.random(&mut salts);
    let (for_argon2, for_scram) = salts.split_at(16);
    Credentials {
        argon2: hash(password.as_bytes(), for_argon2).unwrap_or_default(),
        scram_sha256: Some(scram::keys(
            password.as_bytes(),
            for_scram,
            scram::ITERATIONS,
        )),
    }
}

fn hash(password: &[u8], salt: &[u8]) -> Option<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password, salt).ok()?;
    Some(hash.to_string())
}

/// Right shape and cost, random hash: made without hashing anything.
fn decoy(random: &[u8; 32]) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    let (salt, _) = random.split_at(16);
    format!(
        "$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(random)
    )
}

fn matches(stored: &str, password: &[u8]) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|stored| Argon2::default().verify_password(password, &stored).is_ok())
}

fn cache_key(secret: &hmac::Key, account: &Account, stored: &str, password: &str) -> [u8; 32] {
    let mut context = hmac::Context::with_key(secret);
    context.update(b"login\0");
    context.update(&account.id.0.to_be_bytes());
    // A PHC string holds no NUL, so the parts can't run into each other.
    context.update(stored.as_bytes());
    context.update(b"\0");
    context.update(password.as_bytes());
    scram::array(context.sign().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_its_password_only() {
        let stored = hash(b"correct horse", b"0123456789abcdef").unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert!(matches(&stored, b"correct horse"));
        assert!(!matches(&stored, b"correct horsf"));
        let decoy = decoy(&[7; 32]);
        PasswordHash::new(&decoy).unwrap();
        assert!(!matches(&decoy, b""));
    }
}

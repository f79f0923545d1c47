//! The keys with which our domains sign their mail, and the server's own secret.

use std::ops::ControlFlow;

use crate::keys::{self, Name};
use crate::limits::SIGNING_KEYS_MAX;
use crate::{Error, SigningKey, Store, rows, tx};

impl Store {
    /// By selector.
    pub fn signing_keys(&self, domain: &str) -> Result<Vec<SigningKey>, Error> {
        let (first, end) = keys::all_signing(domain);
        let mut found = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if let Some(Name::Signing(domain, selector)) = keys::parse(key) {
                found.push(rows::decode_signing(value, domain, selector)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// By which the server knows what it made itself and gave away; `None`: nothing was made yet.
    pub fn secret(&self) -> Result<Option<[u8; 32]>, Error> {
        let value = self.view()?.get(keys::SECRET)?;
        value.map(|value| rows::decode_secret(&value)).transpose()
    }

    /// The same, made when there is none.
    pub async fn make_secret(&self) -> Result<[u8; 32], Error> {
        if let Some(secret) = self.secret()? {
            return Ok(secret);
        }
        let mut random = [0; 32];
        self.clock().random(&mut random);
        self.write(move |tx| match tx.get(keys::SECRET)? {
            Some(value) => rows::decode_secret(&value),
            None => {
                tx.put(keys::SECRET.to_vec(), rows::encode_secret(&random));
                Ok(random)
            }
        })
        .await
    }

    /// Keeps these keys of a domain, in place of those of the same selectors, and removes others.
    /// A domain that has more than enough of them takes no new one: [`Error::TooManyEntries`].
    pub async fn edit_signing_keys(
        &self,
        domain: &str,
        kept: Vec<SigningKey>,
        removed: Vec<String>,
    ) -> Result<(), Error> {
        let domain = domain.to_owned();
        self.write(move |tx| {
            tx.get(&keys::domain(&domain))?.ok_or(Error::NoSuchDomain)?;
            for selector in &removed {
                tx.delete(keys::signing(&domain, selector));
            }
            for key in &kept {
                tx.put(
                    keys::signing(&domain, &key.selector),
                    rows::encode_signing(key),
                );
            }
            let all = tx.scan(&keys::all_signing(&domain), SIGNING_KEYS_MAX + 1)?;
            match all.len() > SIGNING_KEYS_MAX {
                true => Err(Error::TooManyEntries),
                false => Ok(()),
            }
        })
        .await
    }
}

pub fn remove_all(tx: &mut tx::Tx<'_>, domain: &str) -> Result<(), Error> {
    for (key, _) in tx.scan(&keys::all_signing(domain), SIGNING_KEYS_MAX)? {
        tx.delete(key);
    }
    Ok(())
}

//! Domains and addresses. Names are normalised by the caller.

use std::ops::ControlFlow;

use crate::keys::{self, Name};
use crate::ops::{forwards, signing};
use crate::rows;
use crate::*;

impl Store {
    pub async fn create_domain(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.write(move |tx| {
            let key = keys::domain(&name);
            if tx.get(&key)?.is_some() {
                return Err(Error::Exists);
            }
            let domain = Domain {
                name,
                catch_all: None,
                created: tx.now(),
            };
            tx.put(key, rows::encode_domain(&domain));
            Ok(())
        })
        .await
    }

    /// Its keys go with it. Its addresses stay; whoever asks for the domain first finds none.
    pub async fn remove_domain(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.write(move |tx| {
            let key = keys::domain(&name);
            tx.get(&key)?.ok_or(Error::NoSuchDomain)?;
            tx.delete(key);
            signing::remove_all(tx, &name)?;
            Ok(())
        })
        .await
    }

    pub async fn set_catch_all(
        &self,
        domain: &str,
        account: Option<AccountId>,
    ) -> Result<(), Error> {
        let name = domain.to_owned();
        self.write(move |tx| {
            let key = keys::domain(&name);
            let value = tx.get(&key)?.ok_or(Error::NoSuchDomain)?;
            let mut domain = rows::decode_domain(&value, name)?;
            if let Some(account) = account {
                tx.profile(account)?;
            }
            domain.catch_all = account;
            tx.put(key, rows::encode_domain(&domain));
            Ok(())
        })
        .await
    }

    pub fn domain(&self, name: &str) -> Result<Option<Domain>, Error> {
        let value = self.view()?.get(&keys::domain(name))?;
        value
            .map(|value| rows::decode_domain(&value, name.to_owned()))
            .transpose()
    }

    pub fn domains(&self) -> Result<Vec<Domain>, Error> {
        let (first, end) = keys::all_domains();
        let mut domains = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if let Some(Name::Domain(name)) = keys::parse(key) {
                let name = String::from_utf8_lossy(name).into_owned();
                domains.push(rows::decode_domain(value, name)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(domains)
    }

    pub fn address(&self, address: &str) -> Result<Option<AddressTarget>, Error> {
        let value = self.view()?.get(&keys::address(address))?;
        value.map(|value| rows::decode_target(&value)).transpose()
    }

    pub fn addresses(&self) -> Result<Vec<(String, AddressTarget)>, Error> {
        let (first, end) = keys::all_addresses();
        let mut addresses = Vec::new();
        self.view()?.scan(&first, &end, |key, value| {
            if let Some(Name::Address(name)) = keys::parse(key) {
                let name = String::from_utf8_lossy(name).into_owned();
                addresses.push((name, rows::decode_target(value)?));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(addresses)
    }

    /// Makes or replaces it. An account's primary address leads to that account alone:
    /// [`Error::InUse`].
    pub async fn set_address(&self, address: &str, target: AddressTarget) -> Result<(), Error> {
        let address = address.to_owned();
        self.write(move |tx| {
            if let AddressTarget::Account(account) = &target {
                tx.profile(*account)?;
            }
            check_not_primary(tx, &address, Some(&target))?;
            tx.put(keys::address(&address), rows::encode_target(&target));
            let kept = match &target {
                AddressTarget::Alias(targets) => targets.as_slice(),
                AddressTarget::Account(_) => &[],
            };
            forwards::forget_alias(tx, &address, kept)
        })
        .await
    }

    /// An account's primary address stays as long as the account: [`Error::InUse`].
    pub async fn remove_address(&self, address: &str) -> Result<(), Error> {
        let address = address.to_owned();
        self.write(move |tx| {
            let key = keys::address(&address);
            tx.get(&key)?.ok_or(Error::NoSuchAddress)?;
            check_not_primary(tx, &address, None)?;
            tx.delete(key);
            forwards::forget_alias(tx, &address, &[])
        })
        .await
    }
}

pub fn check_not_primary(
    tx: &tx::Tx<'_>,
    address: &str,
    target: Option<&AddressTarget>,
) -> Result<(), Error> {
    let Some(value) = tx.get(&keys::address(address))? else {
        return Ok(());
    };
    let old = rows::decode_target(&value)?;
    if Some(&old) == target {
        return Ok(());
    }
    if let AddressTarget::Account(account) = old
        && tx.profile(account)?.address == address
    {
        return Err(Error::InUse);
    }
    Ok(())
}

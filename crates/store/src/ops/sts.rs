//! MTA-STS policies of other domains (RFC 8461 §5.1: kept until they expire).

use crate::{Error, Store, StsPolicy, keys, rows};

impl Store {
    pub fn sts_policy(&self, domain: &str) -> Result<Option<StsPolicy>, Error> {
        let value = self.view()?.get(&keys::sts(domain))?;
        value.map(|value| rows::decode_sts(&value)).transpose()
    }

    pub async fn set_sts_policy(&self, domain: &str, policy: StsPolicy) -> Result<(), Error> {
        let key = keys::sts(domain);
        let value = rows::encode_sts(&policy);
        let cost = key.len() + value.len();
        let run = move |tx: &mut crate::tx::Tx<'_>| {
            tx.put(key, value);
            Ok(())
        };
        self.engine.write(cost, run).await
    }
}

//! The end of a run, and the beginning.

use std::collections::BTreeSet;

use super::client::{Client, MAILBOXES};
use super::session::{Broken, Command};

impl Client {
    /// The mailboxes that are always there.
    pub async fn prepare(&mut self) -> Result<(), String> {
        let outcome = self.make_mailboxes().await;
        self.outcome(outcome)
    }

    async fn make_mailboxes(&mut self) -> Result<(), Broken> {
        self.connect().await?;
        for name in &MAILBOXES[1..] {
            let text = format!("CREATE {name}");
            self.ok_or_no(Command::new(text), &["ALREADYEXISTS"])
                .await?;
        }
        self.session = None;
        Ok(())
    }

    /// Nobody changes anything now: what is known is what there is.
    pub async fn quiesce(&mut self) -> Result<(), String> {
        self.alone = true;
        let outcome = self.settle().await;
        self.outcome(outcome)
    }

    async fn settle(&mut self) -> Result<(), Broken> {
        let Some(session) = self.session.as_mut() else {
            return Ok(());
        };
        if session.is_idle() {
            session.done().await?;
        }
        if session.picture.is_some() {
            self.verify().await?;
            self.search().await?;
        }
        Ok(())
    }

    async fn look_through(&mut self) -> Result<BTreeSet<String>, Broken> {
        self.connect().await?;
        let mut tokens = BTreeSet::new();
        let names = self.all_names().await?;
        for name in names {
            let name = format!("\"{name}\"");
            self.select("EXAMINE", &name, None).await?;
            if self.picture()?.slots.is_empty() {
                continue;
            }
            let text = "UID FETCH 1:* (UID BODY.PEEK[])";
            let answer = self.ok(Command::new(text)).await?;
            self.learn_tokens(&answer)?;
            let key = self.key()?;
            let ledger = self.ledger();
            let uids = answer.fetched.iter().filter_map(|fetched| fetched.uid);
            tokens.extend(uids.filter_map(|uid| ledger.token(&key, uid).map(str::to_owned)));
        }
        Ok(tokens)
    }

    async fn all_names(&mut self) -> Result<Vec<String>, Broken> {
        let answer = self.ok(Command::new("LIST \"\" \"*\"")).await?;
        let named = answer.data("LIST").filter_map(|values| {
            let attributes = values.first()?.list()?;
            let there = |value: &super::response::Value| {
                value.is("\\Noselect") || value.is("\\NonExistent")
            };
            if attributes.iter().any(there) {
                return None;
            }
            values.get(2)?.text()
        });
        Ok(named.collect())
    }
}

/// Reads every message of an account: what was acknowledged is there, with its bytes.
pub async fn audit(client: &mut Client) -> Result<(), String> {
    let outcome = client.look_through().await;
    let tokens = match outcome {
        Ok(tokens) => tokens,
        Err(broken) => return client.outcome(Err(broken)),
    };
    let ledger = client.ledger();
    for delivered in &ledger.delivered {
        let own = delivered.owner == client.login.address;
        let taken = ledger.taken.contains(&delivered.token);
        if own && !taken && !tokens.contains(&delivered.token) {
            return Err(format!("{} was delivered and is lost", delivered.token));
        }
    }
    Ok(())
}

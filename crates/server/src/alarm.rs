//! An account that suddenly sends as nobody does: what it has in the queue is held, and its owner is
//! told in a message, once a day. The administrator lets it go (`facteur queue release`) or not.

use std::sync::Arc;

use facteur_message::build::{Entity, Header};
use facteur_message::facts::Sent;
use facteur_smtp::Address;
use facteur_store::{
    Account, AccountId, Delivery, Error, FlagNames, NewMessage, QueueEntry, QueueFilter,
};

use crate::context::Context;
use crate::drive;
use crate::intake::Intake;
use crate::limits::ALARM_PAGE;
use crate::smtp::directory;

/// Holds and tells; never fails, the log says what went wrong.
pub async fn raise(ctx: Arc<Context>, account: AccountId) {
    match ring(&ctx, account).await {
        Ok(held) => tracing::warn!(
            account = account.0,
            held,
            "an account sends more than people do: its mail is held, its owner is told"
        ),
        Err(error) => tracing::error!(account = account.0, %error, "the alarm failed"),
    }
}

async fn ring(ctx: &Arc<Context>, account: AccountId) -> Result<usize, Error> {
    let held = hold(ctx, account).await?;
    let Some(record) = ctx.store.account(account)? else {
        return Ok(held);
    };
    let message = notice(ctx, &record);
    let (body, _) = Intake::whole(&ctx.store, &message).await?;
    let delivery = Delivery {
        account,
        mailbox: "INBOX".to_owned(),
        message: NewMessage {
            prefix: format!("Return-Path: <>\r\nDelivered-To: {}\r\n", record.address).into_bytes(),
            flags: FlagNames::default(),
            internal_date: None,
        },
    };
    ctx.store.deliver(body, vec![delivery], Vec::new()).await?;
    Ok(held)
}

/// How many entries.
async fn hold(ctx: &Arc<Context>, account: AccountId) -> Result<usize, Error> {
    let (mut after, mut held) = (None, 0);
    loop {
        let context = Arc::clone(ctx);
        let page = drive::blocking(move || {
            let filter = QueueFilter::default();
            context.store.queue_list(&filter, after, ALARM_PAGE)
        });
        let page = page.await?;
        after = page.last().map(|entry| entry.id);
        for entry in &page {
            held += usize::from(hold_one(ctx, account, entry).await?);
        }
        if page.len() < ALARM_PAGE {
            return Ok(held);
        }
    }
}

async fn hold_one(ctx: &Context, account: AccountId, entry: &QueueEntry) -> Result<bool, Error> {
    let store = &ctx.store;
    let own = match Address::parse(&entry.reverse_path) {
        Ok(sender) => directory::is_own(store, account, &sender)?,
        Err(_) => false,
    };
    // What is being sent this moment goes.
    if !own || entry.held || !store.queue_lease(entry.id) {
        return Ok(false);
    }
    let Some(current) = store.queue_entry(entry.id)? else {
        store.queue_release(entry.id);
        return Ok(false);
    };
    let kept = QueueEntry {
        held: true,
        ..current
    };
    let update = store.queue_update(entry.id, Some(kept), Vec::new()).await;
    if update.is_err() {
        store.queue_release(entry.id);
    }
    update.map(|()| true)
}

struct Words {
    subject: &'static str,
    text: &'static str,
}

const EN: Words = Words {
    subject: "Your account sends unusually much mail",
    text: "Your account has just sent more mail than people usually do. If that was not you, somebody \
           may know your password: change it, and tell your administrator.\r\n\r\nNothing more is \
           taken from your account for now, and what waited to leave is held until your \
           administrator lets it go.\r\n",
};
const FR: Words = Words {
    subject: "Votre compte envoie un volume inhabituel de courrier",
    text: "Votre compte vient d'envoyer plus de courrier que d'habitude. Si ce n'était pas vous, \
           quelqu'un connaît peut-être votre mot de passe : changez-le et prévenez votre \
           administrateur.\r\n\r\nPour l'instant, plus rien n'est accepté de votre compte, et ce qui \
           attendait de partir est retenu jusqu'à ce que votre administrateur le libère.\r\n",
};

fn notice(ctx: &Context, account: &Account) -> Vec<u8> {
    let words = if account.language == "fr" { FR } else { EN };
    let mut random = [0u8; 16];
    ctx.clock.random(&mut random);
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let hostname = &ctx.config.hostname;
    let sent = Sent {
        unix: ctx.clock.now().seconds(),
        offset_minutes: 0,
    };
    let header = Header::new()
        .addresses("From", &[("Facteur", &format!("postmaster@{hostname}"))])
        .addresses("To", &[(&account.display_name, &account.address)])
        .text("Subject", words.subject)
        .date("Date", sent)
        .raw("Message-ID", &format!("<{id}@{hostname}>"))
        .raw("Auto-Submitted", "auto-generated");
    Entity::text("plain", words.text).into_message(header)
}

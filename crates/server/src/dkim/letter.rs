//! What a domain's postmaster is told to publish, in French or English.

use std::fmt::Write;
use std::sync::Arc;

use facteur_message::build::{Entity, Header};
use facteur_message::facts::Sent;
use facteur_smtp::Address;
use facteur_store::{Delivery, Error, FlagNames, NewMessage, SigningKey, Timestamp};

use super::record;
use crate::admin::{domain_to_ascii, rfc3339};
use crate::context::Context;
use crate::intake::Intake;
use crate::smtp::directory::{self, Found, Target};

/// What there is to do.
pub struct News<'a> {
    pub publish: Vec<&'a SigningKey>,
    /// Records that stay until a day.
    pub leave: Vec<&'a SigningKey>,
    /// Records that may go.
    pub remove: Vec<&'a SigningKey>,
    pub until: Timestamp,
}

struct Words {
    system: &'static str,
    subject: &'static str,
    hello: &'static str,
    publish: &'static str,
    leave: &'static str,
    remove: &'static str,
    check: &'static str,
}

const EN: Words = Words {
    system: "Facteur",
    subject: "DNS records of {domain}: the signature of your mail",
    hello: "Mail from {domain} is signed (DKIM), so that others can believe it. The keys are renewed \
            from time to time, and their records in DNS with them.",
    publish: "Publish these records. Each key signs as soon as its record is seen in DNS; until then \
              everything stays as it is:",
    leave: "These keys sign no more. Leave their records in DNS until {until}, for the mail that is \
            still under way:",
    remove: "No mail can need these records any more. They may go:",
    check: "`facteur domain dns {domain}` shows all records and checks them.",
};
const FR: Words = Words {
    system: "Facteur",
    subject: "Enregistrements DNS de {domain} : la signature de votre courrier",
    hello: "Le courrier de {domain} est signé (DKIM), pour que les autres puissent s'y fier. Les clés \
            sont renouvelées de temps en temps, et avec elles leurs enregistrements DNS.",
    publish: "Publiez ces enregistrements. Chaque clé signe dès que son enregistrement est visible \
              dans le DNS ; d'ici là, rien ne change :",
    leave: "Ces clés ne signent plus. Laissez leurs enregistrements dans le DNS jusqu'au {until}, pour \
            le courrier encore en route :",
    remove: "Plus aucun courrier n'a besoin de ces enregistrements. Ils peuvent disparaître :",
    check: "`facteur domain dns {domain}` montre tous les enregistrements et les vérifie.",
};

/// Into the mailboxes here that postmaster leads to; what leads elsewhere is left out, since it may
/// be what does not arrive.
pub async fn send(ctx: &Arc<Context>, domain: &str, news: &News<'_>) -> Result<(), Error> {
    if news.publish.is_empty() && news.leave.is_empty() && news.remove.is_empty() {
        return Ok(());
    }
    let to = format!("postmaster@{domain}");
    let Ok(address) = Address::parse(&to) else {
        return Ok(());
    };
    let Found::Targets(targets) = directory::find(&ctx.store, &address)? else {
        return Ok(());
    };
    let mut deliveries = Vec::new();
    let mut french = ctx.config.language == "fr";
    for target in targets {
        if let Target::Local {
            account,
            address,
            language,
        } = target
        {
            french = language == "fr";
            let prefix = format!("Return-Path: <>\r\nDelivered-To: {address}\r\n");
            deliveries.push(Delivery {
                account,
                mailbox: "INBOX".to_owned(),
                message: NewMessage {
                    prefix: prefix.into_bytes(),
                    flags: FlagNames::default(),
                    internal_date: None,
                },
            });
        }
    }
    if deliveries.is_empty() {
        return Ok(());
    }
    let message = message(ctx, domain, news, if french { &FR } else { &EN });
    let (body, _) = Intake::whole(&ctx.store, &message).await?;
    match ctx.store.deliver(body, deliveries, Vec::new()).await {
        // The keys are kept; `facteur domain dns` says the same.
        Err(error @ (Error::OverQuota | Error::NoSuchAccount)) => {
            tracing::error!(domain, %error, "the postmaster can't be told what to publish");
            Ok(())
        }
        done => done.map(drop),
    }
}

fn message(ctx: &Context, domain: &str, news: &News<'_>, words: &Words) -> Vec<u8> {
    let hostname = &ctx.config.hostname;
    let until = rfc3339(news.until);
    let until = until.split('T').next().unwrap_or_default();
    let filled = |text: &str| text.replace("{domain}", domain).replace("{until}", until);
    let mut text = format!("{}\n", filled(words.hello));
    let mut part = |head: &str, keys: &[&SigningKey], whole: bool| {
        if keys.is_empty() {
            return;
        }
        let _ = write!(text, "\n{}\n\n", filled(head));
        for key in keys {
            let (name, value) = record(key);
            let _ = match whole {
                true => writeln!(text, "    {name}. TXT {value}"),
                false => writeln!(text, "    {name}. TXT"),
            };
        }
    };
    part(words.publish, &news.publish, true);
    part(words.leave, &news.leave, false);
    part(words.remove, &news.remove, false);
    let _ = write!(text, "\n{}\n", filled(words.check));
    let mut random = [0u8; 16];
    ctx.clock.random(&mut random);
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let sent = Sent {
        unix: ctx.clock.now().seconds(),
        offset_minutes: 0,
    };
    let to = format!("postmaster@{}", domain_to_ascii(domain));
    let header = Header::new()
        .date("Date", sent)
        .addresses("From", &[(words.system, &format!("postmaster@{hostname}"))])
        .addresses("To", &[("", &to)])
        .text("Subject", &filled(words.subject))
        .raw("Message-ID", &format!("<{id}.dkim@{hostname}>"))
        .raw("Auto-Submitted", "auto-generated");
    Entity::text("plain", &text).into_message(header)
}

//! What is written about mail that goes on, in French or English: the question to who would get it, and
//! the news to who sends it on.

use std::sync::Arc;

use facteur_message::build::{Entity, Header};
use facteur_message::facts::Sent;
use facteur_smtp::Address;
use facteur_store::{
    Delivery, Error, FlagNames, Forward, ForwardSource, ForwardState, Letter, NewMessage,
    NewQueueEntry, Notify, QueueRecipient, RecipientState,
};

use super::{Reply, local_part};
use crate::admin::{domain_to_ascii, rfc3339};
use crate::context::Context;
use crate::dkim;
use crate::intake::Intake;
use crate::limits::CONSENT_TIME;
use crate::smtp::directory::{self, Found, Target};

/// Of what another host said.
const REPLY_CHARS_MAX: usize = 500;

/// `{source}`, `{target}`, `{domain}`, `{until}`, `{yes}` and `{no}` are filled in.
struct Words {
    system: &'static str,
    subject: &'static str,
    question: &'static str,
    by_alias: &'static str,
    by_filter: &'static str,
    answer: &'static str,
    asked: [&'static str; 2],
    confirmed: [&'static str; 2],
    stopped: [&'static str; 2],
    gone: [&'static str; 2],
    /// With `{reply}`.
    lost: [&'static str; 2],
}

const EN: Words = Words {
    system: "Mail system",
    subject: "Shall mail for {source} be sent on to you?",
    question: "Hello,\n\nmail for {source} is to be sent on to you, at {target}.",
    by_alias: "The administrator of {domain} wants it so.",
    by_filter: "The person who reads {source} wants it so, by a filter.",
    answer: "If you agree, answer this message before {until}. Whatever you write says yes.\n\n\
             If you don't, do nothing: nothing will be sent on to you.\n\n\
             To be left alone, now or later, write to {no}.\n",
    asked: [
        "{target} is asked whether mail may be sent on",
        "Hello,\n\nyour filter sends mail on to {target}. Whoever reads mail there is asked by a\n\
         message whether that is wanted, and has until {until} to answer it. Until then your mail\n\
         stays in your mailbox.\n",
    ],
    confirmed: [
        "{target} agreed: mail is sent on",
        "Hello,\n\n{target} agreed that mail for {source} is sent on there. It is, from now on.\n",
    ],
    stopped: [
        "{target} wants no mail sent on",
        "Hello,\n\n{target} does not want mail for {source} to be sent on there. It is not, from\n\
         now on.\n",
    ],
    gone: [
        "Mail is no longer sent on to {target}",
        "Hello,\n\nthe mail server of {target} has said several times that there is no such\n\
         address. Mail for {source} is no longer sent on there.\n",
    ],
    lost: [
        "Mail for {source} did not reach {target}",
        "Hello,\n\nmail for {source} could not be sent on to {target}:\n\n    {reply}\n\n\
         Nothing showed that its sender was who it said, so a report could have gone to somebody\n\
         who never wrote it: nobody else is told. The history of the server has each such message\n\
         (facteur trace {target}). You are told once in 30 days.\n",
    ],
};

const FR: Words = Words {
    system: "Système de courrier",
    subject: "Le courrier de {source} doit-il vous être transféré ?",
    question: "Bonjour,\n\nle courrier de {source} doit vous être transféré, à l'adresse {target}.",
    by_alias: "L'administrateur de {domain} le souhaite.",
    by_filter: "La personne qui lit {source} le souhaite, par un filtre.",
    answer: "Si vous êtes d'accord, répondez à ce message avant le {until}. Quoi que vous écriviez,\n\
             cela vaut oui.\n\n\
             Sinon, ne faites rien : rien ne vous sera transféré.\n\n\
             Pour ne plus rien recevoir, maintenant ou plus tard, écrivez à {no}.\n",
    asked: [
        "On demande à {target} si du courrier peut y être transféré",
        "Bonjour,\n\nvotre filtre transfère du courrier à {target}. La personne qui y lit son\n\
         courrier est invitée par un message à dire si elle le souhaite ; elle peut répondre\n\
         jusqu'au {until}. D'ici là, votre courrier reste dans votre boîte.\n",
    ],
    confirmed: [
        "{target} est d'accord : le courrier est transféré",
        "Bonjour,\n\n{target} accepte que le courrier de {source} y soit transféré. C'est le cas\n\
         désormais.\n",
    ],
    stopped: [
        "{target} ne veut pas de courrier transféré",
        "Bonjour,\n\n{target} ne souhaite pas que le courrier de {source} y soit transféré. Il ne\n\
         l'est plus.\n",
    ],
    gone: [
        "Le courrier n'est plus transféré à {target}",
        "Bonjour,\n\nle serveur de courrier de {target} a dit plusieurs fois que cette adresse\n\
         n'existe pas. Le courrier de {source} n'y est plus transféré.\n",
    ],
    lost: [
        "Du courrier de {source} n'est pas arrivé à {target}",
        "Bonjour,\n\ndu courrier de {source} n'a pas pu être transféré à {target} :\n\n    {reply}\n\n\
         Rien ne montrait que son expéditeur était celui qu'il disait ; un avis aurait pu aller à\n\
         quelqu'un qui ne l'a jamais écrit : personne d'autre n'est averti. L'historique du serveur\n\
         garde chacun de ces messages (facteur trace {target}). Vous en êtes averti une fois en\n\
         30 jours.\n",
    ],
};

fn words(french: bool) -> &'static Words {
    if french { &FR } else { &EN }
}

/// The source as people know it, and whether it is spoken to in French; `None`: it is gone.
fn source_of(ctx: &Context, forward: &Forward) -> Result<Option<(String, bool)>, Error> {
    Ok(match &forward.source {
        ForwardSource::Alias(alias) => Some((alias.clone(), ctx.config.language == "fr")),
        ForwardSource::Account(account) => {
            let account = ctx.store.account(*account)?;
            let account = account.filter(|account| account.removed.is_none());
            account.map(|account| (account.address, account.language == "fr"))
        }
    })
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

fn filled(text: &str, forward: &Forward, source: &str) -> String {
    let domain = domain_to_ascii(domain_of(source));
    let at = |yes| {
        let reply = Reply {
            id: forward.id,
            yes,
        };
        format!("{}@{domain}", local_part(reply))
    };
    let until = rfc3339(forward.at.after(CONSENT_TIME));
    text.replace("{until}", until.split('T').next().unwrap_or_default())
        .replace("{yes}", &at(true))
        .replace("{no}", &at(false))
        .replace("{domain}", domain_of(source))
        .replace("{source}", source)
        .replace("{target}", &forward.target)
}

/// The header that both kinds have.
fn header(ctx: &Context, from: (&str, &str), to: &str, subject: &str) -> Header {
    let mut random = [0u8; 16];
    ctx.clock.random(&mut random);
    let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let sent = Sent {
        unix: ctx.clock.now().seconds(),
        offset_minutes: 0,
    };
    Header::new()
        .date("Date", sent)
        .addresses("From", &[from])
        .addresses("To", &[("", to)])
        .text("Subject", subject)
        .raw(
            "Message-ID",
            &format!("<{id}.forward@{}>", ctx.config.hostname),
        )
        .raw("Auto-Submitted", "auto-generated")
}

/// The letter to the owner of the address; `None`: there is nobody to ask, or for whom.
pub async fn question(ctx: &Arc<Context>, forward: &Forward) -> Result<Option<Letter>, Error> {
    let Some((source, french)) = source_of(ctx, forward)? else {
        return Ok(None);
    };
    let target = Address::parse(&forward.target).ok();
    let Some(Target::Remote {
        address, domain, ..
    }) = target.as_ref().and_then(directory::outside)
    else {
        return Ok(None);
    };
    let words = words(french);
    let by = match forward.source {
        ForwardSource::Alias(_) => words.by_alias,
        ForwardSource::Account(_) => words.by_filter,
    };
    let fill = |text: &str| filled(text, forward, &source);
    let text = fill(&format!("{}\n{by}\n\n{}", words.question, words.answer));
    let own = domain_to_ascii(domain_of(&source));
    let from = (words.system, format!("postmaster@{own}"));
    let header = header(ctx, (from.0, &from.1), &address, &fill(words.subject));
    let header = header.addresses("Reply-To", &[("", &fill("{yes}"))]);
    let message = Entity::text("plain", &text).into_message(header);
    let mut intake = Intake::new(&ctx.store, None)?.for_signing();
    intake.write(&message).await?;
    let seen = intake.take_seen();
    let (body, facts) = intake.finish().await?;
    let signature = dkim::fields(ctx, &facts, seen, "").await;
    let now = ctx.clock.now();
    let entry = NewQueueEntry {
        domain,
        // Nobody is told of its fate, and what answers by itself has nobody to answer to.
        reverse_path: String::new(),
        smtputf8: !address.is_ascii(),
        recipients: vec![QueueRecipient {
            address,
            original: None,
            notify: Some(Notify {
                success: false,
                failure: false,
                delay: false,
            }),
            state: RecipientState::Pending,
        }],
        prefix: signature.into_bytes(),
        body_8bit: facts.root.has_8bit || facts.header.has_8bit,
        return_headers_only: true,
        language: if french { "fr" } else { "en" }.to_owned(),
        due: now,
        expires: now.after(CONSENT_TIME.min(ctx.config.queue.expires_after)),
        ..NewQueueEntry::default()
    };
    Ok(Some((body, Vec::new(), vec![entry])))
}

/// What the account, or the postmaster of the alias, is told; none where nobody is.
pub async fn news(
    ctx: &Arc<Context>,
    forward: &Forward,
    state: ForwardState,
) -> Result<Vec<Letter>, Error> {
    let texts = |words: &'static Words| match state {
        ForwardState::Asked => words.asked,
        ForwardState::Confirmed => words.confirmed,
        ForwardState::Stopped => words.stopped,
        ForwardState::Gone => words.gone,
    };
    tell(ctx, forward, texts, "").await
}

/// The same are told that mail was lost, and why.
pub async fn lost(
    ctx: &Arc<Context>,
    forward: &Forward,
    reply: &str,
) -> Result<Vec<Letter>, Error> {
    tell(ctx, forward, |words| words.lost, reply).await
}

async fn tell(
    ctx: &Arc<Context>,
    forward: &Forward,
    texts: impl Fn(&'static Words) -> [&'static str; 2],
    reply: &str,
) -> Result<Vec<Letter>, Error> {
    let Some((source, french)) = source_of(ctx, forward)? else {
        return Ok(Vec::new());
    };
    let to = match forward.source {
        ForwardSource::Alias(_) => format!("postmaster@{}", domain_of(&source)),
        ForwardSource::Account(_) => source.clone(),
    };
    let Some(found) = Address::parse(&to)
        .ok()
        .map(|address| directory::find(&ctx.store, &address))
    else {
        return Ok(Vec::new());
    };
    let Found::Targets(targets) = found? else {
        return Ok(Vec::new());
    };
    let local: Vec<Delivery> = targets.into_iter().filter_map(delivery).collect();
    if local.is_empty() {
        return Ok(Vec::new());
    }
    let words = words(french);
    let [subject, text] = texts(words);
    // What another host said is one line of text.
    let said = reply.split(|c: char| c.is_whitespace() || c.is_control());
    let said: String = said.collect::<Vec<_>>().join(" ");
    let said: String = said.chars().take(REPLY_CHARS_MAX).collect();
    let fill = |text: &str| filled(text, forward, &source).replace("{reply}", &said);
    let from = format!("postmaster@{}", ctx.config.hostname);
    let header = header(ctx, (words.system, &from), &to, &fill(subject));
    let message = Entity::text("plain", &fill(text)).into_message(header);
    let (body, _) = Intake::whole(&ctx.store, &message).await?;
    Ok(vec![(body, local, Vec::new())])
}

fn delivery(target: Target) -> Option<Delivery> {
    let Target::Local {
        account, address, ..
    } = target
    else {
        return None;
    };
    Some(Delivery {
        account,
        mailbox: "INBOX".to_owned(),
        message: NewMessage {
            prefix: format!("Return-Path: <>\r\nDelivered-To: {address}\r\n").into_bytes(),
            flags: FlagNames::default(),
            internal_date: None,
        },
    })
}

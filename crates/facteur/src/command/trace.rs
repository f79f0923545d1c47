//! `facteur trace …`

use facteur_server::senders::Told;
use hyper::Method;
use serde_json::Value;

use super::{flag, list, moment, number, text};
use crate::arguments::Trace;
use crate::client::{Client, segment};
use crate::language::language_code;
use crate::output::{Outcome, Output, size};
use crate::texts::{self, fill, t};

pub async fn run(client: &Client, command: Trace) -> Outcome {
    let Trace { about, only } = command;
    let mut path = format!("/v1/trace?about={}", segment(&about));
    if let Some(only) = only {
        path.push_str(&format!("&for={}", segment(&only)));
    }
    let found = client.call(Method::GET, &path, None, &about).await?;
    let messages = list(&found, "messages");
    let mut shown: Vec<String> = messages.iter().map(history).collect();
    if shown.is_empty() {
        shown.push(fill(texts::TRACE_NONE, &[&crate::output::safe(&about)]));
    }
    if flag(&found, "more") {
        shown.push(fill(texts::TRACE_MORE, &[&messages.len()]));
    }
    Ok(Output::new(found, shown.join("\n\n")))
}

/// One message: its name, then what happened, a line or more each.
fn history(message: &Value) -> String {
    let events = list(message, "events");
    let name = events.iter().map(|event| text(event, "message_id"));
    let mut lines = Vec::new();
    lines.extend(name.into_iter().find(|name| !name.is_empty()));
    for event in events {
        let at = moment(event, "at");
        let told = told(event).into_iter();
        lines.extend(told.map(|line| format!("  {at}  {line}")));
    }
    lines.join("\n")
}

fn told(event: &Value) -> Vec<String> {
    match text(event, "event").as_str() {
        "accepted" => accepted(event),
        "refused" => vec![refused(event)],
        _ => tried(event),
    }
}

fn accepted(event: &Value) -> Vec<String> {
    let (from, peer) = (sender(event), text(event, "peer"));
    let (door, size) = (text(event, "door"), size(number(event, "size")));
    let mut lines = vec![fill(texts::TRACE_ACCEPTED, &[&from, &size, &door, &peer])];
    let words = stands_behind(&text(event, "told"), language_code() == "fr");
    lines.extend(words.iter().map(|words| format!("  {words}")));
    for way in list(event, "recipients") {
        let (to, ends) = (text(way, "to"), text(way, "ends"));
        let line = match flag(way, "here") {
            true => fill(texts::TRACE_HERE, &[&to, &ends]),
            false if flag(way, "discarded") => fill(texts::TRACE_DISCARDED, &[&to, &ends]),
            false => fill(texts::TRACE_QUEUED, &[&to, &ends]),
        };
        lines.push(line);
    }
    lines
}

fn refused(event: &Value) -> String {
    let (from, peer) = (sender(event), text(event, "peer"));
    let (door, why) = (text(event, "door"), text(event, "why"));
    let recipients = list(event, "recipients").iter();
    let recipients = recipients
        .filter_map(Value::as_str)
        .map(crate::output::safe);
    let to = recipients.collect::<Vec<_>>().join(", ");
    fill(texts::TRACE_REFUSED, &[&from, &to, &door, &peer, &why])
}

fn tried(event: &Value) -> Vec<String> {
    let recipients = list(event, "recipients").iter();
    let mut lines: Vec<String> = recipients.map(outcome).collect();
    if event.get("again_at").is_some() {
        lines.push(fill(texts::TRACE_AGAIN, &[&moment(event, "again_at")]));
    }
    if flag(event, "reported") {
        lines.push(t(texts::TRACE_REPORTED).to_owned());
    }
    if flag(event, "unproven") {
        lines.push(t(texts::TRACE_UNPROVEN).to_owned());
    }
    lines
}

fn outcome(outcome: &Value) -> String {
    let (address, host) = (text(outcome, "address"), text(outcome, "host"));
    let reply = text(outcome, "reply");
    let said = match host.is_empty() {
        true => reply,
        false => format!("{host}: {reply}"),
    };
    let text = match text(outcome, "state").as_str() {
        "delivered" => texts::TRACE_DELIVERED,
        "failed" => texts::TRACE_FAILED,
        _ => texts::TRACE_DELAYED,
    };
    fill(text, &[&address, &said])
}

/// Who stands behind the sender, a sentence each.
fn stands_behind(codes: &str, french: bool) -> Vec<String> {
    let told = Told::parse(codes).filter(|_| !codes.is_empty());
    let texts = told.map(|told| told.texts(french)).unwrap_or_default();
    texts.iter().map(|text| crate::output::safe(text)).collect()
}

/// The null reverse-path is a report's.
fn sender(event: &Value) -> String {
    let from = text(event, "from");
    match from.is_empty() {
        true => "<>".to_owned(),
        false => from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_behind_a_sender_is_told_in_the_reader_s_language() {
        let codes = "denied bank.test; looks-like b\u{0430}nk.test";
        let (english, french) = (stands_behind(codes, false), stands_behind(codes, true));
        assert_eq!(
            english[0],
            "bank.test does not recognise this message as its own"
        );
        assert_eq!(
            french[0],
            "bank.test ne reconnaît pas ce message comme le sien"
        );
        assert_eq!((english.len(), french.len()), (2, 2));
        assert!(stands_behind("", false).is_empty() && stands_behind("else", true).is_empty());
    }
}

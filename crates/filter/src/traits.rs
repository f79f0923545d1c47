//! What is odd about a message by itself, before anybody taught anything: read from its header,
//! its structure and its links.

use facteur_message::{Address, Facts, encoded_word, header};

use crate::features::text_of;
use crate::limits::{HEAD_BYTES_MAX, LINKS_MAX, PARTS_MAX};
use crate::token::{is_bare_address, registered};

/// Each is a fact, none is a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The subject begins with ADV:, as some laws want of advertising.
    pub advertisement: bool,
    /// The subject is a reply's and nothing says to what.
    pub false_reply: bool,
    /// It answers something.
    pub answers: bool,
    pub no_date: bool,
    pub no_message_id: bool,
    /// No From, several of them, or one that can't be read.
    pub broken_from: bool,
    /// The sender's display name is another address.
    pub name_is_address: bool,
    /// Answers go to a domain that is not the sender's, and it is no mailing list.
    pub answers_elsewhere: bool,
    /// Neither To nor Cc names anybody.
    pub no_recipients: bool,
    /// There is a text in HTML and no plain one.
    pub html_only: bool,
    /// The subject is written in capitals.
    pub shouting: bool,
    /// Lines of the header are no fields.
    pub garbage_header: bool,
    /// A link leads to an address in numbers.
    pub numeric_link: bool,
    /// A link hides its host behind a name and an @.
    pub disguised_link: bool,
    /// An attachment is a program.
    pub program: bool,
}

/// `head`: as for [`crate::extract`].
pub fn traits(head: &[u8], facts: &Facts) -> Traits {
    let head = head.get(..HEAD_BYTES_MAX).unwrap_or(head);
    let envelope = &facts.envelope;
    let subject = envelope.subject.as_deref().map(encoded_word::decode);
    let subject = subject.unwrap_or_default();
    let references = header::first(head, "References");
    let answers = envelope.in_reply_to.is_some() || references.is_some_and(|it| !it.is_empty());
    let (numeric_link, disguised_link) = links(head, facts);
    Traits {
        advertisement: subject.trim_start().to_lowercase().starts_with("adv:"),
        false_reply: facts.subject_is_reply && !answers && !facts.header.is_bulk,
        answers,
        no_date: !facts.header.has_date,
        no_message_id: !facts.header.has_message_id,
        broken_from: facts.header.from_count != 1 || is_broken(&envelope.from),
        name_is_address: name_is_address(&envelope.from),
        answers_elsewhere: answers_elsewhere(facts),
        no_recipients: envelope.to.is_empty() && envelope.cc.is_empty(),
        html_only: html_only(facts),
        shouting: is_shouting(&subject),
        garbage_header: facts.header.has_garbage,
        numeric_link,
        disguised_link,
        program: has_program(facts),
    }
}

fn is_broken(list: &[Address]) -> bool {
    list.is_empty()
        || list.iter().any(|address| match address {
            Address::Mailbox {
                local,
                domain,
                broken,
                ..
            } => *broken || local.is_none() || domain.is_none(),
            _ => false,
        })
}

fn domain_of(address: &Address) -> Option<String> {
    match address {
        Address::Mailbox {
            domain: Some(domain),
            ..
        } => registered(&String::from_utf8_lossy(domain)),
        _ => None,
    }
}

fn name_is_address(from: &[Address]) -> bool {
    let Some(Address::Mailbox {
        name: Some(name), ..
    }) = from.first()
    else {
        return false;
    };
    let name = encoded_word::decode(name);
    let named = name
        .split(|c: char| c.is_whitespace() || "<>\"'()".contains(c))
        .find_map(|word| word.split_once('@'))
        .and_then(|(_, host)| registered(host));
    named.is_some() && named != from.first().and_then(domain_of)
}

fn answers_elsewhere(facts: &Facts) -> bool {
    let envelope = &facts.envelope;
    let from = envelope.from.first().and_then(domain_of);
    let reply = envelope.reply_to.first().and_then(domain_of);
    reply.is_some() && reply != from && !facts.header.is_bulk
}

fn html_only(facts: &Facts) -> bool {
    let has = |subtype| facts.root.walk().any(|part| part.is("text", subtype));
    has("html") && !has("plain")
}

fn is_shouting(subject: &str) -> bool {
    let letters = subject.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = subject.chars().filter(|c| c.is_uppercase()).count();
    letters >= 12 && capitals * 10 >= letters * 9
}

fn links(head: &[u8], facts: &Facts) -> (bool, bool) {
    let (mut numeric, mut disguised) = (false, false);
    for part in facts.root.walk().take(PARTS_MAX) {
        if !part.is("text", "plain") && !part.is("text", "html") {
            continue;
        }
        let text = text_of(head, part);
        for (place, _) in text.match_indices("://").take(LINKS_MAX) {
            let rest = text.get(place + 3..).unwrap_or_default();
            let end = rest.find(|c: char| c.is_whitespace() || "/\"'<>)]\\".contains(c));
            let authority = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            let host = host.split(':').next().unwrap_or_default();
            numeric |= host.contains('.') && is_bare_address(host);
            disguised |= authority.contains('@');
        }
    }
    (numeric, disguised)
}

/// What Windows runs when somebody opens it.
const PROGRAMS: [&str; 17] = [
    "exe", "scr", "pif", "com", "bat", "cmd", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk",
    "cpl", "msi", "jar", "ps1",
];

fn has_program(facts: &Facts) -> bool {
    facts.root.walk().take(PARTS_MAX).any(|part| {
        let name = part.file_name().unwrap_or_default().to_lowercase();
        let ending = name
            .trim_end()
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_owned());
        ending.is_some_and(|ending| PROGRAMS.contains(&ending.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> Traits {
        let message = message.replace('\n', "\r\n");
        let mut scanner = facteur_message::Scanner::new();
        scanner.push(message.as_bytes());
        traits(message.as_bytes(), &scanner.finish())
    }

    const GOOD: &str = "From: Ann <ann@a.test>\nTo: bob@b.test\nDate: Mon, 2 Sep 2024 10:00:00 +0200\n\
        Message-ID: <1@a.test>\nSubject: Lunch\n\nSee https://www.a.test/menu\n";

    #[test]
    fn nothing_is_odd() {
        assert_eq!(of(GOOD), Traits::default());
    }

    #[test]
    fn the_table() {
        type Is = fn(&Traits) -> bool;
        let rows: [(&str, &str, Is); 15] = [
            ("Lunch", "ADV: Lunch", |t| t.advertisement),
            ("Lunch", "Re: Lunch", |t| t.false_reply),
            (
                "Subject: Lunch",
                "Subject: Re: Lunch\nIn-Reply-To: <2@b.test>",
                |t| t.answers && !t.false_reply,
            ),
            ("Date:", "X-Date:", |t| t.no_date),
            ("Message-ID:", "X-ID:", |t| t.no_message_id),
            ("From: Ann", "X-From: Ann", |t| t.broken_from),
            ("Ann <", "\"bank@bank.test\" <", |t| t.name_is_address),
            ("To: bob", "Reply-To: x@c.test\nTo: bob", |t| {
                t.answers_elsewhere
            }),
            ("To: bob", "X-To: bob", |t| t.no_recipients),
            ("Subject:", "Content-Type: text/html\nSubject:", |t| {
                t.html_only
            }),
            ("Lunch", "BUY IT NOW AND HERE", |t| t.shouting),
            ("Subject:", "what is this\nSubject:", |t| t.garbage_header),
            ("www.a.test/", "192.0.2.1/", |t| t.numeric_link),
            ("www.a.test/", "bank.test@c.test/", |t| t.disguised_link),
            (
                "Subject:",
                "Content-Type: application/x; name=\"a.pdf.EXE\"\nContent-Disposition: attachment; filename=\"a.pdf.EXE\"\nSubject:",
                |t| t.program,
            ),
        ];
        for (from, to, is) in rows {
            let message = GOOD.replacen(from, to, 1);
            assert!(is(&of(&message)), "{to}: {:?}", of(&message));
        }
    }
}

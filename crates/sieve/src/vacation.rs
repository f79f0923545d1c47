//! Absence messages: to whom one may go, and what it looks like (RFC 5230 §4.5 to §5, RFC 3834).

use facteur_message::build::{Entity, Header};
use facteur_message::{Address, Sent, address, header};

use crate::message::{Mail, Vacation};

/// Why nobody is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The null reverse-path: a report.
    NullSender,
    /// Sent by a program (RFC 3834 §2).
    Automatic,
    /// Sent to a list.
    List,
    /// An address that programs write from.
    SystemAddress,
    /// The recipient wrote to himself.
    OwnMessage,
    /// None of the recipient's addresses is in To, Cc or the like.
    NotAddressed,
}

/// Fields by which a message from a list is known (RFC 5230 §4.6).
const LIST_FIELDS: &[&str] = &[
    "list-id",
    "list-help",
    "list-subscribe",
    "list-unsubscribe",
    "list-post",
    "list-owner",
    "list-archive",
];
/// Fields that name recipients (RFC 5230 §4.5).
const RECIPIENT_FIELDS: &[&str] = &["to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"];
/// Local parts that programs write from (RFC 5230 §4.6, RFC 2142).
const SYSTEM_NAMES: &[&str] = &[
    "mailer-daemon",
    "listserv",
    "listproc",
    "majordomo",
    "mailman",
    "noreply",
    "no-reply",
    "donotreply",
    "do-not-reply",
];
/// RFC 5322 §3.6.4: References of a reply is cut in the middle when it grows beyond all use.
const REFERENCES_MAX: usize = 20;

/// The address that is answered: that of the reverse-path. `own`: whether the server knows an
/// address as the recipient's.
pub fn recipient(
    mail: &Mail<'_>,
    vacation: &Vacation,
    own: &dyn Fn(&str) -> bool,
) -> Result<String, Silence> {
    let sender = crate::value::address(mail.from).ok_or(Silence::NullSender)?;
    if is_system(&sender) {
        return Err(Silence::SystemAddress);
    }
    if header::fields(mail.header).any(|field| LIST_FIELDS.iter().any(|name| field.is(name))) {
        return Err(Silence::List);
    }
    if is_automatic(mail.header) {
        return Err(Silence::Automatic);
    }
    let is_own = |address: &str| {
        let scripts = vacation.addresses.iter().map(String::as_str);
        let mut all = [mail.to].into_iter().chain(scripts);
        all.any(|own| own.eq_ignore_ascii_case(address)) || own(address)
    };
    if is_own(&sender) {
        return Err(Silence::OwnMessage);
    }
    let named = header::fields(mail.header)
        .filter(|field| RECIPIENT_FIELDS.iter().any(|name| field.is(name)))
        .any(|field| addresses(&field.unfolded()).any(|address| is_own(&address)));
    if named {
        Ok(sender)
    } else {
        Err(Silence::NotAddressed)
    }
}

fn addresses(value: &[u8]) -> impl Iterator<Item = String> {
    address::parse_list(value)
        .into_iter()
        .filter_map(|entry| match entry {
            Address::Mailbox {
                local: Some(local),
                domain: Some(domain),
                ..
            } => Some(format!(
                "{}@{}",
                String::from_utf8_lossy(&local),
                String::from_utf8_lossy(&domain)
            )),
            _ => None,
        })
}

fn is_system(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let local = local.to_ascii_lowercase();
    SYSTEM_NAMES.contains(&local.as_str())
        || local.starts_with("owner-")
        || local.ends_with("-request")
        || local.ends_with("-owner")
        || local.ends_with("-bounces")
}

/// RFC 3834 §5, and what Exchange and older programs write.
pub(crate) fn is_automatic(block: &[u8]) -> bool {
    header::fields(block).any(|field| {
        let value = || String::from_utf8_lossy(&field.unfolded()).to_ascii_lowercase();
        if field.is("auto-submitted") {
            value().split([';', ' ']).next() != Some("no")
        } else if field.is("precedence") {
            ["bulk", "list", "junk"].contains(&value().as_str())
        } else if field.is("x-auto-response-suppress") {
            value()
                .split(',')
                .any(|word| ["all", "oof", "autoreply"].contains(&word.trim()))
        } else {
            false
        }
    })
}

/// What an answer has beside what the script says.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The address that From names when the script does not, and its display name.
    pub from: (&'a str, &'a str),
    pub to: &'a str,
    pub sent: Sent,
    /// With its angle brackets.
    pub message_id: &'a str,
}

/// The answer, whole (RFC 5230 §5).
pub fn message(mail: &Mail<'_>, vacation: &Vacation, reply: Reply<'_>) -> Vec<u8> {
    let original = header::first(mail.header, "message-id");
    let original = original.and_then(|id| ids(&id).next());
    let subject = match &vacation.subject {
        Some(subject) => subject.clone(),
        None => {
            let first = header::fields(mail.header).find(|field| field.is("subject"));
            match first
                .map(|field| field.text())
                .filter(|text| !text.is_empty())
            {
                Some(subject) => format!("Auto: {subject}"),
                None => "Automated reply".to_owned(),
            }
        }
    };
    let chosen = vacation.from.as_deref().and_then(crate::value::address);
    let from = match &chosen {
        Some(address) => ("", address.as_str()),
        None => (reply.from.1, reply.from.0),
    };
    let mut head = Header::new()
        .date("Date", reply.sent)
        .addresses("From", &[from])
        .addresses("To", &[("", reply.to)])
        .text("Subject", &subject)
        .raw("Message-ID", reply.message_id);
    if let Some(id) = original {
        head = head.raw("In-Reply-To", &id);
        let before = header::first(mail.header, "references");
        let mut chain: Vec<String> = before.iter().flat_map(|value| ids(value)).collect();
        chain.push(id);
        if chain.len() > REFERENCES_MAX {
            chain.drain(1..chain.len() - REFERENCES_MAX + 1);
        }
        head = head.raw("References", &chain.join(" "));
    }
    // RFC 3834 §5; the last one stops the answers of old programs.
    head = head
        .raw("Auto-Submitted", "auto-replied (vacation)")
        .raw("X-Auto-Response-Suppress", "All");
    if vacation.mime {
        return entity(head, &vacation.reason);
    }
    Entity::text("plain", &vacation.reason).into_message(head)
}

/// Message ids of a field.
fn ids(value: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(value).into_owned();
    let words: Vec<String> = text
        .split(['<', '>'])
        .skip(1)
        .step_by(2)
        .filter(|id| !id.is_empty() && id.len() < 900 && id.bytes().all(|b| b.is_ascii_graphic()))
        .map(|id| format!("<{id}>"))
        .collect();
    words.into_iter()
}

/// RFC 5230 §4.4: the reason is header and body of an entity; its header was checked.
fn entity(head: Header, reason: &str) -> Vec<u8> {
    let mut out = head.raw("MIME-Version", "1.0").into_bytes();
    for line in reason.lines() {
        out.extend_from_slice(line.strip_suffix('\r').unwrap_or(line).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_message::Part;

    fn vacation() -> Vacation {
        Vacation {
            seconds: 1,
            subject: None,
            from: None,
            addresses: vec!["tjs@example.edu".into()],
            mime: false,
            reason: "I'm away.\n\nÀ bientôt".into(),
            handle: String::new(),
            fcc: None,
        }
    }

    fn mail<'a>(header: &'a str, from: &'a str, root: &'a Part) -> Mail<'a> {
        Mail {
            header: header.as_bytes(),
            size: 0,
            root,
            from,
            to: "me+x@example.com",
            now: 0,
            environment: &[],
            received: header.len(),
            editable: true,
            protected: &[],
            spam_percent: None,
            virus: None,
        }
    }

    #[test]
    fn programs_and_lists_are_not_answered() {
        let own = |address: &str| address.eq_ignore_ascii_case("me@example.com");
        let to = "To: Me <me@example.com>\r\n";
        let friend = "friend@elsewhere.test";
        for (header, from, expected) in [
            (to.to_owned(), friend, Ok(friend.to_owned())),
            (
                "Cc: x@y.test, ME@Example.com\r\n".into(),
                friend,
                Ok(friend.into()),
            ),
            (
                "Resent-To: tjs@example.edu\r\n".into(),
                friend,
                Ok(friend.into()),
            ),
            ("To: me+x@example.com\r\n".into(), friend, Ok(friend.into())),
            (
                format!("{to}Auto-Submitted: no\r\n"),
                friend,
                Ok(friend.into()),
            ),
            (
                "To: others@example.com\r\n".into(),
                friend,
                Err(Silence::NotAddressed),
            ),
            (String::new(), friend, Err(Silence::NotAddressed)),
            (to.to_owned(), "", Err(Silence::NullSender)),
            (to.to_owned(), "me@example.com", Err(Silence::OwnMessage)),
            (
                to.to_owned(),
                "MAILER-DAEMON@x.test",
                Err(Silence::SystemAddress),
            ),
            (
                to.to_owned(),
                "owner-list@x.test",
                Err(Silence::SystemAddress),
            ),
            (
                to.to_owned(),
                "list-request@x.test",
                Err(Silence::SystemAddress),
            ),
            (format!("{to}List-Id: <x>\r\n"), friend, Err(Silence::List)),
            (
                format!("{to}list-unsubscribe: <x>\r\n"),
                friend,
                Err(Silence::List),
            ),
            (
                format!("{to}Auto-Submitted: auto-replied\r\n"),
                friend,
                Err(Silence::Automatic),
            ),
            (
                format!("{to}Precedence: bulk\r\n"),
                friend,
                Err(Silence::Automatic),
            ),
            (
                format!("{to}X-Auto-Response-Suppress: DR, OOF\r\n"),
                friend,
                Err(Silence::Automatic),
            ),
        ] {
            let root = Part::default();
            let mail = mail(&header, from, &root);
            assert_eq!(
                recipient(&mail, &vacation(), &own),
                expected,
                "{header}{from}"
            );
        }
    }

    fn reply<'a>() -> Reply<'a> {
        Reply {
            from: ("me@example.com", "Me"),
            to: "friend@elsewhere.test",
            sent: Sent {
                unix: 0,
                offset_minutes: 0,
            },
            message_id: "<1@example.com>",
        }
    }

    #[test]
    fn an_answer() {
        let root = Part::default();
        let header = "Subject: =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <a@b>\r\nReferences: <x@y>\r\n <z@y>\r\n";
        let mail = mail(header, "friend@elsewhere.test", &root);
        let text = String::from_utf8(message(&mail, &vacation(), reply())).unwrap();
        assert_eq!(
            text,
            "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n\
             From: Me <me@example.com>\r\n\
             To: friend@elsewhere.test\r\n\
             Subject: =?utf-8?Q?Auto=3A_caf=C3=A9?=\r\n\
             Message-ID: <1@example.com>\r\n\
             In-Reply-To: <a@b>\r\n\
             References: <x@y> <z@y> <a@b>\r\n\
             Auto-Submitted: auto-replied (vacation)\r\n\
             X-Auto-Response-Suppress: All\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\n\
             I'm away.\r\n\r\n=C3=80 bient=C3=B4t\r\n"
        );
    }

    #[test]
    fn what_the_script_says_of_an_answer_holds() {
        let root = Part::default();
        let mail = mail("", "friend@elsewhere.test", &root);
        let asked = Vacation {
            subject: Some("Away\r\nBcc: x@y".into()),
            from: Some("Boss <boss@example.com>".into()),
            mime: true,
            reason: "Content-Type: text/html\n\n<p>Away</p>\n".into(),
            ..vacation()
        };
        let text = String::from_utf8(message(&mail, &asked, reply())).unwrap();
        assert!(text.contains("From: boss@example.com\r\n"), "{text}");
        assert!(text.contains("Subject: Away  Bcc: x@y\r\n"), "{text}");
        assert!(!text.contains("In-Reply-To"), "{text}");
        let end = "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Away</p>\r\n";
        assert!(text.ends_with(end), "{text}");
    }
}

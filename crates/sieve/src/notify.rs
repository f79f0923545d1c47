//! Notifications by mail (RFC 5436): the `mailto:` they go to, whether one may be sent, and what
//! it looks like.

use facteur_message::build::{Entity, Header};
use facteur_message::{Sent, header};

use crate::limits;
use crate::message::{Mail, Notification};
use crate::value;

/// Header fields that a `mailto:` may give beside those that have a meaning here; all others are
/// left out (RFC 5436 §2.7 names the unsafe ones, who writes the URI may find more).
const FIELDS: &[&str] = &[
    "comments",
    "importance",
    "in-reply-to",
    "keywords",
    "organization",
    "priority",
    "references",
];

/// A `mailto:` URI (RFC 6068), taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailto {
    /// Of the envelope, none twice: those of `to` and `cc`.
    pub recipients: Vec<String>,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub subject: Option<String>,
    pub body: Option<String>,
    /// Further fields, by name in lower case.
    pub fields: Vec<(String, String)>,
}

impl Mailto {
    pub(crate) fn is_scheme(uri: &str) -> bool {
        let scheme = uri.get(..7);
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
    }

    /// `None`: another scheme, not well written, or without anybody to send to.
    pub fn parse(uri: &str) -> Option<Mailto> {
        if !Self::is_scheme(uri) {
            return None;
        }
        let rest = uri.get(7..)?;
        // RFC 3986 §2: no such characters stand in a URI as they are.
        if rest
            .contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"#\\^`{|}".contains(c))
        {
            return None;
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut found = Mailto::default();
        found.add(path, false)?;
        for field in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, text) = field.split_once('=')?;
            let name = value::percent_decoded(name)?.to_ascii_lowercase();
            if !value::field_name(&name) {
                return None;
            }
            match name.as_str() {
                "to" => found.add(text, false)?,
                "cc" => found.add(text, true)?,
                "subject" => found.subject = Some(value::percent_decoded(text)?),
                "body" => found.body = Some(value::percent_decoded(text)?),
                _ => found.field(name, value::percent_decoded(text)?),
            }
        }
        let count = found.recipients.len();
        (1..=limits::NOTIFY_RECIPIENTS_MAX)
            .contains(&count)
            .then_some(found)
    }

    /// Addresses with commas between them, which may be percent-encoded as all else.
    fn add(&mut self, list: &str, copy: bool) -> Option<()> {
        let list = value::percent_decoded(list)?;
        for text in list.split(',').filter(|text| !text.is_empty()) {
            let address = value::address(text)?;
            if self
                .recipients
                .iter()
                .any(|have| have.eq_ignore_ascii_case(&address))
            {
                continue;
            }
            self.recipients.push(address.clone());
            if copy { &mut self.cc } else { &mut self.to }.push(address);
        }
        Some(())
    }

    fn field(&mut self, name: String, text: String) {
        let safe = name.starts_with("x-") || FIELDS.contains(&name.as_str());
        let known = self.fields.iter().any(|(have, _)| *have == name);
        if safe && !known && self.fields.len() < limits::NOTIFY_FIELDS_MAX {
            self.fields.push((name, text));
        }
    }
}

/// RFC 5436 §2.7: nothing that a program sent gives a notification.
pub fn is_wanted(mail: &Mail<'_>) -> bool {
    let mut fields = header::fields(mail.header);
    !fields.any(|field| {
        let value = field.unfolded();
        let word = value.split(|b| b";( \t".contains(b)).next();
        field.is("auto-submitted") && !word.is_some_and(|word| word.eq_ignore_ascii_case(b"no"))
    })
}

/// What a notification has beside what the script says.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The address that From names when the script does not, and its display name.
    pub from: (&'a str, &'a str),
    /// Whose script it was.
    pub owner: &'a str,
    pub sent: Sent,
    /// With its angle brackets.
    pub message_id: &'a str,
}

/// The message that is sent.
pub fn message(mail: &Mail<'_>, notification: &Notification, origin: Origin<'_>) -> Vec<u8> {
    let method = &notification.method;
    let chosen = notification.from.as_deref().and_then(value::address);
    let from = match &chosen {
        Some(address) => ("", address.as_str()),
        None => (origin.from.1, origin.from.0),
    };
    let text_of = |name: &str| {
        let first = header::fields(mail.header).find(|field| field.is(name));
        first.map(|field| field.text()).unwrap_or_default()
    };
    let given = notification.message.as_ref().or(method.subject.as_ref());
    let subject = given.cloned().unwrap_or_else(|| text_of("subject"));
    let list = |all: &[String]| -> Vec<(String, String)> {
        all.iter().map(|a| (String::new(), a.clone())).collect()
    };
    let plain = |all: &[(String, String)], head: Header, name: &str| {
        let all: Vec<(&str, &str)> = all.iter().map(|(n, a)| (n.as_str(), a.as_str())).collect();
        if all.is_empty() {
            head
        } else {
            head.addresses(name, &all)
        }
    };
    // RFC 5436 §2.7.1: on top of everything.
    let mut head = Header::new()
        .raw(
            "Auto-Submitted",
            &format!("auto-notified; owner-email=\"{}\"", origin.owner),
        )
        .date("Date", origin.sent)
        .raw("Message-ID", origin.message_id)
        .addresses("From", &[from]);
    head = plain(&list(&method.to), head, "To");
    head = plain(&list(&method.cc), head, "Cc");
    head = head.text("Subject", &subject);
    head = match notification.importance {
        1 => head.raw("Importance", "high"),
        3 => head.raw("Importance", "low"),
        _ => head,
    };
    for (name, text) in &method.fields {
        if name != "importance" || notification.importance == 2 {
            head = head.text(&capitalised(name), text);
        }
    }
    let body = match (&method.body, &notification.message) {
        (Some(body), _) => body.clone(),
        (None, Some(_)) => String::new(),
        // RFC 5435 §3.6.
        (None, None) => format!(
            "From: {}\nSubject: {}\n",
            text_of("from"),
            text_of("subject")
        ),
    };
    Entity::text("plain", &body).into_message(head)
}

/// RFC 5436 §2.7: as people are used to.
fn capitalised(name: &str) -> String {
    let words: Vec<String> = name
        .split('-')
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        })
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use facteur_message::Part;

    #[test]
    fn mailto() {
        let parsed = |uri: &str| Mailto::parse(uri);
        for bad in [
            "",
            "mailto:",
            "mailto:?subject=x",
            "xmpp:tim@example.com?message;subject=SIEVE",
            "tel:+14085551212",
            "http://gw.example.net/notify?test",
            "mailto:a",
            "mailto:a@b.test?subject",
            "mailto:a@b.test?subject=%4",
            "mailto:a@b.test?subject=%ff",
            "mailto:a@b.test?a:b=c",
            "mailto:a@b.test c@d.test",
            "mailto:a@b.test%0D%0ABcc:x@y.test",
            "mailto:a@x.test,b@x.test,c@x.test,d@x.test,e@x.test",
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        let all = parsed(
            "MAILTO:a@x.test,A@x.test?to=b@x.test&cc=c%40x.test&Subject=a%20b&body=1%0D%0A2\
             &from=evil@x.test&auto-submitted=no&received=x&date=x&message-id=x&bcc=z@x.test\
             &X-Y=z&x-y=2",
        );
        assert_eq!(
            all,
            Some(Mailto {
                recipients: ["a@x.test", "b@x.test", "c@x.test"]
                    .map(str::to_owned)
                    .into(),
                to: ["a@x.test", "b@x.test"].map(str::to_owned).into(),
                cc: vec!["c@x.test".into()],
                subject: Some("a b".into()),
                body: Some("1\r\n2".into()),
                fields: vec![("x-y".into(), "z".into())],
            })
        );
    }

    fn mail<'a>(header: &'a str, root: &'a Part) -> Mail<'a> {
        Mail {
            header: header.as_bytes(),
            size: 0,
            root,
            from: "",
            to: "recipient@example.org",
            now: 0,
            environment: &[],
            received: header.len(),
            editable: true,
            protected: &[],
            spam_percent: None,
            virus: None,
        }
    }

    fn written(method: &str, message: Option<&str>, importance: u8) -> String {
        let root = Part::default();
        let header = "From: \"Jeff Smith\" <jeff@hobbies.example.com>\r\n\
                      Subject: [Knitting] A new sweater\r\n";
        let notification = Notification {
            from: None,
            importance,
            message: message.map(str::to_owned),
            method: Mailto::parse(method).unwrap(),
            fcc: None,
        };
        let origin = Origin {
            from: ("recipient@example.org", ""),
            owner: "recipient@example.org",
            sent: Sent {
                unix: 1_133_950_135,
                offset_minutes: -300,
            },
            message_id: "<A2299BB.FF7788@example.org>",
        };
        String::from_utf8(super::message(&mail(header, &root), &notification, origin)).unwrap()
    }

    /// RFC 5436 §3, its message without the Received fields, which may be left out.
    #[test]
    fn the_example() {
        let text = written(
            "mailto:0123456789@sms.example.net?to=backup@example.com",
            Some("From Knitting list: A new sweater"),
            3,
        );
        assert_eq!(
            text,
            "Auto-Submitted: auto-notified; owner-email=\"recipient@example.org\"\r\n\
             Date: Wed, 7 Dec 2005 05:08:55 -0500\r\n\
             Message-ID: <A2299BB.FF7788@example.org>\r\n\
             From: recipient@example.org\r\n\
             To: 0123456789@sms.example.net, backup@example.com\r\n\
             Subject: From Knitting list: A new sweater\r\n\
             Importance: low\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 7bit\r\n\r\n"
        );
    }

    #[test]
    fn what_the_script_leaves_out() {
        let text = written("mailto:a@x.test", None, 2);
        assert!(
            text.contains("Subject: [Knitting] A new sweater\r\n"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\nFrom: \"Jeff Smith\" <jeff@hobbies.example.com>\r\nSubject: [Knitting] A new sweater\r\n"), "{text}");
        let text = written("mailto:a@x.test?subject=s&body=b&x-a=c%0Ad", None, 2);
        assert!(text.contains("Subject: s\r\nX-A: c d\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nb\r\n"), "{text}");
    }

    #[test]
    fn programs_give_none() {
        let root = Part::default();
        for (header, wanted) in [
            ("Subject: x\r\n", true),
            ("Auto-Submitted: no\r\n", true),
            ("Auto-Submitted: No (really)\r\n", true),
            (
                "Auto-Submitted: auto-notified; owner-email=\"a@b\"\r\n",
                false,
            ),
            ("Auto-submitted: auto-replied\r\n", false),
            ("List-Id: <x>\r\nPrecedence: list\r\n", true),
        ] {
            assert_eq!(is_wanted(&mail(header, &root)), wanted, "{header}");
        }
    }
}

//! A program's JSON as a message (RFC 5322), or the message that it has made itself.
//!
//! Pure but for what is given: date, identifier, boundary. No value can begin a new field
//! ([`facteur_message::build`]), and the fields that say where a message came from are ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use facteur_message::build::{Entity, Header};
use facteur_message::facts::Sent as Date;
use facteur_message::{Address, address, encoded_word, header};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::few;
use crate::limits::{ADDRESSES_MAX, ATTACHMENTS_MAX, FIELD_BYTES_MAX, FIELDS_MAX};

/// One address or several: `"a@b.example"`, `"Ann <a@b.example>"`, or a list of such.
#[derive(Clone, Debug)]
pub enum Addresses {
    One(String),
    Many(Vec<String>),
}

impl Default for Addresses {
    fn default() -> Self {
        Addresses::Many(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadAddresses)
    }
}

struct ReadAddresses;

impl<'de> Visitor<'de> for ReadAddresses {
    type Value = Addresses;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an address or a list of addresses")
    }

    fn visit_str<E>(self, one: &str) -> Result<Addresses, E> {
        Ok(Addresses::One(one.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Addresses, A::Error> {
        few::rest(list, ADDRESSES_MAX).map(Addresses::Many)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Letter {
    from: Option<String>,
    to: Addresses,
    cc: Addresses,
    bcc: Addresses,
    reply_to: Addresses,
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
    #[serde(deserialize_with = "few_attachments")]
    attachments: Vec<Attachment>,
    #[serde(deserialize_with = "few_headers")]
    headers: std::collections::BTreeMap<String, String>,
    /// A whole message; then `from`, `to`, `cc` and `bcc` are only the envelope.
    raw: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    name: String,
    #[serde(rename = "type", default = "some_bytes")]
    kind: String,
    /// Base64.
    content: String,
}

fn few_attachments<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Attachment>, D::Error> {
    few::list(from, ATTACHMENTS_MAX)
}

fn few_headers<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<std::collections::BTreeMap<String, String>, D::Error> {
    few::object(from, FIELDS_MAX)
}

fn some_bytes() -> String {
    "application/octet-stream".to_owned()
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub from: String,
    /// None twice.
    pub recipients: Vec<String>,
    pub message_id: String,
    pub message: Vec<u8>,
}

/// What the letter does not say itself.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// What the program sends as when it does not say.
    pub from: Option<&'a str>,
    /// With its angle brackets.
    pub message_id: &'a str,
    pub date: Date,
    /// Letters and digits by chance.
    pub token: &'a str,
}

/// Fields that a program may set beside those that have a place of their own.
const FIELDS: [&str; 12] = [
    "Auto-Submitted",
    "Comments",
    "Importance",
    "In-Reply-To",
    "Keywords",
    "List-Help",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Precedence",
    "References",
    "Sender",
];

/// The error says in our words where it is no message; no library's text in it.
pub fn read(json: &[u8]) -> Result<Letter, String> {
    serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("not the JSON of a message, line {line} column {column}")
    })
}

/// The error says in our words what is wrong.
pub fn make(letter: Letter, given: Given<'_>) -> Result<Made, String> {
    let raw = letter.raw.is_some();
    let from = match letter.from.as_deref().or(given.from) {
        Some(from) => parse_list("from", from)?,
        None => return Err("from: say who it is from".to_owned()),
    };
    let [from] = from.as_slice() else {
        return Err("from: one address".to_owned());
    };
    let to = list("to", &letter.to)?;
    let cc = list("cc", &letter.cc)?;
    let bcc = list("bcc", &letter.bcc)?;
    let mut recipients: Vec<String> = Vec::new();
    for (_, address) in to.iter().chain(&cc).chain(&bcc) {
        if !recipients.contains(address) {
            recipients.push(address.clone());
        }
    }
    if recipients.is_empty() || recipients.len() > ADDRESSES_MAX {
        return Err(format!("to, cc, bcc: 1 to {ADDRESSES_MAX} addresses"));
    }
    let (message_id, message) = match letter.raw {
        Some(_)
            if letter.text.is_some() || letter.html.is_some() || !letter.attachments.is_empty() =>
        {
            return Err("raw: not together with text, html or attachments".to_owned());
        }
        Some(raw) => complete(&raw, given),
        None => {
            let parts = Parts {
                from,
                to: &to,
                cc: &cc,
            };
            let message = compose(&letter, &parts, given)?;
            (given.message_id.to_owned(), message)
        }
    };
    debug_assert!(raw || !message.is_empty());
    Ok(Made {
        from: from.1.clone(),
        recipients,
        message_id,
        message,
    })
}

struct Parts<'a> {
    from: &'a (String, String),
    to: &'a [(String, String)],
    cc: &'a [(String, String)],
}

/// Date and Message-ID in front, where they are missing.
fn complete(raw: &str, given: Given<'_>) -> (String, Vec<u8>) {
    let own = header::first(raw.as_bytes(), "Message-ID");
    let mut fields = Header::new();
    if header::first(raw.as_bytes(), "Date").is_none() {
        fields = fields.date("Date", given.date);
    }
    let id = match own {
        Some(own) => String::from_utf8_lossy(&own).into_owned(),
        None => {
            fields = fields.raw("Message-ID", given.message_id);
            given.message_id.to_owned()
        }
    };
    let mut message = fields.into_bytes();
    message.extend_from_slice(raw.as_bytes());
    (id, message)
}

fn compose(letter: &Letter, parts: &Parts<'_>, given: Given<'_>) -> Result<Vec<u8>, String> {
    let mut header = Header::new()
        .date("Date", given.date)
        .raw("Message-ID", given.message_id);
    header = addresses(header, "From", std::slice::from_ref(parts.from));
    let reply_to = list("reply_to", &letter.reply_to)?;
    for (name, list) in [("To", parts.to), ("Cc", parts.cc), ("Reply-To", &reply_to)] {
        if !list.is_empty() {
            header = addresses(header, name, list);
        }
    }
    header = header.text("Subject", letter.subject.as_deref().unwrap_or_default());
    if letter.headers.len() > FIELDS_MAX {
        return Err(format!("headers: at most {FIELDS_MAX}"));
    }
    for (name, value) in &letter.headers {
        if !may_set(name) {
            return Err(format!("headers: {} may not be set", shown(name)));
        }
        if value.len() > FIELD_BYTES_MAX {
            return Err(format!("headers: {} is too long", shown(name)));
        }
        header = header.text(name, value);
    }
    let words = match (&letter.text, &letter.html) {
        (Some(text), Some(html)) => {
            let both = [Entity::text("plain", text), Entity::text("html", html)];
            Entity::multipart("alternative", &format!("a{}", given.token), &both)
        }
        (None, Some(html)) => Entity::text("html", html),
        (Some(text), None) => Entity::text("plain", text),
        (None, None) if !letter.attachments.is_empty() => Entity::text("plain", ""),
        (None, None) => return Err("text, html or raw: one is needed".to_owned()),
    };
    let mut entities = vec![words];
    if letter.attachments.len() > ATTACHMENTS_MAX {
        return Err(format!("attachments: at most {ATTACHMENTS_MAX}"));
    }
    for attachment in &letter.attachments {
        entities.push(attached(attachment)?);
    }
    let whole = match <[Entity; 1]>::try_from(entities) {
        Ok([only]) => only,
        Err(entities) => Entity::multipart("mixed", given.token, &entities),
    };
    Ok(whole.into_message(header))
}

fn attached(attachment: &Attachment) -> Result<Entity, String> {
    let name = shown(&attachment.name);
    let token = |part: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.len() <= 127 && part.bytes().all(good)
    };
    let kind = attachment.kind.split_once('/');
    // RFC 2046 §5: those have parts of their own.
    let simple = kind.is_some_and(|(kind, sub)| {
        token(kind)
            && token(sub)
            && !["multipart", "message"].contains(&kind.to_lowercase().as_str())
    });
    if !simple {
        return Err(format!("attachments: {name} has no usable type"));
    }
    let mut encoded = attachment.content.clone();
    encoded.retain(|c| !c.is_ascii_whitespace());
    let content = STANDARD.decode(encoded.as_bytes());
    let content = content.map_err(|_| format!("attachments: {name} is not base64"))?;
    Ok(Entity::attachment(
        &attachment.kind,
        &attachment.name,
        &content,
    ))
}

fn may_set(name: &str) -> bool {
    let listed = FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    let own = name
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("X-"));
    let ours = name
        .get(..10)
        .is_some_and(|start| start.eq_ignore_ascii_case("X-Facteur-"));
    let good = name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
    good && (listed || (own && !ours))
}

fn addresses(header: Header, name: &str, list: &[(String, String)]) -> Header {
    let list: Vec<(&str, &str)> = list
        .iter()
        .map(|(shown, address)| (shown.as_str(), address.as_str()))
        .collect();
    header.addresses(name, &list)
}

/// Names and addresses; `field` is for the error.
fn list(field: &str, given: &Addresses) -> Result<Vec<(String, String)>, String> {
    let given = match given {
        Addresses::One(one) => std::slice::from_ref(one),
        Addresses::Many(many) => many,
    };
    let mut found = Vec::new();
    for text in given {
        found.extend(parse_list(field, text)?);
        if found.len() > ADDRESSES_MAX {
            return Err(format!("{field}: at most {ADDRESSES_MAX} addresses"));
        }
    }
    Ok(found)
}

fn parse_list(field: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let bad = || format!("{field}: {} is no address", shown(text));
    if text.chars().any(char::is_control) || !address::is_whole(text.as_bytes()) {
        return Err(bad());
    }
    let mut found = Vec::new();
    for entry in address::parse_list(text.as_bytes()) {
        let Address::Mailbox {
            name,
            local: Some(local),
            domain: Some(domain),
            broken: false,
            ..
        } = entry
        else {
            return Err(bad());
        };
        let local = String::from_utf8(local).map_err(|_| bad())?;
        let domain = String::from_utf8(domain).map_err(|_| bad())?;
        let address = facteur_smtp::Address {
            local,
            domain: facteur_smtp::address::Domain::Name(domain),
        };
        // What SMTP would not read back as the same is none.
        let written = address.to_string();
        let read = facteur_smtp::Address::parse(&written);
        if !read.is_ok_and(|read| read.to_string() == written) {
            return Err(bad());
        }
        let name = name.as_deref().map(encoded_word::decode);
        found.push((name.unwrap_or_default(), written));
    }
    match found.is_empty() {
        true => Err(bad()),
        false => Ok(found),
    }
}

/// Of the caller's own words, a part that fits into an answer.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make_of(json: &str) -> Result<Made, String> {
        let letter = serde_json::from_str(json).unwrap();
        make(
            letter,
            Given {
                from: Some("shop@example.test"),
                message_id: "<1@example.test>",
                date: Date {
                    unix: 0,
                    offset_minutes: 0,
                },
                token: "abc",
            },
        )
    }

    #[test]
    fn a_letter_with_everything() {
        let made = make_of(
            r#"{"from": "Zoé <orders@example.test>", "to": ["Ann <ann@a.test>", "bob@b.test"],
                "cc": "bob@b.test", "bcc": "eve@c.test", "reply_to": "help@example.test",
                "subject": "Ça\r\nBcc: x@y.test", "text": "Bonjour", "html": "<p>Bonjour</p>",
                "attachments": [{"name": "a.txt", "type": "text/plain", "content": "aGVs\nbG8="}],
                "headers": {"List-Unsubscribe": "<https://x.test>", "X-Tag": "a"}}"#,
        )
        .unwrap();
        assert_eq!(made.from, "orders@example.test");
        assert_eq!(made.recipients, ["ann@a.test", "bob@b.test", "eve@c.test"]);
        let text = String::from_utf8(made.message).unwrap();
        for expected in [
            "Message-ID: <1@example.test>\r\n",
            "<orders@example.test>\r\n",
            "To: Ann <ann@a.test>, bob@b.test\r\n",
            "Cc: bob@b.test\r\n",
            "Reply-To: help@example.test\r\n",
            "X-Tag: a\r\n",
            "multipart/mixed",
            "multipart/alternative",
            "aGVsbG8=\r\n",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(
            !text.contains("eve@c.test") && !text.contains("\r\nBcc"),
            "{text}"
        );
    }

    #[test]
    fn a_message_made_elsewhere() {
        let made =
            make_of(r#"{"to": "a@b.test", "raw": "From: x@y.test\nMessage-ID: <own@y>\n\nhi"}"#);
        let made = made.unwrap();
        assert_eq!(made.from, "shop@example.test");
        assert_eq!(made.message_id, "<own@y>");
        let text = String::from_utf8(made.message).unwrap();
        assert_eq!(
            text,
            "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nFrom: x@y.test\nMessage-ID: <own@y>\n\nhi"
        );
    }

    #[test]
    fn what_is_refused() {
        for (json, word) in [
            (r#"{"text": "x"}"#, "to, cc, bcc"),
            (r#"{"to": "a@b.test"}"#, "text, html or raw"),
            (r#"{"to": "a@b.test", "raw": "x", "text": "y"}"#, "raw"),
            (r#"{"to": "a", "text": "x"}"#, "to: a is no address"),
            (
                r#"{"to": "a@b.test>\r\nRCPT TO:<c@d.test", "text": "x"}"#,
                "to",
            ),
            (r#"{"to": "a@[b]", "text": "x"}"#, "to"),
            (r#"{"to": "", "text": "x"}"#, "to"),
            (
                r#"{"from": "a@b.test, c@d.test", "to": "a@b.test", "text": "x"}"#,
                "from",
            ),
            (
                r#"{"to": "a@b.test", "text": "x", "headers": {"Received": "x"}}"#,
                "Received",
            ),
            (
                r#"{"to": "a@b.test", "text": "x", "headers": {"X-Facteur-Verdict": "x"}}"#,
                "X-F",
            ),
            (
                r#"{"to": "a@b.test", "text": "x", "headers": {"X-A: b\r\nBcc": "x"}}"#,
                "X-A",
            ),
            (
                r#"{"to": "a@b.test", "attachments": [{"name": "n", "content": "%%"}]}"#,
                "base64",
            ),
            (
                r#"{"to": "a@b.test", "attachments": [{"name": "n", "type": "multipart/x", "content": ""}]}"#,
                "type",
            ),
        ] {
            let error = make_of(json).unwrap_err();
            assert!(error.contains(word), "{json}: {error}");
        }
        assert!(serde_json::from_str::<Letter>(r#"{"too": "a@b.test"}"#).is_err());
    }

    #[test]
    fn lists_stop_growing_at_their_limit() {
        let many = |one: &str| vec![one; 100_000].join(",");
        let headers: Vec<String> = (0..9_999).map(|at| format!("\"X-{at}\": \"\"")).collect();
        let json = format!(
            r#"{{"to": [{}], "attachments": [{}], "headers": {{{}}}, "text": "x"}}"#,
            many("\"\""),
            many(r#"{"name": "", "content": ""}"#),
            headers.join(",")
        );
        let letter: Letter = serde_json::from_str(&json).unwrap();
        assert!(matches!(&letter.to, Addresses::Many(to) if to.len() == ADDRESSES_MAX + 1));
        assert_eq!(letter.attachments.len(), ATTACHMENTS_MAX + 1);
        assert_eq!(letter.headers.len(), FIELDS_MAX + 1);
        let fine = r#"{"to": [], "cc": "", "attachments": [], "headers": {}}"#;
        assert!(serde_json::from_str::<Letter>(fine).is_ok());
        for (json, word) in [
            (
                format!(r#"{{"to": [{}], "text": "x"}}"#, many("\"a@b.test\"")),
                "to: at most",
            ),
            (
                format!(
                    r#"{{"to": "a@b.test", "text": "x", "headers": {{{}}}}}"#,
                    headers.join(",")
                ),
                "headers: at most",
            ),
        ] {
            let error = make_of(&json).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        for json in [
            r#"{"to": 1}"#,
            r#"{"to": {}}"#,
            r#"{"to": [1]}"#,
            r#"{"to": ["a""#,
        ] {
            assert!(serde_json::from_str::<Letter>(json).is_err(), "{json}");
        }
    }

    proptest::proptest! {
        /// Whatever is put in: no further field, no further command.
        #[test]
        fn values_stay_values(text in "(?s).{0,60}", break_at in 0usize..60) {
            let mut text = text;
            let at = text.char_indices().map(|(at, _)| at).nth(break_at).unwrap_or(0);
            text.insert_str(at, "\r\nBcc: x@y.test");
            let letter = Letter {
                from: Some("shop@example.test".into()),
                to: Addresses::Many(vec!["a@b.test".into()]),
                subject: Some(text.clone()),
                text: Some(text.clone()),
                headers: [("X-A".to_owned(), text.clone())].into(),
                attachments: vec![Attachment {
                    name: text.clone(),
                    kind: "text/plain".into(),
                    content: String::new(),
                }],
                ..Letter::default()
            };
            let given = Given {
                from: None,
                message_id: "<1@example.test>",
                date: Date { unix: 0, offset_minutes: 0 },
                token: "abc",
            };
            let made = make(letter, given).unwrap();
            let known = ["Date", "Message-ID", "From", "To", "Subject", "X-A", "MIME-Version", "Content-Type"];
            for field in header::fields(&made.message) {
                assert!(known.iter().any(|name| field.is(name)), "{field:?}");
            }
            let letter = Letter {
                to: Addresses::One(text.clone()),
                text: Some(String::new()),
                ..Letter::default()
            };
            let given = Given { from: Some("shop@example.test"), ..given };
            if let Ok(made) = make(letter, given) {
                let harmless = |to: &String| !to.chars().any(|c| c.is_control());
                assert!(made.recipients.iter().all(harmless), "{made:?}");
            }
        }
    }
}

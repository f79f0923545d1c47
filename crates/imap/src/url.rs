//! IMAP URLs that name a message of ours, or a part of one: RFC 5092 §6, as CATENATE (RFC 4469)
//! takes them. Relative to this server only, and nothing that authorizes anybody (URLAUTH).

use crate::command::mailbox::capital_inbox;
use crate::command::{Partial, Section, fetch};
use crate::cursor::Cursor;
use crate::limits;

/// What a URL names.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageUrl {
    /// UTF-8; `None`: the selected one.
    pub mailbox: Option<String>,
    pub uid_validity: Option<u32>,
    pub uid: u32,
    pub section: Section,
    pub partial: Option<Partial>,
}

impl MessageUrl {
    /// `/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=o.n`, or from `;UID=` on.
    pub fn parse(url: &str) -> Option<Self> {
        let (place, rest) = match url.strip_prefix(';') {
            Some(rest) => (None, rest),
            None => {
                let (place, rest) = url.strip_prefix('/')?.split_once("/;")?;
                (Some(place), rest)
            }
        };
        let mut fields = rest.split("/;");
        let uid = value(fields.next()?, "UID")?.parse().ok()?;
        let mut named = MessageUrl {
            mailbox: None,
            uid_validity: None,
            uid,
            section: fetch::whole_section(&mut Cursor::new(b"[]", true)).ok()?,
            partial: None,
        };
        if let Some(place) = place {
            named.place(place)?;
        }
        let mut field = fields.next();
        if let Some(text) = field.and_then(|field| value(field, "SECTION")) {
            let bracketed = format!("[{}]", decode(text)?);
            let mut cursor = Cursor::new(bracketed.as_bytes(), true);
            named.section = fetch::whole_section(&mut cursor).ok()?;
            cursor.end().ok()?;
            field = fields.next();
        }
        if let Some(text) = field.and_then(|field| value(field, "PARTIAL")) {
            named.partial = Some(partial(text)?);
            field = fields.next();
        }
        (uid > 0 && field.is_none()).then_some(named)
    }

    fn place(&mut self, place: &str) -> Option<()> {
        let (name, validity) = match place.split_once(';') {
            Some((name, validity)) => (name, Some(value(validity, "UIDVALIDITY")?)),
            None => (place, None),
        };
        let name = decode(name)?;
        let control = name.contains(char::is_control);
        if name.is_empty() || control || name.len() > limits::MAILBOX_NAME_BYTES_MAX {
            return None;
        }
        self.mailbox = Some(capital_inbox(name));
        self.uid_validity = validity.map(str::parse).transpose().ok()?;
        Some(())
    }
}

fn value<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    let (spelt, value) = field.split_once('=')?;
    spelt.eq_ignore_ascii_case(name).then_some(value)
}

/// RFC 5092 §11 `partial-range`: the count may be left out.
fn partial(text: &str) -> Option<Partial> {
    let (offset, count) = match text.split_once('.') {
        Some((offset, count)) => (offset, count.parse().ok()?),
        None => (text, u64::MAX),
    };
    let offset = offset.parse().ok()?;
    (count > 0).then_some(Partial { offset, count })
}

/// Percent-encoded UTF-8 (RFC 5092 §8).
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::MessageUrl;
    use crate::command::{Partial, SectionText};

    #[test]
    fn urls_of_rfc_4469() {
        let url = MessageUrl::parse("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER");
        let url = url.unwrap();
        assert_eq!(url.mailbox.as_deref(), Some("Drafts"));
        assert_eq!((url.uid_validity, url.uid), (Some(385_759_045), 20));
        assert_eq!(url.section.text, SectionText::Header);
        let url = MessageUrl::parse("/inbox/Caf%C3%A9/;UID=3/;SECTION=1.2/;PARTIAL=0.1024");
        let url = url.unwrap();
        assert_eq!(url.mailbox.as_deref(), Some("INBOX/Café"));
        assert_eq!(url.section.part, [1, 2]);
        let first = Partial {
            offset: 0,
            count: 1024,
        };
        assert_eq!(url.partial, Some(first));
        let url = MessageUrl::parse(";UID=7").unwrap();
        assert_eq!((url.mailbox, url.uid), (None, 7));
    }

    #[test]
    fn what_is_no_url_of_ours() {
        for url in [
            "",
            "/",
            "/INBOX",
            "/INBOX/;UID=0",
            "/INBOX/;UID=x",
            "/INBOX;UIDVALIDITY=x/;UID=1",
            "/INBOX/;UID=1/;SECTION=]",
            "/INBOX/;UID=1/;SECTION=HEADER]x",
            "/INBOX/;UID=1/;PARTIAL=0.0",
            "/IN%ZZ/;UID=1",
            "/IN%00/;UID=1",
            "/%ff/;UID=1",
            "/INBOX/;UID=1/;URLAUTH=anonymous:internal:0",
            "imap://elsewhere.test/INBOX/;UID=1",
        ] {
            assert_eq!(MessageUrl::parse(url), None, "{url}");
        }
    }
}

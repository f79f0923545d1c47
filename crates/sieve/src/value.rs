//! Values that a script gives, checked: addresses, mailboxes' names, flags.

use facteur_message::address;

use crate::limits;

/// The only address of a text, `local@domain`.
pub(crate) fn address(text: &str) -> Option<String> {
    if text.contains(['\r', '\n', '\0']) {
        return None;
    }
    let (local, domain) = address::parse_one(text.as_bytes())?;
    let (local, domain) = (
        String::from_utf8(local).ok()?,
        String::from_utf8(domain).ok()?,
    );
    let fits = !local.is_empty() && !domain.is_empty() && local.len() + domain.len() < 320;
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"<>()[]\\,;:\"@".contains(c);
    // A local part that needs quotes is nothing that a forward goes to.
    (fits && local.chars().all(plain) && domain.chars().all(plain))
        .then(|| format!("{local}@{domain}"))
}

/// A mailbox's name as it is kept: UTF-8, "/" between its levels. Old scripts write modified UTF-7
/// (RFC 5228 §4.1 takes UTF-8): those names are left as they are.
pub(crate) fn mailbox(name: &str) -> Option<&str> {
    let fits = !name.is_empty()
        && name.len() <= limits::MAILBOX_BYTES_MAX
        && !name.chars().any(char::is_control);
    fits.then_some(name)
}

/// RFC 5232 §2: flags of a list, whose strings may hold several.
pub(crate) fn flags<'a>(list: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    list.flat_map(str::split_ascii_whitespace)
        .filter(|flag| is_flag(flag))
}

/// RFC 9051 §9: a system flag that can be set, or a keyword.
fn is_flag(flag: &str) -> bool {
    let atom = |word: &str| {
        !word.is_empty()
            && word.len() <= limits::FLAG_BYTES_MAX
            && word
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b))
    };
    match flag.strip_prefix('\\') {
        Some(name) => ["answered", "flagged", "deleted", "seen", "draft"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name)),
        None => atom(flag),
    }
}

/// RFC 5322 §3.6.8.
pub(crate) fn field_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_graphic() && b != b':';
    !name.is_empty() && name.len() <= 77 && name.bytes().all(fits)
}

/// RFC 5435 §3.4.
pub(crate) fn importance(text: &str) -> bool {
    ["1", "2", "3"].contains(&text)
}

/// RFC 5435 §3.5.
pub(crate) fn notify_option(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else {
        return false;
    };
    let mut letters = name.bytes();
    letters.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && letters.all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
        && !value.contains(['\0', '\n', '\r'])
}

/// RFC 3986 §2.1; `None`: a percent sign without its digits, or no UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

/// RFC 5435 §6.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// RFC 6134 §2.5: whether this names the one list there is, the person's address book.
pub(crate) fn is_address_book(name: &str) -> bool {
    let rest = match name.strip_prefix(':') {
        Some(rest) => Some(rest),
        None => {
            let urn = "urn:ietf:params:sieve:";
            let fits = name
                .get(..urn.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(urn));
            fits.then(|| name.get(urn.len()..)).flatten()
        }
    };
    let Some((kind, book)) = rest.and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let book = percent_decoded(book);
    kind.eq_ignore_ascii_case("addrbook")
        && book.is_some_and(|book| book.eq_ignore_ascii_case("default"))
}

/// RFC 5230 §4.4, §5: a header that is ASCII, with a Content-Type or another MIME field.
pub(crate) fn mime_entity(text: &str) -> bool {
    let bytes = text.as_bytes();
    let header = facteur_message::header::length(bytes);
    let header = bytes.get(..header).unwrap_or_default();
    header.is_ascii()
        && facteur_message::header::fields(header).all(|field| {
            field.is_field
                && field
                    .name
                    .get(..8)
                    .is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, found) in [
            ("a@example.com", Some("a@example.com")),
            ("Ann <a@example.com>", Some("a@example.com")),
            ("a", None),
            ("a@", None),
            ("a@x, b@y", None),
            ("a@x\r\nBcc: b@y", None),
            ("\"a b\"@x.test", None),
            ("<a@x.test>", Some("a@x.test")),
        ] {
            assert_eq!(address(text).as_deref(), found, "{text}");
        }
    }

    #[test]
    fn flags_of_strings() {
        let list = ["\\Seen $Junk", "\\Recent", "a(b", "work"];
        let found: Vec<&str> = flags(list.into_iter()).collect();
        assert_eq!(found, ["\\Seen", "$Junk", "work"]);
    }
}

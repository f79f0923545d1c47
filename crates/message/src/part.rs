//! Questions about a part.

use crate::facts::{Encoding, Facts, Nested, Param, Part, PartBody};

fn find<'a>(params: &'a [Param], name: &str) -> Option<&'a [u8]> {
    params
        .iter()
        .find(|param| param.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|param| param.value.as_slice())
}

impl<B: AsRef<[u8]>> Part<B> {
    /// Type and subtype as written; text/plain when there is none (RFC 2045 §5.2).
    pub fn media_type(&self) -> (&[u8], &[u8]) {
        if self.kind.as_ref().is_empty() {
            return (b"text", b"plain");
        }
        (self.kind.as_ref(), self.subtype.as_ref())
    }

    /// Whether this is that media type; `"*"` as subtype fits all.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        let (own_kind, own_subtype) = self.media_type();
        own_kind.eq_ignore_ascii_case(kind.as_bytes())
            && (subtype == "*" || own_subtype.eq_ignore_ascii_case(subtype.as_bytes()))
    }

    /// The message inside a message/rfc822 part.
    pub fn nested(&self) -> Option<&Nested<B>> {
        match &self.content {
            PartBody::Message(nested) => Some(nested),
            _ => None,
        }
    }
}

impl Part {
    /// Raw value of a Content-Type parameter. See [`crate::param_text`] for the decoded one.
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        find(&self.params, name)
    }

    /// What must be undone to get at the content (RFC 2045 §6).
    pub fn encoding(&self) -> Encoding {
        let Some(name) = self.encoding_name.as_deref() else {
            return Encoding::Identity;
        };
        match name.to_ascii_lowercase().as_slice() {
            b"7bit" | b"8bit" | b"binary" => Encoding::Identity,
            b"quoted-printable" => Encoding::QuotedPrintable,
            b"base64" => Encoding::Base64,
            _ => Encoding::Unknown,
        }
    }

    /// The charset parameter; us-ascii when absent (RFC 2045 §5.2).
    pub fn charset(&self) -> &[u8] {
        self.param("charset").unwrap_or(b"us-ascii")
    }

    /// The file name that people see, decoded (RFC 2231, RFC 2047).
    pub fn file_name(&self) -> Option<String> {
        self.disposition
            .as_ref()
            .and_then(|disposition| crate::param_text(&disposition.params, "filename"))
            .or_else(|| crate::param_text(&self.params, "name"))
    }

    /// Whether people call this an attachment: said so, or a named part that is no picture shown
    /// inside the message and no signature.
    pub fn is_attachment(&self) -> bool {
        let said = self.disposition.as_ref();
        if said.is_some_and(|said| said.kind.eq_ignore_ascii_case(b"attachment")) {
            return true;
        }
        if matches!(self.content, PartBody::Multipart(_)) {
            return false;
        }
        let named = self.param("name").is_some()
            || self.param("name*").is_some()
            || self.disposition.as_ref().is_some_and(|disposition| {
                find(&disposition.params, "filename").is_some()
                    || find(&disposition.params, "filename*").is_some()
            });
        let shown_inside = self.id.is_some() && self.is("image", "*");
        let signature = ["pgp-signature", "pkcs7-signature", "x-pkcs7-signature"];
        let is_signature = signature
            .iter()
            .any(|subtype| self.is("application", subtype));
        named && !shown_inside && !is_signature
    }

    /// The parts directly below: of a multipart, or of the message that this part holds when
    /// that is a multipart, else that message's only part.
    fn numbered(&self, number: u32) -> Option<&Part> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        match &self.content {
            PartBody::Multipart(parts) => parts.get(index),
            PartBody::Message(nested) => match &nested.root.content {
                PartBody::Multipart(parts) => parts.get(index),
                _ => (index == 0).then_some(&nested.root),
            },
            PartBody::Leaf => None,
        }
    }

    /// This part and all below it, in the order of the message.
    pub fn walk(&self) -> impl Iterator<Item = &Part> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let part = stack.pop()?;
            match &part.content {
                PartBody::Multipart(parts) => stack.extend(parts.iter().rev()),
                PartBody::Message(nested) => stack.push(&nested.root),
                PartBody::Leaf => {}
            }
            Some(part)
        })
    }
}

impl Facts {
    /// Offset of the first byte after the header and its blank line.
    pub fn header_end(&self) -> u64 {
        self.root.header.end
    }

    /// The part that an IMAP section path names (RFC 9051 §6.4.5.1), numbers from 1.
    ///
    /// - Empty path: the message itself.
    /// - `1` of a message that is no multipart: its root; `n.1` of a message/rfc822 part whose
    ///   message is no multipart: that message's root.
    ///
    /// `n.MIME` is `part.header`, `n` is `part.body`; for `n.HEADER` and `n.TEXT` take
    /// [`Part::nested`] of it and use `nested.root.header` and `nested.root.body`.
    pub fn section(&self, path: &[u32]) -> Option<&Part> {
        let Some((first, rest)) = path.split_first() else {
            return Some(&self.root);
        };
        let mut part = match &self.root.content {
            PartBody::Multipart(_) => self.root.numbered(*first)?,
            _ if *first == 1 => &self.root,
            _ => return None,
        };
        for number in rest {
            part = part.numbered(*number)?;
        }
        Some(part)
    }
}

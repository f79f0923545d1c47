//! Which header fields the scanner reads, and what it keeps of each.

use crate::address;
use crate::encoded_word;
use crate::facts::{Address, Degraded, Disposition, Envelope, HeaderFacts, Param, Part};
use crate::limits::{ADDRESSES_MAX, DELIVERED_TO_MAX, FACTS_BYTES_MAX, THREAD_KEYS_MAX};
use crate::mime_field;
use crate::thread;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    AutoSubmitted,
    Bcc,
    Cc,
    ContentDescription,
    ContentDisposition,
    ContentId,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
    ContentTransferEncoding,
    ContentType,
    Date,
    DeliveredTo,
    From,
    InReplyTo,
    List,
    MessageId,
    MimeVersion,
    Precedence,
    TlsRequired,
    Received,
    References,
    ReplyTo,
    Sender,
    Subject,
    To,
}

const NAMES: [(&str, Field); 28] = [
    ("auto-submitted", Field::AutoSubmitted),
    ("bcc", Field::Bcc),
    ("cc", Field::Cc),
    ("content-description", Field::ContentDescription),
    ("content-disposition", Field::ContentDisposition),
    ("content-id", Field::ContentId),
    ("content-language", Field::ContentLanguage),
    ("content-location", Field::ContentLocation),
    ("content-md5", Field::ContentMd5),
    ("content-transfer-encoding", Field::ContentTransferEncoding),
    ("content-type", Field::ContentType),
    ("date", Field::Date),
    ("delivered-to", Field::DeliveredTo),
    ("from", Field::From),
    ("in-reply-to", Field::InReplyTo),
    ("list-id", Field::List),
    ("list-post", Field::List),
    ("list-unsubscribe", Field::List),
    ("message-id", Field::MessageId),
    ("mime-version", Field::MimeVersion),
    ("precedence", Field::Precedence),
    ("tls-required", Field::TlsRequired),
    ("received", Field::Received),
    ("references", Field::References),
    ("reply-to", Field::ReplyTo),
    ("sender", Field::Sender),
    ("subject", Field::Subject),
    ("to", Field::To),
];

pub(super) fn by_name(name: &[u8]) -> Option<Field> {
    NAMES
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|(_, field)| *field)
}

/// Bytes of values kept so far, bounded by [`FACTS_BYTES_MAX`].
#[derive(Default)]
pub(super) struct Budget {
    kept: usize,
    pub(super) degraded: Degraded,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> bool {
        let sum = self.kept.saturating_add(bytes);
        if sum > FACTS_BYTES_MAX {
            self.degraded.insert(Degraded::VALUES);
            return false;
        }
        self.kept = sum;
        true
    }

    fn value(&mut self, value: &[u8]) -> Option<Vec<u8>> {
        self.take(value.len()).then(|| value.to_vec())
    }

    fn params(&mut self, params: Vec<Param>) -> Vec<Param> {
        let bytes = params.iter().map(|p| p.name.len() + p.value.len()).sum();
        if self.take(bytes) { params } else { Vec::new() }
    }

    /// Adds to a list. An address costs as much as its text and the memory for it.
    fn addresses(&mut self, value: &[u8], list: &mut Vec<Address>) {
        let mut found = address::parse_list(value);
        let room = ADDRESSES_MAX.saturating_sub(list.len());
        if found.len() >= room {
            self.degraded.insert(Degraded::ADDRESSES);
            found.truncate(room);
        }
        let bytes = value
            .len()
            .saturating_add(found.len().saturating_mul(ADDRESS_BYTES));
        if self.take(bytes) {
            list.append(&mut found);
        }
    }
}

const ADDRESS_BYTES: usize = 64;

/// RFC 9051 §7.5.2. The addresses of a field that is there twice are put together; of other
/// fields the last one counts.
pub(super) fn envelope(envelope: &mut Envelope, field: Field, value: &[u8], budget: &mut Budget) {
    match field {
        Field::Date => envelope.date = budget.value(value),
        Field::Subject => envelope.subject = budget.value(value),
        Field::InReplyTo => envelope.in_reply_to = budget.value(value),
        Field::MessageId => envelope.message_id = budget.value(value),
        Field::From => budget.addresses(value, &mut envelope.from),
        Field::Sender => budget.addresses(value, &mut envelope.sender),
        Field::ReplyTo => budget.addresses(value, &mut envelope.reply_to),
        Field::To => budget.addresses(value, &mut envelope.to),
        Field::Cc => budget.addresses(value, &mut envelope.cc),
        Field::Bcc => budget.addresses(value, &mut envelope.bcc),
        _ => {}
    }
}

/// RFC 2045 §3 and its family. Of a field that is there twice the first one counts.
pub(super) fn content(part: &mut Part, field: Field, value: &[u8], budget: &mut Budget) {
    match field {
        Field::ContentId if part.id.is_none() => part.id = budget.value(value),
        Field::ContentMd5 if part.md5.is_none() => part.md5 = budget.value(value),
        Field::ContentLocation if part.location.is_none() => part.location = budget.value(value),
        Field::ContentDescription if part.description.is_none() => {
            part.description = budget.value(value);
        }
        Field::ContentTransferEncoding if part.encoding_name.is_none() => {
            part.encoding_name =
                mime_field::transfer_encoding(value).and_then(|name| budget.value(&name));
        }
        Field::ContentLanguage if part.language.is_empty() && budget.take(value.len()) => {
            part.language = mime_field::languages(value);
        }
        Field::ContentDisposition => {
            let given = part.disposition.as_ref();
            if given.is_none_or(|disposition| disposition.params.is_empty()) {
                let found = mime_field::disposition(value, &mut budget.degraded);
                part.disposition = found.and_then(|found| {
                    Some(Disposition {
                        kind: budget.value(&found.kind)?,
                        params: budget.params(found.params),
                    })
                });
            }
        }
        _ => {}
    }
}

/// Sets type and parameters; the caller makes sure that this is the first Content-Type.
pub(super) fn content_type(part: &mut Part, value: &[u8], budget: &mut Budget) {
    let found = mime_field::content_type(value, &mut budget.degraded);
    if budget.take(found.kind.len() + found.subtype.len()) {
        part.kind = found.kind;
        part.subtype = found.subtype;
        part.params = budget.params(found.params);
    }
}

/// What is asked about the top-level header.
pub(super) fn header(facts: &mut HeaderFacts, field: Field, value: &[u8], budget: &mut Budget) {
    if matches!(field, Field::From | Field::Sender) && !address::is_whole(value) {
        budget.degraded.insert(Degraded::AUTHORS);
    }
    let word = || value.trim_ascii().to_ascii_lowercase();
    match field {
        Field::From => facts.from_count = facts.from_count.saturating_add(1),
        Field::Sender => facts.sender_count = facts.sender_count.saturating_add(1),
        Field::Received => facts.received_count = facts.received_count.saturating_add(1),
        Field::Date => {
            facts.has_date = true;
            facts.sent = crate::date::parse(value);
        }
        Field::MessageId => facts.has_message_id = true,
        Field::MimeVersion => facts.has_mime_version = true,
        Field::DeliveredTo if facts.delivered_to.len() < DELIVERED_TO_MAX => {
            facts.delivered_to.push(value.trim_ascii().to_vec());
        }
        // RFC 3834 §5: "no", perhaps with parameters.
        Field::AutoSubmitted => {
            let word = word();
            let value = word.split(|byte| matches!(byte, b';' | b' ')).next();
            facts.auto_submitted = value != Some(b"no");
        }
        Field::List => facts.is_bulk = true,
        Field::TlsRequired => facts.tls_optional |= word().as_slice() == b"no",
        Field::Precedence => {
            facts.is_bulk |= matches!(word().as_slice(), b"bulk" | b"list" | b"junk");
        }
        _ => {}
    }
}

/// Thread keys of the top-level header, in the order that [`crate::Facts::thread_keys`] promises.
#[derive(Default)]
pub(super) struct ThreadKeys {
    own: Option<u64>,
    references: Vec<u64>,
    in_reply_to: Vec<u64>,
}

impl ThreadKeys {
    pub(super) fn add(&mut self, field: Field, value: &[u8]) {
        match field {
            Field::MessageId => self.own = thread::keys(value).next(),
            Field::References => self.references = last_keys(value),
            Field::InReplyTo => self.in_reply_to = last_keys(value),
            _ => {}
        }
    }

    pub(super) fn finish(self) -> Vec<u64> {
        let mut keys: Vec<u64> = Vec::new();
        let found = self
            .own
            .into_iter()
            .chain(self.references)
            .chain(self.in_reply_to);
        for key in found {
            if keys.len() < THREAD_KEYS_MAX && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

/// The nearest ancestors are named last (RFC 5322 §3.6.4); of too many those are kept.
fn last_keys(value: &[u8]) -> Vec<u64> {
    let mut keys: std::collections::VecDeque<u64> = std::collections::VecDeque::new();
    for key in thread::keys(value) {
        if keys.len() >= THREAD_KEYS_MAX / 2 - 1 {
            keys.pop_front();
        }
        keys.push_back(key);
    }
    keys.into()
}

/// Key of the base subject and whether it is a reply or forward.
pub(super) fn subject(value: Option<&[u8]>) -> (u64, bool) {
    let base = crate::subject::base(&encoded_word::decode(value.unwrap_or_default()));
    let key = match base.text.as_str() {
        "" => 0,
        text => thread::key(text.to_lowercase().as_bytes()),
    };
    (key, base.is_reply)
}

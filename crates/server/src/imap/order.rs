//! What SORT compares and what THREAD links, taken from the facts of messages: RFC 5256 §2.1, §2.2,
//! §3, RFC 5957. Strings are images in i;unicode-casemap (RFC 5255 §4.3).

use std::cmp::Ordering;

use facteur_imap::command::{SortField, SortKey, ThreadAlgorithm};
use facteur_imap::thread::{self, Forest, Member};
use facteur_message::collation::{casemap, push_casemap};
use facteur_message::{Address, Facts, encoded_word, subject};
use facteur_store::Row;

/// One criterion of all messages, in the order of the messages.
#[derive(Debug)]
pub(super) enum Column {
    Numbers(Vec<i64>),
    Texts(Vec<Box<str>>),
}

impl Column {
    pub(super) fn new(field: SortField) -> Self {
        match field {
            SortField::Arrival | SortField::Date | SortField::Size | SortField::Relevancy => {
                Column::Numbers(Vec::new())
            }
            _ => Column::Texts(Vec::new()),
        }
    }

    pub(super) fn push(&mut self, field: SortField, row: &Row, facts: &Facts) {
        match self {
            Column::Numbers(numbers) => numbers.push(number(field, row, facts)),
            Column::Texts(texts) => texts.push(image(field, facts).into_boxed_str()),
        }
    }

    pub(super) fn value(&self, at: usize) -> Value {
        match self {
            Column::Numbers(numbers) => Value::Number(numbers.get(at).copied().unwrap_or_default()),
            Column::Texts(texts) => Value::Text(texts.get(at).cloned().unwrap_or_default()),
        }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Column::Numbers(numbers) => numbers.get(a).cmp(&numbers.get(b)),
            Column::Texts(texts) => texts.get(a).cmp(&texts.get(b)),
        }
    }
}

/// One criterion of one message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Number(i64),
    Text(Box<str>),
}

/// Of two messages, with their uids.
pub(super) fn compare(keys: &[SortKey], a: (&[Value], u32), b: (&[Value], u32)) -> Ordering {
    for (key, (one, other)) in keys.iter().zip(a.0.iter().zip(b.0)) {
        let ordering = directed(key, one.cmp(other));
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    a.1.cmp(&b.1)
}

fn directed(key: &SortKey, ordering: Ordering) -> Ordering {
    match key.reverse {
        true => ordering.reverse(),
        false => ordering,
    }
}

/// The index's row answers it.
pub(super) fn is_of_row(field: SortField) -> bool {
    matches!(
        field,
        SortField::Arrival | SortField::Size | SortField::Relevancy
    )
}

fn number(field: SortField, row: &Row, facts: &Facts) -> i64 {
    match field {
        SortField::Date => sent(row, facts),
        field => of_row(field, row),
    }
}

/// A criterion that the row tells.
pub(super) fn of_row(field: SortField, row: &Row) -> i64 {
    match field {
        SortField::Size => i64::try_from(row.size).unwrap_or(i64::MAX),
        _ => row.internal_date,
    }
}

/// RFC 5256 §2.2.
fn sent(row: &Row, facts: &Facts) -> i64 {
    facts
        .header
        .sent
        .map_or(row.internal_date, |sent| sent.unix)
}

/// A criterion that is a text.
pub(super) fn image(field: SortField, facts: &Facts) -> String {
    let envelope = &facts.envelope;
    match field {
        SortField::Subject => base_subject(facts).0,
        SortField::From => mailbox(envelope.from.first()),
        SortField::To => mailbox(envelope.to.first()),
        SortField::Cc => mailbox(envelope.cc.first()),
        SortField::DisplayFrom => display(envelope.from.first()),
        SortField::DisplayTo => display(envelope.to.first()),
        SortField::Arrival | SortField::Date | SortField::Size | SortField::Relevancy => {
            String::new()
        }
    }
}

/// The image of the base subject, and whether it is a reply or forward.
fn base_subject(facts: &Facts) -> (String, bool) {
    let written = facts.envelope.subject.as_deref().unwrap_or_default();
    let base = subject::base(&encoded_word::decode(written));
    (casemap(&base.text), base.is_reply)
}

fn text(bytes: Option<&[u8]>) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.unwrap_or_default())
}

/// RFC 5256 §3: addr-mailbox; of a group its name (RFC 9051 §7.5.2).
fn mailbox(address: Option<&Address>) -> String {
    match address {
        Some(Address::Mailbox { local, .. }) => casemap(&text(local.as_deref())),
        Some(Address::GroupStart(name)) => casemap(&text(Some(name))),
        Some(Address::GroupEnd) | None => String::new(),
    }
}

/// RFC 5957 §3.
fn display(address: Option<&Address>) -> String {
    let Some(Address::Mailbox {
        name,
        local,
        domain,
        ..
    }) = address
    else {
        return mailbox(address);
    };
    let mut image = casemap(&encoded_word::decode(name.as_deref().unwrap_or_default()));
    if image.is_empty() {
        push_casemap(&text(local.as_deref()), &mut image);
        if let Some(domain) = domain.as_deref().filter(|_| local.is_some()) {
            image.push('@');
            push_casemap(&text(Some(domain)), &mut image);
        }
    }
    image
}

/// Places of the messages in the order asked for: RFC 5256 §3, the mailbox's order where all
/// criteria are alike.
pub(super) fn order(count: usize, keys: &[SortKey], columns: &[Column]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    // Stable: places ascend to begin with.
    places.sort_by(|a, b| {
        for (key, column) in keys.iter().zip(columns) {
            let ordering = directed(key, column.compare(*a, *b));
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    });
    places
}

/// What THREAD asks of one message.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) sent: i64,
    pub(super) id: u64,
    pub(super) references: Box<[u64]>,
    pub(super) subject: u64,
    pub(super) is_reply: bool,
}

impl Links {
    pub(super) fn new(row: &Row, facts: &Facts) -> Self {
        let (base, is_reply) = base_subject(facts);
        let keys = |value: Option<&Vec<u8>>| -> Vec<u64> {
            value.map_or(Vec::new(), |value| {
                facteur_message::thread::keys(value).collect()
            })
        };
        let id = keys(facts.envelope.message_id.as_ref()).first().copied();
        let mut references: Vec<u64> = facts.thread_keys.clone();
        if id.is_some() && references.first() == id.as_ref() {
            references.remove(0);
        }
        // RFC 5256 §3: of an In-Reply-To without References the first id counts alone. One that
        // References do not name comes last in the facts and is taken as the nearest ancestor.
        let replied = keys(facts.envelope.in_reply_to.as_ref());
        if replied.len() > 1 && references == replied {
            references.truncate(1);
        }
        Links {
            sent: sent(row, facts),
            id: id.unwrap_or(0),
            references: references.into(),
            subject: match base.as_str() {
                "" => 0,
                base => facteur_message::thread::key(base.as_bytes()),
            },
            is_reply,
        }
    }
}

/// `messages`: the number shown, the internal date, and what links it; ascending numbers.
pub(super) fn threads(algorithm: ThreadAlgorithm, messages: &[(u32, i64, Links)]) -> Forest {
    let members: Vec<Member<'_>> = messages
        .iter()
        .map(|(number, arrival, links)| Member {
            number: *number,
            date: match algorithm {
                ThreadAlgorithm::Refs => *arrival,
                _ => links.sent,
            },
            id: links.id,
            references: &links.references,
            subject: links.subject,
            is_reply: links.is_reply,
        })
        .collect();
    match algorithm {
        ThreadAlgorithm::OrderedSubject => thread::ordered_subject(&members),
        ThreadAlgorithm::References => thread::references(&members),
        ThreadAlgorithm::Refs => thread::refs(&members),
    }
}

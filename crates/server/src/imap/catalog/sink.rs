//! What is taken of a message's texts: groups for exact searches, words for FUZZY ones.

use facteur_documents::Kind;
use facteur_message::decode::PartDecoder;
use facteur_message::{Part, PartBody};
use facteur_store::Error;

use super::grams::Grams;
use super::words::{Fields, MessageTerms, Words};
use crate::imap::content::{self, Logical};
use crate::imap::text_search::{self, FieldOf, Sink};

/// Fields whose words somebody may look for. What machines write to each other is left out.
const READ_FIELDS: [(&str, Fields); 14] = [
    ("subject", Fields::SUBJECT),
    ("from", Fields::FROM),
    ("to", Fields::TO),
    ("cc", Fields::CC),
    ("bcc", Fields::BCC),
    ("sender", Fields::HEADER),
    ("reply-to", Fields::HEADER),
    ("comments", Fields::HEADER),
    ("keywords", Fields::HEADER),
    ("organization", Fields::HEADER),
    ("list-id", Fields::HEADER),
    ("resent-from", Fields::HEADER),
    ("resent-to", Fields::HEADER),
    ("resent-cc", Fields::HEADER),
];

/// Documents of one message that are opened, and bytes of one.
const DOCUMENTS_MAX: usize = 8;
const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// Takes both, or words alone.
pub struct Taker<'a> {
    pub grams: Option<&'a mut Grams>,
    pub words: &'a mut Words,
    /// The present text has words to take.
    pub reads: bool,
    /// The present text is a field that begins with its name.
    pub is_field: bool,
}

impl<'a> Taker<'a> {
    pub fn new(grams: Option<&'a mut Grams>, words: &'a mut Words) -> Self {
        Taker {
            grams,
            words,
            reads: false,
            is_field: false,
        }
    }
}

impl Sink for Taker<'_> {
    fn begin_field(&mut self, name: &[u8], of: FieldOf) {
        // Of a MIME header only the names of attachments are for people: `take_names`.
        let known = READ_FIELDS
            .iter()
            .find(|(known, _)| of != FieldOf::Part && name.eq_ignore_ascii_case(known.as_bytes()));
        self.reads = known.is_some();
        self.is_field = true;
        if let Some((_, fields)) = known {
            let fields = match of {
                FieldOf::Nested => Fields::BODY,
                FieldOf::Message | FieldOf::Part => *fields,
            };
            self.words.begin(fields, false);
        }
    }

    fn begin_part(&mut self, part: &Part) {
        self.reads = true;
        self.is_field = false;
        self.words.begin(Fields::BODY, part.is("text", "html"));
    }

    fn push(&mut self, text: &str) -> bool {
        let groups = self.grams.as_mut().is_some_and(|grams| grams.push(text));
        let words = self.reads && {
            let value = match self.is_field {
                true => text.split_once(": ").map_or(text, |(_, value)| value),
                false => text,
            };
            self.words.push(value)
        };
        groups || words || !self.reads
    }

    fn end(&mut self) {
        if let Some(grams) = &mut self.grams {
            grams.end_text();
        }
        self.words.end();
    }
}

/// The names of attachments.
pub fn take_names(message: &Logical<'_>, words: &mut Words) -> Result<(), Error> {
    for part in message.facts()?.root.walk() {
        if let Some(name) = part.file_name() {
            words.begin(Fields::FILE, false);
            words.push(&name);
        }
    }
    Ok(())
}

/// The text of documents, which are whole in memory one after the other; how many there were.
pub fn take_documents(message: &Logical<'_>, words: &mut Words) -> Result<usize, Error> {
    let mut documents = 0;
    for part in message.facts()?.root.walk() {
        let (kind, subtype) = part.media_type();
        let kind = match &part.content {
            PartBody::Leaf => Kind::of(kind, subtype, part.file_name().as_deref()),
            _ => None,
        };
        let Some(kind) = kind else { continue };
        if documents == DOCUMENTS_MAX {
            break;
        }
        documents += 1;
        let Some(document) = whole(message, part)? else {
            continue;
        };
        words.begin(Fields::FILE, false);
        facteur_documents::text(kind, &document, &mut |text| words.push(text));
    }
    Ok(documents)
}

/// A part's content; `None`: it is too large.
fn whole(message: &Logical<'_>, part: &Part) -> Result<Option<Vec<u8>>, Error> {
    let mut decoder = PartDecoder::new(content::encoding(part));
    let mut document = Vec::new();
    message.read_body(part.body.start..part.body.end, &mut |bytes| {
        decoder.push(bytes, &mut document);
        document.len() <= DOCUMENT_BYTES_MAX
    })?;
    decoder.finish(&mut document);
    Ok((document.len() <= DOCUMENT_BYTES_MAX).then_some(document))
}

/// The terms of a message that the catalogue does not have; its documents are not opened.
pub fn terms_of(message: &Logical<'_>) -> Result<MessageTerms, Error> {
    let mut words = Words::default();
    text_search::texts(message, &mut Taker::new(None, &mut words))?;
    take_names(message, &mut words)?;
    Ok(words.finish())
}

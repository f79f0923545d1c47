//! What the classifier sees of a message: hashed words of its decoded text, its subject and its
//! people, hosts of its links, the shape of its header and of its parts, the hosts it went through.
//!
//! Each of these is a [`View`] with its own weight, so that a long text does not drown a header.
//! What other filters said on the way, and for whom a message was, is not looked at.

use facteur_message::html::Strip;
use facteur_message::{Address, Facts, Part, PartText, encoded_word, header};

use crate::limits::{
    ADDRESSES_MAX, FIELD_BYTES_MAX, FIELDS_MAX, HEAD_BYTES_MAX, PARTS_MAX, SHAPE_CHARS_MAX,
    TAG_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::token::{Found, is_bare_address};

/// A side of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Header and structure.
    Shape = 0,
    Text = 1,
    /// What HTML has besides text.
    Markup = 2,
    /// Hosts it came through.
    Path = 3,
    /// Names, addresses and the subject.
    People = 4,
    Links = 5,
}

impl View {
    pub const COUNT: usize = 6;
}

/// Hashes of what a message has, by view; ascending, each once, at most
/// [`crate::limits::FEATURES_MAX`] a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features(pub(crate) [Vec<u32>; View::COUNT]);

impl Features {
    pub fn count(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// `prefix`: what we wrote in front of the message; `head`: its first bytes, at most
/// [`HEAD_BYTES_MAX`] of them are looked at; `facts`: of the whole message.
pub fn extract(prefix: &[u8], head: &[u8], facts: &Facts) -> Features {
    let head = head.get(..HEAD_BYTES_MAX).unwrap_or(head);
    let mut found = Found::new();
    found.kind = kind_of(facts);
    of_header(prefix, &mut found);
    of_header(head, &mut found);
    of_people(facts, &mut found);
    of_shape(facts, &mut found);
    for part in facts.root.walk().take(PARTS_MAX) {
        of_part(head, part, &mut found);
    }
    relations(&mut found);
    found.finish()
}

fn kind_of(facts: &Facts) -> &'static str {
    if facts.header.is_bulk {
        "bulk"
    } else if facts.subject_is_reply {
        "reply"
    } else {
        "first"
    }
}

/// Fields whose very presence is the path's doing.
const SKIPPED: [&str; 13] = [
    "delivered-to",
    "return-path",
    "x-original-to",
    "authentication-results",
    "received-spf",
    "dkim-signature",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "status",
    "x-status",
    "x-keywords",
    "lines",
];
/// Fields whose words count, each alone.
const WORDS_OF: [&str; 9] = [
    "x-mailer",
    "user-agent",
    "content-type",
    "content-transfer-encoding",
    "precedence",
    "list-id",
    "mime-version",
    "x-priority",
    "importance",
];

fn of_header(header: &[u8], found: &mut Found) {
    let mut before = String::new();
    for field in header::fields(header).take(FIELDS_MAX) {
        let written = String::from_utf8_lossy(field.name);
        let name = written.to_lowercase();
        if !field.is_field || SKIPPED.contains(&name.as_str()) || is_verdict(&name) {
            continue;
        }
        let value = field.value.get(..FIELD_BYTES_MAX).unwrap_or(field.value);
        let value = encoded_word::decode(&header::unfold(value));
        if name == "received" {
            found.look(View::Path);
            of_received(&value, found);
        }
        found.look(View::Shape);
        found.add("field", &written);
        found.add("fields", &format!("{before} {name}"));
        match name.as_str() {
            "received" => {}
            "subject" => of_subject(&value, found),
            "message-id" => of_message_id(&value, found),
            other if WORDS_OF.contains(&other) => found.add_words(other, &value),
            other => found.add(other, &shape(&value)),
        }
        before = name;
    }
}

/// Of another filter, or of ours at another time.
fn is_verdict(name: &str) -> bool {
    ["x-spam", "x-facteur", "x-rspamd", "x-virus"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn of_subject(subject: &str, found: &mut Found) {
    found.look(View::People);
    found.add_text("subject", subject);
    let letters = subject.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = subject.chars().filter(|c| c.is_uppercase()).count();
    if letters > 5 {
        found.add("capitals", &(capitals * 5 / letters).to_string());
    }
    for mark in ['!', '?', '$', '%', '€', '£', '[', '\u{fffd}'] {
        if subject.contains(mark) {
            found.add("mark", mark.encode_utf8(&mut [0; 4]));
        }
    }
    if subject.contains("     ") {
        found.add("mark", "spaces");
    }
}

fn of_message_id(id: &str, found: &mut Found) {
    let id = id.trim().trim_matches(['<', '>']);
    let (local, domain) = id.split_once('@').unwrap_or((id, ""));
    found.add("id", &shape(local));
    found.add_host("id host", domain);
    found.add_domain("id", domain);
}

/// Runs of letters and digits by their kind: `20020822.GA12@x` is `0.A0@a`.
fn shape(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().take(SHAPE_CHARS_MAX) {
        let kind = match character {
            c if c.is_ascii_digit() => '0',
            c if c.is_uppercase() => 'A',
            c if c.is_alphabetic() => 'a',
            c => c,
        };
        if !(out.ends_with(kind) && kind.is_alphanumeric()) {
            out.push(kind);
        }
    }
    out
}

/// One hop: who handed it over, and how the receiver writes.
fn of_received(value: &str, found: &mut Found) {
    let (from, by) = value.split_once("by ").unwrap_or((value, ""));
    for word in by.split_whitespace().skip(1) {
        if word.contains('@') {
            found.add("by", "address");
        } else if word.bytes().filter(u8::is_ascii_digit).count() > 3 {
            found.add("by", &shape(word));
        } else {
            found.add("by", word);
        }
    }
    let Some(from) = from.strip_prefix("from ") else {
        return found.add("received", "no from");
    };
    let hello = from.split_whitespace().next().unwrap_or_default();
    found.add("hello", &shape(hello));
    found.add_host("via", hello);
    found.add_domain("via", hello);
    let mut names = 0usize;
    for word in from
        .split(|c: char| c.is_whitespace() || "()[]=@".contains(c))
        .skip(1)
        .filter(|word| !word.is_empty())
    {
        if is_bare_address(word) {
            of_networks(word, found);
        } else if word.contains('.') {
            names += 1;
            found.add_host("via", word);
            found.add_domain("via", word);
        } else {
            found.add("via word", word);
        }
    }
    found.add("hop", &shape(&from.replace('-', "a")));
    found.add("hop names", &names.min(5).to_string());
    if let Some((_, zone)) = by.rsplit_once(' ') {
        found.add("hop zone", zone);
    }
}

/// The networks around an IPv4 address.
fn of_networks(address: &str, found: &mut Found) {
    let mut rest = address;
    while let Some((network, _)) = rest.rsplit_once('.') {
        found.add("network", network);
        rest = network;
    }
}

/// Places whose domains are compared, each with each.
const PLACES: [&str; 7] = ["from", "id", "link", "reply-to", "sender", "to", "via"];

fn relations(found: &mut Found) {
    found.look(View::Shape);
    let mut answers = Vec::new();
    for (count, one) in PLACES.iter().enumerate() {
        for other in PLACES.iter().skip(count + 1) {
            let (a, b): (Vec<_>, Vec<_>) =
                (found.domains(one).collect(), found.domains(other).collect());
            let answer = if a.is_empty() || b.is_empty() {
                "none"
            } else if a.iter().any(|domain| b.contains(domain)) {
                "same"
            } else {
                "other"
            };
            answers.push(format!("{one} {other} {answer}"));
        }
    }
    for answer in answers {
        found.add("relation", &answer);
    }
    let links = found.domains("link").count().min(6);
    found.add("link domains", &links.to_string());
}

fn of_people(facts: &Facts, found: &mut Found) {
    found.look(View::People);
    let envelope = &facts.envelope;
    for (space, list) in [
        ("from", &envelope.from),
        ("reply-to", &envelope.reply_to),
        ("sender", &envelope.sender),
        ("to", &envelope.to),
        ("cc", &envelope.cc),
    ] {
        found.add(
            "count",
            &format!("{space} {}", list.len().min(ADDRESSES_MAX)),
        );
        for address in list.iter().take(ADDRESSES_MAX) {
            of_address(space, address, found);
        }
    }
    let from = envelope.from.first().and_then(domain_of);
    let reply = envelope.reply_to.first().and_then(domain_of);
    if reply.is_some() && from != reply {
        found.add("people", "answers go elsewhere");
    }
}

fn of_address(space: &'static str, address: &Address, found: &mut Found) {
    let Address::Mailbox {
        name,
        local,
        domain,
        broken,
        ..
    } = address
    else {
        return found.add(space, "group");
    };
    if *broken || local.is_none() || domain.is_none() {
        found.add(space, "broken");
    }
    match name {
        Some(name) => found.add_words(&format!("{space} name"), &encoded_word::decode(name)),
        None => found.add(space, "no name"),
    }
    if let Some(local) = local {
        let local = String::from_utf8_lossy(local).to_lowercase();
        found.add(&format!("{space} local"), &local);
        found.add(&format!("{space} shape"), &shape(&local));
    }
    if let Some(domain) = domain {
        found.add_domain(space, &String::from_utf8_lossy(domain));
        found.add_host(&format!("{space} host"), &String::from_utf8_lossy(domain));
    }
}

fn domain_of(address: &Address) -> Option<Vec<u8>> {
    match address {
        Address::Mailbox { domain, .. } => domain.as_ref().map(|d| d.to_ascii_lowercase()),
        _ => None,
    }
}

fn of_shape(facts: &Facts, found: &mut Found) {
    found.look(View::Shape);
    let header = &facts.header;
    for (name, there) in [
        ("date", header.has_date),
        ("id", header.has_message_id),
        ("mime", header.has_mime_version),
        ("bulk", header.is_bulk),
        ("auto", header.auto_submitted),
        ("8bit header", header.has_8bit),
        ("garbage", header.has_garbage),
        ("reply", facts.subject_is_reply),
        ("answer", facts.envelope.in_reply_to.is_some()),
        ("attachment", facts.has_attachment),
        ("8bit", facts.has_8bit),
        ("nul", facts.has_nul),
    ] {
        found.add("shape", &format!("{name} {there}"));
    }
    let answers = facts.envelope.in_reply_to.is_some() || facts.thread_keys.len() > 1;
    found.add("reply", &format!("{} {answers}", facts.subject_is_reply));
    let has = |subtype| facts.root.walk().any(|part| part.is("text", subtype));
    let (html, plain) = (has("html"), has("plain"));
    found.add("texts", &format!("{} {html} {plain}", found.kind));
    found.add("size", &facts.size.max(1).ilog2().to_string());
    if let Some(sent) = header.sent {
        found.add("zone", &sent.offset_minutes.to_string());
    }
}

fn of_part(head: &[u8], part: &Part, found: &mut Found) {
    let (kind, subtype) = part.media_type();
    let lower = |bytes| String::from_utf8_lossy(bytes).to_lowercase();
    let (kind, subtype) = (lower(kind), lower(subtype));
    found.look(View::Text);
    found.add("part", &format!("{kind}/{subtype} {:?}", part.encoding()));
    if let Some(name) = part.file_name() {
        let ending = name.rsplit('.').next().unwrap_or_default();
        found.add("file", &ending.to_lowercase());
    }
    if kind != "text" && !kind.is_empty() {
        return;
    }
    found.add("charset", &lower(part.charset()));
    let text = text_of(head, part);
    found.look(View::Links);
    found.add_links(&text);
    if subtype == "html" {
        of_html(&text, found);
    } else {
        found.look(View::Text);
        found.add_text("text", &text);
    }
}

/// The part's decoded text as far as it is in `head`.
pub(crate) fn text_of(head: &[u8], part: &Part) -> String {
    let start = usize::try_from(part.body.start).unwrap_or(usize::MAX);
    let end = usize::try_from(part.body.end).unwrap_or(usize::MAX);
    let bytes = head.get(start..end.min(head.len())).unwrap_or_default();
    let mut text = String::new();
    let mut decoder = PartText::new(part);
    for piece in bytes.chunks(4096) {
        if text.len() > TEXT_BYTES_MAX {
            return text;
        }
        decoder.push(piece, &mut text);
    }
    decoder.finish(&mut text);
    text
}

/// The text people see, and the tags around it.
fn of_html(html: &str, found: &mut Found) {
    let mut text = String::new();
    let mut strip = Strip::default();
    for character in html.chars() {
        strip.push(character, &mut |c| text.push(c));
    }
    found.look(View::Text);
    found.add_text("text", &text);
    found.look(View::Markup);
    let mut tags = 0usize;
    for tag in html.split('<').skip(1) {
        let end = tag.find('>').unwrap_or(tag.len()).min(TAG_BYTES_MAX);
        tags += 1;
        found.add_words("tag", tag.get(..end).unwrap_or_default());
    }
    let words = text.split_whitespace().count().max(1);
    let density = tags.saturating_mul(4) / words;
    found.add("tags to words", &density.min(20).to_string());
}

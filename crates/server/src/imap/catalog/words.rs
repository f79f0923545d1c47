//! Words of a message as FUZZY looks for them (RFC 6203): without case and accents, and what their
//! French and English stems have in common.
//!
//! A word is known by up to three terms: its French stem, the French stem of what it is without
//! accents, and the English one, all without accents. Two words are alike when they share a term,
//! so that it does not matter which language they are in, or whether somebody left accents out.

use std::collections::{BTreeMap, HashMap};

use facteur_message::collation::push_casemap;
use facteur_message::html::Strip;
use frostem::{Algorithm, Stemmer};

/// Characters of a word that count.
const WORD_CHARS_MAX: usize = 40;
/// Different words of one message that are kept.
const WORDS_MAX: usize = 16 << 10;
/// Bytes of text of one message that are looked at.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// Words whose stems are remembered.
const REMEMBERED_MAX: usize = 32 << 10;

/// Where a word stands; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub u8);

impl Fields {
    pub const SUBJECT: Fields = Fields(1);
    pub const FROM: Fields = Fields(2);
    pub const TO: Fields = Fields(4);
    pub const CC: Fields = Fields(8);
    pub const BCC: Fields = Fields(16);
    /// Other header fields that people read.
    pub const HEADER: Fields = Fields(32);
    pub const BODY: Fields = Fields(64);
    /// The name of an attachment, and its text.
    pub const FILE: Fields = Fields(128);
    pub const ANY: Fields = Fields(u8::MAX);

    pub fn meets(self, other: Fields) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where a term stands and how often, at most 255 times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub fields: Fields,
    pub count: u8,
}

impl Seen {
    pub fn add(&mut self, other: Seen) {
        self.fields.0 |= other.fields.0;
        self.count = self.count.saturating_add(other.count);
    }
}

/// The terms of one message.
pub type MessageTerms = BTreeMap<Box<str>, Seen>;

/// The words of one message after the other.
pub struct Words {
    stems: Stems,
    found: HashMap<Box<str>, Seen>,
    /// The word that is being read, in lower case; it may go on in the next piece.
    word: String,
    chars: usize,
    fields: Fields,
    /// The present text is HTML.
    markup: Option<Strip>,
    bytes: usize,
}

impl Default for Words {
    fn default() -> Self {
        Words {
            stems: Stems::default(),
            found: HashMap::new(),
            word: String::new(),
            chars: 0,
            fields: Fields::BODY,
            markup: None,
            bytes: 0,
        }
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

impl Words {
    /// What comes now stands there.
    pub fn begin(&mut self, fields: Fields, html: bool) {
        self.end();
        self.fields = fields;
        self.markup = html.then(Strip::default);
    }

    /// A piece of the present text; false: enough.
    pub fn push(&mut self, text: &str) -> bool {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > TEXT_BYTES_MAX || self.found.len() >= WORDS_MAX {
            return false;
        }
        let mut markup = self.markup.take();
        for char in text.chars() {
            match &mut markup {
                Some(strip) => strip.push(char, &mut |char| self.push_char(char)),
                None => self.push_char(char),
            }
        }
        self.markup = markup;
        true
    }

    fn push_char(&mut self, char: char) {
        if stands_alone(char) {
            self.end();
            self.word.push(char);
            self.end();
        } else if char.is_alphanumeric() || is_mark(char) {
            if self.chars < WORD_CHARS_MAX {
                self.word.extend(char.to_lowercase());
                self.chars += 1;
            }
        } else {
            self.end();
        }
    }

    /// What follows is another word.
    pub fn end(&mut self) {
        self.chars = 0;
        // A letter alone is an initial, or what is left of an elision.
        if self.word.len() > 1 || self.word.bytes().any(|byte| byte.is_ascii_digit()) {
            let seen = Seen {
                fields: self.fields,
                count: 1,
            };
            if let Some(known) = self.found.get_mut(self.word.as_str()) {
                known.add(seen);
            } else if self.found.len() < WORDS_MAX {
                self.found.insert(self.word.as_str().into(), seen);
            }
        }
        self.word.clear();
    }

    /// Ready for the next message.
    pub fn finish(&mut self) -> MessageTerms {
        self.end();
        self.markup = None;
        self.bytes = 0;
        let mut terms = MessageTerms::new();
        for (word, seen) in std::mem::take(&mut self.found) {
            for term in self.stems.terms(&word) {
                terms.entry(term.clone()).or_default().add(seen);
            }
        }
        terms
    }
}

/// The words of what somebody looks for, each as its terms; the last of them is the word itself.
pub fn of_query(text: &str) -> Vec<Vec<Box<str>>> {
    let mut words = Words::default();
    words.push(text);
    words.end();
    let mut found: Vec<Box<str>> = std::mem::take(&mut words.found).into_keys().collect();
    found.sort_unstable();
    let terms = found.iter().map(|word| {
        let mut terms = words.stems.terms(word).to_vec();
        let plain = fold(word);
        terms.retain(|term| **term != *plain);
        terms.push(plain.into());
        terms
    });
    terms.collect()
}

/// Written without spaces between words: every character counts as one.
fn stands_alone(char: char) -> bool {
    matches!(
        char as u32,
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x4dbf
            | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff
    )
}

fn is_mark(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}')
}

/// In lower case, without accents.
pub fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let mut image = String::new();
    push_casemap(word, &mut image);
    let mut folded = String::with_capacity(image.len());
    for char in image.chars().filter(|char| !is_mark(*char)) {
        match char {
            'œ' | 'Œ' => folded.push_str("oe"),
            'æ' | 'Æ' => folded.push_str("ae"),
            'ß' | 'ẞ' => folded.push_str("ss"),
            'ø' | 'Ø' => folded.push('o'),
            'đ' | 'Đ' => folded.push('d'),
            'ł' | 'Ł' => folded.push('l'),
            'ı' => folded.push('i'),
            _ => folded.extend(char.to_lowercase()),
        }
    }
    folded
}

struct Stems {
    french: Stemmer,
    english: Stemmer,
    remembered: HashMap<Box<str>, Vec<Box<str>>>,
}

impl Default for Stems {
    fn default() -> Self {
        Stems {
            french: Stemmer::new(Algorithm::French),
            english: Stemmer::new(Algorithm::English),
            remembered: HashMap::new(),
        }
    }
}

impl Stems {
    /// What a word in lower case is known by; none of it twice, never empty.
    fn terms(&mut self, word: &str) -> &[Box<str>] {
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        let Stems {
            french,
            english,
            remembered,
        } = self;
        remembered.entry(word.into()).or_insert_with(|| {
            let plain = fold(word);
            if !is_latin(word) {
                return vec![plain.into()];
            }
            let mut terms: Vec<Box<str>> = vec![fold(&french.stem(word)).into()];
            for stem in [french.stem(&plain), english.stem(&plain)] {
                if !terms.iter().any(|term| **term == *stem) {
                    terms.push(stem.as_ref().into());
                }
            }
            terms
        })
    }
}

/// Letters that French and English have; anything else has no stem here.
fn is_latin(word: &str) -> bool {
    let mut letters = word.chars();
    letters.all(|char| char.is_ascii_lowercase() || matches!(char, '\u{df}'..='\u{24f}'))
}

/// One letter more, less or other, or two that changed places; the first is the same.
pub fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (
        one.get(same..).unwrap_or_default(),
        other.get(same..).unwrap_or_default(),
    );
    if same == 0 || one.is_empty() && other.is_empty() {
        return false;
    }
    match (one, other) {
        ([a, b, one @ ..], [c, d, other @ ..]) if (a, b) == (d, c) && one == other => true,
        ([_, rest @ ..], [_, other @ ..]) if rest == other => true,
        ([_, rest @ ..], other) if rest == other => true,
        (one, [_, rest @ ..]) => one == rest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        let (one, other) = (of_query(one), of_query(other));
        one.iter()
            .flatten()
            .any(|term| other.iter().flatten().any(|other| other == term))
    }

    #[test]
    fn stems_of_both_languages() {
        for (one, other) in [
            ("connection", "Connected"),
            ("invoices", "INVOICE"),
            ("broken", "Broken"),
            ("breaks", "break"),
            ("mangée", "manger"),
            ("mangee", "mangée"),
            ("mangées", "mange"),
            ("dégâts", "degat"),
            ("facture", "factures"),
            ("Réunion", "reunions"),
            ("cœur", "coeur"),
            ("Straße", "strasse"),
            ("e\u{301}te\u{301}", "ÉTÉ"),
            ("chevaux", "cheval"),
        ] {
            assert!(
                alike(one, other),
                "{one} {other}: {:?} {:?}",
                of_query(one),
                of_query(other)
            );
        }
        for (one, other) in [("work", "world"), ("chat", "chien"), ("port", "porc")] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn near_words() {
        for (one, other, near) in [
            ("helo", "hello", true),
            ("helo", "help", true),
            ("recieve", "receive", true),
            ("hello", "helo", true),
            ("hello", "hello", false),
            ("helo", "yelo", false),
            ("helo", "hallo", false),
            ("he", "h", true),
            ("", "a", false),
        ] {
            assert_eq!(is_near(one, other), near, "{one} {other}");
            assert_eq!(is_near(other, one), near, "{other} {one}");
        }
    }

    #[test]
    fn words_of_all_kinds() {
        let terms = |text: &str| -> Vec<Box<str>> {
            let mut words = Words::default();
            words.push(text);
            words.finish().into_keys().collect()
        };
        let of = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| Box::from(*text))
                .collect::<Vec<_>>()
        };
        assert_eq!(terms("l'eau a 7 d"), of(&["7", "eau"]));
        assert_eq!(terms("bob@example.test"), of(&["bob", "exampl", "test"]));
        assert_eq!(terms("日本 x"), of(&["日", "本"]));
        assert_eq!(terms("Москва"), of(&["москва"]));
        let long = "z".repeat(1_000);
        assert_eq!(terms(&long), of(&[&long[..WORD_CHARS_MAX]]));
        let mut html = Words::default();
        html.begin(Fields::BODY, true);
        html.push("<p class=odd>Fa<b>ct</b>ure<br>n&eacute;e <style>div{}</st");
        html.push("yle>fin</p>");
        let found = html.finish();
        assert!(
            found.contains_key("factur") && found.contains_key("fin"),
            "{found:?}"
        );
        assert!(
            !found.contains_key("class") && !found.contains_key("div"),
            "{found:?}"
        );
    }

    #[test]
    fn words_are_counted_where_they_stand() {
        let mut words = Words::default();
        words.begin(Fields::SUBJECT, false);
        words.push("Fact");
        words.push("ures");
        words.begin(Fields::FILE, false);
        words.push("facture.pdf");
        let found = words.finish();
        let seen = found.get("factur").copied().unwrap();
        assert_eq!((seen.fields, seen.count), (Fields(1 | 128), 2));
        assert!(words.finish().is_empty());
        for number in 0..WORDS_MAX + 9 {
            words.push(&format!("w{number} "));
        }
        assert!(!words.push("more"));
        assert!(words.finish().len() <= WORDS_MAX);
        assert!(words.push("more"));
    }

    proptest! {
        /// Whatever comes in, in whatever pieces.
        #[test]
        fn any_text_in_any_pieces(text in "\\PC{0,60}", cut in 0_usize..60, html: bool) {
            let mut whole = Words::default();
            whole.begin(Fields::BODY, html);
            whole.push(&text);
            let mut pieces = Words::default();
            pieces.begin(Fields::BODY, html);
            pieces.push(&text.chars().take(cut).collect::<String>());
            pieces.push(&text.chars().skip(cut).collect::<String>());
            prop_assert_eq!(whole.finish(), pieces.finish());
        }

        #[test]
        fn stems_never_fail(word in "[a-z\u{df}-\u{24f}\u{300}-\u{36f}0-9]{0,45}") {
            for terms in of_query(&word) {
                prop_assert!(!terms.is_empty());
            }
        }
    }
}

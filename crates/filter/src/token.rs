//! Words, pairs of words and hosts, hashed into bounded sets.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash3_64;

use crate::features::{Features, View};
use crate::limits::{
    DOMAINS_MAX, FEATURES_MAX, HOST_CHARS_MAX, LINKS_MAX, PAIR_DISTANCE_MAX, PATH_CHARS_MAX,
    WORD_CHARS_MAX,
};

/// What a view is made for at first.
const FEATURES_AT_ONCE: usize = 256;

/// Features are hashes already: spread over all bits, they need no other.
#[derive(Clone, Copy, Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Set = HashSet<u32, BuildHasherDefault<Spread>>;

/// The features found so far.
#[derive(Debug)]
pub(crate) struct Found {
    views: [Set; View::COUNT],
    view: View,
    /// What kind of message it is: words mean something else in a newsletter than in an answer.
    pub(crate) kind: &'static str,
    links: usize,
    /// Registered domains by where they stand.
    domains: Vec<(&'static str, String)>,
}

impl Found {
    pub(crate) fn new() -> Self {
        Found {
            views: Default::default(),
            view: View::Shape,
            kind: "",
            links: 0,
            domains: Vec::new(),
        }
    }

    /// What is added now belongs there.
    pub(crate) fn look(&mut self, view: View) {
        self.view = view;
    }

    /// One feature: where it stands and what it says.
    pub(crate) fn add(&mut self, place: &str, text: &str) {
        self.insert(hash(place, text));
    }

    fn insert(&mut self, hash: u64) {
        if let Some(set) = self.views.get_mut(self.view as usize)
            && set.len() < FEATURES_MAX
        {
            if set.capacity() == 0 {
                set.reserve(FEATURES_AT_ONCE);
            }
            set.insert(upper_half(hash));
        }
    }

    /// Words of `text`: alone, alone in this kind of message, and in pairs with those shortly
    /// before them (orthogonal sparse bigrams).
    pub(crate) fn add_text(&mut self, place: &str, text: &str) {
        let mut words = Words::new(place, self.kind);
        for character in text.chars() {
            words.push(character, self);
        }
        words.end(self);
    }

    /// Words of `text`, each alone.
    pub(crate) fn add_words(&mut self, place: &str, text: &str) {
        for word in text.split(|c: char| !is_word(c)) {
            if !word.is_empty() {
                self.add(place, &shortened(word.to_lowercase()));
            }
        }
    }

    /// Links in text or HTML: the host and the domains above it, and what is odd about them.
    pub(crate) fn add_links(&mut self, text: &str) {
        for (place, _) in text.match_indices("://") {
            if self.links >= LINKS_MAX {
                return;
            }
            self.links += 1;
            let rest = text.get(place + 3..).unwrap_or_default();
            let end = rest.find(|c: char| c.is_whitespace() || "\"'<>)]\\".contains(c));
            self.add_link(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
        }
    }

    fn add_link(&mut self, link: &str) {
        let (authority, path) = link.split_once('/').unwrap_or((link, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((_, host)) => (true, host),
            None => (false, authority),
        };
        let (host, port) = host.split_once(':').unwrap_or((host, ""));
        for (odd, name) in [
            (user, "with user"),
            (!port.is_empty(), "with port"),
            (is_bare_address(host), "bare address"),
        ] {
            if odd {
                self.add("link", name);
            }
        }
        self.add_host("host", host);
        self.add_domain("link", host);
        let path: String = path.chars().take(PATH_CHARS_MAX).collect();
        self.add_words("path", &path);
    }

    /// A host name and the domains above it.
    pub(crate) fn add_host(&mut self, place: &str, host: &str) {
        let host: String = host.chars().take(HOST_CHARS_MAX).collect();
        let host = host.to_lowercase();
        let mut rest = host.as_str();
        loop {
            self.add(place, rest);
            match rest.split_once('.') {
                Some((_, above)) => rest = above,
                None => return,
            }
        }
    }

    /// Remembers whose domain stands there, for [`Found::relations`].
    pub(crate) fn add_domain(&mut self, place: &'static str, host: &str) {
        let Some(domain) = registered(host) else {
            return;
        };
        let known = (place, domain);
        if self.domains.len() < DOMAINS_MAX && !self.domains.contains(&known) {
            self.domains.push(known);
        }
    }

    pub(crate) fn domains(&self, place: &str) -> impl Iterator<Item = &str> {
        let there = move |entry: &&(&'static str, String)| entry.0 == place;
        self.domains
            .iter()
            .filter(there)
            .map(|entry| entry.1.as_str())
    }

    pub(crate) fn finish(self) -> Features {
        Features(self.views.map(|set| {
            let mut found: Vec<u32> = set.into_iter().collect();
            found.sort_unstable();
            found
        }))
    }
}

/// What somebody registered, as far as it can be told without the list of public suffixes:
/// `a.b.example.co.uk` is `example.co.uk`.
pub(crate) fn registered(host: &str) -> Option<String> {
    let host: String = host.chars().take(HOST_CHARS_MAX).collect();
    let host = host.trim_matches(['.', '>', ']', '[']).to_lowercase();
    let mut labels = host.rsplit('.');
    let (last, next) = (labels.next()?, labels.next()?);
    Some(match labels.next() {
        Some(third) if next.len() <= 3 && last.len() == 2 => format!("{third}.{next}.{last}"),
        _ => format!("{next}.{last}"),
    })
}

pub(crate) fn is_bare_address(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn upper_half(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn hash(place: &str, text: &str) -> u64 {
    let seed = XxHash3_64::oneshot(place.as_bytes());
    XxHash3_64::oneshot_with_seed(seed, text.as_bytes())
}

/// Long words differ from message to message: their length tells more.
fn shortened(word: String) -> String {
    match word.chars().count() {
        chars if chars > WORD_CHARS_MAX => format!("long {}", chars / 10),
        _ => word,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '$' | '€' | '£' | '%' | '!' | '-' | '_')
}

/// Text on its way to words.
struct Words {
    seed: u64,
    kind: u64,
    word: String,
    chars: usize,
    /// Hashes of the words before, the nearest first; 0: none.
    before: [u64; PAIR_DISTANCE_MAX],
}

impl Words {
    fn new(place: &str, kind: &str) -> Self {
        Words {
            seed: XxHash3_64::oneshot(place.as_bytes()),
            kind: hash("kind", kind),
            word: String::new(),
            chars: 0,
            before: [0; PAIR_DISTANCE_MAX],
        }
    }

    fn push(&mut self, character: char, found: &mut Found) {
        if is_word(character) {
            self.chars += 1;
            if self.chars <= WORD_CHARS_MAX {
                match character.is_ascii() {
                    true => self.word.push(character.to_ascii_lowercase()),
                    false => self.word.extend(character.to_lowercase()),
                }
            }
        } else {
            self.end(found);
        }
    }

    fn end(&mut self, found: &mut Found) {
        if self.chars == 0 {
            return;
        }
        if self.chars > WORD_CHARS_MAX {
            self.word = format!("long {}", self.chars / 10);
        }
        let hash = XxHash3_64::oneshot_with_seed(self.seed, self.word.as_bytes());
        self.word.clear();
        self.chars = 0;
        found.insert(hash);
        found.insert(mix(hash, self.kind));
        for (distance, before) in (1u64..).zip(self.before) {
            if before != 0 {
                found.insert(mix(hash, before.wrapping_add(distance)));
            }
        }
        self.before.rotate_right(1);
        if let Some(first) = self.before.first_mut() {
            *first = hash;
        }
    }
}

fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_domains() {
        for (host, domain) in [
            ("www.example.com", Some("example.com")),
            ("A.B.Example.CO.UK", Some("example.co.uk")),
            ("example.fr.", Some("example.fr")),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(registered(host).as_deref(), domain, "{host}");
        }
    }

    #[test]
    fn bounded() {
        let mut found = Found::new();
        found.look(View::Text);
        let text: String = (0..50_000).map(|n| format!("w{n} ")).collect();
        found.add_text("text", &text);
        found.add_links(&"http://a.example/ ".repeat(10_000));
        assert_eq!(found.links, LINKS_MAX);
        let features = found.finish();
        assert!(features.count() <= FEATURES_MAX * View::COUNT);
    }
}

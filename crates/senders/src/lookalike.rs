//! Tricks on the eye: names and domains that are made to be taken for others.
//!
//! A skeleton is what is left of a text when characters that look alike are one (after the idea of
//! Unicode UTS #39, with a small table: Latin, Cyrillic, Greek and digits are what is used).

/// What a message pretends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trick {
    /// The domain is to be taken for this one of ours.
    Domain(String),
    /// The name is that of somebody here, with this address; the address is not.
    Name(String),
    /// The name is an address of this domain; the address is of another.
    NamedAddress(String),
    /// An address of this domain of ours, from outside, and nothing shows that it is real.
    OwnDomain(String),
}

/// Whom a message could pretend to come from.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    domains: Vec<(String, String)>,
    people: std::collections::HashMap<String, String>,
}

impl Ours {
    /// Domains in Unicode; people with their names and addresses. A name of one word is nobody's.
    pub fn new(
        domains: impl IntoIterator<Item = String>,
        people: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let domains = domains.into_iter();
        Ours {
            domains: domains.map(|domain| (skeleton(&domain), domain)).collect(),
            people: people
                .into_iter()
                .map(|(name, address)| (name_key(&name), address))
                .filter(|(name, _)| name.contains(' '))
                .collect(),
        }
    }

    fn has(&self, domain: &str) -> bool {
        let domain = domain.to_lowercase();
        self.domains
            .iter()
            .any(|(_, ours)| domain == *ours || crate::dns::is_under(&domain, ours))
    }
}

/// `name`: of From, decoded; `domain`: of From, in Unicode; `vouched`: somebody stands behind it.
pub fn find(name: &str, domain: &str, vouched: bool, ours: &Ours) -> Option<Trick> {
    if ours.has(domain) {
        return (!vouched).then(|| Trick::OwnDomain(domain.to_lowercase()));
    }
    let shape = skeleton(domain);
    let alike = ours
        .domains
        .iter()
        .find(|(skeleton, _)| looks_like(&shape, skeleton));
    if let Some((_, domain)) = alike {
        return Some(Trick::Domain(domain.clone()));
    }
    if let Some(address) = ours.people.get(&name_key(name)) {
        return Some(Trick::Name(address.clone()));
    }
    let named = address_domain(name)?;
    let same = crate::dns::is_under(domain, &named) || crate::dns::is_under(&named, domain);
    (!same).then_some(Trick::NamedAddress(named))
}

/// The same to the eye; or the same but for the last label; or with one character more, less or
/// other in a name that is long enough for it to be overlooked.
fn looks_like(shape: &str, ours: &str) -> bool {
    const LONG: usize = 8;
    if shape == ours {
        return true;
    }
    let (Some((left, top)), Some((our_left, our_top))) =
        (shape.rsplit_once('.'), ours.rsplit_once('.'))
    else {
        return false;
    };
    if top != our_top {
        return left == our_left && left.chars().count() >= LONG;
    }
    our_left.chars().count() >= LONG && differ_by_one(left, our_left)
}

fn differ_by_one(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let before = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let rest = |list: &[char], skip: usize| list.get(before + skip..).map(<[char]>::to_vec);
    match left.len().cmp(&right.len()) {
        std::cmp::Ordering::Equal => {
            rest(&left, 1) == rest(&right, 1) || swapped(&left, &right, before)
        }
        std::cmp::Ordering::Less => {
            left.len() + 1 == right.len() && rest(&left, 0) == rest(&right, 1)
        }
        std::cmp::Ordering::Greater => {
            right.len() + 1 == left.len() && rest(&left, 1) == rest(&right, 0)
        }
    }
}

fn swapped(left: &[char], right: &[char], at: usize) -> bool {
    let two = |list: &[char]| Some((*list.get(at)?, *list.get(at + 1)?));
    let rest = |list: &[char]| list.get(at + 2..).map(<[char]>::to_vec);
    match (two(left), two(right)) {
        (Some((a, b)), Some((c, d))) => (a, b) == (d, c) && rest(left) == rest(right),
        _ => false,
    }
}

/// The words of a name in any order: "Doe, John" is John Doe.
fn name_key(name: &str) -> String {
    let shape = skeleton(name);
    let mut words: Vec<&str> = shape
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.sort_unstable();
    words.join(" ")
}

/// The domain of an address inside a name: `"boss@here.test" <x@there.test>`.
fn address_domain(name: &str) -> Option<String> {
    let (before, after) = name.rsplit_once('@')?;
    let local = before
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric());
    let end = after.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-'));
    let domain = after
        .get(..end.unwrap_or(after.len()))?
        .trim_matches('.')
        .to_lowercase();
    (local && domain.contains('.') && crate::dns::is_name(&domain)).then_some(domain)
}

fn skeleton(text: &str) -> String {
    let mut shape = String::new();
    for c in text
        .chars()
        .take(crate::limits::LOOKALIKE_CHARS_MAX)
        .flat_map(char::to_lowercase)
    {
        shape.push_str(&plain(c));
    }
    shape
        .replace("rn", "m")
        .replace("vv", "w")
        .replace("cl", "d")
}

/// The Latin letter that it looks like.
fn plain(c: char) -> String {
    const ALIKE: &[(&str, &str)] = &[
        ("a", "àáâãäåāăąаαạả"),
        ("b", "ьβƅ"),
        ("c", "çćčсϲ"),
        ("d", "ďđԁ"),
        ("e", "èéêëēĕėęěеєҽẹẻ"),
        ("g", "ğģɡ"),
        ("h", "һĥ"),
        ("i", "ìíîïīĭįıіι1l|ḷļľłﬂӏǀ"),
        ("j", "јʝ"),
        ("k", "кκķ"),
        ("m", "мṃ"),
        ("n", "ñńņňпηո"),
        ("o", "òóôõöøōŏőоοσ0օọ"),
        ("p", "рρ"),
        ("q", "ԛ"),
        ("r", "ŕřгɾ"),
        ("s", "śşšѕș5$"),
        ("t", "ţťтτț"),
        ("u", "ùúûüūŭůűųυս"),
        ("v", "νѵ"),
        ("w", "ŵѡԝω"),
        ("x", "хχ×"),
        ("y", "ýÿуγү"),
        ("z", "źżžᴢ"),
        ("ss", "ß"),
        ("ae", "æ"),
        ("oe", "œ"),
    ];
    let found = ALIKE.iter().find(|(_, others)| others.contains(c));
    found.map_or_else(|| c.to_string(), |(latin, _)| (*latin).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks() {
        let ours = Ours::new(
            ["dupont-mail.example".to_owned(), "été.fr".to_owned()],
            [
                (
                    "Marie Dupont".to_owned(),
                    "marie@dupont-mail.example".to_owned(),
                ),
                ("boss".to_owned(), "boss@dupont-mail.example".to_owned()),
            ],
        );
        let domain = || Some(Trick::Domain("dupont-mail.example".into()));
        let marie = || Some(Trick::Name("marie@dupont-mail.example".into()));
        for (name, from, expected) in [
            ("", "dupont-mai1.example", domain()),
            ("", "duporit-mail.example", None),
            ("", "dupont-maiI.example", domain()),
            ("", "dup\u{43e}nt-mail.example", domain()),
            ("", "duponnt-mail.example", domain()),
            ("", "dupnot-mail.example", domain()),
            ("", "dupont-mail.com", domain()),
            ("", "ete.fr", Some(Trick::Domain("été.fr".into()))),
            ("", "other.example", None),
            ("Marie Dupont", "gmail.test", marie()),
            ("DUPONT, Marie", "gmail.test", marie()),
            ("Mar\u{456}e Dup0nt", "gmail.test", marie()),
            ("Marie", "gmail.test", None),
            ("boss", "gmail.test", None),
            (
                "\"bank@bank.example\"",
                "gmail.test",
                Some(Trick::NamedAddress("bank.example".into())),
            ),
            ("me@gmail.test", "gmail.test", None),
            ("me@mail.gmail.test", "gmail.test", None),
            ("at @ five", "gmail.test", None),
        ] {
            assert_eq!(find(name, from, false, &ours), expected, "{name} {from}");
        }
        let own = Some(Trick::OwnDomain("dupont-mail.example".into()));
        assert_eq!(
            find("Marie Dupont", "dupont-mail.example", false, &ours),
            own
        );
        assert_eq!(
            find("Marie Dupont", "dupont-mail.example", true, &ours),
            None
        );
    }
}

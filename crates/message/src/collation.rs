//! The collation i;unicode-casemap, RFC 5051: what SEARCH, SORT and THREAD compare (RFC 5255
//! §4.3).
//!
//! Every character is mapped alone, so that the image of two texts put together is their images
//! put together: a text may come in pieces, and a substring of a text is a substring of its image.

use std::sync::OnceLock;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// Characters below this one are looked up: Latin, Greek, Cyrillic.
const TABLE_END: u32 = 0x530;

/// What two texts have alike when they are equal in this collation; compared byte by byte.
pub fn casemap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_casemap(text, &mut out);
    out
}

/// Appends the image of `text`.
pub fn push_casemap(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|byte| !byte.is_ascii());
        let (plain, other) = rest.split_at(ascii.unwrap_or(rest.len()));
        out.extend(plain.chars().map(|char| char.to_ascii_uppercase()));
        let mut chars = other.chars();
        if let Some(char) = chars.next() {
            push_other(char, out);
        }
        rest = chars.as_str();
    }
}

fn push_other(char: char, out: &mut String) {
    match char as u32 {
        code @ 0x80..TABLE_END => {
            let image = usize::try_from(code).ok().and_then(|at| table().get(at));
            out.push_str(image.map_or("", |image| image));
        }
        // Ideographs have neither case nor decomposition.
        0x3400..=0x4dbf | 0x4e00..=0x9fff => out.push(char),
        _ => out.push_str(&mapped(char)),
    }
}

fn table() -> &'static [Box<str>] {
    static TABLE: OnceLock<Vec<Box<str>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        (0..TABLE_END)
            .map(|code| char::from_u32(code).map(mapped).unwrap_or_default().into())
            .collect()
    })
}

/// RFC 5051 §2, step 2.
fn mapped(char: char) -> String {
    let mut buffer = [0; 4];
    let titled = titlecase(char).encode_utf8(&mut buffer);
    DecomposingNormalizerBorrowed::new_nfkd()
        .normalize(titled)
        .into_owned()
}

/// Simple_Titlecase_Mapping of UnicodeData.txt.
fn titlecase(char: char) -> char {
    match char {
        // Digraphs have a title case of their own.
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        // Georgian letters are not written with capitals.
        '\u{10d0}'..='\u{10ff}' => char,
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(char as u32 + 8).unwrap_or(char)
        }
        '\u{1fb3}' => '\u{1fbc}',
        '\u{1fc3}' => '\u{1fcc}',
        '\u{1ff3}' => '\u{1ffc}',
        _ => {
            // More than one character: that is a special casing, not a simple one.
            let mut upper = char.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(upper), None) => upper,
                _ => char,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        for (text, image) in [
            ("", ""),
            ("Hello, World 9", "HELLO, WORLD 9"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("CAFE\u{301}", "CAFE\u{301}"),
            // RFC 5051 §2, the example.
            ("\u{1c4}", "Dz\u{30c}"),
            ("\u{1c6}", "Dz\u{30c}"),
            ("stra\u{df}e", "STRA\u{df}E"),
            ("\u{3c2}\u{3c3}\u{3a3}", "\u{3a3}\u{3a3}\u{3a3}"),
            ("\u{fb01}", "fi"),
            ("\u{65e5}\u{672c}", "\u{65e5}\u{672c}"),
            ("\u{ac00}", "\u{1100}\u{1161}"),
            ("\u{1f80}", "\u{391}\u{313}\u{345}"),
        ] {
            assert_eq!(casemap(text), image, "{text}");
        }
    }

    #[test]
    fn the_whole_is_the_sum_of_its_pieces() {
        let text = "A\u{e9}\u{301}\u{1c6}x\u{ac00}";
        for (split, _) in text.char_indices() {
            let (left, right) = text.split_at(split);
            assert_eq!(casemap(left) + &casemap(right), casemap(text));
        }
    }
}

//! Texts of strangers: short, on one line, without what XML cannot carry.

use crate::limits::REPORT_TEXT_BYTES_MAX;

/// Trimmed, cut at a character's end, with spaces for control characters.
pub(super) fn clean(text: &str) -> String {
    let fits = |c: char| !matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut out = String::new();
    for c in text.trim().chars().filter(|c| fits(*c)) {
        let c = if c.is_control() { ' ' } else { c };
        if out.len() + c.len_utf8() > REPORT_TEXT_BYTES_MAX {
            break;
        }
        out.push(c);
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out
}

/// `None` when there is nothing in it.
pub(super) fn some(text: &str) -> Option<String> {
    Some(clean(text)).filter(|text| !text.is_empty())
}

/// A domain, as we compare them.
pub(super) fn domain(text: &str) -> String {
    let text = clean(text);
    text.trim_end_matches('.').to_ascii_lowercase()
}

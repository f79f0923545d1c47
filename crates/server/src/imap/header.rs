//! Header blocks as bytes: picking fields for HEADER.FIELDS (RFC 9051 §6.4.5.1) and reading them
//! for SEARCH.

/// One field with its folds and line end.
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    /// After the colon, folded, with the line end.
    pub(super) value: &'a [u8],
    pub(super) raw: &'a [u8],
}

/// The fields of a header block, up to its blank line. Lines that are no field are passed over.
pub(super) fn fields(block: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = block;
    std::iter::from_fn(move || {
        loop {
            let len = field_len(rest);
            let (raw, after) = rest.split_at_checked(len)?;
            if raw.is_empty() || matches!(raw, b"\r\n" | b"\n") {
                return None;
            }
            rest = after;
            let Some(colon) = raw.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = raw.split_at_checked(colon)?;
            let name = name.trim_ascii_end();
            if !name.is_empty() && name.iter().all(u8::is_ascii_graphic) {
                let value = value.get(1..).unwrap_or_default();
                return Some(Field { name, value, raw });
            }
        }
    })
}

/// Bytes of the first line and of those that continue it.
fn field_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let continues = len > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        if len > 0 && !continues {
            break;
        }
        len += line.len();
    }
    len
}

/// The wanted fields and a blank line.
pub(super) fn pick(block: &[u8], names: &[String], not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(block) {
        let named = names
            .iter()
            .any(|name| name.as_bytes().eq_ignore_ascii_case(field.name));
        if named != not {
            out.extend_from_slice(field.raw);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// A value without its folds, decoded (RFC 2047).
pub(super) fn text(value: &[u8]) -> String {
    let unfolded: Vec<u8> = value
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    facteur_message::encoded_word::decode(unfolded.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &[u8] =
        b"From: a@b\r\nSubject: one\r\n two\r\nno field\r\nX-A : 1\r\nSUBJECT: again\r\n\r\nBody: no\r\n";

    fn picked(names: &[&str], not: bool) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        String::from_utf8(pick(BLOCK, &names, not)).unwrap()
    }

    #[test]
    fn fields_come_with_their_folds_in_any_case() {
        assert_eq!(
            picked(&["subject"], false),
            "Subject: one\r\n two\r\nSUBJECT: again\r\n\r\n"
        );
        assert_eq!(picked(&["x-a"], false), "X-A : 1\r\n\r\n");
        assert_eq!(picked(&["x-b"], false), "\r\n");
    }

    #[test]
    fn the_others_are_what_is_left() {
        assert_eq!(picked(&["subject", "x-a"], true), "From: a@b\r\n\r\n");
    }

    #[test]
    fn values_are_unfolded_and_decoded() {
        assert_eq!(text(b" one\r\n two\r\n"), "one two");
        assert_eq!(text(b" =?utf-8?q?caf=C3=A9?=\r\n"), "caf\u{e9}");
    }
}

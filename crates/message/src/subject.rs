//! The base subject, RFC 5256 §2.1.

use crate::limits::SUBJECT_BYTES_MAX;

/// A subject without what replying and forwarding added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    pub text: String,
    /// Something of a reply or forward was removed.
    pub is_reply: bool,
}

/// `subject`: decoded (RFC 2047), see [`crate::encoded_word::decode`].
pub fn base(subject: &str) -> BaseSubject {
    // Step 1.
    let subject = subject
        .get(..subject.floor_char_boundary(SUBJECT_BYTES_MAX))
        .unwrap_or(subject);
    let text = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.as_str();
    let mut is_reply = false;
    loop {
        // Step 2.
        while let Some(shorter) = strip_suffix(rest, "(fwd)") {
            rest = shorter.trim_end();
            is_reply = true;
        }
        // Steps 3 to 5.
        loop {
            if let Some(shorter) = strip_leader(rest) {
                rest = shorter;
                is_reply = true;
            } else if let Some(shorter) = strip_blob(rest).filter(|rest| !rest.is_empty()) {
                rest = shorter;
            } else {
                break;
            }
        }
        // Step 6.
        match strip_prefix(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => {
                rest = inner.trim();
                is_reply = true;
            }
            None => break,
        }
    }
    BaseSubject {
        text: rest.to_owned(),
        is_reply,
    }
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    tail.eq_ignore_ascii_case(suffix).then_some(rest)
}

/// subj-blob = "[" *BLOBCHAR "]" *WSP
fn strip_blob(text: &str) -> Option<&str> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    (!inside.contains('[')).then(|| rest.trim_start())
}

/// subj-leader = (*subj-blob subj-refwd) / WSP
fn strip_leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(shorter) = strip_blob(rest) {
        rest = shorter;
    }
    let rest = ["fwd", "fw", "re"]
        .into_iter()
        .find_map(|word| strip_prefix(rest, word))?
        .trim_start();
    let rest = strip_blob(rest).unwrap_or(rest);
    Some(rest.strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn base_subjects() {
        for (subject, text, is_reply) in [
            ("", "", false),
            ("Hello", "Hello", false),
            ("Re: Hello", "Hello", true),
            ("RE:re :  Fwd: Hello  world", "Hello world", true),
            ("[list] Hello", "Hello", false),
            ("[list] Re: [other] Hello (fwd)", "Hello", true),
            ("Re[2]: Hello", "Hello", true),
            ("[only]", "[only]", false),
            ("[Fwd: Re: Hello]", "Hello", true),
            ("Re: [only]", "[only]", true),
            ("Rendez-vous", "Rendez-vous", false),
            ("Réf: été", "Réf: été", false),
            ("(fwd)", "", true),
        ] {
            let found = base(subject);
            assert_eq!(
                (found.text.as_str(), found.is_reply),
                (text, is_reply),
                "{subject}"
            );
        }
    }
}

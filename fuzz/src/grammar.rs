//! What output must look like, whatever came in.

/// IMAP responses, RFC 9051 §9: lines that end in CRLF, literals whose bytes are all there, and no
/// CR, LF or NUL anywhere else. Gives the number of lines.
///
/// # Panics
/// When it is something else.
pub fn imap_responses(mut output: &[u8]) -> usize {
    let mut lines = 0;
    while !output.is_empty() {
        let end = imap_line(output);
        let Some(rest) = output
            .get(end..)
            .and_then(|rest| rest.strip_prefix(b"\r\n"))
        else {
            panic!(
                "no CRLF after {:?}",
                output.get(..end).unwrap_or(output).escape_ascii()
            );
        };
        assert!(end > 0, "an empty line");
        lines += 1;
        output = rest;
    }
    lines
}

/// Length of the first line with its literals, without CRLF.
///
/// # Panics
/// When a CR, LF or NUL stands outside a literal, or a literal is cut.
pub fn imap_line(output: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = output.get(at..).unwrap_or_default();
        let Some(stop) = rest
            .iter()
            .position(|byte| matches!(byte, b'\r' | b'\n' | 0))
        else {
            return output.len();
        };
        let line = rest.get(..stop).unwrap_or_default();
        let after = rest.get(stop..).unwrap_or_default();
        assert!(
            after.starts_with(b"\r\n"),
            "bare byte in {:?}",
            output.escape_ascii()
        );
        match literal(line) {
            None => return at + stop,
            Some(size) => at += stop + 2 + size,
        }
        assert!(
            at <= output.len(),
            "a literal is cut: {:?}",
            output.escape_ascii()
        );
    }
}

/// The size that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line.strip_suffix(b"}")?)
        .ok()
        .or_else(|| {
            // Not text before it: only the digits matter.
            let line = line.strip_suffix(b"}")?;
            let start = line.iter().rposition(|byte| *byte == b'{')?;
            std::str::from_utf8(line.get(start..)?).ok()
        })?;
    let (_, digits) = line.rsplit_once('{')?;
    digits.parse().ok()
}

/// One parenthesised value (ENVELOPE, BODYSTRUCTURE): lists, NIL, numbers, strings, one space
/// between.
///
/// # Panics
/// When it is something else, or a quoted string has a byte that none may have.
pub fn imap_value(value: &[u8], utf8: bool) {
    let mut depth = 0usize;
    let mut at = 0;
    let byte = |at: usize| value.get(at).copied();
    while let Some(now) = byte(at) {
        at += 1;
        match now {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).expect("a parenthesis too many"),
            b' ' => assert!(
                !matches!(byte(at), None | Some(b' ' | b')')),
                "a space too many: {:?}",
                value.escape_ascii()
            ),
            b'"' => at = quoted(value, at, utf8),
            b'{' => {
                let rest = value.get(at..).unwrap_or_default();
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let size = String::from_utf8_lossy(rest.get(..digits).unwrap_or_default());
                let size: usize = size.parse().expect("a size");
                let start = at + digits + 3;
                assert_eq!(value.get(at + digits..start), Some(&b"}\r\n"[..]));
                let content = value.get(start..start + size).expect("a whole literal");
                assert!(!content.contains(&0), "NUL in a literal");
                at = start + size;
            }
            b'N' | b'I' | b'L' | b'0'..=b'9' => {}
            _ => panic!("byte {now:?} in {:?}", value.escape_ascii()),
        }
        assert!(
            depth > 0 || at == value.len(),
            "more than one value: {:?}",
            value.escape_ascii()
        );
    }
    assert_eq!(depth, 0, "{:?}", value.escape_ascii());
}

/// After the closing quote of the string whose content begins at `at`.
fn quoted(value: &[u8], mut at: usize, utf8: bool) -> usize {
    loop {
        let byte = value.get(at).expect("a closing quote");
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' => {
                assert!(matches!(value.get(at), Some(b'"' | b'\\')));
                at += 1;
            }
            b'\r' | b'\n' | 0 => panic!("a line end in {:?}", value.escape_ascii()),
            0x80.. => assert!(utf8, "8-bit text in {:?}", value.escape_ascii()),
            _ => {}
        }
    }
}

/// Lines of printable ASCII that end in CRLF.
///
/// # Panics
/// When it is something else.
pub fn ascii_lines(output: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(output).expect("ASCII");
    let lines: Vec<&str> = text
        .split_inclusive('\n')
        .map(|line| line.strip_suffix("\r\n").expect("CRLF"))
        .collect();
    for line in &lines {
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{line:?}"
        );
    }
    lines
}

/// SMTP replies, RFC 5321 §4.2: the code of a reply is the same in all of its lines. Gives the
/// codes.
///
/// # Panics
/// When it is something else.
pub fn smtp_replies(output: &[u8]) -> Vec<u16> {
    let mut codes = Vec::new();
    let mut open: Option<&str> = None;
    for line in ascii_lines(output) {
        let (code, rest) = line.split_at(3);
        assert!(
            open.is_none_or(|open| open == code),
            "two codes in one reply: {line:?}"
        );
        // RFC 4954 §4: a challenge may be longer.
        let long = code != "334" && line.len() > 510;
        assert!(!long, "RFC 5321 §4.5.3.1.5: {line:?}");
        match rest.as_bytes().first() {
            Some(b'-') => open = Some(code),
            Some(b' ') => {
                open = None;
                codes.push(code.parse().expect("a code"));
            }
            _ => panic!("{line:?}"),
        }
    }
    assert!(open.is_none(), "a reply without an end");
    codes
}

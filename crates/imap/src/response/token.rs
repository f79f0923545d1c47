//! The smallest printed things: numbers, sets, strings, names. No formatting machinery: these run
//! a hundred thousand times in one FETCH.

use crate::cursor::is_astring_char;
use crate::flag::{FlagList, SYSTEM_FLAGS};
use crate::set::Numbers;
use crate::utf7;

pub(crate) fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

pub(crate) fn number32(value: u32, out: &mut Vec<u8>) {
    number(u64::from(value), out);
}

/// `1:3,5`.
pub(crate) fn ranges(ranges: impl IntoIterator<Item = (u32, u32)>, out: &mut Vec<u8>) {
    let mut separator = false;
    for (first, last) in ranges {
        if separator {
            out.push(b',');
        }
        separator = true;
        number32(first, out);
        if last != first {
            out.push(b':');
            number32(last, out);
        }
    }
}

pub(crate) fn numbers(numbers: &Numbers, out: &mut Vec<u8>) {
    ranges(numbers.ranges().iter().copied(), out);
}

/// Numbers in the order given, runs of neighbours put together.
pub(crate) fn runs(numbers: impl IntoIterator<Item = u32>, out: &mut Vec<u8>) {
    let mut collected: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match collected.last_mut() {
            Some(run) if run.1.checked_add(1) == Some(number) => run.1 = number,
            _ => collected.push((number, number)),
        }
    }
    ranges(collected, out);
}

/// A quoted string; a literal where quotes can't hold it.
pub(crate) fn string(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        literal_header(text.len() as u64, false, out);
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// An atom where it can be one.
pub(crate) fn astring(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty()
        && text.iter().all(|byte| is_astring_char(*byte))
        && !text.eq_ignore_ascii_case(b"NIL")
    {
        out.extend_from_slice(text);
    } else {
        string(text, out);
    }
}

/// A mailbox name: UTF-8 under IMAP4rev2 and UTF8=ACCEPT, else modified UTF-7.
pub(crate) fn mailbox(name: &str, utf8: bool, out: &mut Vec<u8>) {
    if utf8 {
        string(name.as_bytes(), out);
    } else {
        let mut encoded = Vec::with_capacity(name.len());
        utf7::encode(name, &mut encoded);
        string(&encoded, out);
    }
}

/// `{n}` CRLF, `~{n}` CRLF.
pub(crate) fn literal_header(length: u64, literal8: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if literal8 { b"~{" } else { b"{" });
    number(length, out);
    out.extend_from_slice(b"}\r\n");
}

/// `(\Seen $Forwarded)`.
pub(crate) fn flags(flags: &FlagList<'_>, out: &mut Vec<u8>) {
    out.push(b'(');
    let mut separator = false;
    for (flag, name) in SYSTEM_FLAGS {
        if flags.system.contains(flag) {
            word(name, &mut separator, out);
        }
    }
    let mut bits = flags.keywords;
    while bits != 0 {
        let index = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        if let Some(name) = flags.names.get(index) {
            word(name, &mut separator, out);
        }
    }
    out.push(b')');
}

/// `name` with a space in front unless it is the first.
pub(crate) fn word(name: &str, separator: &mut bool, out: &mut Vec<u8>) {
    if *separator {
        out.push(b' ');
    }
    *separator = true;
    out.extend_from_slice(name.as_bytes());
}

/// `1.2.3`.
pub(crate) fn part(part: &[u32], out: &mut Vec<u8>) {
    let mut separator = false;
    for step in part {
        if separator {
            out.push(b'.');
        }
        separator = true;
        number32(*step, out);
    }
}

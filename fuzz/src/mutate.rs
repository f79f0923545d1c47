//! One input from others: flips, cuts, repetitions, splices, words of the grammar.

use crate::Random;

/// Bytes that decide something in at least one of the grammars.
const TELLING: &[u8] = b"\r\n\0 \t.,;:=?*%&+-_/@<>()[]{}\"\\~$'#!09AZaz\x7f\x80\xc3\xff\x1b\x01";

/// Numbers around which things break.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "10",
    "127",
    "255",
    "256",
    "1000",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999",
];

/// At most `bytes_max` bytes, from one of `seeds`.
pub(crate) fn mutate(
    random: &mut Random,
    seeds: &[Vec<u8>],
    words: &[&str],
    bytes_max: usize,
) -> Vec<u8> {
    let mut input = random.pick(seeds).cloned().unwrap_or_default();
    // Mostly few changes: an input that is all noise is refused at the door.
    let changes = match random.below(8) {
        0..5 => 1 + random.below(3),
        5..7 => 1 + random.below(10),
        _ => 1 + random.below(40),
    };
    for _ in 0..changes {
        change(random, seeds, words, &mut input);
        input.truncate(bytes_max);
    }
    input
}

fn change(random: &mut Random, seeds: &[Vec<u8>], words: &[&str], input: &mut Vec<u8>) {
    let len = input.len();
    match random.below(14) {
        0 => {
            let bit = 1 << random.below(8);
            set(random, input, |byte| byte ^ bit);
        }
        1 => {
            let byte = random.byte();
            set(random, input, |_| byte);
        }
        2 | 3 => {
            let byte = telling(random);
            set(random, input, |_| byte);
        }
        4 => insert(input, random.below(len + 1), &[telling(random)]),
        5 => drop(input.drain(random.range(len))),
        6 => {
            let part = input.get(random.range(len)).unwrap_or_default().to_vec();
            insert(input, random.below(len + 1), &part);
        }
        7 => {
            // Many times: depth, counts, long lines.
            let part = input.get(random.range(len)).unwrap_or_default().to_vec();
            let times = 1 + random.below(if part.len() <= 4 { 3_000 } else { 200 });
            insert(input, random.below(len + 1), &part.repeat(times));
        }
        8 => {
            let part = input.get(random.range(len)).unwrap_or_default().to_vec();
            let at = random.below(len + 1);
            let end = (at + part.len()).min(len);
            input.splice(at..end, part);
        }
        9 => {
            let other = random.pick(seeds).map(Vec::as_slice).unwrap_or_default();
            let part = other.get(random.range(other.len())).unwrap_or_default();
            insert(input, random.below(len + 1), part);
        }
        10 => splice_lines(random, seeds, input),
        11 => number(random, input),
        12 => input.truncate(random.below(len + 1)),
        _ => {
            if let Some(word) = random.pick(words) {
                insert(input, random.below(len + 1), word.as_bytes());
            }
        }
    }
}

fn telling(random: &mut Random) -> u8 {
    random.pick(TELLING).copied().unwrap_or(b' ')
}

fn set(random: &mut Random, input: &mut [u8], change: impl Fn(u8) -> u8) {
    let at = random.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte = change(*byte);
    }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    input.splice(at..at, part.iter().copied());
}

/// Whole lines of another seed, in place of or between lines of this one.
fn splice_lines(random: &mut Random, seeds: &[Vec<u8>], input: &mut Vec<u8>) {
    let Some(other) = random.pick(seeds) else {
        return;
    };
    let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
    let taken = lines.get(random.range(lines.len())).unwrap_or_default();
    let part = taken.concat();
    let mut ends: Vec<usize> = vec![0];
    ends.extend(
        (1..)
            .zip(input.iter())
            .filter(|(_, b)| **b == b'\n')
            .map(|(at, _)| at),
    );
    let first = random.below(ends.len());
    let last = first + random.below((ends.len() - first).min(4));
    if let (Some(start), Some(end)) = (ends.get(first), ends.get(last)) {
        input.splice(start..end, part);
    }
}

/// Another number where there is one.
fn number(random: &mut Random, input: &mut Vec<u8>) {
    let from = random.below(input.len() + 1);
    let rest = input.get(from..).unwrap_or_default();
    let Some(start) = rest.iter().position(u8::is_ascii_digit) else {
        return;
    };
    let rest = rest.get(start..).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = from + start;
    let number = random.pick(NUMBERS).copied().unwrap_or_default();
    input.splice(start..start + digits, number.bytes());
}

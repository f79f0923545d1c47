//! ENVELOPE and BODYSTRUCTURE of every sample equal the golden answers, or the difference is
//! argued in `golden-differences.toml`.
//!
//! Compared as values: whether a string is quoted or a literal is the server's choice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use facteur_imap::structure::{StringForm, StructurePrinter, envelope};
use facteur_message::{Facts, Scanner};

#[derive(Debug, PartialEq)]
enum Value {
    Nil,
    Atom(Vec<u8>),
    String(Vec<u8>),
    List(Vec<Value>),
}

/// One value at the start of `rest`.
fn value(rest: &mut &[u8]) -> Value {
    while rest[0] == b' ' {
        *rest = &rest[1..];
    }
    match rest[0] {
        b'(' => {
            *rest = &rest[1..];
            let mut list = Vec::new();
            loop {
                while rest[0] == b' ' {
                    *rest = &rest[1..];
                }
                if rest[0] == b')' {
                    *rest = &rest[1..];
                    return Value::List(list);
                }
                list.push(value(rest));
            }
        }
        b'"' => {
            let mut out = Vec::new();
            let mut at = 1;
            while rest[at] != b'"' {
                at += usize::from(rest[at] == b'\\');
                out.push(rest[at]);
                at += 1;
            }
            *rest = &rest[at + 1..];
            Value::String(out)
        }
        b'{' => {
            let end = rest.iter().position(|byte| *byte == b'}').unwrap();
            let length: usize = std::str::from_utf8(&rest[1..end]).unwrap().parse().unwrap();
            let start = end + 3;
            let out = rest[start..start + length].to_vec();
            *rest = &rest[start + length..];
            Value::String(out)
        }
        _ => {
            let end = rest
                .iter()
                .position(|byte| b" ()".contains(byte))
                .unwrap_or(rest.len());
            let word = rest[..end].to_vec();
            *rest = &rest[end..];
            if word == b"NIL" {
                Value::Nil
            } else {
                Value::Atom(word)
            }
        }
    }
}

/// Words whose case means nothing (RFC 2045 §5.1, §5.2, §6.1) in lower case: for the simplest
/// of messages the golden answers have them so, whatever was written.
fn lower_case(value: Value) -> Value {
    const WORDS: [&[u8]; 4] = [b"text", b"plain", b"us-ascii", b"7bit"];
    match value {
        Value::List(list) => Value::List(list.into_iter().map(lower_case).collect()),
        Value::String(text) if WORDS.contains(&text.to_ascii_lowercase().as_slice()) => {
            Value::String(text.to_ascii_lowercase())
        }
        other => other,
    }
}

/// As `golden/SOURCE` says: the mbox line dropped, line ends made CRLF.
fn normalised(sample: &[u8]) -> Vec<u8> {
    let mut rest = sample;
    if rest.starts_with(b"From ") {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        rest = &rest[end..];
    }
    let mut out = Vec::with_capacity(rest.len() + rest.len() / 40);
    for byte in rest {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// In pieces of ever changing sizes, small ones mostly.
fn scan(message: &[u8], seed: usize) -> Facts {
    let mut scanner = Scanner::new();
    let mut rest = message;
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    while !rest.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let wanted = match (state >> 33) % 4 {
            0 => 1,
            1 => (state >> 40) % 7 + 1,
            2 => (state >> 40) % 200 + 1,
            _ => (state >> 40) % 5_000 + 1,
        };
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        scanner.push(piece);
        rest = after;
    }
    scanner.finish()
}

fn data() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    assert!(
        path.join("golden/envelope-bodystructure.jsonl").exists(),
        "the samples are missing: {} must be the data folder that goes with the project",
        path.display()
    );
    path
}

/// `[[difference]]` tables of three strings each; the file has no other TOML.
fn differences() -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for table in include_str!("golden-differences.toml")
        .split("[[difference]]")
        .skip(1)
    {
        let field = |name: &str| {
            let prefix = format!("{name} = \"");
            let line = table.lines().find_map(|line| line.strip_prefix(&prefix));
            let text = line.and_then(|line| line.strip_suffix('"'));
            text.unwrap_or_else(|| panic!("no {name} in {table}"))
                .to_owned()
        };
        found.insert((field("path"), field("section")), field("reason"));
    }
    found
}

#[test]
fn equals_the_golden_answers() {
    let data = data();
    let golden = std::fs::read_to_string(data.join("golden/envelope-bodystructure.jsonl")).unwrap();
    let mut argued = differences();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (seed, line) in golden.lines().enumerate() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let path = entry["path"].as_str().unwrap();
        let message = normalised(&std::fs::read(data.join(path)).unwrap());
        assert_eq!(
            message.len() as u64,
            entry["size"].as_u64().unwrap(),
            "size of {path}"
        );

        // One character of the answer is one byte.
        let answer: Vec<u8> = entry["fetch"]
            .as_str()
            .unwrap()
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap())
            .collect();
        let Value::List(answer) = lower_case(value(&mut answer.as_slice())) else {
            panic!("{path}: no list");
        };
        let facts = scan(&message, seed);
        let mut sections = [("ENVELOPE", Vec::new()), ("BODYSTRUCTURE", Vec::new())];
        envelope(&mut sections[0].1, &facts.envelope, StringForm::Ascii);
        StructurePrinter::new(StringForm::Ascii)
            .body_structure(&mut sections[1].1, &facts.encode())
            .unwrap();
        for (name, ours) in sections {
            let theirs = answer
                .iter()
                .position(|v| *v == Value::Atom(name.into()))
                .unwrap()
                + 1;
            let equal = lower_case(value(&mut ours.as_slice())) == answer[theirs];
            let is_argued = argued.remove(&(path.to_owned(), name.to_owned())).is_some();
            if equal == is_argued {
                wrong.push(format!(
                    "{path} {name} {}\n  ours   {}\n  theirs {:?}",
                    if equal {
                        "is equal, but listed as different"
                    } else {
                        "differs"
                    },
                    String::from_utf8_lossy(&ours),
                    entry["fetch"].as_str().unwrap()
                ));
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 883);
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(argued.is_empty(), "listed, but no sample: {argued:?}");
}

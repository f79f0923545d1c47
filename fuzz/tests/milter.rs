//! Milters: whatever one says, the session answers or ends, and holds no more than its limits.

use facteur_fuzz::{Fuzz, pieces};
use facteur_milter::limits::{CHANGES_BYTES_MAX, CHANGES_MAX};
use facteur_milter::{Answer, Broken, Change, Command, Session};

const SEEDS: &[&[u8]] = &[
    b"\0\0\0\x0dO\0\0\0\x06\0\0\0\x01\0\0\0\0\0\0\0\x01c\0\0\0\x01c\0\0\0\x01a",
    b"\0\0\0\x0dO\0\0\0\x02\0\0\0\x3f\0\0\0\x7f\0\0\0\x09y550 no\0\0\0\0\0\x01t",
    b"\0\0\0\x0dO\0\0\0\x06\0\0\0\x01\0\0\x04\0\0\0\0\x07hX-A\0b\0\0\0\0\x06qwhy\0\0\0\0\0\x01p\0\0\0\x01r",
];

const WORDS: &[&str] = &[
    "\0\0\0\x01",
    "\0\0\0\x07hX-A\0b\0",
    "\0\0\0\x0bi\0\0\0\x01X-B\0b\0",
    "\0\0\0\x06qwhy\0",
    "c",
    "a",
    "r",
    "t",
    "d",
    "s",
    "p",
    "y",
    "b",
    "+",
    "-",
    "e",
    "m",
    "O",
];

/// Asks for the end again and again, so that every answer is one.
fn hear(pieces: &[&[u8]]) -> (Vec<Answer>, Vec<Change>, Option<Broken>) {
    let mut session = Session::new();
    let mut answers = Vec::new();
    for piece in pieces {
        session.feed(piece);
        loop {
            match session.answer() {
                Ok(Some(answer)) => {
                    answers.push(answer);
                    session.say(&Command::EndOfMessage, &[("i", "1")]);
                    session.take_output();
                }
                Ok(None) => break,
                Err(broken) => return (answers, session.take_changes(), Some(broken)),
            }
        }
    }
    (answers, session.take_changes(), None)
}

#[test]
fn session() {
    Fuzz::new("milter")
        .seeds(SEEDS.iter().map(|seed| seed.to_vec()))
        .words(WORDS)
        .run(|input, signature| {
            let heard = hear(&[input]);
            assert_eq!(heard, hear(&pieces(input)));
            let (answers, changes, broken) = heard;
            assert!(changes.len() <= CHANGES_MAX);
            let bytes: usize = changes.iter().map(|change| check(change)).sum();
            assert!(bytes <= 2 * CHANGES_BYTES_MAX);
            for answer in &answers {
                signature.add(std::mem::discriminant(answer));
            }
            signature.add_shape(&broken);
            signature.add_size(changes.len());
        });
}

/// What goes into a header begins no other field.
fn check(change: &Change) -> usize {
    let (name, value) = match change {
        Change::Add { name, value } | Change::Insert { name, value, .. } => (name, value),
        Change::Quarantine(reason) => {
            assert!(!reason.contains(['\r', '\n']));
            return reason.len();
        }
    };
    assert!(!name.is_empty() && !name.contains([':', ' ', '\r', '\n']));
    for line in value.split("\r\n").skip(1) {
        assert!(line.starts_with([' ', '\t']));
    }
    assert!(!value.replace("\r\n", "").contains(['\r', '\n']));
    name.len() + value.len()
}

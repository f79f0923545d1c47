//! The session against bytes as libmilter would send them.

use proptest::prelude::*;

use crate::command::{Command, Family, OFFERED_STEPS, ROWS, SKIP};
use crate::limits::{CHANGES_BYTES_MAX, CHANGES_MAX};
use crate::packet;
use crate::session::{Asked, Broken, Session};
use crate::{Answer, Change};

fn packet(letter: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    packet::write(&mut out, letter, &[bytes]);
    out
}

fn agreement(version: u32, steps: u32) -> Vec<u8> {
    let words = [version, 0x3f, steps].map(u32::to_be_bytes);
    packet(b'O', words.as_flattened())
}

/// Past the negotiation.
fn agreed(steps: u32) -> Session {
    let mut session = Session::new();
    session.take_output();
    session.feed(&agreement(6, steps));
    assert_eq!(session.answer(), Ok(Some(Answer::Continue)));
    session
}

#[test]
fn it_offers_what_it_can() {
    let mut session = Session::new();
    let offered = session.take_output();
    assert_eq!(offered[..9], [0, 0, 0, 13, b'O', 0, 0, 0, 6]);
    assert_eq!(offered[9..13], [0, 0, 0, 0x21], "no other body");
    for (version, steps, expected) in [
        (6, 0, Ok(Some(Answer::Continue))),
        (2, 0x7f, Ok(Some(Answer::Continue))),
        (1, 0, Err(Broken::Version(1))),
        (7, 0, Err(Broken::Version(7))),
        // Leading spaces of values, rejected recipients, packets of a megabyte.
        (6, 0x10_0000, Err(Broken::Steps(0x10_0000))),
        (6, 0x800 | 1, Err(Broken::Steps(0x800))),
        (6, 0x2000_0000, Err(Broken::Steps(0x2000_0000))),
    ] {
        let mut session = Session::new();
        session.feed(&agreement(version, steps));
        assert_eq!(session.answer(), expected, "{version} {steps:#x}");
    }
}

#[test]
fn an_old_one_is_not_told_of_data() {
    for (version, expected) in [(2, Asked::Nothing), (3, Asked::Nothing), (4, Asked::Answer)] {
        let mut session = Session::new();
        session.feed(&agreement(version, 0));
        assert_eq!(session.answer(), Ok(Some(Answer::Continue)));
        assert_eq!(session.say(&Command::Data, &[]), expected, "{version}");
    }
}

#[test]
fn every_step_may_be_unwanted() {
    let bits = ROWS.iter().map(|row| row.unwanted | row.unanswered);
    let unknown = 0x100 | 0x2_0000;
    assert_eq!(
        bits.fold(unknown | SKIP, |all, bits| all | bits),
        OFFERED_STEPS
    );
}

#[test]
fn what_a_milter_reads() {
    let mut session = agreed(0);
    let address = "192.0.2.1".parse().unwrap();
    let from = Family::Tcp(address, 258);
    for (command, expected) in [
        (
            Command::Connect {
                name: "[192.0.2.1]",
                from,
            },
            packet(b'C', b"[192.0.2.1]\x004\x01\x02192.0.2.1\0"),
        ),
        (
            Command::Connect {
                name: "x",
                from: Family::Unknown,
            },
            packet(b'C', b"x\0U"),
        ),
        (Command::Hello("h\0i"), packet(b'H', b"hi\0")),
        (
            Command::Mail {
                path: "<a@b.test>",
                arguments: &["SIZE=7"],
            },
            packet(b'M', b"<a@b.test>\0SIZE=7\0"),
        ),
        (
            Command::Recipient {
                path: "<c@d.test>",
                arguments: &[],
            },
            packet(b'R', b"<c@d.test>\0"),
        ),
        (Command::Data, packet(b'T', b"")),
        (
            Command::Header {
                name: "Subject",
                value: b" one\r\n two",
            },
            packet(b'L', b"Subject\0one\n two\0"),
        ),
        (Command::EndOfHeader, packet(b'N', b"")),
        (Command::Body(b"x\r\n"), packet(b'B', b"x\r\n")),
        (Command::EndOfMessage, packet(b'E', b"")),
    ] {
        assert_eq!(session.say(&command, &[]), Asked::Answer);
        assert_eq!(session.take_output(), expected, "{command:?}");
        session.feed(&packet(b'c', b""));
        assert_eq!(session.answer(), Ok(Some(Answer::Continue)));
    }
    session.say(&Command::Data, &[("i", "1-2"), ("{x}", "y")]);
    let expected = [packet(b'D', b"Ti\x001-2\0{x}\0y\0"), packet(b'T', b"")];
    assert_eq!(session.take_output(), expected.concat());
}

#[test]
fn steps_that_are_not_wanted_are_not_said() {
    let mut session = agreed(0x02 | 0x80 | SKIP);
    assert_eq!(
        session.say(&Command::Hello("x"), &[("a", "b")]),
        Asked::Nothing
    );
    assert_eq!(session.take_output(), b"");
    let header = Command::Header {
        name: "A",
        value: b"b",
    };
    assert_eq!(session.say(&header, &[]), Asked::Nothing);
    assert!(!session.take_output().is_empty(), "said and not answered");
    assert_eq!(session.say(&Command::Body(b"x"), &[]), Asked::Answer);
    session.feed(&packet(b's', b""));
    assert_eq!(session.answer(), Ok(Some(Answer::Skip)));
    session.take_output();
    assert_eq!(session.say(&Command::Body(b"x"), &[]), Asked::Nothing);
    assert_eq!(session.take_output(), b"");
    session.abort();
    assert_eq!(session.say(&Command::Body(b"x"), &[]), Asked::Answer);
}

#[test]
fn answers() {
    let reply = |permanent, text: &str| Answer::Reply {
        permanent,
        text: text.to_owned(),
    };
    for (letter, bytes, expected) in [
        (b'c', &b""[..], Ok(Answer::Continue)),
        (b'a', b"", Ok(Answer::Accept)),
        (b'r', b"", Ok(Answer::Reject)),
        (b't', b"", Ok(Answer::TempFail)),
        (b'd', b"", Ok(Answer::Discard)),
        (b'p', b"", Ok(Answer::Progress)),
        (
            b'y',
            b"550 5.7.1 a\x07virus\0",
            Ok(reply(true, "550 5.7.1 a virus")),
        ),
        (b'y', b"451 later\0", Ok(reply(false, "451 later"))),
        (b'y', b"250 fine\0", Err(Broken::Malformed)),
        (b'y', b"550 no end", Err(Broken::Malformed)),
        (b'y', b"\0", Err(Broken::Malformed)),
        (b's', b"", Err(Broken::Unexpected)),
        // Another body, other recipients, another sender.
        (b'b', b"x", Err(Broken::Letter(b'b'))),
        (b'+', b"x\0", Err(Broken::Letter(b'+'))),
        (b'-', b"x\0", Err(Broken::Letter(b'-'))),
        (b'e', b"x\0", Err(Broken::Letter(b'e'))),
        (b'm', b"\0\0\0\x01X\0y\0", Err(Broken::Letter(b'm'))),
        (b'4', b"", Err(Broken::Leaves)),
        (b'f', b"", Err(Broken::Leaves)),
        (b'O', b"", Err(Broken::Malformed)),
    ] {
        let mut session = agreed(0);
        session.say(&Command::EndOfMessage, &[]);
        session.feed(&packet(letter, bytes));
        let expected = expected.map(Some);
        assert_eq!(session.answer(), expected, "{}", char::from(letter));
    }
}

#[test]
fn changes_come_at_the_end_only() {
    let mut session = agreed(0);
    session.say(&Command::EndOfMessage, &[]);
    session.feed(&packet(b'h', b"X-A\0one\r\ntwo\n\n three\0"));
    session.feed(&packet(b'i', b"\0\0\0\x01X-B\0b\0"));
    session.feed(&packet(b'q', b"why\0"));
    session.feed(&packet(b'a', b""));
    assert_eq!(session.answer(), Ok(Some(Answer::Accept)));
    let expected = vec![
        Change::Add {
            name: "X-A".into(),
            value: "one\r\n\ttwo\r\n three".into(),
        },
        Change::Insert {
            index: 1,
            name: "X-B".into(),
            value: "b".into(),
        },
        Change::Quarantine("why".into()),
    ];
    assert_eq!(session.take_changes(), expected);
    session.feed(&packet(b'c', b""));
    assert_eq!(session.answer(), Err(Broken::Unexpected), "nobody asked");
    let mut session = agreed(0);
    session.say(&Command::Data, &[]);
    session.feed(&packet(b'h', b"X-A\0b\0"));
    assert_eq!(session.answer(), Err(Broken::Unexpected));
    for name in [&b"X A\0b\0"[..], b"X:\0b\0", b"\0b\0", b"X\0", b"X"] {
        let mut session = agreed(0);
        session.say(&Command::EndOfMessage, &[]);
        session.feed(&packet(b'h', name));
        assert_eq!(session.answer(), Err(Broken::Malformed), "{name:?}");
    }
}

#[test]
fn what_comes_is_bounded() {
    for length in [0u32, 128 * 1024 + 1, u32::MAX] {
        let mut session = agreed(0);
        session.feed(&length.to_be_bytes());
        assert_eq!(session.answer(), Err(Broken::Length));
    }
    let mut session = agreed(0);
    session.say(&Command::EndOfMessage, &[]);
    for _ in 0..=CHANGES_MAX {
        session.feed(&packet(b'h', b"X\0y\0"));
    }
    assert_eq!(session.answer(), Err(Broken::TooManyChanges));
    let mut session = agreed(0);
    session.say(&Command::EndOfMessage, &[]);
    let long = [b"X\0".as_slice(), &vec![b'y'; CHANGES_BYTES_MAX], b"\0"].concat();
    session.feed(&packet(b'h', &long));
    assert_eq!(session.answer(), Err(Broken::TooManyChanges));
}

proptest! {
    /// Any split of the bytes gives the same answers.
    #[test]
    fn chunking(cuts in prop::collection::vec(1usize..9, 1..40)) {
        let stream = [
            agreement(6, 0x80),
            packet(b'h', b"X-A\0one\0"),
            packet(b'q', b"why\0"),
            packet(b'y', b"550 no\0"),
        ].concat();
        let answers = |pieces: Vec<&[u8]>| {
            let mut session = Session::new();
            let mut answers = Vec::new();
            for piece in pieces {
                session.feed(piece);
                while let Some(answer) = session.answer().unwrap() {
                    answers.push(answer);
                    session.say(&Command::EndOfMessage, &[]);
                }
            }
            (answers, session.take_changes())
        };
        let mut pieces = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        prop_assert_eq!(answers(pieces), answers(vec![&stream]));
    }
}

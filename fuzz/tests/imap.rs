//! IMAP: the grammar of commands, the whole session, names, and the view.

use std::sync::Arc;

use facteur_fuzz::{Fuzz, Random, Signature, grammar, pieces, seeds};
use facteur_imap::acl::Rights;
use facteur_imap::command::{self, Fetch, FetchAttribute, Numbering};
use facteur_imap::flag::{FlagList, SystemFlags};
use facteur_imap::response::{
    Code, Data, FetchItem, FlagsChanged, Found, ListData, Permanent, Piece, SearchData, SelectData,
    StatusData, StatusValue, Stored,
};
use facteur_imap::session::CloseReason;
use facteur_imap::set::{Numbers, SequenceSet, SetNumber};
use facteur_imap::view::{ExpungeForm, Expunges, News, View};
use facteur_imap::{Config, Outcome, Output, Reply, Request, Session, Step, Untagged};
use facteur_imap::{limits, text, utf7};

const WORDS: &[&str] = &[
    "\r\n",
    "{3}\r\n",
    "{3+}\r\n",
    "~{3}\r\n",
    "{0}\r\n",
    "{1000+}\r\n",
    "{4294967296}\r\n",
    "{18446744073709551615+}\r\n",
    "a LOGIN alice pw\r\n",
    "s SELECT INBOX\r\n",
    "a UIDBATCHES 500 1:2\r\n",
    "RETURN (RELEVANCY ALL) FUZZY TEXT ",
    "(RELEVANCY) UTF-8 FUZZY ",
    "UIDAFTER 1",
    "a CAPABILITY\r\n",
    "a AUTHENTICATE PLAIN\r\n",
    "a AUTHENTICATE PLAIN AGFsaWNlAHB3\r\n",
    "*\r\n",
    "DONE\r\n",
    "a IDLE\r\n",
    "a ENABLE CONDSTORE QRESYNC IMAP4rev2\r\n",
    "a FETCH 1:* (FLAGS UID)\r\n",
    " BODY.PEEK[1.2.MIME]<0.10>",
    " BODY[HEADER.FIELDS (To \"Subject\")]",
    " BINARY[1]<1.2>",
    " BINARY.SIZE[]",
    "a UID STORE 1:3,5 ",
    "+FLAGS.SILENT (\\Seen $Work)",
    " (UNCHANGEDSINCE 5)",
    "a SEARCH RETURN (SAVE COUNT) CHARSET UTF-8 OR ",
    "NOT ",
    "OR ",
    "(",
    ")",
    "((((((",
    "SINCE 1-Feb-1994 ",
    "HEADER x \"\" ",
    "LARGER 5 ",
    "MODSEQ 5 ",
    "$",
    "a APPEND x (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {5+}\r\nhello\r\n",
    "a LIST (SUBSCRIBED) \"\" (\"*\" %)",
    " RETURN (STATUS (MESSAGES))",
    "a STATUS x (MESSAGES SIZE)\r\n",
    "a MOVE 1 x\r\n",
    "a COPY * \"&AOk-\"\r\n",
    "a CLOSE\r\n",
    "a UNSELECT\r\n",
    "a EXPUNGE\r\n",
    "a UID EXPUNGE 1\r\n",
    "a NOOP\r\n",
    "a LOGOUT\r\n",
    "a STARTTLS\r\n",
    "a SELECT x (QRESYNC (1 2 1:5 (1,2 3,4)))\r\n",
    "a ID (\"name\" \"x\")\r\n",
    "a ID NIL\r\n",
    "1:4294967295",
    "*:1",
    ",",
    "\\*",
    "\"",
    "\\",
    "&AOk-",
    "\u{e9}",
];

#[derive(Default)]
struct Heard {
    wire: Vec<u8>,
    requests: Vec<String>,
    /// Of the messages that came whole; what is taken of others depends on how they come.
    bodies: Vec<Vec<u8>>,
    stopped: bool,
    tls: bool,
    compressed: bool,
}

fn config() -> Config {
    Config {
        plaintext_login: false,
        mechanisms_plain: vec!["SCRAM-SHA-256".into()],
        mechanisms_tls: vec!["SCRAM-SHA-256".into(), "PLAIN".into(), "LOGIN".into()],
        starttls: true,
        message_bytes_max: 300,
        before_login: limits::BEFORE_LOGIN,
        after_login: limits::Limits {
            // So that inputs of this size get there.
            line_bytes_max: 2_048,
            literal_bytes_max: 1_024,
            command_bytes_max: 4_096,
            ..limits::AFTER_LOGIN
        },
    }
}

/// A handler with little behind it, but an answer of every shape.
fn answer(session: &mut Session, request: &Request) -> Outcome {
    let done = Reply::ok(text::NOOP_DONE);
    match request {
        Request::Login(login) if login.password == b"wrong" => Reply::no(text::LOGIN_FAILED).into(),
        Request::Auth(auth) if auth.initial.is_none() => Outcome::Challenge(b"who?".to_vec()),
        Request::AuthResponse(response) if response.is_empty() => Outcome::Challenge(Vec::new()),
        Request::Select(select) => {
            let select = SelectData {
                mailbox: select.mailbox.as_str(),
                special_use: &[],
                exists: 3,
                first_unseen: Some(2),
                keywords: &["$Work".to_owned()],
                uid_validity: 7,
                uid_next: 10,
                highest_modseq: 99,
                permanent: match select.read_only {
                    true => Permanent::NONE,
                    false => Permanent::ALL,
                },
                mailbox_id: "F1-1",
            };
            session.respond(&Untagged::Selected(&select));
            done.into()
        }
        Request::Delete(name) | Request::GetQuotaRoot(name) => {
            session.respond(&Untagged::QuotaRoot {
                mailbox: name.as_str(),
                roots: &[""],
            });
            session.unselected();
            Reply::no(text::NO_SUCH_MAILBOX)
                .with(Code::NonExistent)
                .into()
        }
        Request::GetAcl(name) | Request::MyRights(name) => {
            let mailbox = name.as_str();
            let rights = Rights(0x7ff);
            session.respond(&Untagged::MyRights { mailbox, rights });
            session.respond(&Untagged::Acl {
                mailbox,
                entries: &[
                    ("anyone".to_owned(), rights),
                    ("\u{e9}".to_owned(), Rights(0)),
                ],
            });
            done.into()
        }
        Request::ListRights(request) | Request::DeleteAcl(request) => {
            session.respond(&Untagged::ListRights {
                mailbox: request.mailbox.as_str(),
                identifier: &request.identifier,
                required: Rights(0),
                optional: Rights(0x7ff),
            });
            done.into()
        }
        Request::Namespace => {
            session.respond(&Untagged::Namespace {
                others: "Users/",
                shared: "Shared/",
            });
            done.into()
        }
        Request::Create(create) => {
            let name = create.mailbox.as_str();
            session.respond(&Untagged::List(&ListData {
                name,
                ..ListData::default()
            }));
            done.into()
        }
        Request::Rename(rename) => {
            let (name, old) = (rename.to.as_str(), rename.from.as_str());
            let data = ListData {
                name,
                old_name: Some(old),
                ..ListData::default()
            };
            session.respond(&Untagged::List(&data));
            done.into()
        }
        Request::List(list) => {
            for name in ["INBOX", "A/\u{e9}", "&\"\\\u{1f600}"] {
                if list.patterns.iter().any(|pattern| pattern.matches(name)) {
                    session.respond(&Untagged::List(&ListData {
                        name,
                        ..ListData::default()
                    }));
                }
            }
            done.into()
        }
        Request::Lsub(lsub) => {
            let name = "A/\u{e9}";
            if lsub.pattern.matches(name) || lsub.pattern.may_match_below(name) {
                session.respond(&Untagged::Lsub(&ListData {
                    name,
                    ..ListData::default()
                }));
            }
            done.into()
        }
        Request::Status(status) => {
            let values = [
                StatusValue::Messages(1),
                StatusValue::Size(5),
                StatusValue::AppendLimit(None),
            ];
            let mailbox = status.mailbox.as_str();
            session.respond(&Untagged::Status(&StatusData {
                mailbox,
                values: &values,
            }));
            done.into()
        }
        Request::AppendBegin(append) if append.mailbox.as_str() == "Nowhere" => {
            Reply::no(text::NO_SUCH_MAILBOX_TRY_CREATE)
                .with(Code::TryCreate)
                .into()
        }
        Request::AppendBegin(_) | Request::AppendUrl(_) => Outcome::AppendAccept,
        Request::AppendAbort => Outcome::AppendAborted,
        Request::Idle => Outcome::Idling,
        Request::IdleDone => {
            let uids: Numbers = [1, 2, 3, 9].into_iter().collect();
            session.respond(&Untagged::Vanished {
                earlier: false,
                uids: &uids,
            });
            done.into()
        }
        Request::Search(search) => {
            let matches: Numbers = [2, 3, 5].into_iter().collect();
            let modseq = search.return_.is_some().then_some(17);
            session.respond(&Untagged::Search(&SearchData {
                relevancy: &[],
                matches: Found::Ascending(&matches),
                modseq,
                mailbox: None,
            }));
            done.into()
        }
        Request::Fetch(fetch) => {
            respond_fetch(session, fetch);
            done.into()
        }
        Request::Store(store) => {
            let flags = FlagList {
                system: store.flags.system,
                keywords: 1,
                names: store.flags.keywords.get(..1).unwrap_or(&[]),
            };
            let silent = store.silent;
            let changed = FlagsChanged {
                sequence: 1,
                uid: 5,
                modseq: 9,
                flags,
                silent,
            };
            session.respond(&Untagged::FlagsChanged(changed));
            done.into()
        }
        Request::Copy(_) | Request::Move(_) => {
            let uids = vec![(1, 4), (2, 5), (9, 6)];
            done.with(Code::CopyUid {
                uid_validity: 3,
                uids,
            })
            .into()
        }
        Request::Expunge { .. } => {
            session.respond(&Untagged::Expunge(1));
            done.into()
        }
        _ => done.into(),
    }
}

/// One message of 12 bytes.
fn respond_fetch(session: &mut Session, fetch: &Fetch) {
    const MESSAGE: &[u8] = b"A: b\r\n\r\ntext";
    let names = ["$Work".to_owned()];
    let flags = FlagList {
        system: SystemFlags::SEEN,
        keywords: 1,
        names: &names,
    };
    let size = MESSAGE.len() as u64;
    let stored = |range| {
        [
            Piece::Bytes(b""),
            Piece::Stored(Stored { handle: 1, range }),
        ]
    };
    let partial = |attribute: &FetchAttribute| match attribute {
        FetchAttribute::Section {
            partial: Some(partial),
            ..
        }
        | FetchAttribute::Binary {
            partial: Some(partial),
            ..
        } => partial.range(size),
        _ => 0..size,
    };
    let data: Vec<_> = fetch
        .items
        .iter()
        .map(|item| stored(partial(item)))
        .collect();
    let items: Vec<FetchItem<'_>> = fetch
        .items
        .iter()
        .zip(&data)
        .map(|(item, data)| match item {
            FetchAttribute::Uid => FetchItem::Uid(5),
            FetchAttribute::Flags => FetchItem::Flags(flags),
            FetchAttribute::InternalDate => FetchItem::InternalDate(-1),
            FetchAttribute::Rfc822Size => FetchItem::Rfc822Size(size),
            FetchAttribute::Envelope => FetchItem::Envelope(b"(NIL)"),
            FetchAttribute::Body => FetchItem::Body(b"(NIL)"),
            FetchAttribute::BodyStructure => FetchItem::BodyStructure(b"(NIL)"),
            FetchAttribute::ModSeq => FetchItem::ModSeq(7),
            FetchAttribute::Rfc822 => FetchItem::Rfc822(Data::Pieces(data)),
            FetchAttribute::Rfc822Header => FetchItem::Rfc822Header(Data::Nil),
            FetchAttribute::Rfc822Text => FetchItem::Rfc822Text(Data::Pieces(&[])),
            FetchAttribute::Section {
                section, partial, ..
            } => FetchItem::Section {
                section,
                offset: partial.map(|partial| partial.offset),
                data: Data::Pieces(data),
            },
            FetchAttribute::Binary { part, partial, .. } => FetchItem::Binary {
                part,
                offset: partial.map(|partial| partial.offset),
                data: Data::Pieces(data),
                nul: part.len().is_multiple_of(2),
            },
            FetchAttribute::BinarySize { part } => FetchItem::BinarySize { part, size },
            FetchAttribute::SaveDate => FetchItem::SaveDate(-1),
            FetchAttribute::EmailId => FetchItem::EmailId("M1"),
            FetchAttribute::ThreadId => FetchItem::ThreadId("T1"),
            FetchAttribute::Preview => FetchItem::Preview(b"\"\""),
        })
        .collect();
    let mut fetched = session.fetched(0);
    let mut message = fetched.message(1, 5, items.len());
    for item in &items {
        message.item(item);
    }
    message.end();
    session.say_fetched(fetched, 0);
}

impl Heard {
    fn collect(&mut self, session: &mut Session) {
        // What one request makes us say, whatever it was.
        assert!(
            session.output_bytes() <= 64 * 1024,
            "{} bytes wait",
            session.output_bytes()
        );
        for output in session.take_output() {
            match output {
                Output::Bytes(bytes) => self.wire.extend(bytes),
                Output::Stored(stored) => {
                    let len = stored.range.end - stored.range.start;
                    self.wire
                        .extend(vec![b'x'; usize::try_from(len).expect("a size")]);
                }
            }
        }
    }
}

fn serve(tls: bool, pieces: &[&[u8]]) -> Heard {
    let mut session = Session::new(Arc::new(config()), tls);
    let mut heard = Heard::default();
    let total: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut steps = 0;
    let mut body = Vec::new();
    heard.collect(&mut session);
    for piece in pieces {
        session.feed(piece);
        while !heard.stopped {
            steps += 1;
            assert!(
                steps <= 1_000 + 8 * (total + pieces.len()),
                "it makes no progress"
            );
            match session.step() {
                Step::Read => break,
                Step::Run(request) => {
                    heard.requests.push(format!("{request:?}"));
                    match request {
                        Request::AppendEnd => heard.bodies.push(std::mem::take(&mut body)),
                        Request::AppendAbort => body.clear(),
                        _ => {}
                    }
                    let outcome = answer(&mut session, &request);
                    session.finish(outcome);
                }
                Step::Body(range) => {
                    assert!(!range.is_empty());
                    body.extend_from_slice(&session.input()[range]);
                }
                Step::Compress => heard.compressed = true,
                Step::StartTls => {
                    heard.collect(&mut session);
                    heard.tls = true;
                    session.tls_started();
                }
                Step::Close => heard.stopped = true,
            }
            heard.collect(&mut session);
        }
        if heard.stopped {
            break;
        }
        assert!(
            session.input().len() <= 16 * 1024 + piece.len(),
            "the buffer grows"
        );
    }
    heard.collect(&mut session);
    heard.tls |= session.close_reason() == Some(CloseReason::BytesAfterStartTls);
    assert_ne!(
        session.close_reason(),
        Some(CloseReason::Fault),
        "{:?}",
        heard.requests
    );
    heard
}

fn session_target(name: &'static str, prefix: &'static str, words: &'static [&'static str]) {
    let dialogues = seeds::transcripts("imap", seeds::Side::Client);
    Fuzz::new(name)
        .seeds(dialogues)
        .words(words)
        .run(|input, signature| {
            let tls = !Random::of(input).one_in(4);
            let whole = serve(tls, &[prefix.as_bytes(), input]);
            let mut split = vec![prefix.as_bytes()];
            split.extend(pieces(input));
            let split = serve(tls, &split);
            for heard in [&whole, &split] {
                grammar::imap_responses(&heard.wire);
                assert!(heard.wire.len() <= 16_384 + 400 * input.len());
            }
            // What comes after STARTTLS is an attack when it comes early; COMPRESS with more behind
            // it is refused.
            let alike = |heard: &Heard| !heard.tls && !heard.compressed;
            if alike(&whole) && alike(&split) {
                assert_eq!(whole.requests, split.requests);
                assert_eq!(whole.bodies, split.bodies);
                assert_eq!(
                    whole.wire.escape_ascii().to_string(),
                    split.wire.escape_ascii().to_string()
                );
            }
            for request in &whole.requests {
                signature.add(request.split(['(', ' ']).next());
            }
            signature.add((whole.stopped, split.tls));
            signature.add_size(whole.wire.len());
        });
}

#[test]
fn session() {
    session_target("session", "", WORDS);
}

#[test]
fn session_logged_in() {
    session_target(
        "session_logged_in",
        "l LOGIN alice pw\r\ns SELECT INBOX\r\n",
        WORDS,
    );
}

/// APPEND of several messages, CATENATE (RFC 4469) and REPLACE (RFC 8508): literals in a row, some
/// of them refused.
#[test]
fn session_appends() {
    const APPENDS: &[&str] = &[
        "a APPEND x ",
        "a REPLACE 1 x ",
        "a UID REPLACE 4294967295 x ",
        "a UID REPLACE $ x ",
        "(\\Seen $Work) ",
        "\"17-Jul-1996 02:44:25 -0700\" ",
        "CATENATE (",
        "URL \"/x/;UID=1/;SECTION=1\"",
        "URL {13+}\r\n/INBOX/;UID=1",
        "TEXT {5}\r\nhello",
        " TEXT {5+}\r\nhello",
        " TEXT {301+}\r\n",
        "UTF8 (~{5+}\r\nhello)",
        ")",
        " {5+}\r\nhello",
        " {5}\r\nhello",
        " ~{5+}\r\nhel\0o",
        " {0+}\r\n",
        " {301}\r\n",
        " {18446744073709551615+}\r\n",
        "\r\n",
        "a NOOP\r\n",
    ];
    session_target(
        "session_appends",
        "l LOGIN alice pw\r\ns SELECT INBOX\r\n",
        APPENDS,
    );
}

/// Each line of a dialogue as a command, with whatever literals it holds.
#[test]
fn commands() {
    let lines = seeds::transcripts("imap", seeds::Side::Client)
        .into_iter()
        .flat_map(|dialogue| {
            let lines: Vec<Vec<u8>> = dialogue
                .split_inclusive(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r\n").unwrap_or(line).to_vec())
                .collect();
            lines
        });
    let more = [
        "a SEARCH NOT OR (TEXT {1}\r\nx) OR KEYWORD $a UNKEYWORD b UID 1:*,$ MODSEQ \"/flags/\\\\seen\" all 5",
        "a FETCH 1,2:*,$ (ALL BODY.PEEK[1.2.HEADER.FIELDS.NOT (a {1}\r\nb)]<1.2> BINARY[]) (CHANGEDSINCE 1 VANISHED)",
        "a LIST (RECURSIVEMATCH SUBSCRIBED) {1}\r\na (x \"y\" {1}\r\nz) RETURN (CHILDREN STATUS (UIDNEXT))",
    ];
    let seeds = lines.chain(more.map(|line| line.as_bytes().to_vec()));
    Fuzz::new("imap_commands")
        .seeds(seeds)
        .words(WORDS)
        .run(|line, signature| {
            for rev2 in [false, true] {
                let request = command::request(line, rev2);
                signature.add_shape(&request);
                match request {
                    Some(Request::Fetch(fetch)) => {
                        assert!(fetch.items.len() <= limits::FETCH_ITEMS_MAX + 8);
                    }
                    Some(Request::Select(select)) => {
                        assert!(!select.mailbox.as_str().is_empty());
                        signature.add((select.condstore, select.qresync.is_some()));
                    }
                    Some(Request::List(list)) => {
                        for pattern in &list.patterns {
                            signature.add(
                                pattern
                                    .matches("aa/b\u{e9}/INBOX/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                            );
                        }
                    }
                    _ => {}
                }
            }
        });
}

#[test]
fn names() {
    let seeds = [
        "&AOk-",
        "Entw&APw-rfe",
        "&2D3eAA-",
        "A&-B",
        "&",
        "&-",
        "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
    ];
    Fuzz::new("names")
        .seeds(seeds)
        .bytes_max(256)
        .run(|input, signature| {
            let decoded = utf7::decode(input);
            signature.add(decoded.as_ref().map(|name| name.chars().count()).ok());
            if let Ok(name) = decoded {
                let mut again = Vec::new();
                utf7::encode(&name, &mut again);
                assert_eq!(again, input, "a name has one spelling");
            }
            let name = String::from_utf8_lossy(input);
            let mut encoded = Vec::new();
            utf7::encode(&name, &mut encoded);
            assert!(encoded.iter().all(|byte| matches!(byte, b' '..=b'~')));
            assert_eq!(utf7::decode(&encoded).as_deref(), Ok(&*name));
        });
}

/// Turns of news read from the input, told to a client that keeps a plain list.
#[test]
fn view() {
    let seeds = [
        vec![3u8, 0, 1, 7, 2, 2, 9, 0],
        (0..200).collect(),
        vec![255; 64],
    ];
    Fuzz::new("view")
        .seeds(seeds)
        .bytes_max(600)
        .run(|input, signature| {
            let (mut server, mut client, mut view) =
                (Vec::<u32>::new(), Vec::<u32>::new(), View::default());
            let mut next = 1u32;
            for turn in input.chunks(6) {
                let at = |n: usize| turn.get(n).copied().unwrap_or_default();
                next += u32::from(at(0) % 4);
                let added: Vec<u32> = (next..next + u32::from(at(1) % 5)).collect();
                next += u32::from(at(1) % 5);
                server.extend(&added);
                let pick = |n: usize, server: &[u32]| {
                    server
                        .get(usize::from(at(n)) % server.len().max(1))
                        .copied()
                };
                let expunged: Vec<u32> = [2, 3]
                    .iter()
                    .filter_map(|n| {
                        let uid = pick(*n, &server).filter(|_| at(*n) % 3 > 0)?;
                        server.retain(|known| *known != uid);
                        Some(uid)
                    })
                    .collect();
                let updated: Vec<u32> = pick(4, &server)
                    .into_iter()
                    .chain(expunged.first().copied())
                    .collect();
                let news = News {
                    added: Numbers::from_ranges(added.iter().map(|uid| (*uid, *uid))),
                    updated: Numbers::from_ranges(updated.iter().map(|uid| (*uid, *uid))),
                    expunged: Numbers::from_ranges(expunged.iter().map(|uid| (*uid, *uid))),
                };
                let tell = at(5) & 1 == 1;
                let expunges = if tell { Expunges::Tell } else { Expunges::Hold };
                let form = if at(5) & 2 == 2 {
                    ExpungeForm::Uids
                } else {
                    ExpungeForm::Numbers
                };
                let told = view.sync(&news, expunges, form);
                for sequence in &told.expunged {
                    client.remove(*sequence as usize - 1);
                }
                client.retain(|uid| !told.vanished.contains(*uid));
                if let Some(exists) = told.exists {
                    let last = client.last().copied().unwrap_or(0);
                    client.extend(server.iter().filter(|uid| **uid > last));
                    assert_eq!(client.len() as u32, exists);
                }
                agree(&view, &client, at(0), at(3));
                assert!(
                    told.changed
                        .iter()
                        .all(|uid| updated.contains(&uid) && server.contains(&uid))
                );
                if tell {
                    assert_eq!(client, server);
                    assert!(!view.holds());
                }
                signature.add((
                    told.expunged.len(),
                    told.exists.is_some(),
                    told.changed.count(),
                    view.holds(),
                ));
            }
            signature.add_size(client.len());
        });
}

fn agree(view: &View, client: &[u32], a: u8, b: u8) {
    assert_eq!(view.len() as usize, client.len());
    for (uid, sequence) in client.iter().zip(1..) {
        assert_eq!(
            (view.uid(sequence), view.sequence(*uid)),
            (Some(*uid), Some(sequence))
        );
    }
    assert_eq!((view.uid(0), view.uid(view.len() + 1)), (None, None));
    let number = |byte: u8| match byte {
        0 => SetNumber::Last,
        byte => SetNumber::Number(byte.into()),
    };
    let set = SequenceSet::Ranges(vec![(number(a), number(b))]);
    let end = |byte: u8, last: u32| if byte == 0 { last } else { byte.into() };
    let last = client.last().copied().unwrap_or(0);
    let (x, y) = (end(a, last), end(b, last));
    let wanted: Vec<u32> = client
        .iter()
        .copied()
        .filter(|uid| (x.min(y)..=x.max(y)).contains(uid))
        .collect();
    let resolved = view
        .resolve(&set, Numbering::Uid)
        .expect("uids are never out of range");
    let got: Vec<u32> = view.iter(&resolved).map(|known| known.uid).collect();
    assert_eq!(got, wanted);
    if let Ok(resolved) = view.resolve(&set, Numbering::Sequence) {
        let (x, y) = (end(a, view.len()), end(b, view.len()));
        let got: Vec<u32> = view.iter(&resolved).map(|known| known.sequence).collect();
        assert_eq!(got, (x.min(y)..=x.max(y)).collect::<Vec<_>>());
    }
}

/// Sets of numbers against sets of numbers kept one by one.
#[test]
fn numbers() {
    Fuzz::new("numbers")
        .seeds([vec![1u8, 5, 3, 9], vec![0, 0, 255, 255, 7, 8]])
        .bytes_max(64)
        .run(|input, signature: &mut Signature| {
            let (left, right) = input.split_at(input.len() / 2);
            let ranges = |bytes: &[u8]| -> Vec<(u32, u32)> {
                bytes
                    .chunks(2)
                    .map(|pair| (pair[0].into(), (*pair.last().expect("one")).into()))
                    .collect()
            };
            let plain = |ranges: &[(u32, u32)]| -> std::collections::BTreeSet<u32> {
                ranges
                    .iter()
                    .flat_map(|(a, b)| *a.min(b)..=*a.max(b))
                    .collect()
            };
            let (a, b) = (ranges(left), ranges(right));
            let (x, y) = (
                Numbers::from_ranges(a.clone()),
                Numbers::from_ranges(b.clone()),
            );
            let (p, q) = (plain(&a), plain(&b));
            let same = |numbers: &Numbers, plain: Vec<u32>| {
                assert_eq!(numbers.iter().collect::<Vec<_>>(), plain);
                assert_eq!(numbers.count(), plain.len() as u64);
                assert!(
                    numbers
                        .ranges()
                        .windows(2)
                        .all(|two| two[0].1 + 1 < two[1].0)
                );
            };
            same(&x, p.iter().copied().collect());
            same(&x.union(&y), p.union(&q).copied().collect());
            same(&x.intersection(&y), p.intersection(&q).copied().collect());
            same(&x.difference(&y), p.difference(&q).copied().collect());
            assert!((0..=256).all(|number| x.contains(number) == p.contains(&number)));
            signature.add((
                x.ranges().len(),
                y.ranges().len(),
                x.difference(&y).ranges().len(),
            ));
        });
}

//! Every untagged response, as both revisions print it.

use super::*;
use crate::command::{Section, SpecialUse};

/// Runs `command`, gives `untagged` as it is answered.
fn printed(setup: &str, command: &str, untagged: &Untagged<'_>) -> String {
    said_in(setup, command, |session| session.respond(untagged))
}

fn said_in(setup: &str, command: &str, say: impl FnOnce(&mut Session)) -> String {
    let mut driver = Driver::selected();
    driver.send(setup);
    driver.quiet();
    driver.session.feed(format!("t {command}\r\n").as_bytes());
    assert!(matches!(driver.session.step(), Step::Run(_)), "{command}");
    say(&mut driver.session);
    driver.collect();
    String::from_utf8(driver.said).unwrap()
}

const REV2: &str = "e ENABLE IMAP4rev2\r\n";

#[test]
fn list() {
    let data = ListData {
        name: "Entwürfe/a\"b",
        has_children: Some(false),
        subscribed: true,
        special_use: &[SpecialUse::Drafts],
        child_subscribed: true,
        old_name: Some("é"),
        ..ListData::default()
    };
    assert_eq!(
        printed("", "LIST \"\" *", &Untagged::List(&data)),
        "* LIST (\\HasNoChildren \\Subscribed \\Drafts) \"/\" \"Entw&APw-rfe/a\\\"b\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
    );
    assert_eq!(
        printed(REV2, "LIST \"\" *", &Untagged::List(&data)),
        "* LIST (\\HasNoChildren \\Subscribed \\Drafts) \"/\" \"Entwürfe/a\\\"b\" (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"é\"))\r\n"
    );
    let parent = ListData {
        name: "a",
        non_existent: true,
        no_inferiors: true,
        has_children: Some(true),
        ..ListData::default()
    };
    assert_eq!(
        printed("", "LSUB \"\" *", &Untagged::Lsub(&parent)),
        "* LSUB (\\Noselect \\NonExistent \\Noinferiors \\HasChildren) \"/\" \"a\"\r\n"
    );
    let root = ListData {
        root: true,
        ..ListData::default()
    };
    assert_eq!(
        printed("", "LIST \"\" \"\"", &Untagged::List(&root)),
        "* LIST (\\Noselect) \"/\" \"\"\r\n"
    );
}

#[test]
fn status_and_quota() {
    let values = [
        StatusValue::Messages(1),
        StatusValue::Recent(0),
        StatusValue::UidNext(5),
        StatusValue::UidValidity(7),
        StatusValue::Unseen(1),
        StatusValue::Deleted(0),
        StatusValue::Size(5_000_000_000),
        StatusValue::HighestModSeq(9),
        StatusValue::DeletedStorage(3),
        StatusValue::AppendLimit(None),
        StatusValue::AppendLimit(Some(3)),
        StatusValue::MailboxId("F1"),
    ];
    let data = StatusData {
        mailbox: "INBOX",
        values: &values,
    };
    assert_eq!(
        printed("", "STATUS INBOX (MESSAGES)", &Untagged::Status(&data)),
        "* STATUS \"INBOX\" (MESSAGES 1 RECENT 0 UIDNEXT 5 UIDVALIDITY 7 UNSEEN 1 DELETED 0 SIZE 5000000000 \
         HIGHESTMODSEQ 9 DELETED-STORAGE 3 APPENDLIMIT NIL APPENDLIMIT 3 MAILBOXID (F1))\r\n"
    );
    let data = QuotaData {
        root: "",
        resources: &[
            QuotaResource::Storage {
                used: 10,
                limit: 512,
            },
            QuotaResource::Message { used: 1, limit: 2 },
        ],
    };
    assert_eq!(
        printed("", "GETQUOTA \"\"", &Untagged::Quota(&data)),
        "* QUOTA \"\" (STORAGE 10 512 MESSAGE 1 2)\r\n"
    );
    let roots = Untagged::QuotaRoot {
        mailbox: "é",
        roots: &[""],
    };
    assert_eq!(
        printed("", "GETQUOTAROOT x", &roots),
        "* QUOTAROOT \"&AOk-\" \"\"\r\n"
    );
}

#[test]
fn small_ones() {
    for (untagged, expected) in [
        (Untagged::Exists(5), "* 5 EXISTS\r\n"),
        (Untagged::Expunge(2), "* 2 EXPUNGE\r\n"),
        (
            Untagged::Namespace {
                others: "Users/",
                shared: "Shared/",
            },
            "* NAMESPACE ((\"\" \"/\")) ((\"Users/\" \"/\")) ((\"Shared/\" \"/\"))\r\n",
        ),
        (Untagged::Id(&[]), "* ID NIL\r\n"),
        (
            Untagged::Id(&[("name", "Facteur"), ("version", "1")]),
            "* ID (\"name\" \"Facteur\" \"version\" \"1\")\r\n",
        ),
        (
            Untagged::Vanished {
                earlier: true,
                uids: &Numbers::from_ranges([(1, 3), (5, 5)]),
            },
            "* VANISHED (EARLIER) 1:3,5\r\n",
        ),
        (
            Untagged::Vanished {
                earlier: false,
                uids: &Numbers::new(),
            },
            "",
        ),
        (
            Untagged::Flags {
                keywords: &["k".to_owned()],
                permanent: Permanent::NONE,
            },
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft k)\r\n* OK [PERMANENTFLAGS ()] No flag can be changed here.\r\n",
        ),
    ] {
        assert_eq!(printed("", "NOOP", &untagged), expected);
    }
}

fn change(silent: bool) -> Untagged<'static> {
    Untagged::FlagsChanged(FlagsChanged {
        sequence: 2,
        uid: 9,
        modseq: 77,
        flags: FlagList {
            system: SystemFlags::SEEN.with(SystemFlags::ANSWERED),
            keywords: 0b101,
            names: &[],
        },
        silent,
    })
}

#[test]
fn flags_changed() {
    let flags = "FLAGS (\\Answered \\Seen)";
    for (setup, command, silent, expected) in [
        ("", "NOOP", false, format!("* 2 FETCH ({flags})\r\n")),
        (
            "",
            "UID STORE 1 FLAGS ()",
            false,
            format!("* 2 FETCH (UID 9 {flags})\r\n"),
        ),
        ("", "NOOP", true, String::new()),
        (
            "e ENABLE CONDSTORE\r\n",
            "NOOP",
            false,
            format!("* 2 FETCH (MODSEQ (77) {flags})\r\n"),
        ),
        (
            "e ENABLE CONDSTORE\r\n",
            "NOOP",
            true,
            "* 2 FETCH (MODSEQ (77))\r\n".to_owned(),
        ),
        (
            "e ENABLE QRESYNC\r\n",
            "NOOP",
            false,
            format!("* 2 FETCH (UID 9 MODSEQ (77) {flags})\r\n"),
        ),
    ] {
        assert_eq!(
            printed(setup, command, &change(silent)),
            expected,
            "{setup}{command}"
        );
    }
}

#[test]
fn fetch() {
    let names: Vec<String> = vec!["$A".into(), "b".into()];
    let section = Section {
        part: vec![1, 2],
        text: SectionText::HeaderFields(vec!["To".into(), "a b".into()]),
    };
    let whole = Section {
        part: vec![],
        text: SectionText::All,
    };
    let pieces = [
        Piece::Bytes(b"To: x\r\n"),
        Piece::Stored(Stored {
            handle: 4,
            range: 10..20,
        }),
        Piece::Stored(Stored {
            handle: 4,
            range: 20..20,
        }),
    ];
    let items = [
        FetchItem::Uid(5),
        FetchItem::Flags(FlagList {
            system: SystemFlags::ALL,
            keywords: 0b11 | 1 << 127,
            names: &names,
        }),
        FetchItem::InternalDate(837_596_665),
        FetchItem::Rfc822Size(44827),
        FetchItem::Envelope(b"(x)"),
        FetchItem::Body(b"(y)"),
        FetchItem::BodyStructure(b"(z)"),
        FetchItem::Section {
            section: &section,
            offset: Some(7),
            data: Data::Pieces(&[Piece::Bytes(b"ab")]),
        },
        FetchItem::Section {
            section: &whole,
            offset: None,
            data: Data::Pieces(&pieces),
        },
        FetchItem::Rfc822(Data::Nil),
        FetchItem::Rfc822Header(Data::Pieces(&[])),
        FetchItem::Rfc822Text(Data::Nil),
        FetchItem::Binary {
            part: &[1, 3],
            offset: None,
            data: Data::Pieces(&[Piece::Bytes(b"\x01")]),
            nul: true,
        },
        FetchItem::BinarySize {
            part: &[2],
            size: 9,
        },
        FetchItem::ModSeq(6),
    ];
    let say = |session: &mut Session| say_fetch(session, (3, 5), &items);
    assert_eq!(
        said_in("", "FETCH 1 ALL", say),
        "* 3 FETCH (UID 5 FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $A b) \
         INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE 44827 ENVELOPE (x) BODY (y) BODYSTRUCTURE (z) \
         BODY[1.2.HEADER.FIELDS (To \"a b\")]<7> {2}\r\nab \
         BODY[] {17}\r\nTo: x\r\n<4:10..20> RFC822 NIL RFC822.HEADER {0}\r\n RFC822.TEXT NIL \
         BINARY[1.3] ~{1}\r\n\u{1} BINARY.SIZE[2] 9 MODSEQ (6))\r\n"
    );
}

/// A section is printed as it is read.
#[test]
fn sections() {
    for written in [
        "",
        "HEADER",
        "TEXT",
        "1",
        "1.2.TEXT",
        "3.MIME",
        "2.HEADER",
        "HEADER.FIELDS.NOT (A b)",
    ] {
        let mut driver = Driver::selected();
        driver
            .session
            .feed(format!("a FETCH 1 BODY[{written}]\r\n").as_bytes());
        let Step::Run(Request::Fetch(fetch)) = driver.session.step() else {
            panic!("{written}");
        };
        let Some(FetchAttribute::Section { section, .. }) = fetch.items.first() else {
            panic!("{written}");
        };
        driver.quiet();
        let item = FetchItem::Section {
            section,
            offset: None,
            data: Data::Nil,
        };
        say_fetch(&mut driver.session, (1, 5), &[item]);
        driver.collect();
        assert_eq!(
            String::from_utf8(driver.said).unwrap(),
            format!("* 1 FETCH (BODY[{written}] NIL)\r\n")
        );
    }
}

#[test]
fn search() {
    let matches = Numbers::from_ranges([(1, 2), (9, 9)]);
    let found = Untagged::Search(&SearchData {
        relevancy: &[],
        matches: Found::Ascending(&matches),
        modseq: Some(7),
        mailbox: None,
    });
    let nothing = Numbers::new();
    let none = Untagged::Search(&SearchData {
        relevancy: &[],
        matches: Found::Ascending(&nothing),
        modseq: None,
        mailbox: None,
    });
    for (setup, command, untagged, expected) in [
        (
            "",
            "SEARCH MODSEQ 1",
            &found,
            "* SEARCH 1 2 9 (MODSEQ 7)\r\n",
        ),
        ("", "SEARCH ALL", &none, "* SEARCH\r\n"),
        (
            "",
            "SEARCH RETURN (MIN ALL COUNT) ALL",
            &none,
            "* ESEARCH (TAG \"t\") COUNT 0\r\n",
        ),
        (
            "",
            "SEARCH RETURN (SAVE COUNT) ALL",
            &found,
            "* ESEARCH (TAG \"t\") COUNT 3 MODSEQ 7\r\n",
        ),
        (
            REV2,
            "UID SEARCH ALL",
            &none,
            "* ESEARCH (TAG \"t\") UID\r\n",
        ),
    ] {
        assert_eq!(printed(setup, command, untagged), expected, "{command}");
    }
}

/// Every response code.
#[test]
fn codes() {
    let uids = Numbers::from_ranges([(3, 5), (7, 7)]);
    for (code, expected) in [
        (Code::Alert, "[ALERT] "),
        (Code::AlreadyExists, "[ALREADYEXISTS] "),
        (
            Code::AppendUid {
                uid_validity: 3,
                uids: uids.clone(),
            },
            "[APPENDUID 3 3:5,7] ",
        ),
        (Code::AuthenticationFailed, "[AUTHENTICATIONFAILED] "),
        (Code::AuthorizationFailed, "[AUTHORIZATIONFAILED] "),
        (Code::BadCharset, "[BADCHARSET (UTF-8 US-ASCII)] "),
        (Code::Cannot, "[CANNOT] "),
        (Code::ClientBug, "[CLIENTBUG] "),
        (Code::Closed, "[CLOSED] "),
        (Code::ContactAdmin, "[CONTACTADMIN] "),
        (
            Code::CopyUid {
                uid_validity: 3,
                uids: vec![(1, 10), (2, 11), (5, 12)],
            },
            "[COPYUID 3 1:2,5 10:12] ",
        ),
        (
            Code::CopyUid {
                uid_validity: 3,
                uids: vec![],
            },
            "",
        ),
        (Code::Corruption, "[CORRUPTION] "),
        (Code::Expired, "[EXPIRED] "),
        (Code::ExpungeIssued, "[EXPUNGEISSUED] "),
        (Code::HasChildren, "[HASCHILDREN] "),
        (Code::HighestModSeq(5), "[HIGHESTMODSEQ 5] "),
        (
            Code::InProgress {
                done: 454,
                goal: 1000,
            },
            "[INPROGRESS (\"t\" 454 1000)] ",
        ),
        (Code::InUse, "[INUSE] "),
        (Code::Limit, "[LIMIT] "),
        (Code::MailboxId("x".into()), "[MAILBOXID (x)] "),
        (Code::Modified(uids), "[MODIFIED 3:5,7] "),
        (Code::NoModSeq, "[NOMODSEQ] "),
        (Code::NonExistent, "[NONEXISTENT] "),
        (Code::NoPerm, "[NOPERM] "),
        (Code::NotSaved, "[NOTSAVED] "),
        (Code::OverQuota, "[OVERQUOTA] "),
        (Code::Parse, "[PARSE] "),
        (Code::PrivacyRequired, "[PRIVACYREQUIRED] "),
        (Code::ReadOnly, "[READ-ONLY] "),
        (Code::ReadWrite, "[READ-WRITE] "),
        (Code::ServerBug, "[SERVERBUG] "),
        (Code::TooBig, "[TOOBIG] "),
        (Code::TryCreate, "[TRYCREATE] "),
        (Code::UidNext(5), "[UIDNEXT 5] "),
        (Code::UidNotSticky, "[UIDNOTSTICKY] "),
        (Code::UidValidity(5), "[UIDVALIDITY 5] "),
        (Code::Unavailable, "[UNAVAILABLE] "),
        (Code::UnknownCte, "[UNKNOWN-CTE] "),
        (Code::Unseen(5), "[UNSEEN 5] "),
        (Code::UseAttr, "[USEATTR] "),
    ] {
        let reply = Reply::no(text::FAULT).with(code);
        let said = printed("", "NOOP", &Untagged::Reply(&reply));
        assert_eq!(said, format!("* NO {expected}{}\r\n", text::FAULT.as_str()));
    }
}

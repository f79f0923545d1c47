//! Grammar tables: the examples of the RFCs, and what must be refused.

use super::*;
use crate::flag::SystemFlags;
use crate::set::SetNumber;

fn parse_as(line: &str, rev2: bool) -> Result<Command, Fault> {
    name(format!("a {line}").as_bytes(), rev2).parse()
}

fn parse(line: &str) -> Result<Command, Fault> {
    parse_as(line, false)
}

fn request(line: &str) -> Request {
    match parse(line) {
        Ok(Command::Run(request)) => request,
        other => panic!("{line}: {other:?}"),
    }
}

fn mailbox(name: &str) -> MailboxName {
    MailboxName(name.to_owned())
}

fn ranges(ranges: &[(u32, u32)]) -> SequenceSet {
    let number = |number| match number {
        0 => SetNumber::Last,
        number => SetNumber::Number(number),
    };
    SequenceSet::Ranges(
        ranges
            .iter()
            .map(|(a, b)| (number(*a), number(*b)))
            .collect(),
    )
}

/// Every example command line of RFC 3501 §6, RFC 9051 §6 and the extensions parses.
#[test]
fn rfc_examples() {
    for line in EXAMPLES {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        assert!(parse_as(line, true).is_ok(), "{line} under rev2");
    }
}

#[rustfmt::skip]
const EXAMPLES: &[&str] = &[
    // RFC 9051 §6.1, §6.2.
    "CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "AUTHENTICATE GSSAPI", "AUTHENTICATE PLAIN",
    "LOGIN SMITH SESAME", "login mrc secret",
    // RFC 4959.
    "AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=", "AUTHENTICATE EXTERNAL =",
    // RFC 2971.
    "ID NIL",
    r#"ID ("name" "sodr" "version" "19.34" "vendor" "Pink Floyd Music Limited")"#,
    r#"ID ("os" NIL)"#, "ID ()",
    // RFC 5161.
    "ENABLE CONDSTORE X-GOOD-IDEA", "ENABLE CONDSTORE", "ENABLE QRESYNC", "enable imap4rev2",
    // RFC 9051 §6.3.
    "SELECT INBOX", "EXAMINE blurdybloop", "CREATE owatagusiam/", "CREATE owatagusiam/blurdybloop",
    "DELETE blurdybloop", "DELETE foo", "DELETE foo.bar", "RENAME blurdybloop sarasoop",
    "RENAME foo zowie", "RENAME INBOX old-mail", "SUBSCRIBE #news.comp.mail.mime",
    "UNSUBSCRIBE #news.comp.mail.mime", r#"LIST "" """#, r##"LIST #news.comp.mail.misc """##,
    r#"LIST /usr/staff/jones """#, "LIST ~/Mail/ %", r#"LIST "" "*""#, r#"LIST (SUBSCRIBED) "" "*""#,
    r#"LIST "" "*" RETURN (CHILDREN)"#, r#"LIST () "" "*" RETURN (CHILDREN)"#,
    r#"LIST (REMOTE) "" "*""#, r#"LIST (SUBSCRIBED REMOTE) "" "*""#,
    r#"LIST (REMOTE SUBSCRIBED) "" "*""#, r#"LIST (SUBSCRIBED) "" "*" RETURN (CHILDREN)"#,
    r#"LIST "" ("INBOX" "Drafts" "Sent/%")"#, r#"LIST (SUBSCRIBED RECURSIVEMATCH) "" "%""#,
    r#"LIST (SUBSCRIBED RECURSIVEMATCH) "" "Vegetable""#, r#"LIST "" "%" RETURN (CHILDREN)"#,
    r#"LIST "" % RETURN (STATUS (MESSAGES UNSEEN))"#,
    r#"LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))"#,
    r#"LIST (SPECIAL-USE) "" "*""#, r#"LIST "" "%" RETURN (SPECIAL-USE)"#,
    r##"LSUB "#news." "comp.mail.*""##, "LSUB \"\" %", "NAMESPACE",
    "STATUS blurdybloop (UIDNEXT MESSAGES)", "STATUS blurdybloop (UIDNEXT MESSAGES HIGHESTMODSEQ)",
    "STATUS frop (MESSAGES SIZE)", "STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED)",
    "STATUS INBOX (DELETED DELETED-STORAGE)", "IDLE",
    // RFC 6154.
    r"CREATE MySpecial (USE (\Drafts \Sent))", r"CREATE Everything (USE (\All))",
    // RFC 9208.
    r##"GETQUOTA "!partition/sda4""##, r#"GETQUOTA """#, "GETQUOTAROOT INBOX",
    r#"SETQUOTA "" (STORAGE 512)"#, r#"SETQUOTA "!partition/sda4" (STORAGE 99999999999)"#, r#"SETQUOTA "" ()"#,
    // RFC 4314 §2.1.1, §3, RFC 8440 §4.
    "SeTacl INBOX/Drafts David lrswida", "Setacl INBOX/Drafts Byron lrswikda", "SETACL INBOX/Drafts Chris +cda",
    r#"SETACL INBOX "Fred B" -"#, r#"SETACL INBOX Fred """#, "DeleteAcl INBOX Fred", "GETACL INBOX/Drafts",
    "LISTRIGHTS ~/Mail/saved smith", "listrights archive/imap anyone", "MYRIGHTS INBOX",
    r#"LIST "" % RETURN (MYRIGHTS)"#, r#"LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (MYRIGHTS)"#,
    // RFC 9051 §6.4.
    "CHECK", "CLOSE", "UNSELECT", "EXPUNGE", "UID EXPUNGE 3000:3002",
    r#"SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith""#, r#"SEARCH TEXT "string not in mailbox""#,
    "SEARCH CHARSET UTF-8 TEXT {6}\r\nXXXXXX", "SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
    "SEARCH RETURN (COUNT) TEXT \"x\"", "UID SEARCH RETURN (COUNT) DELETED", "SEARCH RETURN () 1:10 NOT DELETED",
    "SEARCH RETURN (SAVE) FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", "UID SEARCH UID $ SMALLER 4096",
    "UID SEARCH RETURN (SAVE MIN MAX COUNT) 1:300 (NOT KEYWORD $Junk)", "SEARCH $ SMALLER 4096",
    "FETCH $ (UID FLAGS)", "SEARCH (OR $ 1,3000:3021) TEXT {8+}\r\nJohn Doe",
    r#"SEARCH MODSEQ "/flags/\\draft" all 620162338"#, "SEARCH RETURN (ALL) MODSEQ 1234",
    "SEARCH OR NOT (SEEN DRAFT) (ANSWERED UNKEYWORD foo)", "SEARCH OLDER 259200", "SEARCH UNSEEN YOUNGER 259200",
    "SEARCH HEADER Message-ID \"\"", "SEARCH BEFORE \"1-Feb-1994\"", "SEARCH SENTSINCE 01-Feb-1994",
    "FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", "FETCH 12 BODY[HEADER]", "FETCH 1:* FULL",
    "UID FETCH 4827313:4828442 FLAGS", "FETCH 1 (UID BODYSTRUCTURE ENVELOPE INTERNALDATE RFC822.SIZE)",
    "FETCH 1 BODY.PEEK[1.2.3.MIME]<0.1024>", "FETCH 1 BINARY[1]<1024.1024>", "FETCH 1 BINARY.SIZE[3]",
    "FETCH 1 BINARY.PEEK[1.2]", "FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)", "FETCH 1:3 (MODSEQ)",
    "FETCH 1,2,3 (UID MODSEQ)", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
    "UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)", "FETCH 1:* (FLAGS) (CHANGEDSINCE 0)",
    r"STORE 2:4 +FLAGS (\Deleted)", r"STORE 1 FLAGS.SILENT \Seen", "STORE 1 FLAGS ()",
    r"UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\Deleted)",
    r"STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\Deleted)", "STORE 100:150 (UNCHANGEDSINCE 212030000000) +FLAGS.SILENT ($Processed)",
    r"STORE * -FLAGS (\Answered $Forwarded) ", "STORE 1 +FLAGS $MDNSent \\Draft",
    "COPY 2:4 MEETING", "MOVE 42:69 foo", "UID MOVE 42:69 foo", "UID COPY 3 \"&AOk-t&AOk-\"",
    // RFC 7162 §3.2.5.
    "SELECT INBOX (CONDSTORE)", "SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
    "SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))",
    "SELECT mailbox (QRESYNC (1 2 (1:3 5:7)))", "SELECT m (QRESYNC (1 2 1:9 (1,4 5,9)) CONDSTORE)",
];

#[test]
fn refused() {
    use Fault::{
        Arguments, Charset, Command, Date, Flag, MailboxName, MailboxNameCannot, SpecialUse,
    };
    for (line, fault) in [
        ("", Command),
        ("FROBNICATE", Command),
        ("UID NOOP", Command),
        ("UID", Command),
        (" NOOP", Command),
        ("NOOP x", Arguments),
        ("LOGIN joe", Arguments),
        ("LOGIN joe (pw)", Arguments),
        ("LOGIN  joe pw", Arguments),
        ("LOGIN joe \"pw", Arguments),
        ("LOGIN joe \"p\\w\"", Arguments),
        ("LOGIN joe {3}\r\nab", Arguments),
        ("LOGIN joe {3}\r\na\0b", Arguments),
        ("LOGIN joe pw x", Arguments),
        ("AUTHENTICATE PLAIN not*base64", Arguments),
        ("ENABLE", Arguments),
        ("ID (\"name\")", Arguments),
        ("SELECT", Arguments),
        ("SELECT \"\"", Arguments),
        ("SELECT a b", Arguments),
        ("SELECT a (WHAT)", Arguments),
        ("SELECT a (QRESYNC (0 1))", Arguments),
        ("SELECT a (QRESYNC (1 1 *))", Arguments),
        ("SELECT a (QRESYNC (1 1 1 (1)))", Arguments),
        ("SELECT \"&Jjo!\"", MailboxName),
        ("SELECT \"\u{e9}\"", MailboxName),
        ("CREATE a*", Arguments),
        ("CREATE \"a*\"", MailboxNameCannot),
        ("CREATE a//b", MailboxNameCannot),
        ("CREATE /a", MailboxNameCannot),
        ("CREATE \"a\tb\"", MailboxName),
        ("CREATE ..", MailboxNameCannot),
        ("CREATE /", MailboxNameCannot),
        ("CREATE a (USE (\\Nothing))", SpecialUse),
        ("RENAME a \"b%\"", MailboxNameCannot),
        ("LIST \"\"", Arguments),
        ("LIST (RECURSIVEMATCH) \"\" *", Arguments),
        ("LIST \"\" ()", Arguments),
        ("LIST \"\" * RETURN (WHAT)", Arguments),
        ("STATUS a ()", Arguments),
        ("STATUS a (WHAT)", Arguments),
        ("SEARCH", Arguments),
        ("SEARCH ()", Arguments),
        ("SEARCH NOT", Arguments),
        ("SEARCH OR SEEN", Arguments),
        ("SEARCH WHAT", Arguments),
        ("SEARCH 0", Arguments),
        ("SEARCH 1:", Arguments),
        ("SEARCH CHARSET KOI8-R TEXT x", Charset),
        ("SEARCH SINCE 30-Feb-2024", Date),
        ("SEARCH SINCE 0-Feb-2024", Date),
        ("SEARCH SINCE 1-Fex-2024", Date),
        ("SEARCH SINCE 1-Feb-24", Date),
        ("SEARCH KEYWORD \\Seen", Flag),
        ("SEARCH RETURN (WHAT) ALL", Arguments),
        ("FETCH 1", Arguments),
        ("FETCH 1 ()", Arguments),
        ("FETCH x FLAGS", Arguments),
        ("FETCH 1,, FLAGS", Arguments),
        ("FETCH 4294967296 FLAGS", Arguments),
        ("FETCH 1 (ALL)", Arguments),
        ("FETCH 1 BODY[MIME]", Arguments),
        ("FETCH 1 BODY[0]", Arguments),
        ("FETCH 1 BODY[1.]", Arguments),
        ("FETCH 1 BODY[.1]", Arguments),
        ("FETCH 1 BODY[HEADER.FIELDS ()]", Arguments),
        ("FETCH 1 BODY[HEADER.FIELDS (a:b)]", Arguments),
        ("FETCH 1 BODY[]<0>", Arguments),
        ("FETCH 1 BODY[]<0.0>", Arguments),
        ("FETCH 1 BINARY[HEADER]", Arguments),
        ("FETCH 1 BINARY.SIZE[1]<0.1>", Arguments),
        ("FETCH 1 RFC822[]", Arguments),
        ("FETCH 1 FLAGS (CHANGEDSINCE)", Arguments),
        ("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", Arguments),
        ("UID FETCH 1 FLAGS (VANISHED)", Arguments),
        ("STORE 1 FLAGS", Arguments),
        ("STORE 1 +-FLAGS (\\Seen)", Arguments),
        ("STORE 1 FLAGS (\\Nothing)", Flag),
        ("STORE 1 FLAGS (a]b)", Arguments),
        ("STORE 1 LABELS (a)", Arguments),
        ("COPY 1", Arguments),
        ("UID EXPUNGE", Arguments),
        ("EXPUNGE 1", Arguments),
        ("APPEND x", Arguments),
        // RFC 4314 §3, §3.1.
        ("SETACL INBOX/Drafts John lrQswicda", Arguments),
        ("SETACL INBOX/Drafts John lrqswicda", Arguments),
        ("SETACL INBOX/Drafts John +-l", Arguments),
        (r#"SETACL INBOX "" lr"#, Arguments),
        ("SETACL INBOX \"a\x07b\" lr", Arguments),
        ("SETACL INBOX John", Arguments),
        ("DELETEACL INBOX", Arguments),
        ("MYRIGHTS", Arguments),
        ("UID GETACL INBOX", Command),
        (r#"SETQUOTA """#, Arguments),
        (r#"SETQUOTA "" (STORAGE)"#, Arguments),
        (r#"SETQUOTA "" (STORAGE -1)"#, Arguments),
        (r#"SETQUOTA "" STORAGE 1"#, Arguments),
    ] {
        assert_eq!(parse(line), Err(fault), "{line}");
    }
}

#[test]
fn bad_utf8() {
    assert_eq!(
        name(b"a SEARCH TEXT {1}\r\n\xff", false).parse(),
        Err(Fault::Arguments)
    );
    assert!(
        name("a SEARCH SUBJECT \"été\"".as_bytes(), false)
            .parse()
            .is_ok()
    );
}

#[test]
fn tags() {
    for (line, tag) in [
        ("a NOOP", Some("a")),
        ("A142.x NOOP", Some("A142.x")),
        ("]= NOOP", Some("]=")),
        ("+a NOOP", None),
        ("a", None),
        (" NOOP", None),
        ("a\"b NOOP", None),
        ("", None),
    ] {
        let named = name(line.as_bytes(), false);
        assert_eq!(named.tag, tag.map(str::as_bytes), "{line}");
    }
    let long = format!("{} NOOP", "t".repeat(limits::TAG_BYTES_MAX + 1));
    assert!(name(long.as_bytes(), false).tag.is_none());
}

#[test]
fn login() {
    let login = |line: &str| match request(line) {
        Request::Login(Login { user, password }) => (
            String::from_utf8(user).unwrap(),
            String::from_utf8(password).unwrap(),
        ),
        other => panic!("{other:?}"),
    };
    let expected = ("joe".to_owned(), "p\"w \\é".to_owned());
    assert_eq!(login("LOGIN joe \"p\\\"w \\\\é\""), expected);
    assert_eq!(login("login {3}\r\njoe {7+}\r\np\"w \\é"), expected);
    assert_eq!(login("LOGIN {3}\njoe x").0, "joe");
    assert_eq!(login("LOGIN a]b nil"), ("a]b".to_owned(), "nil".to_owned()));
    let debug = format!("{:?}", request("LOGIN joe secret"));
    assert!(!debug.contains("secret"), "{debug}");
}

#[test]
fn mailbox_names() {
    let select = |line: &str, rev2| match parse_as(line, rev2) {
        Ok(Command::Run(Request::Select(select))) => select.mailbox.0,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(select("SELECT inbox", false), "INBOX");
    assert_eq!(select("SELECT inBox/Sub", false), "INBOX/Sub");
    assert_eq!(select("SELECT Inboxes", false), "Inboxes");
    assert_eq!(select("SELECT Entw&APw-rfe", false), "Entwürfe");
    assert_eq!(select("SELECT Entw&APw-rfe", true), "Entw&APw-rfe");
    assert_eq!(select("SELECT \"Entwürfe\"", true), "Entwürfe");
    assert_eq!(select("SELECT a&-b", false), "a&b");
    assert_eq!(
        request("CREATE a/b/"),
        Request::Create(Create {
            mailbox: mailbox("a/b"),
            special_use: vec![]
        })
    );
    let deep = "a/".repeat(limits::MAILBOX_LEVELS_MAX);
    assert!(parse(&format!("CREATE {deep}")).is_ok());
    assert_eq!(
        parse(&format!("CREATE {deep}a")),
        Err(Fault::MailboxNameCannot)
    );
    let long = "a".repeat(limits::MAILBOX_NAME_BYTES_MAX);
    assert!(parse(&format!("SELECT {long}")).is_ok());
    assert_eq!(
        parse(&format!("SELECT {long}a")),
        Err(Fault::MailboxNameTooLong)
    );
    assert_eq!(
        parse(&format!("SELECT {}", long.repeat(4))),
        Err(Fault::MailboxNameTooLong)
    );
}

#[test]
fn list() {
    let list = |line: &str| match request(line) {
        Request::List(list) => list,
        other => panic!("{other:?}"),
    };
    let plain = list("LIST \"\" inbox");
    assert!(!plain.extended && !plain.root);
    assert_eq!(
        plain
            .patterns
            .iter()
            .map(Pattern::as_str)
            .collect::<Vec<_>>(),
        ["INBOX"]
    );
    let root = list("LIST foo \"\"");
    assert!(root.root && root.patterns.is_empty());
    let several = list(
        "LIST (SUBSCRIBED RECURSIVEMATCH) a/ (b &AOk-% \"\") RETURN (CHILDREN STATUS (UNSEEN SIZE UNSEEN))",
    );
    assert!(several.extended && several.select.subscribed && several.select.recursive_match);
    assert_eq!(
        several
            .patterns
            .iter()
            .map(Pattern::as_str)
            .collect::<Vec<_>>(),
        ["a/b", "a/é%"]
    );
    assert_eq!(
        several.return_.status,
        Some(vec![StatusItem::Unseen, StatusItem::Size])
    );
    assert!(several.return_.children && !several.return_.subscribed);
    // RFC 5258 §3: an empty pattern of the extended form matches nothing.
    let empty = list("LIST () \"\" \"\"");
    assert!(empty.extended && !empty.root && empty.patterns.is_empty());
}

#[test]
fn append_heads() {
    use append::{Item, head};
    let read = |line: &str| {
        let named = name(line.as_bytes(), false);
        head(&mut named.arguments.clone(), None, true)
    };
    assert_eq!(read("a APPEND "), Ok(None));
    assert_eq!(read("a APPEND"), Err(Fault::Arguments));
    assert_eq!(read("a APPEND x"), Err(Fault::Arguments));
    assert_eq!(read("a APPEND x "), read("a APPEND {1}\r\nx "));
    assert_eq!(read("a APPEND x CATENATE (URL "), Ok(None));
    let (target, items) = read(
        "a APPEND saved-messages (\\Seen \\Recent $Work $work) \" 7-Feb-1994 22:43:04 -0800\" ",
    )
    .unwrap()
    .unwrap();
    assert_eq!(target.mailbox.as_str(), "saved-messages");
    let [
        Item::Message { options, catenated },
        Item::Literal { utf8: false },
    ] = items.as_slice()
    else {
        panic!("{items:?}");
    };
    assert!(!catenated);
    assert_eq!(options.flags.system, SystemFlags::SEEN);
    assert_eq!(options.flags.keywords, ["$Work"]);
    let date = options.date.unwrap();
    assert_eq!((date.seconds, date.zone_minutes), (760_689_784, -480));
    for (line, fault) in [
        ("a APPEND x (\\Seen)", Fault::Arguments),
        ("a APPEND x (\\Seen) x ", Fault::Arguments),
        ("a APPEND x \"7-Feb-1994 22:43:04\" ", Fault::Date),
        ("a APPEND x \"31-Jun-1994 22:43:04 +0000\" ", Fault::Date),
        ("a APPEND x \"07-Feb-1994 24:43:04 +0000\" ", Fault::Date),
        ("a APPEND x \"07-Feb-1994 22:43:04 0000\" ", Fault::Date),
        ("a APPEND x \"07-Feb-1994 22:43:04 +00000\" ", Fault::Date),
        ("a APPEND x (\\Whatever) ", Fault::Flag),
        ("a APPEND x CATENATE (", Fault::Arguments),
        ("a APPEND x CATENATE (URL x TEXT", Fault::Arguments),
        ("a APPEND x CATENATE (URL xTEXT ", Fault::Arguments),
        ("a APPEND x CATENATE (URL x)", Fault::Arguments),
        ("a APPEND x CATENATE (BODY ", Fault::Arguments),
        ("a APPEND x UTF8 ", Fault::Arguments),
    ] {
        assert_eq!(read(line), Err(fault), "{line}");
    }
}

#[test]
fn search_keys() {
    let search = |line: &str| match request(line) {
        Request::Search(search) => search,
        other => panic!("{other:?}"),
    };
    let keys =
        search("UID SEARCH CHARSET us-ascii OR (SEEN 1:3,*) NOT FROM joe UID $ LARGER 5000000000");
    assert_eq!(keys.numbering, Numbering::Uid);
    assert_eq!(
        keys.keys,
        [
            SearchKey::Or(
                Box::new(SearchKey::And(vec![
                    SearchKey::Flag(SystemFlags::SEEN),
                    SearchKey::Sequence(ranges(&[(1, 3), (0, 0)])),
                ])),
                Box::new(SearchKey::Not(Box::new(SearchKey::From("joe".to_owned())))),
            ),
            SearchKey::Uid(SequenceSet::Saved),
            SearchKey::Larger(5_000_000_000),
        ]
    );
    assert!(
        search("SEARCH OR ALL NOT MODSEQ 5")
            .keys
            .iter()
            .any(SearchKey::uses_modseq)
    );
    let return_ = search("SEARCH RETURN () ALL").return_.unwrap();
    assert!(return_.all && !return_.save);
    assert!(search("SEARCH RETURN (SAVE) ALL").saves());
    assert!(!search("SEARCH ALL").saves());
}

/// RFC 5256 §5, RFC 5267 §5, RFC 7377 §4, RFC 9394 §4.
#[test]
fn sorts_threads_and_sources() {
    let search = |line: &str| match request(line) {
        Request::Search(search) => search,
        other => panic!("{other:?}"),
    };
    let sorted = search("UID SORT RETURN (PARTIAL -1:-100 UPDATE) (REVERSE DATE to) utf-8 ALL");
    let key = |field, reverse| SortKey { field, reverse };
    assert_eq!(
        sorted.sort,
        [key(SortField::Date, true), key(SortField::To, false)]
    );
    let range = sorted.return_.and_then(|return_| return_.partial).unwrap();
    assert_eq!(range.places(250), 150..250);
    assert_eq!(range.places(20), 0..20);
    let name = |name: &str| MailboxName(name.to_owned());
    assert_eq!(
        search("ESEARCH IN (selected subtree (a \"b\") mailboxes inbox) ALL").sources,
        Some(vec![
            Source::Selected,
            Source::Subtree(vec![name("a"), name("b")]),
            Source::Mailboxes(vec![name("INBOX")]),
        ])
    );
    for wrong in [
        "SORT (DATE) ALL ALL",
        "SORT (REVERSE) UTF-8 ALL",
        "SORT (DATE) UTF-8",
        "THREAD UTF-8 ALL",
        "SEARCH RETURN (PARTIAL 1:2 PARTIAL 1:2) ALL",
        "SEARCH RETURN (PARTIAL 1:*) ALL",
        "SEARCH THREADID",
        "ESEARCH IN (subtree) ALL",
        "ESEARCH IN (mailboxes a) RETURN (SAVE) ALL",
        "CANCELUPDATE",
        "CANCELUPDATE a",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    let many = |count: usize| format!("SORT ({}) UTF-8 ALL", vec!["DATE"; count].join(" "));
    assert!(parse(&many(limits::SORT_KEYS_MAX)).is_ok());
    assert!(parse(&many(limits::SORT_KEYS_MAX + 1)).is_err());
}

/// RFC 6203, the examples; §4 and §6: no RELEVANCY without FUZZY.
#[test]
fn fuzzy() {
    for right in [
        "SEARCH FUZZY (SUBJECT \"IMAP break\")",
        "SEARCH FUZZY SUBJECT work FROM user@example.com",
        "SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT \"Helo\"",
        "SEARCH FUZZY (FROM \"Dave\" SINCE 21-Jan-2009 BEFORE 24-Jan-2009)",
        "SEARCH FUZZY (LARGER 900000 SMALLER 1100000)",
        "SEARCH SUBJECT \"xyz\" FUZZY ANSWERED",
        "SORT (RELEVANCY) UTF-8 FUZZY SUBJECT \"Helo\"",
        "SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT \"Helo\"",
        "SORT RETURN (PARTIAL 1:10) (RELEVANCY) UTF-8 FUZZY TEXT \"World\"",
        "UID SORT (REVERSE RELEVANCY ARRIVAL) UTF-8 NOT (SEEN fuzzy SUBJECT x)",
        "SEARCH RETURN (RELEVANCY) FILTER on-the-road",
        "ESEARCH IN (personal) RETURN (RELEVANCY) OR SEEN FUZZY FUZZY TEXT x",
    ] {
        assert!(parse(right).is_ok(), "{right}");
    }
    for wrong in [
        "SEARCH FUZZY",
        "SEARCH FUZZY ()",
        "SEARCH RETURN (RELEVANCY) SUBJECT x",
        "SORT (RELEVANCY) UTF-8 SUBJECT x",
        "THREAD RELEVANCY UTF-8 FUZZY SUBJECT x",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    let deep = |depth: usize| format!("SEARCH {}SEEN", "FUZZY ".repeat(depth));
    assert!(parse(&deep(limits::SEARCH_DEPTH_MAX)).is_ok());
    assert_eq!(
        parse(&deep(limits::SEARCH_DEPTH_MAX + 1)),
        Err(Fault::TooMuch)
    );
}

/// RFC 10022 §4, RFC 9738 §3.2.
#[test]
fn batches() {
    let batches = |messages, range| Request::Batches(Batches { messages, range });
    assert_eq!(request("UIDBATCHES 2000"), batches(2000, None));
    let part = batches(2000, Some((10, 20)));
    assert_eq!(request("uidbatches 2000 10:20"), part);
    for wrong in [
        "UIDBATCHES",
        "UIDBATCHES 0",
        "UIDBATCHES 2000 10",
        "UIDBATCHES 2000 0:1",
        "UIDBATCHES 2000 1:*",
        "UIDBATCHES 2000 1:2 3",
        "UID UIDBATCHES 2000",
        "SEARCH UIDAFTER 0",
        "SEARCH UIDBEFORE *",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn search_bounds() {
    let nested = |depth: usize| format!("SEARCH {}SEEN{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(limits::SEARCH_DEPTH_MAX)).is_ok());
    assert_eq!(
        parse(&nested(limits::SEARCH_DEPTH_MAX + 1)),
        Err(Fault::TooMuch)
    );
    assert_eq!(parse(&nested(100_000)), Err(Fault::TooMuch));
    let not = |depth: usize| format!("SEARCH {}SEEN", "NOT ".repeat(depth));
    assert!(parse(&not(limits::SEARCH_DEPTH_MAX)).is_ok());
    assert_eq!(
        parse(&not(limits::SEARCH_DEPTH_MAX + 1)),
        Err(Fault::TooMuch)
    );
    let many = |count: usize| format!("SEARCH{}", " SEEN".repeat(count));
    assert!(parse(&many(limits::SEARCH_KEYS_MAX)).is_ok());
    assert_eq!(
        parse(&many(limits::SEARCH_KEYS_MAX + 1)),
        Err(Fault::TooMuch)
    );
}

#[test]
fn list_bounds() {
    let repeated = |before: &str, item: &str, count: usize, after: &str| {
        parse(&format!("{before}{}{after}", vec![item; count].join(" ")))
    };
    let bounds: [(&str, &str, usize, &str); 5] = [
        ("FETCH 1 (", "FLAGS", limits::FETCH_ITEMS_MAX, ")"),
        (
            "FETCH 1 BODY[HEADER.FIELDS (",
            "To",
            limits::HEADER_NAMES_MAX,
            ")]",
        ),
        ("STORE 1 FLAGS (", "x", limits::FLAGS_MAX, ")"),
        ("ENABLE ", "X", limits::ENABLE_NAMES_MAX, ""),
        ("LIST \"\" (", "x", limits::LIST_PATTERNS_MAX, ")"),
    ];
    for (before, item, max, after) in bounds {
        assert!(repeated(before, item, max, after).is_ok(), "{before}");
        assert_eq!(
            repeated(before, item, max + 1, after),
            Err(Fault::TooMuch),
            "{before}"
        );
    }
    let set = |count: usize| parse(&format!("FETCH {} UID", vec!["1"; count].join(",")));
    assert!(set(limits::SET_RANGES_MAX).is_ok());
    assert_eq!(set(limits::SET_RANGES_MAX + 1), Err(Fault::TooMuch));
    let part = |count: usize| parse(&format!("FETCH 1 BODY[{}]", vec!["1"; count].join(".")));
    assert!(part(limits::PART_DEPTH_MAX).is_ok());
    assert_eq!(part(limits::PART_DEPTH_MAX + 1), Err(Fault::TooMuch));
    let fields = |count: usize| parse(&format!("ID ({})", vec!["\"a\" \"b\""; count].join(" ")));
    assert!(fields(limits::ID_FIELDS_MAX).is_ok());
    assert_eq!(fields(limits::ID_FIELDS_MAX + 1), Err(Fault::TooMuch));
    let value = "v".repeat(limits::ID_VALUE_BYTES_MAX + 1);
    assert_eq!(
        parse(&format!("ID (\"name\" \"{value}\")")),
        Err(Fault::TooMuch)
    );
    let keyword = "k".repeat(limits::KEYWORD_BYTES_MAX + 1);
    assert_eq!(parse(&format!("STORE 1 FLAGS {keyword}")), Err(Fault::Flag));
    let wild = "*".repeat(limits::LIST_WILDCARDS_MAX + 1);
    assert_eq!(parse(&format!("LIST \"\" {wild}")), Err(Fault::TooMuch));
}

#[test]
fn fetch_items() {
    let fetch = |line: &str| match request(line) {
        Request::Fetch(fetch) => fetch,
        other => panic!("{other:?}"),
    };
    use FetchAttribute::*;
    assert_eq!(
        fetch("FETCH 1 ALL").items,
        [Flags, InternalDate, Rfc822Size, Envelope]
    );
    assert_eq!(
        fetch("FETCH 1 fast").items,
        [Flags, InternalDate, Rfc822Size]
    );
    assert_eq!(
        fetch("FETCH 1 FULL").items,
        [Flags, InternalDate, Rfc822Size, Envelope, Body]
    );
    // RFC 9051 §6.4.9, RFC 7162 §3.1.4.1: what is implied.
    assert_eq!(fetch("UID FETCH 1 (FLAGS UID FLAGS)").items, [Uid, Flags]);
    assert_eq!(
        fetch("UID FETCH 1 (MODSEQ FLAGS) (CHANGEDSINCE 5)").items,
        [Uid, Flags, ModSeq]
    );
    let section = |line: &str| match fetch(line).items.pop() {
        Some(Section {
            section,
            partial,
            peek,
        }) => (section.part, section.text, partial, peek),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        section("FETCH 1 BODY[]"),
        (vec![], SectionText::All, None, false)
    );
    assert_eq!(
        section("FETCH 1 BODY.PEEK[4.2]"),
        (vec![4, 2], SectionText::All, None, true)
    );
    assert_eq!(
        section("FETCH 1 body[4.2.header]<0.2048>"),
        (
            vec![4, 2],
            SectionText::Header,
            Some(Partial {
                offset: 0,
                count: 2048
            }),
            false
        )
    );
    assert_eq!(
        section("FETCH 1 BODY[3.HEADER.FIELDS.NOT (To {2}\r\nCC \"X-y\")]"),
        (
            vec![3],
            SectionText::HeaderFieldsNot(vec!["To".into(), "CC".into(), "X-y".into()]),
            None,
            false
        )
    );
    assert_eq!(section("FETCH 1 BODY[4.1.MIME]").1, SectionText::Mime);
    assert_eq!(section("FETCH 1 BODY[TEXT]").1, SectionText::Text);
    assert!(fetch("FETCH 1 (FLAGS BODY[TEXT])").sets_seen());
    assert!(fetch("FETCH 1 RFC822").sets_seen());
    assert!(!fetch("FETCH 1 (RFC822.HEADER BODY.PEEK[] BINARY.SIZE[1] BODY)").sets_seen());
}

#[test]
fn partial_ranges() {
    let range = |offset, count, size| Partial { offset, count }.range(size);
    assert_eq!(range(0, 10, 5), 0..5);
    assert_eq!(range(3, 2, 10), 3..5);
    assert_eq!(range(10, 2, 10), 10..10);
    assert_eq!(range(u64::MAX, u64::MAX, 10), 10..10);
}

#[test]
fn store_and_select() {
    assert_eq!(
        request("UID STORE 5:*,3 (UNCHANGEDSINCE 7) -FLAGS.SILENT (\\flagged Abc)"),
        Request::Store(Store {
            numbering: Numbering::Uid,
            set: ranges(&[(5, 0), (3, 3)]),
            edit: FlagEdit::Remove,
            silent: true,
            flags: FlagNames {
                system: SystemFlags::FLAGGED,
                keywords: vec!["Abc".to_owned()],
            },
            unchanged_since: Some(7),
        })
    );
    match request("EXAMINE m (QRESYNC (67890007 123 1:9 (1,4 5,9)))") {
        Request::Select(select) => {
            assert!(select.read_only && !select.condstore);
            let qresync = select.qresync.unwrap();
            assert_eq!((qresync.uid_validity, qresync.modseq), (67_890_007, 123));
            assert_eq!(qresync.known_uids, Some(ranges(&[(1, 9)])));
            assert_eq!(
                qresync.sequence_match,
                Some((ranges(&[(1, 1), (4, 4)]), ranges(&[(5, 5), (9, 9)])))
            );
        }
        other => panic!("{other:?}"),
    }
}

mod properties {
    use super::*;
    use crate::cursor::Cursor;
    use crate::response::token;
    use crate::set::Numbers;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = Numbers> {
        proptest::collection::vec((1u32..500, 1u32..500), 1..20).prop_map(Numbers::from_ranges)
    }

    proptest! {
        /// What is printed as a set is read as the same.
        #[test]
        fn sets(numbers in numbers()) {
            let mut out = Vec::new();
            token::numbers(&numbers, &mut out);
            let set = Cursor::new(&out, false).sequence_set().unwrap();
            prop_assert_eq!(set.numbers(1000, &Numbers::new()), numbers);
        }

        /// Strings, astrings, mailbox names.
        #[test]
        fn strings(text in "[^\0]*", rev2 in any::<bool>()) {
            let mut out = Vec::new();
            token::string(text.as_bytes(), &mut out);
            let read = Cursor::new(&out, false).string().unwrap();
            prop_assert_eq!(&*read, text.as_bytes());
            out.clear();
            token::astring(text.as_bytes(), &mut out);
            let read = Cursor::new(&out, false).astring().unwrap();
            prop_assert_eq!(&*read, text.as_bytes());
            if !text.is_empty() && text.len() < limits::MAILBOX_NAME_BYTES_MAX {
                out.clear();
                token::mailbox(&text, rev2, &mut out);
                let read = super::super::mailbox::mailbox(&mut Cursor::new(&out, rev2)).unwrap();
                prop_assert_eq!(read.0, super::super::mailbox::capital_inbox(text));
            }
        }

        #[test]
        fn dates(seconds in -2_000_000_000i64..250_000_000_000) {
            let mut out = Vec::new();
            date_out(seconds, &mut out);
            let read = crate::date::date_time(&mut Cursor::new(&out, false)).unwrap();
            prop_assert_eq!(read.seconds, seconds);
        }

        #[test]
        fn numbers_printed(number in any::<u64>()) {
            let mut out = Vec::new();
            token::number(number, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }

        /// No line makes the parser panic.
        #[test]
        fn any_line(line in any::<Vec<u8>>(), rev2 in any::<bool>()) {
            let _ = name(&line, rev2).parse();
        }

        /// Nor one that looks like a command.
        #[test]
        fn any_arguments(row in 0..TABLE.len(), arguments in r#"[ ()\[\]<>{}"*$:,.0-9a-cA-C\\%+\r\n-]{0,40}"#, uid in any::<bool>()) {
            let line = format!("a {}{}{arguments}", if uid { "UID " } else { "" }, TABLE[row].name);
            let _ = parse_as(&line, uid);
        }

        #[test]
        fn set_algebra(left in numbers(), right in numbers()) {
            for number in 0..502 {
                let (in_left, in_right) = (left.contains(number), right.contains(number));
                prop_assert_eq!(left.union(&right).contains(number), in_left || in_right);
                prop_assert_eq!(left.intersection(&right).contains(number), in_left && in_right);
                prop_assert_eq!(left.difference(&right).contains(number), in_left && !in_right);
            }
            for set in [left.union(&right), left.intersection(&right), left.difference(&right)] {
                prop_assert_eq!(set.count(), set.iter().count() as u64);
                prop_assert!(set.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            }
        }
    }

    fn date_out(seconds: i64, out: &mut Vec<u8>) {
        crate::date::write_date_time(seconds, out);
    }
}

//! IMAP: the grammar of extensions whose arguments nest, repeat or name things, each with words of
//! its own, and each held to its limits and to what its type promises.

use facteur_fuzz::{Fuzz, Random, Signature, seeds};
use facteur_imap::command::{self, Notify, PartialRange, SearchKey, Watched};
use facteur_imap::url::MessageUrl;
use facteur_imap::{Request, limits};

/// The client's lines that hold one of the words, without CRLF.
fn lines(words: &[&str]) -> Vec<Vec<u8>> {
    let dialogues = seeds::transcripts("imap", seeds::Side::Client);
    let lines = dialogues.iter().flat_map(|dialogue| {
        let lines = dialogue.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\r\n").unwrap_or(line).to_vec())
    });
    let wanted = |line: &Vec<u8>| {
        let line = String::from_utf8_lossy(line).to_ascii_uppercase();
        words.iter().any(|word| line.contains(word))
    };
    let found: Vec<Vec<u8>> = lines.filter(wanted).collect();
    assert!(!found.is_empty(), "no transcript has {words:?}");
    found
}

/// Both ways of reading a line: in ASCII and with UTF8=ACCEPT.
fn requests(line: &[u8], signature: &mut Signature) -> impl Iterator<Item = Request> {
    let both = [false, true].map(|utf8| command::request(line, utf8));
    for request in &both {
        signature.add_shape(request);
    }
    both.into_iter().flatten()
}

#[test]
fn notify() {
    const WORDS: &[&str] = &[
        "n NOTIFY SET ",
        "n NOTIFY NONE",
        "STATUS ",
        "(SELECTED ",
        "(SELECTED-DELAYED ",
        "(PERSONAL ",
        "(INBOXES ",
        "(SUBSCRIBED ",
        "(SUBTREE (a \"b c\") ",
        "(MAILBOXES x ",
        "(MessageNew (UID BODY.PEEK[HEADER.FIELDS (To)]) MessageExpunge FlagChange)",
        "MessageNew ",
        "MessageExpunge ",
        "MailboxName ",
        "SubscriptionChange ",
        "MailboxMetadataChange ",
        "ServerMetadataChange ",
        "NONE)",
        "(",
        ")",
        "((",
        "\u{e9}",
    ];
    Fuzz::new("notify")
        .seeds(lines(&["NOTIFY"]))
        .words(WORDS)
        .run(|line, signature| {
            for request in requests(line, signature) {
                let Request::Notify(Notify::Set(set)) = request else {
                    continue;
                };
                assert!(set.groups.len() <= limits::NOTIFY_GROUPS_MAX);
                for group in &set.groups {
                    if let Watched::Subtree(names) | Watched::Mailboxes(names) = &group.watched {
                        assert!(!names.is_empty());
                        assert!(names.len() <= limits::NOTIFY_NAMES_MAX);
                    }
                }
                let items = set.selected.map_or(0, |selected| selected.items.len());
                assert!(items <= limits::FETCH_ITEMS_MAX + 8);
            }
        });
}

#[test]
fn metadata() {
    const WORDS: &[&str] = &[
        "m GETMETADATA ",
        "m SETMETADATA ",
        "(DEPTH infinity MAXSIZE 10) ",
        "(MAXSIZE 1024) ",
        "\"\" ",
        "INBOX ",
        "/private/comment",
        "/shared/vendor/a/b",
        "/private/filters/values/x",
        "(/private/comment NIL ",
        "{3}\r\nabc",
        "~{3}\r\n\0bc",
        "\"a \\\" value\"",
        "//",
        "*",
        "%",
        "(",
        ")",
    ];
    Fuzz::new("metadata")
        .seeds(lines(&["METADATA"]))
        .words(WORDS)
        .run(|line, signature| {
            for request in requests(line, signature) {
                let entries: Vec<String> = match request {
                    Request::GetMetadata(get) => get.entries,
                    Request::SetMetadata(set) => {
                        let values = set.entries.iter().filter_map(|(_, value)| value.as_ref());
                        for value in values {
                            assert!(value.len() <= limits::METADATA_VALUE_BYTES_MAX);
                        }
                        set.entries.into_iter().map(|(entry, _)| entry).collect()
                    }
                    _ => continue,
                };
                assert!(!entries.is_empty() && entries.len() <= limits::METADATA_ENTRIES_MAX);
                for entry in entries {
                    assert!(entry.len() <= limits::METADATA_NAME_BYTES_MAX);
                    assert!(entry.starts_with('/') && !entry.ends_with('/'), "{entry:?}");
                    assert!(
                        !entry.contains("//") && !entry.contains(['*', '%']),
                        "{entry:?}"
                    );
                }
            }
        });
}

#[test]
fn urls() {
    const WORDS: &[&str] = &[
        "/;UID=",
        ";UIDVALIDITY=7",
        "/;SECTION=1.2.MIME",
        "/;SECTION=HEADER.FIELDS%20(To)",
        "/;PARTIAL=5.10",
        "/;PARTIAL=0",
        ";URLAUTH=anonymous:internal:00",
        "%2F",
        "%C3%A9",
        "%00",
        "%",
        "4294967295",
        "4294967296",
        "imap://joe@example.test/",
    ];
    let seeds = [
        "/INBOX/;UID=1",
        "/INBOX;UIDVALIDITY=1767225600/;UID=1/;section=HEADER",
        "/Drafts/;UID=1/;PARTIAL=5.10",
        ";UID=1/;SECTION=1",
        "/a%20b/%C3%A9;uidvalidity=2/;uid=3/;section=2.1/;partial=0.4",
    ];
    Fuzz::new("urls")
        .seeds(seeds)
        .words(WORDS)
        .run(|input, signature| {
            let text = String::from_utf8_lossy(input);
            let url = MessageUrl::parse(&text);
            signature.add_shape(&url);
            let Some(url) = url else {
                return;
            };
            assert!(url.uid > 0);
            if let Some(mailbox) = &url.mailbox {
                assert!(!mailbox.is_empty() && mailbox.len() <= text.len());
                assert!(!mailbox.contains('\0'));
            }
            if let Some(partial) = url.partial {
                let range = partial.range(100);
                assert!(range.start <= range.end && range.end <= 100);
            }
        });
}

#[test]
fn sort_and_thread() {
    const WORDS: &[&str] = &[
        "s SORT ",
        "s UID SORT ",
        "s THREAD ",
        "RETURN (PARTIAL -1:-10 COUNT) ",
        "RETURN (UPDATE CONTEXT) ",
        "(REVERSE DATE SUBJECT) UTF-8 ",
        "(ARRIVAL",
        " REVERSE",
        " DISPLAYFROM",
        " DISPLAYTO",
        " SIZE)",
        " US-ASCII ",
        "REFERENCES UTF-8 ",
        "ORDEREDSUBJECT ",
        "REFS ",
        "ALL",
        "OR SUBJECT a NOT (SEEN FROM b)",
        "FUZZY ",
        "(",
        ")",
    ];
    Fuzz::new("sort_and_thread")
        .seeds(lines(&["SORT", "THREAD"]))
        .words(WORDS)
        .run(|line, signature| {
            for request in requests(line, signature) {
                match request {
                    Request::Search(search) => {
                        assert!(search.sort.len() <= limits::SORT_KEYS_MAX);
                        held(&search.keys);
                    }
                    Request::Thread(thread) => held(&thread.keys),
                    _ => {}
                }
            }
        });
}

/// RFC 5466: what is stored is parsed when it is used, whatever it is.
#[test]
fn filters() {
    const WORDS: &[&str] = &[
        "FILTER x ",
        "NOT ",
        "OR ",
        "(",
        ")",
        "ALL ",
        "TEXT \"a b\" ",
        "SUBJECT {3}\r\nabc ",
        "KEYWORD $Work ",
        "UID 1:*,5 ",
        "MODSEQ \"/flags/\\\\seen\" all 5 ",
        "SINCE 1-Feb-1994 ",
        "SAVEDSINCE 1-Feb-1994 ",
        "YOUNGER 5 ",
        "EMAILID M1 ",
        "$ ",
    ];
    let seeds = [
        "OR SUBJECT \"message 2\" SUBJECT \"message 3\"",
        "FILTER on-the-road SEEN",
        "NOT FILTER loop",
        "(FROM a (OR TO b NOT CC c)) LARGER 5",
    ];
    Fuzz::new("filters")
        .seeds(seeds)
        .words(WORDS)
        .run(|input, signature| {
            let keys = command::search_criteria(&String::from_utf8_lossy(input));
            signature.add_shape(&keys);
            if let Some(keys) = keys {
                held(&keys);
            }
        });
}

/// Search keys within their limits.
fn held(keys: &[SearchKey]) {
    assert!(!keys.is_empty());
    let mut count = 0;
    for key in keys {
        walk(key, 1, &mut count);
    }
    assert!(count <= limits::SEARCH_KEYS_MAX, "{count} keys");
}

fn walk(key: &SearchKey, depth: usize, count: &mut usize) {
    assert!(depth <= limits::SEARCH_DEPTH_MAX + 1, "{depth} deep");
    match key {
        SearchKey::And(keys) => keys.iter().for_each(|key| walk(key, depth + 1, count)),
        SearchKey::Or(left, right) => {
            walk(left, depth + 1, count);
            walk(right, depth + 1, count);
        }
        SearchKey::Not(key) => walk(key, depth + 1, count),
        _ => *count += 1,
    }
}

/// RFC 9394: the places meant are places of the result, counted from either end alike.
#[test]
fn partial() {
    const WORDS: &[&str] = &[
        "p SEARCH RETURN (PARTIAL ",
        "p UID FETCH 1:* FLAGS (PARTIAL ",
        "1:100",
        "-1:-100",
        "-100:-1",
        "4294967295:1",
        "0:1",
        "-0:-1",
        "1:-1",
        " ALL",
        " COUNT",
        ") ALL",
        ")",
    ];
    Fuzz::new("partial")
        .seeds(lines(&["PARTIAL"]))
        .words(WORDS)
        .run(|line, signature| {
            let count = Random::of(line).bits() >> 31;
            for request in requests(line, signature) {
                let range = match request {
                    Request::Search(search) => search.return_.and_then(|asked| {
                        assert!(!(asked.all && asked.partial.is_some()));
                        asked.partial
                    }),
                    Request::Fetch(fetch) => fetch.partial,
                    _ => None,
                };
                if let Some(range) = range {
                    assert!(range.first > 0 && range.last > 0);
                    let places = range.places(count);
                    assert!(places.start <= places.end && places.end <= count);
                    let other = PartialRange {
                        from_end: !range.from_end,
                        ..range
                    };
                    let mirrored = other.places(count);
                    assert_eq!(mirrored, count - places.end..count - places.start);
                }
            }
        });
}

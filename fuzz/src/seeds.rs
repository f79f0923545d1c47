//! Inputs that mean something: what clients and servers say in the transcripts, and messages.

use std::fs;
use std::path::{Path, PathBuf};

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whose lines of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// One dialogue for each transcript of `protocol`: all that the side says, with CRLF.
///
/// # Panics
/// When there are none: the seeds are what makes fuzzing worth its time.
pub fn transcripts(protocol: &str, side: Side) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    files(
        &repository()
            .join("crates/server/tests/transcripts")
            .join(protocol),
        &mut paths,
    );
    let texts = paths.iter().flat_map(fs::read_to_string);
    let dialogues: Vec<Vec<u8>> = texts.map(|text| said(&text, side)).collect();
    assert!(!dialogues.is_empty(), "no transcripts of {protocol}");
    dialogues
}

/// The lines of one side; the script's other words are left out.
fn said(text: &str, side: Side) -> Vec<u8> {
    let mark = match side {
        Side::Client => 'C',
        Side::Server => 'S',
    };
    let mut out = Vec::new();
    let mut block: Option<(String, bool)> = None;
    for line in text.lines() {
        if let Some((end, wanted)) = &block {
            if line == end {
                block = None;
            } else if *wanted {
                push(&mut out, line);
            }
            continue;
        }
        let Some((head, rest)) = line.split_once([':', ' ']) else {
            continue;
        };
        let name = head.split_once('[').map_or(head, |(name, _)| name);
        if !matches!(name, "C" | "S") {
            continue;
        }
        let wanted = name.starts_with(mark);
        if let Some(end) = rest.strip_prefix("<<") {
            block = Some((end.to_owned(), wanted));
        } else if !wanted || rest.trim() == "<closed>" {
            continue;
        } else if let Some(quoted) = rest.strip_prefix("raw: ") {
            raw(&mut out, quoted);
        } else if !rest.starts_with("repeat: ") {
            push(&mut out, rest.strip_prefix(' ').unwrap_or(rest));
        }
    }
    out
}

/// A line with what stands for secrets put in.
fn push(out: &mut Vec<u8>, line: &str) {
    let mut rest = line;
    while let Some((before, name, after)) = variable(rest) {
        out.extend_from_slice(before.as_bytes());
        // "\0alice\0pw" where SASL is spoken.
        let plain = name.ends_with("_plain");
        out.extend_from_slice(if plain { b"AGFsaWNlAHB3" } else { b"pw" });
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The first `{=name}`, with what is before and after it.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{=")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn raw(out: &mut Vec<u8>, quoted: &str) {
    let inner = quoted.trim_matches('"');
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        let next = if byte == b'\\' { rest.next() } else { None };
        match (byte, next) {
            (b'\\', Some(b'r')) => out.push(b'\r'),
            (b'\\', Some(b'n')) => out.push(b'\n'),
            (b'\\', Some(b't')) => out.push(b'\t'),
            (b'\\', Some(b'0')) => out.push(0),
            (b'\\', Some(b'x')) => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                let hex = String::from_utf8_lossy(&hex).into_owned();
                out.extend(u8::from_str_radix(&hex, 16));
            }
            (b'\\', Some(other)) => out.push(other),
            _ => out.push(byte),
        }
    }
}

/// Messages: those of the demonstration, and small ones for every corner of MIME.
pub fn messages() -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    files(
        &repository().join("crates/facteur/src/demo/messages"),
        &mut paths,
    );
    let mut found: Vec<Vec<u8>> = paths
        .iter()
        .flat_map(fs::read_to_string)
        .map(|text| {
            text.replace("\r\n", "\n")
                .replace('\n', "\r\n")
                .into_bytes()
        })
        .collect();
    found.extend(
        MESSAGES
            .iter()
            .map(|text| text.replace('\n', "\r\n").into_bytes()),
    );
    found
}

/// LF stands for CRLF.
const MESSAGES: &[&str] = &[
    "From: Alice <alice@example.test>\nTo: bob@example.test, \"B, C\" <c@example.test>\nSubject: =?utf-8?Q?Caf=C3=A9?= =?iso-8859-1?B?6Q==?=\nDate: Fri, 21 Nov 1997 09:55:06 -0600\nMessage-ID: <1234@local.machine.example>\nReferences: <1@x> <2@y>\nIn-Reply-To: <2@y>\n\nHello\n",
    "Subject: Re: [list] Fwd: x (fwd)\nFrom: a@b\nFrom: c@d\nReceived: from a by b; Fri, 21 Nov 1997 09:55:06 -0600\nDelivered-To: x@y\nAuto-Submitted: auto-replied\nList-Id: <l.x>\n folded\n\tagain\n\nbody",
    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nCaf=C3=A9=\n soft \n--b\nContent-Type: image/png; name*0*=utf-8'fr'%C3%A9; name*1=\".png\"\nContent-Disposition: attachment; filename=x.png; size=3\nContent-Transfer-Encoding: base64\nContent-ID: <i@x>\nContent-MD5: Q2hlY2s=\nContent-Language: fr, en\nContent-Location: x\nContent-Description: a picture\n\niVBORw0KGgo=\n--b--\nepilogue\n",
    "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\nContent-Type: multipart/related; boundary=ab\n\n--ab\nContent-Type: text/html\n\n<p>html &amp; more</p><style>x</style>\n--ab--\n--a--\n",
    "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\nfirst\n--d\nContent-Type: message/rfc822\n\nSubject: two\nTo: Group: a@b, c@d;, Undisclosed:;\nContent-Type: multipart/mixed; boundary=e\n\n--e\n\nx\n--e--\n\n--d--\n",
    "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nContent-Type: text/plain\n\ndeep\n",
    "Content-Type: message/global\n\nSubject: h\u{e9}\n\nx",
    "Content-Type: text/plain; charset=utf-7\n\nHi +Jjo- there\n",
    "Content-Type: text/plain; charset=\"iso-2022-jp\"\n\n\x1b$B%F%9%H\x1b(B\n",
    "To: <@a,@b:c@d>, (comment (nested)) x@[1.2.3.4], \"quo\\\"ted\"@x, broken <, ;\nCc: \nDate: nonsense\nContent-Type: text/plain; a=b; c=\"d\\\"\nContent-Transfer-Encoding: x-unknown\n\n",
    "Content-Transfer-Encoding: base64\n\nSGVs\nbG8=\n=\n!\n",
    "\n",
    "no header at all",
    "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n--\n----\n",
];

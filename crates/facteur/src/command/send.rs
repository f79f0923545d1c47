//! `facteur send`: a message made from the command line, or a whole one from standard input.

use std::io::{Cursor, Read};
use std::path::Path;

use facteur_message::build::{Entity, Header};
use facteur_message::{Address, address, encoded_word};
use facteur_store::{Clock, clock::SystemClock};
use serde_json::json;

use crate::arguments::{Common, Send};
use crate::output::{Failure, Outcome, Output};
use crate::place;
use crate::sendmail::{self, Call};
use crate::settings::LOCAL_SOCKET;
use crate::texts::{self, fill, t};

/// Of the text, and of each file; the server has its own limit for the message.
const FILE_BYTES_MAX: u64 = 100 << 20;

/// What programs show a file as, by its name's end.
const MEDIA_TYPES: [(&str, &str); 14] = [
    ("csv", "text/csv"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("gif", "image/gif"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("txt", "text/plain"),
    ("zip", "application/zip"),
];

pub fn run(common: &Common, send: Send) -> Outcome {
    let place = place::find(common)?;
    let socket = match &place.settings {
        Some(settings) if common.data.is_none() => settings.local_socket(),
        _ => place.data.join(LOCAL_SOCKET),
    };
    let mut call = Call {
        from: send.from.clone(),
        read_recipients: true,
        dots_are_text: true,
        ..Call::default()
    };
    let message = match send.raw {
        true => {
            call.recipients = [&send.to[..], &send.cc, &send.bcc].concat();
            call.read_recipients = call.recipients.is_empty();
            read(None)?
        }
        false => compose(&send)?,
    };
    let envelope = sendmail::deliver(&socket, &call, Cursor::new(message))?;
    let to = envelope.recipients.join(", ");
    let sentence = fill(texts::SEND_DONE, &[&crate::output::safe(&to)]);
    let json = json!({ "from": envelope.from, "to": envelope.recipients });
    Ok(Output::new(json, sentence))
}

fn compose(send: &Send) -> Result<Vec<u8>, Failure> {
    let mut header = Header::new();
    let from: Vec<String> = send.from.iter().cloned().collect();
    for (name, list) in [
        ("From", &from),
        ("To", &send.to),
        ("Cc", &send.cc),
        ("Bcc", &send.bcc),
    ] {
        if !list.is_empty() {
            header = addressed(header, name, &list.join(", "));
        }
    }
    header = header.text("Subject", send.subject.as_deref().unwrap_or_default());
    let html = send.html.as_deref().map(|file| read_text(Some(file)));
    let html = html.transpose()?;
    let text = match (&send.text, &send.file, &html) {
        (Some(text), _, _) => Some(text.clone()),
        (None, Some(file), _) => Some(read_text(Some(file))?),
        (None, None, Some(_)) => None,
        (None, None, None) => Some(read_text(None)?),
    };
    let mut random = [0u8; 16];
    SystemClock::new().random(&mut random);
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let words = match (text, html) {
        (Some(text), Some(html)) => {
            let parts = [Entity::text("plain", &text), Entity::text("html", &html)];
            Entity::multipart("alternative", &format!("a{token}"), &parts)
        }
        (None, Some(html)) => Entity::text("html", &html),
        (text, None) => Entity::text("plain", &text.unwrap_or_default()),
    };
    let mut parts = vec![words];
    for file in &send.attach {
        let content = read(Some(file))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        parts.push(Entity::attachment(media_type(file), &name, &content));
    }
    let whole = match <[Entity; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => Entity::multipart("mixed", &token, &parts),
    };
    Ok(whole.into_message(header))
}

/// Names may have accents. What is no address stays as it is, and is refused later.
fn addressed(header: Header, name: &str, value: &str) -> Header {
    let mut list = Vec::new();
    for entry in address::parse_list(value.as_bytes()) {
        let Address::Mailbox {
            name: shown,
            local: Some(local),
            domain: Some(domain),
            broken: false,
            ..
        } = entry
        else {
            return header.raw(name, value);
        };
        let local = String::from_utf8_lossy(&local);
        if local.contains([' ', '"', '@', ',', '\\']) {
            return header.raw(name, value);
        }
        let shown = shown.as_deref().map(encoded_word::decode);
        let address = format!("{local}@{}", String::from_utf8_lossy(&domain));
        list.push((shown.unwrap_or_default(), address));
    }
    let list: Vec<(&str, &str)> = list
        .iter()
        .map(|(shown, address)| (shown.as_str(), address.as_str()))
        .collect();
    header.addresses(name, &list)
}

fn media_type(file: &Path) -> &'static str {
    let end = file.extension().unwrap_or_default().to_string_lossy();
    let end = end.to_ascii_lowercase();
    let found = MEDIA_TYPES.iter().find(|row| row.0 == end);
    found.map_or("application/octet-stream", |row| row.1)
}

fn read_text(file: Option<&Path>) -> Result<String, Failure> {
    let bytes = read(file)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `None` and `-`: standard input.
fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let named = file.filter(|file| *file != Path::new("-"));
    let read = match named {
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)),
        None => std::io::stdin()
            .lock()
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes),
    };
    let shown = named.unwrap_or(Path::new("-")).display();
    read.map_err(|error| {
        Failure::new("file", fill(texts::FILE_UNREADABLE, &[&shown])).because(error)
    })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new("file", t(texts::SEND_TOO_BIG)));
    }
    Ok(bytes)
}

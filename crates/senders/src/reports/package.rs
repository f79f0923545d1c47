//! How a report travels: file names and subjects (RFC 7489 §7.2.1.1, RFC 8460 §5.1 and §5.3), GZIP and ZIP.

use std::borrow::Cow;
use std::io::{Read, Write};

use facteur_documents::zip;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::Bad;
use crate::limits::{
    REPORT_BYTES_MAX, REPORT_PACKED_DEEP_MAX, REPORT_RATIO_FROM_BYTES, REPORT_RATIO_MAX,
};

const GZIP: &[u8] = b"\x1f\x8b";
const ZIP: &[u8] = b"PK\x03\x04";
const PIECE_BYTES: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Aggregate,
    Tls,
}

/// About whom, by whom, for which time, all seconds since 1970; domains in A-labels.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    pub kind: Kind,
    pub domain: &'a str,
    pub submitter: &'a str,
    pub begin: i64,
    pub end: i64,
    /// The report's id.
    pub id: &'a str,
}

/// Of the packed report. The id is told by its letters and digits only.
pub fn file_name(label: &Label<'_>) -> String {
    let Label { begin, end, .. } = label;
    let unique: String = label
        .id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let unique = if unique.is_empty() {
        unique
    } else {
        format!("!{unique}")
    };
    let extension = match label.kind {
        Kind::Aggregate => "xml.gz",
        Kind::Tls => "json.gz",
    };
    let (submitter, domain) = (label.submitter, label.domain);
    format!("{submitter}!{domain}!{begin}!{end}{unique}.{extension}")
}

/// Unfolded. The id stands as a msg-id: it gets the submitter's domain when it has none.
pub fn subject(label: &Label<'_>) -> String {
    let Label {
        domain,
        submitter,
        id,
        ..
    } = label;
    let at = if id.contains('@') {
        String::new()
    } else {
        format!("@{submitter}")
    };
    format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}{at}>")
}

/// What a file name says of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub submitter: String,
    pub domain: String,
    pub begin: i64,
    pub end: i64,
}

impl Named {
    pub fn parse(name: &str) -> Option<Self> {
        let mut pieces = name.split('!');
        let mut next = || pieces.next().map(str::trim);
        let (submitter, domain) = (next()?.to_owned(), next()?.to_ascii_lowercase());
        let number = |text: &str| {
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            text.get(..end)?.parse().ok()
        };
        let (begin, end) = (number(next()?)?, number(next()?)?);
        let filled = !submitter.is_empty() && !domain.is_empty();
        filled.then_some(Named {
            submitter,
            domain,
            begin,
            end,
        })
    }
}

/// Whether an attachment may be a report, by its media type and name. Senders are often wrong about the
/// type, so that a name will do.
pub fn may_hold(kind: &[u8], subtype: &[u8], name: Option<&str>) -> bool {
    const SUBTYPES: [&[u8]; 11] = [
        b"zip",
        b"x-zip",
        b"x-zip-compressed",
        b"gzip",
        b"x-gzip",
        b"tlsrpt+gzip",
        b"tlsrpt+json",
        b"tlsrpt",
        b"json",
        b"xml",
        b"vnd.dmarc-report+xml",
    ];
    const ENDS: [&str; 6] = [".xml", ".xml.gz", ".json", ".json.gz", ".zip", ".gz"];
    let is = |have: &[u8], wanted: &[u8]| have.eq_ignore_ascii_case(wanted);
    let typed = is(kind, b"application") && SUBTYPES.iter().any(|wanted| is(subtype, wanted))
        || is(kind, b"text") && is(subtype, b"xml");
    let name = name.unwrap_or_default().to_ascii_lowercase();
    typed || ENDS.iter().any(|end| name.ends_with(end))
}

/// RFC 1952, always the same for the same report.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Nothing that is written into memory fails.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// What is packed in GZIP or ZIP, also the one in the other, else the bytes themselves. Of an archive it is
/// the first file that is named like a report.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Bad> {
    let mut bytes = Cow::Borrowed(bytes);
    for _ in 0..REPORT_PACKED_DEEP_MAX {
        bytes = match &*bytes {
            packed if packed.starts_with(GZIP) => Cow::Owned(gunzip(packed)?),
            packed if packed.starts_with(ZIP) => Cow::Owned(unzip(packed)?),
            _ => break,
        };
    }
    match bytes.len() {
        0..=REPORT_BYTES_MAX => Ok(bytes),
        _ => Err(Bad::TooLarge),
    }
}

/// Takes pieces as long as they fit what they came from.
struct Grown {
    bytes: Vec<u8>,
    packed: usize,
}

impl Grown {
    fn push(&mut self, piece: &[u8]) -> Result<(), Bad> {
        let bytes = self.bytes.len() + piece.len();
        let grows = bytes > REPORT_RATIO_FROM_BYTES && bytes / REPORT_RATIO_MAX > self.packed;
        if bytes > REPORT_BYTES_MAX || grows {
            return Err(Bad::TooLarge);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

fn gunzip(packed: &[u8]) -> Result<Vec<u8>, Bad> {
    let mut reader = MultiGzDecoder::new(packed);
    let mut grown = Grown {
        bytes: Vec::new(),
        packed: packed.len(),
    };
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = match reader.read(&mut piece) {
            Ok(count) => count,
            // Some add bytes after the end.
            Err(_) if !grown.bytes.is_empty() => 0,
            Err(_) => return Err(Bad::Damaged),
        };
        if count == 0 {
            return Ok(grown.bytes);
        }
        grown.push(piece.get(..count).unwrap_or_default())?;
    }
}

fn unzip(packed: &[u8]) -> Result<Vec<u8>, Bad> {
    let named = |name: &[u8]| {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        [".xml", ".json", ".gz"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    let entry = zip::find_by(packed, named).ok_or(Bad::Damaged)?;
    let mut grown = Grown {
        bytes: Vec::new(),
        packed: packed.len(),
    };
    let mut fits = Ok(());
    let mut left = usize::MAX;
    zip::inflate(&entry, &mut left, &mut |piece| {
        fits = grown.push(piece);
        fits.is_ok()
    });
    fits.map(|()| grown.bytes)
}

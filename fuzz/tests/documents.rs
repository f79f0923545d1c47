//! Documents of strangers: ZIP archives and the XML in them.

use facteur_documents::{Kind, limits, text};
use facteur_fuzz::Fuzz;

const WORDS: &[&str] = &[
    "PK\u{1}\u{2}",
    "PK\u{3}\u{4}",
    "PK\u{5}\u{6}",
    "content.xml",
    "word/document.xml",
    "<text:p>",
    "</text:p>",
    "<w:instrText>",
    "<w:p/>",
    "&amp;",
    "&#x10ffff;",
    "&#0;",
    "\"",
    "é",
];

/// A stored file in an archive; its sizes are as given.
fn archive(name: &str, content: &[u8], size: u32) -> Vec<u8> {
    let mut out = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
    out.extend((name.len() as u16).to_le_bytes());
    out.extend([0, 0]);
    out.extend(name.as_bytes());
    out.extend(content);
    let at = out.len() as u32;
    out.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
    out.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
    out.extend((name.len() as u16).to_le_bytes());
    out.extend([0; 16]);
    out.extend(name.as_bytes());
    let bytes = out.len() as u32 - at;
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend([bytes.to_le_bytes(), at.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

#[test]
fn documents() {
    let docx = b"<w:p><w:t>one</w:t><w:tab/><w:t>two &amp; three</w:t></w:p>";
    let odt = b"<text:h a=\"&gt;\">one</text:h><text:tracked-changes>x</text:tracked-changes>";
    let seeds = [
        archive("word/document.xml", docx, docx.len() as u32),
        archive("content.xml", odt, odt.len() as u32),
        archive("content.xml", odt, u32::MAX),
    ];
    Fuzz::new("documents")
        .seeds(seeds)
        .words(WORDS)
        .run(|input, signature| {
            for kind in [Kind::Docx, Kind::Odt] {
                let (mut pieces, mut bytes) = (0, 0);
                text(kind, input, &mut |piece| {
                    pieces += 1;
                    bytes += piece.len();
                    true
                });
                // A byte that is no UTF-8 becomes three, and a tag may become a space.
                assert!(bytes <= 3 * limits::INFLATED_BYTES_MAX + 3);
                signature.add_size(bytes);
                let mut again = 0;
                text(kind, input, &mut |_| {
                    again += 1;
                    false
                });
                assert_eq!(again, usize::from(pieces > 0));
            }
        });
}

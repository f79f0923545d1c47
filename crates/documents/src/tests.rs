use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;

use super::*;

/// An archive of these files.
fn archive(files: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let data = match deflate {
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            false => content.to_vec(),
        };
        let method: u16 = if deflate { 8 } else { 0 };
        let at = out.len() as u32;
        let sizes = [0, data.len() as u32, content.len() as u32];
        let common = |record: &mut Vec<u8>| {
            record.extend(20_u16.to_le_bytes());
            record.extend(0_u16.to_le_bytes());
            record.extend(method.to_le_bytes());
            record.extend([0; 4]);
            sizes
                .iter()
                .for_each(|size| record.extend(size.to_le_bytes()));
            record.extend((name.len() as u16).to_le_bytes());
            record.extend(0_u16.to_le_bytes());
        };
        out.extend(0x0403_4b50_u32.to_le_bytes());
        common(&mut out);
        out.extend(name.as_bytes());
        out.extend(&data);
        directory.extend(0x0201_4b50_u32.to_le_bytes());
        directory.extend(20_u16.to_le_bytes());
        common(&mut directory);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let at = out.len() as u32;
    let size = directory.len() as u32;
    out.extend(directory);
    out.extend(0x0605_4b50_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend((files.len() as u16).to_le_bytes());
    out.extend((files.len() as u16).to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn read(kind: Kind, document: &[u8]) -> String {
    let mut all = String::new();
    text(kind, document, &mut |piece| {
        all.push_str(piece);
        true
    });
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

const DOCX: &[u8] = b"<?xml version=\"1.0\"?><w:document><w:body><w:p><w:r><w:t>Fac</w:t></w:r><w:r \
    w:rsid=\"a>b\"><w:t>ture</w:t></w:r></w:p><w:p><w:r><w:instrText>PAGE</w:instrText><w:tab/><w:t \
    xml:space=\"preserve\">R&#233;union &amp; caf\xc3\xa9</w:t></w:r></w:p></w:body></w:document>";

#[test]
fn documents_of_both_kinds() {
    for deflate in [false, true] {
        let docx = archive(
            &[
                ("[Content_Types].xml", b"<Types/>"),
                ("word/document.xml", DOCX),
                ("word/footnotes.xml", b"<w:p><w:t>note</w:t></w:p>"),
            ],
            deflate,
        );
        assert_eq!(read(Kind::Docx, &docx), "Facture Réunion & café note");
        assert_eq!(read(Kind::Odt, &docx), "");
        let content = b"<office:text><text:tracked-changes><text:p>old</text:p></text:tracked-changes>\
            <text:h>Titre</text:h><text:p>un<text:s/>deux<text:span>iemes</text:span>&unknown;x</text:p>";
        let odt = archive(&[("mimetype", b"x"), ("content.xml", content)], deflate);
        assert_eq!(read(Kind::Odt, &odt), "Titre un deuxiemes x");
    }
}

#[test]
fn kinds() {
    let of = |subtype: &str, name| Kind::of(b"Application", subtype.as_bytes(), name);
    let docx = "vnd.openxmlformats-officedocument.wordprocessingml.document";
    assert_eq!(of(docx, None), Some(Kind::Docx));
    assert_eq!(of("octet-stream", Some("a.ODT")), Some(Kind::Odt));
    assert_eq!(of("octet-stream", Some("odt")), None);
    assert_eq!(of("pdf", Some("a.pdf")), None);
}

/// A few kilobytes that would be gigabytes.
#[test]
fn bombs_are_cut() {
    let mut bomb = b"<w:t>".to_vec();
    bomb.resize(64 << 20, b'a');
    let bomb = archive(
        &[("word/document.xml", &bomb), ("word/footnotes.xml", &bomb)],
        true,
    );
    assert!(bomb.len() < 256 << 10);
    let mut bytes = 0;
    text(Kind::Docx, &bomb, &mut |piece| {
        assert!(piece.len() <= 4 * limits::PIECE_BYTES);
        bytes += piece.len();
        true
    });
    assert!(bytes <= limits::INFLATED_BYTES_MAX + 16, "{bytes}");
    let mut pieces = 0;
    text(Kind::Docx, &bomb, &mut |_| {
        pieces += 1;
        pieces < 3
    });
    assert_eq!(pieces, 3);
}

#[test]
fn archives_that_lie() {
    let good = archive(&[("content.xml", b"<p>text</p>")], true);
    for at in 0..good.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert!(read(Kind::Odt, &bad).len() < 100);
        }
        assert!(read(Kind::Odt, &good[..at]).len() < 100);
    }
    // Every record points to the directory's start again: nothing goes round.
    let many: Vec<(&str, &[u8])> = vec![("x", b""); limits::ENTRIES_MAX];
    let mut many = many;
    many.push(("content.xml", b"<p>text</p>"));
    assert_eq!(read(Kind::Odt, &archive(&many, false)), "");
}

proptest! {
    #[test]
    fn any_bytes(content in prop::collection::vec(any::<u8>(), 0..300), deflate: bool) {
        read(Kind::Odt, &content);
        let cut = content.len() / 2;
        let document = archive(&[("content.xml", &content)], deflate);
        read(Kind::Odt, &document);
        let (mut whole, mut pieces) = (Reader::default(), Reader::default());
        let (mut one, mut two) = (String::new(), String::new());
        whole.push(&content, &mut |_| true);
        whole.finish(&mut |text| { one.push_str(text); true });
        pieces.push(&content[..cut], &mut |_| true);
        pieces.push(&content[cut..], &mut |_| true);
        pieces.finish(&mut |text| { two.push_str(text); true });
        prop_assert_eq!(one, two);
    }
}

//! What tests look at: header fields, addresses, dates, parts of the body.

use facteur_message::date::{self, Civil};
use facteur_message::{Address, Part, PartBody, PartText, Sent, Span, address, header};

use super::Machine;
use super::parts::chosen;
use crate::error::Cause;
use crate::limits;
use crate::program::{AddressPart, DatePart, Fields, Headers, Transform, Zone};

/// Bytes that one read takes.
const READ_BYTES: u64 = 64 * 1024;

impl<'a> Machine<'a> {
    /// Unfolded raw values of the fields named, in the order of the names (RFC 5260 §6).
    fn raw_values(&mut self, fields: &Fields) -> Result<Vec<Vec<u8>>, Cause> {
        let names = self.expand_all(&fields.names)?;
        let mut values = Vec::new();
        for name in &names {
            values.extend(self.fields_named(name)?);
        }
        Ok(chosen(fields, values))
    }

    /// The same in the headers of parts (RFC 5703 §4.2).
    fn part_values(&mut self, fields: &Fields, headers: Headers) -> Result<Vec<Vec<u8>>, Cause> {
        let names = self.expand_all(&fields.names)?;
        let mut values = Vec::new();
        for block in self.blocks(headers)? {
            let mut found = Vec::new();
            for name in &names {
                self.look_through(std::slice::from_ref(&block))?;
                let named = header::fields(&block).filter(|field| field.is(name));
                found.extend(named.map(|field| field.unfolded()));
            }
            values.extend(chosen(fields, found));
        }
        self.charge(values.iter().map(Vec::len).sum())?;
        Ok(values)
    }

    pub(super) fn fields_named(&mut self, name: &str) -> Result<Vec<Vec<u8>>, Cause> {
        self.spend(super::steps_for(self.header().len()))?;
        let all = header::fields(self.header());
        let values: Vec<Vec<u8>> = all
            .filter(|field| field.is(name))
            .map(|field| field.unfolded())
            .collect();
        self.charge(values.iter().map(Vec::len).sum())?;
        Ok(values)
    }

    /// RFC 5228 §2.7.2: decoded to UTF-8, without the white space around.
    pub(super) fn header_values(&mut self, fields: &Fields) -> Result<Vec<String>, Cause> {
        let raw = self.raw_values(fields)?;
        let values: Vec<String> = raw.iter().map(|value| decoded(value)).collect();
        self.charge(values.iter().map(String::len).sum())?;
        Ok(values)
    }

    pub(super) fn addresses(
        &mut self,
        fields: &Fields,
        headers: Headers,
        part: AddressPart,
    ) -> Result<Vec<String>, Cause> {
        let mut out = Vec::new();
        let values = match headers {
            Headers::Message => self.raw_values(fields)?,
            Headers::Part | Headers::PartAndChildren => self.part_values(fields, headers)?,
        };
        for value in values {
            for entry in address::parse_list(&value) {
                if let Address::Mailbox { local, domain, .. } = entry {
                    let local = local.as_deref().map(decoded_plain);
                    let domain = domain.as_deref().map(decoded_plain);
                    out.extend(address_part(local.as_deref(), domain.as_deref(), part));
                }
            }
        }
        self.charge(out.iter().map(String::len).sum())?;
        Ok(out)
    }

    /// The first field's date (RFC 5260 §4), that at the end behind a semicolon for one.
    pub(super) fn date(&mut self, fields: &Fields) -> Result<Option<Sent>, Cause> {
        let values = self.raw_values(fields)?;
        let Some(value) = values.first() else {
            return Ok(None);
        };
        let last = value.rsplit(|byte| *byte == b';').next();
        Ok(last.and_then(date::parse))
    }

    /// RFC 5173 §5: the strings that are looked at, one after another, until `found` says so.
    pub(super) fn body_values(
        &mut self,
        transform: &Transform,
        mut found: impl FnMut(&mut Self, String) -> Result<bool, Cause>,
    ) -> Result<bool, Cause> {
        let wanted = match transform {
            Transform::Raw => {
                let text = self.raw(self.mail.root.body)?;
                return found(self, text);
            }
            Transform::Text => vec!["text".to_owned()],
            Transform::Content(types) => self.expand_all(types)?,
        };
        let root = self.mail.root;
        for part in root.walk().take(limits::PARTS_MAX) {
            self.spend(1)?;
            if !wanted.iter().any(|wanted| is_type(part, wanted)) {
                continue;
            }
            for text in self.part_texts(part)? {
                if found(self, text)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What of a part is searched: of a multipart its prologue and epilogue, of a message its
    /// header, of all others the content.
    pub(super) fn part_texts(&mut self, part: &Part) -> Result<Vec<String>, Cause> {
        match &part.content {
            PartBody::Leaf => {
                let mut decoder = PartText::new(part);
                let mut text = String::new();
                self.read(part.body, |bytes| {
                    decoder.push(bytes, &mut text);
                    text.len()
                })?;
                decoder.finish(&mut text);
                Ok(vec![text])
            }
            PartBody::Message(nested) => Ok(vec![self.raw(nested.root.header)?]),
            PartBody::Multipart(parts) => {
                let start = parts
                    .first()
                    .map_or(part.body.end, |first| first.header.start);
                let end = parts.last().map_or(part.body.end, |last| last.body.end);
                let prologue = Span {
                    start: part.body.start,
                    end: start,
                };
                let epilogue = Span {
                    start: end,
                    end: part.body.end,
                };
                Ok(vec![
                    without_boundary(&self.raw(prologue)?, false),
                    without_boundary(&self.raw(epilogue)?, true),
                ])
            }
        }
    }

    fn raw(&mut self, span: Span) -> Result<String, Cause> {
        let mut all = Vec::new();
        self.read(span, |bytes| {
            all.extend_from_slice(bytes);
            all.len()
        })?;
        Ok(match String::from_utf8(all) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Reads piece by piece while `take`, which says how much it holds, is below the limit.
    fn read(&mut self, span: Span, mut take: impl FnMut(&[u8]) -> usize) -> Result<(), Cause> {
        let (mut at, mut bytes) = (span.start, Vec::new());
        while at < span.end {
            let end = span.end.min(at.saturating_add(READ_BYTES));
            bytes.clear();
            let piece = Span { start: at, end };
            self.world
                .body(piece, &mut bytes)
                .map_err(|_| Cause::Message)?;
            self.spend(super::steps_for(bytes.len()))?;
            if bytes.is_empty() || take(&bytes) >= limits::BODY_BYTES_MAX {
                break;
            }
            at = end;
        }
        Ok(())
    }
}

fn decoded(value: &[u8]) -> String {
    facteur_message::encoded_word::decode(value)
}

fn decoded_plain(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Takes the boundary's line off: the last one of a prologue, the first one of an epilogue.
fn without_boundary(text: &str, epilogue: bool) -> String {
    let cut = if epilogue {
        // The line end before the boundary belongs to it (RFC 2046 §5.1.1).
        let line = text.trim_start_matches(['\r', '\n']);
        line.starts_with("--")
            .then(|| line.split_once('\n').map_or("", |(_, rest)| rest))
    } else {
        let whole = text.trim_end_matches(['\r', '\n']);
        let start = whole.rfind('\n').map_or(0, |at| at + 1);
        let last = whole.get(start..).unwrap_or_default();
        last.starts_with("--")
            .then(|| whole.get(..start).unwrap_or_default())
    };
    cut.unwrap_or(text).to_owned()
}

/// RFC 5228 §2.7.4 and RFC 5233 §4; `None`: there is no such part.
pub(super) fn address_part(
    local: Option<&str>,
    domain: Option<&str>,
    part: AddressPart,
) -> Option<String> {
    let user_detail = || local.map(|local| local.split_once('+').unwrap_or((local, "")));
    match part {
        AddressPart::All => match (local, domain) {
            (Some(local), Some(domain)) => Some(format!("{local}@{domain}")),
            (Some(local), None) => Some(local.to_owned()),
            (None, _) => None,
        },
        // What is no whole address has no parts.
        _ if domain.is_none() => None,
        AddressPart::LocalPart => local.map(str::to_owned),
        AddressPart::Domain => domain.map(str::to_owned),
        AddressPart::User => user_detail().map(|(user, _)| user.to_owned()),
        // Without a separator there is no detail at all, not an empty one.
        AddressPart::Detail => local?.split_once('+').map(|(_, detail)| detail.to_owned()),
    }
}

/// RFC 5173 §5.2.
fn is_type(part: &Part, wanted: &str) -> bool {
    match wanted.split_once('/') {
        None if wanted.is_empty() => true,
        None => part.is(wanted, "*"),
        Some((kind, subtype)) => {
            !kind.is_empty()
                && !subtype.is_empty()
                && !subtype.contains(['/', '*'])
                && part.is(kind, subtype)
        }
    }
}

/// RFC 5260 §4.2.
pub(super) fn date_part(sent: Sent, zone: Zone, part: DatePart) -> String {
    let minutes = match zone {
        Zone::Local => 0,
        Zone::Fixed(minutes) => minutes,
        Zone::Original => sent.offset_minutes,
    };
    let civil = Civil::from_unix(sent.unix, minutes);
    let days = date::days_from_civil(civil.year, civil.month, civil.day);
    let day = format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
    let time = format!("{:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second);
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, rest) = (minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60);
    match part {
        DatePart::Year => format!("{:04}", civil.year),
        DatePart::Month => format!("{:02}", civil.month),
        DatePart::Day => format!("{:02}", civil.day),
        DatePart::Date => day,
        // Day 0 is 17 November 1858.
        DatePart::Julian => days.saturating_add(40_587).to_string(),
        DatePart::Hour => format!("{:02}", civil.hour),
        DatePart::Minute => format!("{:02}", civil.minute),
        DatePart::Second => format!("{:02}", civil.second),
        DatePart::Time => time,
        DatePart::Iso8601 if minutes == 0 => format!("{day}T{time}Z"),
        DatePart::Iso8601 => format!("{day}T{time}{sign}{hours:02}:{rest:02}"),
        DatePart::Std11 => date::format(Sent {
            unix: sent.unix,
            offset_minutes: minutes,
        }),
        DatePart::Zone => format!("{sign}{hours:02}{rest:02}"),
        // 1 January 1970 was a Thursday.
        DatePart::Weekday => (days.saturating_add(4)).rem_euclid(7).to_string(),
    }
}

//! RFC 5703: loops over the parts, their headers, and their text in variables.

use std::collections::HashMap;
use std::rc::Rc;

use facteur_message::{Degraded, Param, Part, PartBody, Span, header, mime_field, param_text};

use super::{Machine, modify};
use crate::error::Cause;
use crate::limits;
use crate::program::{Aspect, Fields, Headers, Modifier};

/// Headers of parts that were read, by where they begin.
pub(super) type PartHeaders = HashMap<u64, Rc<[u8]>>;

/// A loop that is under way.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    parts: Rc<[&'a Part]>,
    /// The next one.
    at: usize,
}

impl<'a> Machine<'a> {
    /// RFC 5703 §3: all parts of the message; in a loop those within the part whose turn it is.
    pub(super) fn enter_loop(&mut self) -> Result<(), Cause> {
        if self.loops.len() >= limits::LOOPS_MAX {
            return Err(Cause::Calls);
        }
        let parts: Vec<&Part> = match self.part() {
            None => self.mail.root.walk().take(limits::PARTS_MAX).collect(),
            Some(part) => part.walk().skip(1).take(limits::PARTS_MAX).collect(),
        };
        self.spend(parts.len() as u64)?;
        self.loops.push(Walk {
            parts: parts.into(),
            at: 0,
        });
        Ok(())
    }

    /// Whether there is one more.
    pub(super) fn next_part(&mut self) -> bool {
        let Some(walk) = self.loops.last_mut() else {
            return false;
        };
        if walk.at < walk.parts.len() {
            walk.at += 1;
            return true;
        }
        self.loops.pop();
        false
    }

    /// Whose turn it is.
    fn part(&self) -> Option<&'a Part> {
        let walk = self.loops.last()?;
        let part = walk.at.checked_sub(1)?;
        walk.parts.get(part).copied()
    }

    /// Header blocks that a test looks at.
    pub(super) fn blocks(&mut self, headers: Headers) -> Result<Vec<Rc<[u8]>>, Cause> {
        let part = self.part().unwrap_or(self.mail.root);
        let parts: Vec<&Part> = match headers {
            Headers::Message => vec![self.mail.root],
            Headers::Part => vec![part],
            Headers::PartAndChildren => part.walk().take(limits::PARTS_MAX).collect(),
        };
        parts.into_iter().map(|part| self.block(part)).collect()
    }

    fn block(&mut self, part: &Part) -> Result<Rc<[u8]>, Cause> {
        if std::ptr::eq(part, self.mail.root) {
            self.spend(super::steps_for(self.header().len()))?;
            return Ok(self.header().into());
        }
        let start = part.header.start;
        if let Some(block) = self.part_headers.get(&start) {
            let block = Rc::clone(block);
            self.spend(1 + super::steps_for(block.len()))?;
            return Ok(block);
        }
        let most = start.saturating_add(limits::PART_HEADER_BYTES_MAX);
        let span = Span {
            start,
            end: part.header.end.min(most),
        };
        let mut bytes = Vec::new();
        self.world
            .body(span, &mut bytes)
            .map_err(|_| Cause::Message)?;
        self.charge(bytes.len())?;
        self.spend(limits::PART_HEADER_STEPS)?;
        let block: Rc<[u8]> = bytes.into();
        self.part_headers.insert(start, Rc::clone(&block));
        Ok(block)
    }

    /// Pays for a look at all of their fields.
    pub(super) fn look_through(&mut self, blocks: &[Rc<[u8]>]) -> Result<(), Cause> {
        let cost = |block: &Rc<[u8]>| super::steps_for_fields(block.len());
        self.spend(blocks.iter().map(cost).sum())
    }

    /// RFC 5703 §4.1: what a test of MIME fields looks at.
    pub(super) fn aspects(
        &mut self,
        fields: &Fields,
        headers: Headers,
        aspect: &Aspect,
    ) -> Result<Vec<String>, Cause> {
        let names = self.expand_all(&fields.names)?;
        let params = match aspect {
            Aspect::Params(params) => self.expand_all(params)?,
            _ => Vec::new(),
        };
        let mut out = Vec::new();
        for block in self.blocks(headers)? {
            let mut found: Vec<(&String, Vec<u8>)> = Vec::new();
            for name in &names {
                self.look_through(std::slice::from_ref(&block))?;
                let named = header::fields(&block).filter(|field| field.is(name));
                found.extend(named.map(|field| (name, field.unfolded())));
            }
            for (name, value) in chosen(fields, found) {
                self.spend(params.len() as u64 + super::steps_for(value.len()))?;
                aspect_of(name, &value, aspect, &params, &mut out);
            }
        }
        self.charge(out.iter().map(String::len).sum())?;
        Ok(out)
    }

    /// RFC 5703 §7: the text of the part; empty for what is no text.
    pub(super) fn extract(
        &mut self,
        slot: usize,
        modifiers: &[Modifier],
        first: Option<u64>,
    ) -> Result<(), Cause> {
        let part = self.part();
        let leaf =
            part.filter(|part| matches!(part.content, PartBody::Leaf) && part.is("text", "*"));
        let texts = match leaf {
            Some(part) => self.part_texts(part)?,
            None => Vec::new(),
        };
        let mut text = texts.into_iter().next().unwrap_or_default();
        if let Some(first) = first {
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            let end = text.char_indices().nth(first).map(|(at, _)| at);
            text.truncate(end.unwrap_or(text.len()));
        }
        text.truncate(text.floor_char_boundary(limits::VARIABLE_BYTES_MAX));
        self.charge(text.len())?;
        for modifier in modifiers {
            text = modify(*modifier, &text);
            self.charge(text.len())?;
        }
        text.truncate(text.floor_char_boundary(limits::VARIABLE_BYTES_MAX));
        if let Some(place) = self.slots.get_mut(slot) {
            *place = text;
        }
        Ok(())
    }
}

/// RFC 5260 §6, in one header.
pub(super) fn chosen<T>(fields: &Fields, mut found: Vec<T>) -> Vec<T> {
    let Some(index) = fields.index else {
        return found;
    };
    let place = usize::try_from(index.number).unwrap_or(usize::MAX);
    let place = match index.last {
        true => found.len().checked_sub(place),
        false => place.checked_sub(1),
    };
    match place.filter(|place| *place < found.len()) {
        Some(place) => vec![found.swap_remove(place)],
        None => Vec::new(),
    }
}

fn aspect_of(name: &str, value: &[u8], aspect: &Aspect, params: &[String], out: &mut Vec<String>) {
    let mut degraded = Degraded::default();
    let (mut kind, mut subtype, mut list) = (String::new(), String::new(), Vec::<Param>::new());
    if name.eq_ignore_ascii_case("content-type") {
        let found = mime_field::content_type(value, &mut degraded);
        if found.kind.is_empty() {
            return;
        }
        kind = String::from_utf8_lossy(&found.kind).into_owned();
        subtype = String::from_utf8_lossy(&found.subtype).into_owned();
        list = found.params;
    } else if name.eq_ignore_ascii_case("content-disposition") {
        let Some(found) = mime_field::disposition(value, &mut degraded) else {
            return;
        };
        kind = String::from_utf8_lossy(&found.kind).into_owned();
        list = found.params;
    }
    match aspect {
        Aspect::Value => out.push(facteur_message::encoded_word::decode(value)),
        Aspect::Type => out.push(kind),
        Aspect::Subtype => out.push(subtype),
        Aspect::ContentType if subtype.is_empty() => out.push(kind),
        Aspect::ContentType => out.push(format!("{kind}/{subtype}")),
        Aspect::Params(_) => {
            out.extend(params.iter().filter_map(|name| param_text(&list, name)));
        }
    }
}

//! RFC 5293: the header as the script has changed it so far.
//!
//! What the server put in front of the message is never touched; what a script adds at the top
//! stands above it for the script and is handed back apart from it.

use facteur_message::build::Header as Builder;
use facteur_message::header;

use super::Machine;
use crate::error::Cause;
use crate::limits;
use crate::message::Edition;
use crate::program::{Index, Matching};
use crate::text::Text;
use crate::value;

/// Fields that no script takes away (RFC 5293 §6).
const KEPT: &[&str] = &["received", "auto-submitted"];

/// A header in its pieces, top to bottom: `added`, what the server wrote, `rest`.
#[derive(Clone, Debug)]
pub(super) struct Edited {
    added: Vec<u8>,
    rest: Vec<u8>,
    /// All of it in one.
    whole: Vec<u8>,
    /// Its place among the outcome's editions, once an action used it.
    edition: Option<usize>,
}

impl Machine<'_> {
    /// The header that tests look at.
    pub(super) fn header(&self) -> &[u8] {
        match &self.edited {
            None => self.mail.header,
            Some(edited) => &edited.whole,
        }
    }

    /// RFC 5293 §7: actions take the header as it is now; 0 is the one that came.
    pub(super) fn edition(&mut self) -> Result<usize, Cause> {
        let Some(edited) = &mut self.edited else {
            return Ok(0);
        };
        if let Some(edition) = edited.edition {
            return Ok(edition);
        }
        let editions = &mut self.outcome.editions;
        let edition = Edition {
            added: edited.added.clone(),
            rest: edited.rest.clone(),
        };
        let same = editions.iter().position(|have| *have == edition);
        let place = match same {
            Some(place) => place,
            None if editions.len() >= limits::EDITIONS_MAX => return Err(Cause::TooManyEditions),
            None => {
                editions.push(edition);
                editions.len() - 1
            }
        };
        edited.edition = Some(place + 1);
        Ok(place + 1)
    }

    /// RFC 5293 §6: what may not be changed stays, and nobody hears of it.
    fn is_fixed(&self, name: &str) -> bool {
        let mut all = KEPT.iter().chain(self.mail.protected);
        !self.mail.editable || all.any(|kept| kept.eq_ignore_ascii_case(name))
    }

    /// RFC 5293 §4.
    pub(super) fn add_header(&mut self, name: &Text, text: &Text, last: bool) -> Result<(), Cause> {
        let name = self.expand(name)?;
        if !value::field_name(&name) {
            return Err(Cause::Value("addheader"));
        }
        let text = self.expand(text)?;
        let end = text.floor_char_boundary(limits::ADDED_FIELD_BYTES_MAX);
        let text = text.get(..end).unwrap_or_default();
        let own = |fixed: &&&str| fixed.eq_ignore_ascii_case(&name);
        if !self.mail.editable || self.mail.protected.iter().find(own).is_some() {
            return Ok(());
        }
        let field = Builder::new().text(&name, text).into_bytes();
        let (mut added, mut rest) = self.pieces()?;
        if last {
            // In front of the blank line.
            let end = header::fields(&rest).last().map_or(0, |f| f.range.end);
            let behind = rest.split_off(end);
            if !rest.is_empty() && !rest.ends_with(b"\n") {
                rest.extend_from_slice(b"\r\n");
            }
            rest.extend_from_slice(&field);
            rest.extend_from_slice(&behind);
        } else {
            added.splice(0..0, field);
        }
        self.replace_header(added, rest)
    }

    /// RFC 5293 §5.
    pub(super) fn delete_header(
        &mut self,
        name: &Text,
        index: Option<Index>,
        matching: &Matching,
    ) -> Result<(), Cause> {
        let name = self.expand(name)?;
        if !value::field_name(&name) {
            return Err(Cause::Value("deleteheader"));
        }
        if self.is_fixed(&name) {
            return Ok(());
        }
        let (added, rest) = self.pieces()?;
        let written = self.mail.header.len().saturating_sub(self.mail.received);
        let written = self.mail.header.get(..written).unwrap_or_default();
        // Of each field of that name: in which piece it is, and where.
        let places = |block: &[u8]| -> Vec<(std::ops::Range<usize>, String)> {
            let named = header::fields(block).filter(|field| field.is(&name));
            named
                .map(|field| (field.range.clone(), field.text()))
                .collect()
        };
        let pieces = [places(&added), places(written), places(&rest)];
        let all: Vec<(usize, std::ops::Range<usize>, String)> = pieces
            .into_iter()
            .enumerate()
            .flat_map(|(piece, list)| list.into_iter().map(move |(r, text)| (piece, r, text)))
            .collect();
        self.charge(all.iter().map(|(_, _, text)| text.len()).sum())?;
        let chosen = match index {
            None => all,
            Some(index) => {
                let place = usize::try_from(index.number).unwrap_or(usize::MAX);
                let place = match index.last {
                    true => all.len().checked_sub(place),
                    false => place.checked_sub(1),
                };
                place
                    .and_then(|place| all.into_iter().nth(place))
                    .into_iter()
                    .collect()
            }
        };
        let mut gone: [Vec<std::ops::Range<usize>>; 3] = Default::default();
        for (piece, range, text) in chosen {
            let fits = matching.keys.is_empty() || self.matching(matching, vec![text])?;
            if let Some(list) = gone.get_mut(piece).filter(|_| fits) {
                list.push(range);
            }
        }
        let [from_added, _, from_rest] = gone;
        if from_added.is_empty() && from_rest.is_empty() {
            return Ok(());
        }
        self.replace_header(without(&added, &from_added), without(&rest, &from_rest))
    }

    /// What was added on top, and what came.
    fn pieces(&mut self) -> Result<(Vec<u8>, Vec<u8>), Cause> {
        self.spend(super::steps_for_fields(self.header().len()))?;
        Ok(match &self.edited {
            Some(edited) => (edited.added.clone(), edited.rest.clone()),
            None => (Vec::new(), self.came().to_vec()),
        })
    }

    /// The header block of the message as it was received.
    fn came(&self) -> &[u8] {
        let written = self.mail.header.len().saturating_sub(self.mail.received);
        self.mail.header.get(written..).unwrap_or_default()
    }

    fn replace_header(&mut self, added: Vec<u8>, rest: Vec<u8>) -> Result<(), Cause> {
        if added.is_empty() && rest == self.came() {
            self.edited = None;
            return Ok(());
        }
        let written = self.mail.header.len().saturating_sub(self.mail.received);
        let written = self.mail.header.get(..written).unwrap_or_default();
        let whole = [&added, written, &rest].concat();
        if whole.len() > limits::EDITED_HEADER_BYTES_MAX {
            return Err(Cause::Memory);
        }
        self.charge(whole.len())?;
        self.edited = Some(Edited {
            added,
            rest,
            whole,
            edition: None,
        });
        Ok(())
    }
}

/// The bytes outside of ascending ranges.
fn without(bytes: &[u8], ranges: &[std::ops::Range<usize>]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    for range in ranges {
        out.extend_from_slice(bytes.get(at..range.start).unwrap_or_default());
        at = range.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or_default());
    out
}

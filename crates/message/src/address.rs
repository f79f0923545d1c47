//! Address lists, RFC 5322 §3.4 with the obsolete forms of §4.4, as lenient as mail needs.
//!
//! A broken entry stays in the list as far as it could be read, with what is missing left
//! `None`, so that nobody's address silently disappears.

use crate::facts::Address;
use crate::lex::{Broken, Lexer, More};
use crate::limits::{ADDRESSES_MAX, HEADER_FIELD_BYTES_MAX};

/// Entries of an unfolded address field's value, at most [`ADDRESSES_MAX`].
pub fn parse_list(value: &[u8]) -> Vec<Address> {
    let mut parser = Parser::new(value);
    if matches!(parser.lexer.skip_cfws(), Ok(true)) {
        parser.list();
    }
    parser.found
}

/// Whether [`parse_list`] reads the value to its end: nothing that another reader might take for
/// one more address is left over.
pub fn is_whole(value: &[u8]) -> bool {
    let mut parser = Parser::new(value);
    if matches!(parser.lexer.skip_cfws(), Ok(true)) {
        parser.list();
    }
    value.len() < HEADER_FIELD_BYTES_MAX
        && parser.found.len() < ADDRESSES_MAX
        && parser.lexer.peek().is_none()
}

/// The only address of a value such as `Ann <a@example.com>`; `None` when there is none, more
/// than one, a group, or it is broken.
pub fn parse_one(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    match parse_list(value).as_slice() {
        [
            Address::Mailbox {
                local: Some(local),
                domain: Some(domain),
                ..
            },
        ] => Some((local.clone(), domain.clone())),
        _ => None,
    }
}

#[derive(Default)]
struct Current {
    name: Option<Vec<u8>>,
    route: Option<Vec<u8>>,
    local: Option<Vec<u8>>,
    domain: Option<Vec<u8>>,
    broken: bool,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    found: Vec<Address>,
    current: Current,
}

impl<'a> Parser<'a> {
    fn new(value: &'a [u8]) -> Self {
        Parser {
            lexer: Lexer::new(value),
            found: Vec::new(),
            current: Current::default(),
        }
    }

    /// address-list = (address *("," address)) / obs-addr-list
    fn list(&mut self) {
        while self.found.len() < ADDRESSES_MAX {
            if matches!(self.address(), Ok(false)) || !self.lexer.eat(b',') {
                return;
            }
            match self.lexer.skip_cfws() {
                Ok(true) => {}
                Ok(false) => return,
                // Ends in garbage: say so by an empty entry.
                Err(Broken) => return self.add_mailbox(),
            }
        }
    }

    fn add_mailbox(&mut self) {
        let current = std::mem::take(&mut self.current);
        self.found.push(Address::Mailbox {
            name: current.name,
            route: current.route,
            local: current.local,
            domain: current.domain.filter(|domain| !domain.is_empty()),
            broken: current.broken,
        });
    }

    fn address(&mut self) -> More {
        let start = self.lexer.rest();
        if let Some(more) = self.group() {
            return Ok(more);
        }
        self.lexer.rewind(start);
        self.current = Current::default();
        self.mailbox()
    }

    /// group = display-name ":" [group-list] ";" [CFWS]; `None`: this is no group.
    fn group(&mut self) -> Option<bool> {
        let mut name = Vec::new();
        if !matches!(self.lexer.phrase(&mut name), Ok(true)) || !self.lexer.eat(b':') {
            return None;
        }
        self.found.push(Address::GroupStart(name));
        let more = self.group_members();
        self.found.push(Address::GroupEnd);
        Some(!matches!(more, Ok(false)))
    }

    fn group_members(&mut self) -> More {
        if self.lexer.skip_cfws()? && self.lexer.peek() != Some(b';') {
            while self.found.len() < ADDRESSES_MAX {
                // A broken member does not end the group.
                let _ = self.mailbox();
                if !self.lexer.eat(b',') {
                    break;
                }
                if !self.lexer.skip_cfws()? {
                    return Err(Broken);
                }
            }
        }
        if !self.lexer.eat(b';') {
            return Err(Broken);
        }
        self.lexer.skip_cfws()
    }

    /// mailbox = name-addr / addr-spec
    fn mailbox(&mut self) -> More {
        let start = self.lexer.rest();
        let mut more = self.name_addr();
        if more.is_err() {
            self.lexer.rewind(start);
            self.current = Current::default();
            more = self.addr_spec();
        }
        self.add_mailbox();
        more
    }

    /// name-addr = [display-name] angle-addr
    fn name_addr(&mut self) -> More {
        let mut name = Vec::new();
        if !self.lexer.phrase(&mut name)? || self.lexer.peek() != Some(b'<') {
            return Err(Broken);
        }
        self.current.name = Some(name).filter(|name| !name.is_empty());
        if self.angle_addr().is_err() {
            self.current.domain = None;
            self.current.broken = true;
        }
        Ok(self.lexer.peek().is_some())
    }

    /// At a `<`.
    fn angle_addr(&mut self) -> More {
        self.lexer.bump();
        self.need_more_cfws()?;
        if self.lexer.peek() == Some(b'@') {
            self.route();
            self.need_more_cfws()?;
        }
        // `<>` names nobody, but is no syntax error here.
        if self.lexer.peek() != Some(b'>') {
            if !self.local_part()? {
                return Err(Broken);
            }
            if self.lexer.peek() == Some(b'@') && !self.domain()? {
                return Err(Broken);
            }
        }
        if !self.lexer.eat(b'>') {
            return Err(Broken);
        }
        self.lexer.skip_cfws()
    }

    fn need_more_cfws(&mut self) -> Result<(), Broken> {
        match self.lexer.skip_cfws()? {
            true => Ok(()),
            false => Err(Broken),
        }
    }

    /// RFC 5322 §4.4 obs-route = obs-domain-list ":"; a broken one is left out.
    fn route(&mut self) {
        let mut route = Vec::new();
        while self.lexer.peek() == Some(b'@') {
            if !route.is_empty() {
                route.push(b',');
            }
            route.push(b'@');
            if !matches!(self.lexer.domain(&mut route), Ok(true)) {
                return;
            }
            while matches!(self.lexer.skip_cfws(), Ok(true)) && self.lexer.eat(b',') {}
        }
        if self.lexer.eat(b':') {
            self.current.route = Some(route);
        }
    }

    fn local_part(&mut self) -> More {
        let mut local = Vec::new();
        let more = if self.lexer.peek() == Some(b'"') {
            self.lexer.quoted_string(&mut local)?
        } else {
            self.lexer.dotted(&mut local)?
        };
        self.current.local = Some(local);
        Ok(more)
    }

    fn domain(&mut self) -> More {
        let mut domain = Vec::new();
        let more = self.lexer.domain(&mut domain)?;
        self.current.domain = Some(domain);
        Ok(more)
    }

    /// addr-spec = local-part "@" domain; a comment after it is the name, as RFC 822 used it.
    fn addr_spec(&mut self) -> More {
        self.lexer.comment.clear();
        let quoted = self.lexer.peek() == Some(b'"');
        let mut more = self.local_part();
        let mut has_domain = false;
        if !matches!(more, Ok(false)) && self.lexer.peek() == Some(b'@') {
            has_domain = true;
            let after = self.domain();
            if !matches!(after, Ok(true)) {
                more = after;
            }
        }
        if !self.lexer.comment.is_empty() {
            self.current.name = Some(std::mem::take(&mut self.lexer.comment));
        } else if !has_domain {
            self.bare_words(quoted);
            more = Err(Broken);
        }
        more
    }

    /// One bare word is taken for a local part; several, or a quoted one, for a display name.
    fn bare_words(&mut self, quoted: bool) {
        let mut words = self.current.local.clone().unwrap_or_default();
        words.push(b' ');
        let length = words.len();
        let _ = self.lexer.phrase(&mut words);
        if words.len() != length {
            self.current.local = None;
            self.current.name = Some(words);
        } else if quoted {
            self.current.name = self.current.local.take();
        }
    }
}

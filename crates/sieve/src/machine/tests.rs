//! What each test finds.

use facteur_message::{Sent, header};

use super::values::{address_part, date_part};
use super::{Machine, steps_for};
use crate::compare;
use crate::error::Cause;
use crate::limits;
use crate::message::Tracked;
use crate::notify::Mailto;
use crate::program::{
    AddressPart, Aspect, Comparator, Duplicate, DuplicateId, Headers, MatchType, Matching,
    Relation, Test, Transform,
};
use crate::text::Text;
use crate::value;

impl Machine<'_> {
    pub(super) fn test(&mut self, test: &Test) -> Result<bool, Cause> {
        match test {
            Test::Constant(value) => Ok(*value),
            Test::Address {
                fields,
                headers,
                part,
                matching,
            } => {
                let values = self.addresses(fields, *headers, *part)?;
                self.matching(matching, values)
            }
            Test::Envelope {
                parts,
                part,
                matching,
            } => {
                let values = self.envelope(parts, *part)?;
                self.matching(matching, values)
            }
            Test::Exists { names, headers } => {
                let blocks = self.blocks(*headers)?;
                self.all(names, |machine, name| {
                    machine.look_through(&blocks)?;
                    let mut fields = blocks.iter().flat_map(|block| header::fields(block));
                    Ok(fields.any(|field| field.is(name)))
                })
            }
            Test::Header {
                fields,
                headers,
                aspect,
                matching,
            } => {
                let values = match (headers, aspect) {
                    (Headers::Message, Aspect::Value) => self.header_values(fields)?,
                    _ => self.aspects(fields, *headers, aspect)?,
                };
                self.matching(matching, values)
            }
            Test::Size { over: true, limit } => Ok(self.mail.size > *limit),
            Test::Size { over: false, limit } => Ok(self.mail.size < *limit),
            Test::String { sources, matching } => self.string(sources, matching),
            Test::HasFlag { slots, matching } => self.has_flag(slots.as_deref(), matching),
            Test::Date {
                fields,
                zone,
                part,
                matching,
            } => {
                let sent = self.date(fields)?;
                let values = sent.map(|sent| date_part(sent, *zone, *part));
                self.matching(matching, values.into_iter().collect())
            }
            Test::CurrentDate {
                zone,
                part,
                matching,
            } => {
                let now = Sent {
                    unix: self.mail.now,
                    offset_minutes: 0,
                };
                self.matching(matching, vec![date_part(now, *zone, *part)])
            }
            Test::MailboxExists(names) => self.all(names, |machine, name| {
                machine.spend(limits::QUESTION_STEPS)?;
                Ok(machine.world.mailbox_exists(name))
            }),
            Test::MailboxIdExists(ids) => self.all(ids, |machine, id| {
                machine.spend(limits::QUESTION_STEPS)?;
                Ok(machine.world.mailbox_of_id(id).is_some())
            }),
            Test::SpecialUseExists { mailbox, uses } => {
                let mailbox = match mailbox {
                    None => None,
                    Some(text) => Some(self.expand(text)?),
                };
                self.all(uses, |machine, special_use| {
                    machine.spend(limits::QUESTION_STEPS)?;
                    let found = machine.world.mailbox_of_use(special_use);
                    Ok(match &mailbox {
                        None => found.is_some(),
                        Some(name) => found.as_ref() == Some(name),
                    })
                })
            }
            Test::Body {
                transform,
                matching,
            } => self.body(transform, matching),
            Test::Environment { item, matching } => {
                let item = self.expand(item)?.to_ascii_lowercase();
                let items = self.mail.environment.iter();
                let found = items.filter(|(name, _)| *name == item);
                let values = found.map(|(_, value)| value.clone()).collect();
                self.matching(matching, values)
            }
            Test::Duplicate(duplicate) => self.duplicate(duplicate),
            Test::Spam { percent, matching } => {
                let spam = self.mail.spam_percent.map(|value| value.min(100));
                let value = match (spam, percent) {
                    (spam, true) => spam.unwrap_or(0),
                    (None, false) => 0,
                    // RFC 5235 §3.2.1: 1 and 10 are sure, 2 to 9 are not.
                    (Some(0), false) => 1,
                    (Some(100..), false) => 10,
                    (Some(spam), false) => 2 + (spam - 1) * 2 / 25,
                };
                self.checked(value, spam.is_some(), matching)
            }
            Test::Virus(matching) => {
                let virus = self.mail.virus;
                self.checked(virus.unwrap_or(0), virus.is_some(), matching)
            }
            Test::ValidNotifyMethod(methods) => {
                self.all(methods, |_, method| Ok(Mailto::parse(method).is_some()))
            }
            Test::NotifyCapability {
                method,
                capability,
                matching,
            } => self.notify_capability(method, capability, matching),
            Test::ValidList(names) => self.all(names, |_, name| Ok(value::is_address_book(name))),
            Test::Metadata {
                mailbox,
                name,
                matching,
            } => {
                let mailbox = mailbox.as_ref().map(|text| self.expand(text)).transpose()?;
                let name = self.expand(name)?;
                self.spend(limits::QUESTION_STEPS)?;
                let value = self.world.metadata(mailbox.as_deref(), &name);
                self.charge(value.as_ref().map_or(0, String::len))?;
                self.matching(matching, value.into_iter().collect())
            }
            Test::MetadataExists { mailbox, names } => {
                let mailbox = mailbox.as_ref().map(|text| self.expand(text)).transpose()?;
                self.all(names, |machine, name| {
                    machine.spend(limits::QUESTION_STEPS)?;
                    let value = machine.world.metadata(mailbox.as_deref(), name);
                    Ok(value.is_some())
                })
            }
        }
    }

    /// RFC 5235 §3.1: `:count` tells whether anybody looked.
    fn checked(&mut self, value: u8, looked: bool, matching: &Matching) -> Result<bool, Cause> {
        if let MatchType::Count(relation) = matching.how {
            let keys = self.expand_all(&matching.keys)?;
            return self.counted(relation, matching.comparator, usize::from(looked), &keys);
        }
        self.matching(matching, vec![value.to_string()])
    }

    /// RFC 5435 §5, RFC 8580 §6.1: of mail nobody knows when it is read.
    fn notify_capability(
        &mut self,
        method: &Text,
        capability: &Text,
        matching: &Matching,
    ) -> Result<bool, Cause> {
        let method = self.expand(method)?;
        let capability = self.expand(capability)?.to_ascii_lowercase();
        let answer = match capability.as_str() {
            "online" if Mailto::parse(&method).is_some() => "maybe",
            // Only the scheme counts.
            "fcc" if Mailto::is_scheme(&method) => "yes",
            _ => return Ok(false),
        };
        self.matching(matching, vec![answer.to_owned()])
    }

    /// Whether it holds for every one of them.
    fn all(
        &mut self,
        names: &[Text],
        mut holds: impl FnMut(&mut Self, &str) -> Result<bool, Cause>,
    ) -> Result<bool, Cause> {
        for name in names {
            let name = self.expand(name)?;
            self.spend(1)?;
            if !holds(self, &name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// RFC 5228 §5.4: the null reverse-path is an empty string, in all of its parts.
    fn envelope(&mut self, parts: &[Text], part: AddressPart) -> Result<Vec<String>, Cause> {
        let mut values = Vec::new();
        for name in parts {
            let name = self.expand(name)?;
            let address = match name.to_ascii_lowercase().as_str() {
                "from" => self.mail.from,
                "to" => self.mail.to,
                _ => continue,
            };
            if address.is_empty() {
                values.push(String::new());
                continue;
            }
            let (local, domain) = match address.rsplit_once('@') {
                Some((local, domain)) => (local, Some(domain)),
                None => (address, None),
            };
            values.extend(address_part(Some(local), domain, part));
        }
        Ok(values)
    }

    /// RFC 5229 §5: `:count` counts the strings that are not empty.
    fn string(&mut self, sources: &[Text], matching: &Matching) -> Result<bool, Cause> {
        let mut values = self.expand_all(sources)?;
        if matches!(matching.how, MatchType::Count(_)) {
            values.retain(|value| !value.is_empty());
        }
        self.matching(matching, values)
    }

    /// RFC 5232 §4.
    fn has_flag(&mut self, slots: Option<&[usize]>, matching: &Matching) -> Result<bool, Cause> {
        let values = match slots {
            None => self.flags.clone(),
            Some(slots) => slots.iter().flat_map(|slot| self.flags_in(*slot)).collect(),
        };
        if matches!(
            matching.how,
            MatchType::Count(_) | MatchType::Value(_) | MatchType::Regex(_)
        ) {
            return self.matching(matching, values);
        }
        let keys = self.expand_all(&matching.keys)?;
        // A string may hold several flags.
        let keys = keys.iter().flat_map(|key| key.split_ascii_whitespace());
        let keys: Vec<String> = keys.map(str::to_owned).collect();
        self.any(matching, &values, &keys, true)
    }

    /// RFC 5173: match variables stay as they were (§6).
    fn body(&mut self, transform: &Transform, matching: &Matching) -> Result<bool, Cause> {
        let keys = self.expand_all(&matching.keys)?;
        if let MatchType::Count(relation) = matching.how {
            let mut count = 0_usize;
            self.body_values(transform, |_, _| {
                count += 1;
                Ok(false)
            })?;
            return self.counted(relation, matching.comparator, count, &keys);
        }
        self.body_values(transform, |machine, text| {
            machine.any(matching, &[text], &keys, false)
        })
    }

    /// RFC 7352 §3.
    fn duplicate(&mut self, duplicate: &Duplicate) -> Result<bool, Cause> {
        let id = match &duplicate.id {
            DuplicateId::Unique(text) => Some(self.expand(text)?),
            DuplicateId::Header(name) => {
                let name = self.expand(name)?;
                let values = self.fields_named(&name)?;
                let first = values.first();
                first.map(|value| facteur_message::encoded_word::decode(value))
            }
        };
        let handle = match &duplicate.handle {
            None => String::new(),
            Some(text) => self.expand(text)?,
        };
        let Some(id) = id.filter(|_| duplicate.seconds > 0) else {
            return Ok(false);
        };
        self.spend(limits::QUESTION_STEPS)?;
        let seen = self.world.is_duplicate(&handle, &id);
        if !seen || duplicate.last {
            self.track(Tracked {
                handle,
                id,
                seconds: duplicate.seconds,
            })?;
        }
        Ok(seen)
    }

    /// The last test of an id says how long it is remembered.
    fn track(&mut self, tracked: Tracked) -> Result<(), Cause> {
        let list = &mut self.outcome.tracked;
        list.retain(|have| (&have.handle, &have.id) != (&tracked.handle, &tracked.id));
        if list.len() >= limits::DUPLICATES_MAX {
            return Err(Cause::Value("duplicate"));
        }
        list.push(tracked);
        Ok(())
    }

    pub(super) fn matching(
        &mut self,
        matching: &Matching,
        values: Vec<String>,
    ) -> Result<bool, Cause> {
        let keys = self.expand_all(&matching.keys)?;
        if let MatchType::Count(relation) = matching.how {
            return self.counted(relation, matching.comparator, values.len(), &keys);
        }
        self.any(matching, &values, &keys, true)
    }

    /// RFC 5231 §4.2.
    fn counted(
        &mut self,
        relation: Relation,
        comparator: Comparator,
        count: usize,
        keys: &[String],
    ) -> Result<bool, Cause> {
        let count = count.to_string();
        let holds = |key: &String| relation.holds(comparator.order(&count, key));
        Ok(keys.iter().any(holds))
    }

    /// Whether any value fits any key; `remember`: what a wildcard stood for.
    fn any(
        &mut self,
        matching: &Matching,
        values: &[String],
        keys: &[String],
        remember: bool,
    ) -> Result<bool, Cause> {
        for value in values {
            for (place, key) in keys.iter().enumerate() {
                self.spend(1 + steps_for(value.len().saturating_add(key.len())))?;
                if self.fits(matching, value, (place, key), remember)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn fits(
        &mut self,
        matching: &Matching,
        text: &str,
        (place, key): (usize, &String),
        remember: bool,
    ) -> Result<bool, Cause> {
        let comparator = matching.comparator;
        let found = match &matching.how {
            MatchType::Is => return Ok(comparator.equal(text, key)),
            MatchType::Contains => return Ok(comparator.contains(text, key)),
            MatchType::Value(relation) => return Ok(relation.holds(comparator.order(text, key))),
            MatchType::Count(_) => return Ok(false),
            // RFC 6134 §2.2: what can't be asked is an error.
            MatchType::List if !value::is_address_book(key) => {
                return Err(Cause::List(key.clone()));
            }
            MatchType::List => {
                self.spend(limits::QUESTION_STEPS)?;
                let known = self.world.in_address_book(text);
                known.then(|| vec![text.to_owned()])
            }
            MatchType::Matches => {
                self.spend(compare::matching_cost(comparator, text, key))?;
                compare::matches(comparator, text, key)
            }
            MatchType::Regex(patterns) => match patterns.get(place).and_then(Option::as_ref) {
                Some(pattern) => compare::captures(&pattern.0, text),
                None => {
                    self.spend(limits::REGEX_STEPS)?;
                    let pattern = compare::pattern(comparator, key);
                    let pattern = pattern.ok_or_else(|| Cause::Pattern(key.clone()))?;
                    compare::captures(&pattern, text)
                }
            },
        };
        let Some(found) = found else {
            return Ok(false);
        };
        if remember {
            self.charge(found.iter().map(String::len).sum())?;
            self.matches = found;
        }
        Ok(true)
    }
}

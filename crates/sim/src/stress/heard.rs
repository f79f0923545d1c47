//! What a session makes of each response: the picture it keeps, and what it refuses.

use super::numbers;
use super::picture::{Flags, Picture, Slot};
use super::response::{Code, Response, Status, Value};
use super::session::{
    Answer, Broken, Command, Fetched, Notifying, Opening, Session, Target, no_answer,
};

impl Session {
    /// Takes one response; the answer when a command is done.
    pub(super) fn take(&mut self, response: Response) -> Result<Option<Answer>, Broken> {
        match response {
            Response::Continue => Err("a continuation that nobody waits for".to_owned().into()),
            Response::Status { tag, status, code } if tag.is_empty() => {
                if status == Status::Bye {
                    return Err(Broken::Closed);
                }
                if let Some(code) = code {
                    self.code(&code)?;
                    self.answer.codes.push(code);
                }
                Ok(None)
            }
            Response::Status { tag, status, code } => self.tagged(&tag, status, code).map(Some),
            Response::Numbered {
                number,
                name,
                values,
            } => {
                self.numbered(number, &name, &values)?;
                Ok(None)
            }
            Response::Data { name, values } => {
                self.data(&name, &values)?;
                self.answer.data.push((name, values));
                Ok(None)
            }
        }
    }

    fn code(&mut self, code: &Code) -> Result<(), String> {
        let number = || code.values.first().and_then(Value::number);
        if code.name == "CLOSED" {
            let front = self.waiting.front().map(|(_, command)| command.clone());
            let front = front.ok_or("CLOSED, and nothing was asked")?;
            self.picture = None;
            if let Some(opening) = front.opens {
                self.begin(opening);
            } else if front.word() != "DELETE" {
                return Err(format!("CLOSED for {}", front.word()));
            }
            return Ok(());
        }
        if code.name == "HIGHESTMODSEQ" {
            self.modseq_told = number();
        }
        let opening = self.opening();
        let Some(picture) = self.picture.as_mut() else {
            return Ok(());
        };
        match code.name.as_str() {
            "UIDVALIDITY" => {
                let told = number().and_then(|n| n.try_into().ok()).unwrap_or(0);
                if !opening {
                    return Err("UIDVALIDITY without SELECT".to_owned());
                }
                picture.uid_validity = told;
                if picture
                    .remembered
                    .as_ref()
                    .is_some_and(|r| r.uid_validity != told)
                {
                    picture.remembered = None;
                }
            }
            "UIDNEXT" => {
                picture.uid_next = number().and_then(|n| n.try_into().ok()).unwrap_or(0);
            }
            "HIGHESTMODSEQ" if opening => picture.modseq_opened = number().unwrap_or(0),
            "MAILBOXID" => {
                let id = code.values.first().and_then(Value::list);
                let id = id.and_then(|list| list.first()).and_then(Value::text);
                picture.mailbox_id = id.unwrap_or_default();
            }
            "PERMANENTFLAGS" => picture.permanent = flags_of(code.values.first())?,
            _ => {}
        }
        Ok(())
    }

    fn opening(&self) -> bool {
        let front = self.waiting.front();
        front.is_some_and(|(_, command)| command.opens.is_some())
    }

    fn begin(&mut self, opening: Opening) {
        self.picture = Some(Picture {
            name: opening.name,
            opened: opening.at,
            uid_only: self.enabled.uid_only,
            remembered: opening.remembered,
            ..Picture::default()
        });
    }

    fn numbered(&mut self, number: u32, name: &str, values: &[Value]) -> Result<(), String> {
        if self.picture.is_none() && self.opening() {
            self.open_front();
        }
        if name == "RECENT" {
            return Ok(());
        }
        match name {
            "EXISTS" => self.picture()?.exists(number),
            "EXPUNGE" => {
                if self.enabled.qresync || self.enabled.uid_only {
                    return Err("EXPUNGE where VANISHED is to be".to_owned());
                }
                self.may_expunge()?;
                let slot = self.picture()?.expunge(number)?;
                self.gone(&slot)
            }
            "FETCH" if self.enabled.uid_only => Err("FETCH under UIDONLY".to_owned()),
            "FETCH" | "UIDFETCH" => self.fetched(number, name == "UIDFETCH", values),
            _ => Err(format!("what is {number} {name}?")),
        }
    }

    fn open_front(&mut self) {
        let front = self.waiting.front().map(|(_, command)| command.clone());
        if let Some(opening) = front.and_then(|command| command.opens) {
            self.begin(opening);
        }
    }

    fn picture(&mut self) -> Result<&mut Picture, String> {
        self.picture
            .as_mut()
            .ok_or_else(|| "about a mailbox, and none is selected".to_owned())
    }

    fn may_expunge(&self) -> Result<(), String> {
        match self.waiting.front() {
            Some((_, command)) if command.by_number => Err(format!(
                "an expunge while {} goes by numbers",
                command.word()
            )),
            Some(_) => Ok(()),
            None if self.notifying == Notifying::Immediate => Ok(()),
            None => Err("an expunge while no command runs".to_owned()),
        }
    }

    fn gone(&mut self, slot: &Slot) -> Result<(), String> {
        let (Some(key), Some(uid)) = (self.selected_key(), slot.uid) else {
            return Ok(());
        };
        self.ledger().gone(&key, uid)
    }

    fn fetched(&mut self, number: u32, by_uid: bool, values: &[Value]) -> Result<(), String> {
        let items = values.first().and_then(Value::list);
        let fetched = read_items(items.ok_or("FETCH without a list")?)?;
        let front = self.waiting.front().map(|(_, command)| command.word());
        let asked = matches!(front.as_deref(), Some("FETCH"));
        if fetched.flags.is_some() && !asked {
            if self.enabled.condstore && fetched.modseq.is_none() {
                return Err("news of flags without MODSEQ".to_owned());
            }
            if self.enabled.qresync && fetched.uid.is_none() && !by_uid {
                return Err("news of flags without UID".to_owned());
            }
        }
        let now = self.waiting.front().map_or(0, |(tag, _)| number_of(tag));
        let picture = self.picture()?;
        let keywords = picture.keywords.clone();
        let slot = match by_uid {
            true => picture.by_uid(number)?,
            false => picture.by_number(number, fetched.uid)?,
        };
        if slot.missing {
            return Err(format!("FETCH {number}, which was left out before"));
        }
        if let Some(modseq) = fetched.modseq {
            if modseq < slot.modseq {
                return Err(format!("MODSEQ {modseq} after {}", slot.modseq));
            }
            slot.modseq = modseq;
        }
        let uid = slot.uid;
        if let Some(flags) = &fetched.flags {
            let covered = |flag: &&String| !flag.starts_with('\\') && !keywords.contains(*flag);
            if let Some(flag) = flags.iter().find(covered) {
                return Err(format!("{flag} was not in FLAGS"));
            }
            slot.flags = Some(flags.clone());
            slot.told_in = now;
        } else if fetched.modseq.is_some() && !asked {
            // A silent STORE of our own: it comes after what was told before.
            slot.told_in = 0;
        }
        self.modseq_fetched = self.modseq_fetched.max(fetched.modseq.unwrap_or(0));
        self.agree(uid, &fetched)?;
        let number = if by_uid { 0 } else { number };
        self.answer.fetched.push(Fetched {
            number,
            uid: uid.or(fetched.uid),
            ..fetched
        });
        Ok(())
    }

    /// With what everybody else was told.
    fn agree(&mut self, uid: Option<u32>, fetched: &Fetched) -> Result<(), String> {
        let (Some(key), Some(uid)) = (self.selected_key(), uid) else {
            return Ok(());
        };
        if let (Some(flags), Some(modseq)) = (&fetched.flags, fetched.modseq) {
            self.ledger().flags(&key, uid, modseq, flags)?;
        }
        Ok(())
    }

    fn data(&mut self, name: &str, values: &[Value]) -> Result<(), String> {
        match name {
            "FLAGS" => {
                if self.picture.is_none() && self.opening() {
                    self.open_front();
                }
                self.picture()?.keywords = flags_of(values.first())?;
            }
            "VANISHED" => self.vanished(values)?,
            "ENABLED" => {
                let enabled = |name: &str| values.iter().any(|value| value.is(name));
                self.enabled.qresync |= enabled("QRESYNC");
                self.enabled.condstore |= enabled("CONDSTORE") || enabled("QRESYNC");
                self.enabled.uid_only |= enabled("UIDONLY");
            }
            "CAPABILITY" | "ESEARCH" | "ID" | "LIST" | "NAMESPACE" | "SEARCH" | "SORT"
            | "STATUS" | "THREAD" | "LSUB" => {}
            _ => return Err(format!("what is {name}?")),
        }
        Ok(())
    }

    fn vanished(&mut self, values: &[Value]) -> Result<(), String> {
        if !self.enabled.qresync && !self.enabled.uid_only {
            return Err("VANISHED without ENABLE".to_owned());
        }
        let earlier = values.len() == 2;
        let uids = values.last().and_then(Value::atom).unwrap_or_default();
        let uids = numbers::parse(uids)?;
        if !earlier {
            self.may_expunge()?;
        }
        for uid in uids {
            let picture = self.picture()?;
            let slot = match earlier {
                true => {
                    if picture.slot(uid).is_some() {
                        return Err(format!("VANISHED (EARLIER) {uid}, which is there"));
                    }
                    let remembered = picture.remembered.as_mut();
                    if remembered.and_then(|r| r.messages.remove(&uid)).is_none() {
                        continue;
                    }
                    Slot {
                        uid: Some(uid),
                        ..Slot::default()
                    }
                }
                false => {
                    // SELECT may end with it.
                    if let Some(remembered) = picture.remembered.as_mut() {
                        remembered.messages.remove(&uid);
                    }
                    picture.vanish(uid)?
                }
            };
            self.gone(&slot)?;
        }
        Ok(())
    }

    fn tagged(&mut self, tag: &str, status: Status, code: Option<Code>) -> Result<Answer, Broken> {
        let (expected, command) = self
            .waiting
            .pop_front()
            .ok_or_else(|| format!("{tag} was not asked"))?;
        if tag != expected {
            return Err(format!("{tag} is answered before {expected}").into());
        }
        if let Some(told) = code.as_ref().filter(|code| code.name == "HIGHESTMODSEQ") {
            self.modseq_told = told.values.first().and_then(Value::number);
        }
        self.enabled.condstore |= status == Status::Ok && command.enables_condstore();
        let mut answer = std::mem::replace(&mut self.answer, no_answer());
        answer.status = status;
        answer.code = code;
        if answer.ok() {
            self.edited(&expected, &command, &answer)?;
        }
        if command.opens.is_some() {
            self.opened(&answer)?;
        }
        let told = self.modseq_told.take();
        let fetched = std::mem::take(&mut self.modseq_fetched);
        if let Some(picture) = self.picture.as_mut() {
            picture.modseq = told.unwrap_or(picture.modseq.max(fetched));
            let left = picture.slots.iter().position(|slot| slot.missing);
            let closes = matches!(command.word().as_str(), "CLOSE" | "UNSELECT" | "LOGOUT");
            let quiet = command.by_number || closes || !answer.ok();
            if let (Some(left), false) = (left, quiet) {
                let slot = &picture.slots[left];
                return Err(format!("{slot:?} was left out and is not told gone").into());
            }
        }
        Ok(answer)
    }

    /// A STORE of our own that nobody told us about.
    fn edited(&mut self, tag: &str, command: &Command, answer: &Answer) -> Result<(), String> {
        let Some(silent) = &command.silent else {
            return Ok(());
        };
        let now = number_of(tag);
        let modified = match answer.code("MODIFIED") {
            Some(code) => {
                let set = code.values.first().and_then(Value::atom);
                numbers::parse(set.unwrap_or_default())?
            }
            None => Vec::new(),
        };
        // What NOTIFY told while the command was on its way may be from before it or from after: without
        // MODSEQ nobody knows.
        let unordered = self.notifying != Notifying::Off && !self.enabled.condstore;
        let Some(picture) = self.picture.as_mut() else {
            return Ok(());
        };
        for (index, slot) in picture.slots.iter_mut().enumerate() {
            let number = index as u32 + 1;
            let hit = match &silent.target {
                Target::Numbers(numbers) => {
                    numbers.contains(&number) && !modified.contains(&number)
                }
                Target::Uids(uids) => slot
                    .uid
                    .is_some_and(|uid| uids.contains(&uid) && !modified.contains(&uid)),
            };
            if hit && slot.told_in != now {
                let flags = slot.flags.as_ref();
                slot.flags = flags.map(|flags| silent.edit.apply(flags, &silent.flags));
            } else if hit && unordered {
                slot.flags = None;
            }
        }
        Ok(())
    }

    fn opened(&mut self, answer: &Answer) -> Result<(), String> {
        if !answer.ok() {
            // RFC 9051 §6.3.2: nothing is selected then.
            self.picture = None;
            return Ok(());
        }
        let read_only = answer.code.as_ref().is_some_and(|c| c.name == "READ-ONLY");
        let picture = self.picture.as_mut().ok_or("SELECT told nothing")?;
        picture.read_only = read_only;
        if picture.uid_validity == 0 || picture.uid_next == 0 || picture.mailbox_id.is_empty() {
            return Err("SELECT did not tell all".to_owned());
        }
        let (id, next) = (picture.mailbox_id.clone(), picture.uid_next);
        let (opened, modseq) = (picture.opened, picture.modseq_opened);
        let key = self.key(self.picture.as_ref().map_or(0, |p| p.uid_validity));
        let mut ledger = self.ledger();
        ledger.identify(&key, &id)?;
        ledger.numbers(&key, opened, Some(next.into()), Some(modseq))
    }
}

/// Which command a tag is of, from 1.
fn number_of(tag: &str) -> u64 {
    tag.trim_start_matches('t').parse().unwrap_or(0)
}

fn flags_of(value: Option<&Value>) -> Result<Flags, String> {
    let list = value.and_then(Value::list).ok_or("flags without a list")?;
    let flags = list.iter().map(|flag| {
        let flag = flag.atom().ok_or("a flag that is no atom")?;
        Ok(flag.to_ascii_lowercase())
    });
    flags.collect()
}

fn read_items(items: &[Value]) -> Result<Fetched, String> {
    let mut fetched = Fetched {
        number: 0,
        uid: None,
        flags: None,
        modseq: None,
        bodies: Vec::new(),
    };
    for pair in items.chunks(2) {
        let [name, value] = pair else {
            return Err("an item without value".to_owned());
        };
        let name = name.atom().ok_or("an item without name")?;
        match name {
            "UID" => {
                let uid = value.number().and_then(|uid| uid.try_into().ok());
                fetched.uid = Some(uid.filter(|uid| *uid > 0).ok_or("UID")?);
            }
            "FLAGS" => fetched.flags = Some(flags_of(Some(value))?),
            "MODSEQ" => {
                let modseq = value.list().and_then(|list| list.first());
                fetched.modseq = Some(modseq.and_then(Value::number).ok_or("MODSEQ")?);
            }
            "BODY[]" => match value {
                Value::Text(bytes) => fetched.bodies.push(bytes.clone()),
                _ => return Err("BODY[] that is no string".to_owned()),
            },
            _ => {}
        }
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::ledger::Ledger;
    use super::super::response;
    use super::super::session::{Edit, Silent};
    use super::*;

    /// With one message, and a silent `+FLAGS (kw0)` of it under way.
    fn storing(condstore: bool) -> Session {
        let (stream, _) = tokio::io::duplex(64);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let mut session = Session::new(Box::new(stream), "alice", ledger);
        session.enabled.condstore = condstore;
        session.notifying = Notifying::Immediate;
        session.picture = Some(Picture {
            uid_validity: 1,
            slots: vec![Slot {
                uid: Some(5),
                flags: Some(Flags::new()),
                ..Slot::default()
            }],
            ..Picture::default()
        });
        let command = Command {
            silent: Some(Silent {
                edit: Edit::Add,
                flags: Flags::from(["kw0".to_owned()]),
                target: Target::Uids([5].into()),
            }),
            ..Command::new("UID STORE 5 +FLAGS.SILENT (kw0)")
        };
        session.waiting.push_back(("t1".to_owned(), command));
        session
    }

    fn flags_after(mut session: Session, lines: &[&str]) -> Option<Flags> {
        for line in lines {
            let response = response::parse(format!("{line}\r\n").as_bytes()).unwrap();
            session.take(response).unwrap();
        }
        session.picture.unwrap().slots[0].flags.clone()
    }

    #[test]
    fn what_notify_told_before_a_silent_store() {
        let done = "t1 OK done.";
        let news = "* 1 FETCH (UID 5 FLAGS (\\Seen))";
        assert_eq!(flags_after(storing(false), &[news, done]), None);
        let own = Flags::from(["kw0".to_owned()]);
        assert_eq!(flags_after(storing(false), &[done]), Some(own));

        let news = "* 1 FETCH (UID 5 MODSEQ (7) FLAGS (\\Seen))";
        let silent = "* 1 FETCH (UID 5 MODSEQ (8))";
        let both = Flags::from(["\\seen".to_owned(), "kw0".to_owned()]);
        assert_eq!(
            flags_after(storing(true), &[news, silent, done]),
            Some(both)
        );
        let seen = Flags::from(["\\seen".to_owned()]);
        assert_eq!(flags_after(storing(true), &[news, done]), Some(seen));
    }
}

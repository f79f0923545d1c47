//! Steps that change something: what they may take away is told to the ledger before they are
//! sent, and what is acknowledged after.

use std::collections::BTreeSet;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::client::{Client, KEYWORDS, MAILBOXES, PASSING};
use super::ledger::{self, Delivered};
use super::looks::Choice;
use super::numbers;
use super::picture::Flags;
use super::response::{Code, Value};
use super::session::{Answer, Broken, Command, Edit, Silent, Target};

/// Uids asked for at once when their messages are not known.
const TOKENS_MAX: usize = 40;

impl Client {
    fn flags(&mut self, deleted: bool) -> Flags {
        let names = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft"];
        let mut flags = Flags::new();
        for name in names.into_iter().chain(KEYWORDS) {
            if self.random.chance(25) {
                flags.insert(name.to_ascii_lowercase());
            }
        }
        if deleted {
            flags.insert("\\deleted".to_owned());
        }
        flags
    }

    /// Uids of what is chosen; every message of it is known by then.
    async fn uids_of(&mut self, choice: &Choice) -> Result<Option<BTreeSet<u32>>, Broken> {
        let picture = self.picture()?;
        let uids: BTreeSet<u32> = match &choice.target {
            Target::Uids(uids) => uids.clone(),
            Target::Numbers(numbers) => {
                let uid = |number: &u32| picture.slots.get(*number as usize - 1)?.uid;
                match numbers.iter().map(uid).collect() {
                    Some(uids) => uids,
                    None => return Ok(None),
                }
            }
        };
        self.know(&uids).await?;
        Ok(Some(uids))
    }

    /// Fetches the messages that nobody has seen yet, so that their loss can be told from their
    /// removal.
    async fn know(&mut self, uids: &BTreeSet<u32>) -> Result<(), Broken> {
        let key = self.key()?;
        let unknown: Vec<u32> = {
            let ledger = self.ledger();
            let unknown = uids
                .iter()
                .filter(|uid| ledger.token(&key, **uid).is_none());
            unknown.copied().collect()
        };
        for some in unknown.chunks(TOKENS_MAX) {
            let set = numbers::print(some.iter().copied());
            let text = format!("UID FETCH {set} (UID BODY.PEEK[])");
            let answer = self
                .ok_or_no(Command::new(text), &["EXPUNGEISSUED"])
                .await?;
            if let Some(answer) = answer {
                self.learn_tokens(&answer)?;
            }
        }
        Ok(())
    }

    /// A chosen set in which every uid is known, by numbers or uids.
    async fn choose_known(&mut self) -> Result<Option<(Choice, BTreeSet<u32>)>, Broken> {
        if !self.picture()?.complete() {
            let text = "UID FETCH 1:* (UID)";
            self.ok_or_no(Command::new(text), &["EXPUNGEISSUED"])
                .await?;
        }
        let Some(choice) = self.choose()? else {
            return Ok(None);
        };
        let (count, known) = (self.picture()?.slots.len(), self.picture()?.uids());
        let Some(uids) = self.uids_of(&choice).await? else {
            return Ok(None);
        };
        // What was fetched meanwhile may have told that some of it is gone, and of new messages,
        // which `*` means then.
        let picture = self.picture()?;
        let is_new = |uid: &u32| known.binary_search(uid).is_err();
        if picture.slots.len() != count || picture.uids().iter().any(is_new) {
            return Ok(None);
        }
        let fits = match &choice.target {
            // `*` is a message of which only the number is known, else.
            Target::Uids(_) => picture.complete(),
            Target::Numbers(numbers) => numbers.iter().zip(&uids).all(|(number, uid)| {
                let slot = picture.slots.get(*number as usize - 1);
                slot.and_then(|slot| slot.uid) == Some(*uid)
            }),
        };
        Ok(fits.then_some((choice, uids)))
    }

    pub async fn store(&mut self, deleted: bool) -> Result<(), Broken> {
        let Some((choice, uids)) = self.choose_known().await? else {
            return self.noop().await;
        };
        let edit = match self.random.below(if deleted { 6 } else { 5 }) {
            0 | 1 => Edit::Remove,
            2 => Edit::Replace,
            _ => Edit::Add,
        };
        let edit = if deleted { Edit::Add } else { edit };
        let flags = self.flags(deleted);
        if flags.contains("\\deleted") {
            let key = self.key()?;
            self.ledger().doom(&key, uids, true);
        }
        let mut unchanged = String::new();
        if self.random.chance(25) && self.picture()?.modseq > 0 {
            let since = self
                .picture()?
                .modseq
                .saturating_sub(self.random.clone().below(6));
            unchanged = format!("(UNCHANGEDSINCE {since}) ");
        }
        let silent = self.random.chance(50);
        let word = match edit {
            Edit::Add => "+FLAGS",
            Edit::Remove => "-FLAGS",
            Edit::Replace => "FLAGS",
        };
        let names: Vec<&str> = flags.iter().map(String::as_str).collect();
        let text = format!(
            "{}STORE {} {unchanged}{word}{} ({})",
            choice.uid_word(),
            choice.text,
            if silent { ".SILENT" } else { "" },
            names.join(" ")
        );
        let command = Command {
            text: text.clone().into_bytes(),
            by_number: !choice.by_uid,
            silent: silent.then(|| Silent {
                edit,
                flags: flags.clone(),
                target: choice.target.clone(),
            }),
            opens: None,
        };
        let read_only = self.picture()?.read_only;
        let refusals: &[&str] = match read_only {
            true => &["", "EXPUNGEISSUED"],
            false => &["EXPUNGEISSUED", "MODIFIED"],
        };
        let Some(answer) = self.ok_or_no(command, refusals).await? else {
            return Ok(());
        };
        if read_only {
            return Err(format!("{text} in a mailbox that was opened read-only").into());
        }
        self.stored(&choice, edit, &flags, silent, &answer)
    }

    /// Alone, what STORE tells of every message is what was asked for.
    fn stored(
        &mut self,
        choice: &Choice,
        edit: Edit,
        flags: &Flags,
        silent: bool,
        answer: &Answer,
    ) -> Result<(), Broken> {
        let modified = match answer.code("MODIFIED").and_then(|code| code.values.first()) {
            Some(set) => numbers::parse(set.atom().unwrap_or_default())?,
            None => Vec::new(),
        };
        let (Target::Numbers(asked) | Target::Uids(asked)) = &choice.target;
        if let Some(other) = modified.iter().find(|number| !asked.contains(number)) {
            return Err(format!("MODIFIED {other}, which was not asked").into());
        }
        if !self.alone || silent {
            return Ok(());
        }
        for fetched in &answer.fetched {
            let number = if choice.by_uid {
                fetched.uid
            } else {
                Some(fetched.number)
            };
            let ours = number.is_some_and(|n| asked.contains(&n) && !modified.contains(&n));
            let (true, Some(now)) = (ours, &fetched.flags) else {
                continue;
            };
            let right = match edit {
                Edit::Add => flags.is_subset(now),
                Edit::Remove => flags.is_disjoint(now),
                Edit::Replace => flags == now,
            };
            if !right {
                return Err(format!("STORE {edit:?} {flags:?} gave {now:?}").into());
            }
        }
        Ok(())
    }

    pub async fn append(&mut self) -> Result<(), Broken> {
        let name = self.any_mailbox();
        let count = match self.random.chance(25) {
            true => 2 + self.random.below(4),
            false => 1,
        };
        let mut text = format!("APPEND {name}").into_bytes();
        let mut tokens = Vec::new();
        let mut tail = None;
        let waits = count == 1 && self.random.chance(30);
        for _ in 0..count {
            let token = self.token();
            let deleted = self.random.chance(10);
            let flags = self.flags(deleted);
            if deleted {
                self.ledger().doomed.insert(token.clone());
                self.ledger().taken.insert(token.clone());
            }
            let names: Vec<&str> = flags.iter().map(String::as_str).collect();
            let body = ledger::text(&token);
            let date = match self.random.chance(30) {
                true => "\" 1-Feb-2026 10:00:00 +0100\" ",
                false => "",
            };
            let plus = if waits { "" } else { "+" };
            let head = format!(" ({}) {date}{{{}{plus}}}", names.join(" "), body.len());
            text.extend_from_slice(head.as_bytes());
            match waits {
                true => tail = Some(body),
                false => {
                    text.extend_from_slice(b"\r\n");
                    text.extend_from_slice(&body);
                }
            }
            tokens.push(token);
        }
        let missing: &[&str] = match MAILBOXES.contains(&name) {
            true => &[],
            false => &["TRYCREATE", "NONEXISTENT"],
        };
        let command = Command::new(text);
        let answer = match tail {
            Some(mut body) => {
                body.extend_from_slice(b"\r\n");
                self.session()?.run_literal(command, &body).await?
            }
            None => self.session()?.run(command).await?,
        };
        let Some(answer) = self.check(answer, missing, &format!("APPEND {name}"))? else {
            return Ok(());
        };
        self.appended(answer.code("APPENDUID"), &tokens)
    }

    /// RFC 4315 §3.
    fn appended(&mut self, code: Option<&Code>, tokens: &[String]) -> Result<(), Broken> {
        let code = code.ok_or_else(|| "no APPENDUID".to_owned())?;
        let uids = numbers::parse(code.values.get(1).and_then(Value::atom).unwrap_or_default())?;
        let ascend = uids.windows(2).all(|pair| pair[0] < pair[1]);
        if uids.len() != tokens.len() || !ascend {
            return Err(format!("{code:?} for {} messages", tokens.len()).into());
        }
        let key = self.session()?.key(uid_validity(code)?);
        for (uid, token) in uids.into_iter().zip(tokens) {
            self.ledger().acknowledge(&key, uid, Some(token))?;
        }
        Ok(())
    }

    pub async fn copy(&mut self, moves: bool) -> Result<(), Broken> {
        let to = self.any_mailbox();
        let Some((choice, uids)) = self.choose_known().await? else {
            return self.noop().await;
        };
        let (key, read_only) = (self.key()?, self.picture()?.read_only);
        if moves {
            self.ledger().doom(&key, uids.iter().copied(), false);
        }
        let word = if moves { "MOVE" } else { "COPY" };
        let text = format!("{}{word} {} {to}", choice.uid_word(), choice.text);
        let mut refusals = vec!["EXPUNGEISSUED"];
        if Client::passing(to) {
            refusals.extend(["TRYCREATE", "NONEXISTENT"]);
        }
        if read_only && moves {
            refusals.push("");
        }
        let Some(answer) = self.ok_or_no(Command::new(text.clone()), &refusals).await? else {
            return Ok(());
        };
        let Some(code) = answer.code("COPYUID") else {
            // RFC 4315 §3: nothing was there any more.
            return Ok(());
        };
        let set = |at: usize| {
            let set = code.values.get(at).and_then(Value::atom);
            numbers::parse(set.unwrap_or_default())
        };
        let (from, into) = (set(1)?, set(2)?);
        let ascend = |set: &[u32]| set.windows(2).all(|pair| pair[0] < pair[1]);
        let asked = from.iter().all(|uid| uids.contains(uid));
        if from.len() != into.len() || !ascend(&into) || !asked {
            return Err(format!("{text}: {code:?}").into());
        }
        let target = self.session()?.key(uid_validity(code)?);
        for (from_uid, into_uid) in from.iter().zip(&into) {
            let mut ledger = self.ledger();
            let token = ledger.token(&key, *from_uid).map(str::to_owned);
            ledger.acknowledge(&target, *into_uid, token.as_deref())?;
        }
        if moves {
            let picture = self.picture()?;
            let left = |uid: &&u32| target != key && picture.slot(**uid).is_some();
            if let Some(left) = from.iter().find(left) {
                return Err(format!("{text}: {left} is still there").into());
            }
        }
        Ok(())
    }

    /// RFC 8508.
    pub async fn replace(&mut self) -> Result<(), Broken> {
        let to = self.any_mailbox();
        let Some((choice, _)) = self.choose_known().await? else {
            return self.noop().await;
        };
        let (Target::Numbers(asked) | Target::Uids(asked)) = &choice.target;
        let Some(number) = asked.first().copied() else {
            return Ok(());
        };
        let old = match choice.by_uid {
            true => number,
            false => {
                let slot = self.picture()?.slots.get(number as usize - 1);
                slot.and_then(|slot| slot.uid).unwrap_or(0)
            }
        };
        let (key, read_only) = (self.key()?, self.picture()?.read_only);
        self.ledger().doom(&key, [old], false);
        let token = self.token();
        let body = ledger::text(&token);
        let mut text = format!(
            "{}REPLACE {number} {to} (\\Seen) {{{}+}}\r\n",
            choice.uid_word(),
            body.len()
        )
        .into_bytes();
        text.extend_from_slice(&body);
        let mut refusals = vec!["EXPUNGEISSUED"];
        if Client::passing(to) {
            refusals.extend(["TRYCREATE", "NONEXISTENT"]);
        }
        if read_only {
            refusals.push("");
        }
        let Some(answer) = self.ok_or_no(Command::new(text), &refusals).await? else {
            return Ok(());
        };
        if self.picture()?.slot(old).is_some() {
            return Err(format!("uid {old} was replaced and is still there").into());
        }
        self.appended(answer.code("APPENDUID"), &[token])
    }

    pub async fn expunge(&mut self, by_uid: bool) -> Result<(), Broken> {
        let read_only = self.picture()?.read_only;
        let chosen = match by_uid {
            true => {
                let known = self.picture()?.uids();
                let chosen = numbers::choose(&mut self.random, &known);
                chosen.map(|(_, uids)| (numbers::print(uids.iter().copied()), uids))
            }
            false => None,
        };
        let text = match &chosen {
            Some((set, _)) => format!("UID EXPUNGE {set}"),
            None => "EXPUNGE".to_owned(),
        };
        let refusals: &[&str] = if read_only { &[""] } else { &[] };
        let answer = self.ok_or_no(Command::new(text.clone()), refusals).await?;
        if answer.is_none() || !self.alone {
            return Ok(());
        }
        let meant = |uid: u32| chosen.as_ref().is_none_or(|(_, uids)| uids.contains(&uid));
        let left = self.picture()?.slots.iter().find(|slot| {
            let deleted = slot.flags.as_ref().is_some_and(|f| f.contains("\\deleted"));
            deleted && slot.uid.is_some_and(meant)
        });
        match left {
            Some(left) => Err(format!("{text} left {left:?}").into()),
            None => Ok(()),
        }
    }

    pub async fn close(&mut self, expunges: bool) -> Result<(), Broken> {
        if self.alone {
            self.ok(Command::new("NOOP")).await?;
        }
        let picture = self.picture()?.clone();
        let word = if expunges { "CLOSE" } else { "UNSELECT" };
        self.ok(Command::new(word)).await?;
        let key = self.key()?;
        self.session()?.picture = None;
        self.saved = None;
        if !expunges || picture.read_only || !self.alone {
            return Ok(());
        }
        for slot in picture.slots {
            let deleted = slot.flags.is_some_and(|flags| flags.contains("\\deleted"));
            if let (true, Some(uid)) = (deleted, slot.uid) {
                self.ledger().gone(&key, uid)?;
            }
        }
        Ok(())
    }

    pub async fn create(&mut self) -> Result<(), Broken> {
        let name = PASSING[self.random.index(PASSING.len())];
        let text = format!("CREATE {name}");
        self.ok_or_no(Command::new(text), &["ALREADYEXISTS"])
            .await?;
        Ok(())
    }

    pub async fn delete(&mut self) -> Result<(), Broken> {
        let name = PASSING[self.random.index(PASSING.len())];
        let text = format!("DELETE {name}");
        // CLOSED tells when it was the selected one: that may have another name by now.
        self.ok_or_no(Command::new(text), &["NONEXISTENT", "HASCHILDREN"])
            .await?;
        Ok(())
    }

    pub async fn rename(&mut self) -> Result<(), Broken> {
        let from = PASSING[self.random.index(PASSING.len())];
        let to = PASSING[self.random.index(PASSING.len())];
        let text = format!("RENAME {from} {to}");
        let refusals = ["NONEXISTENT", "ALREADYEXISTS", "CANNOT"];
        self.ok_or_no(Command::new(text), &refusals).await?;
        Ok(())
    }

    /// A message comes in by SMTP or LMTP.
    pub async fn deliver(&mut self) -> Result<(), Broken> {
        let token = self.token();
        let delivered = Delivered {
            owner: self.login.address.clone(),
            token: token.clone(),
        };
        let interruptions = self.net.interruptions();
        match self.send(&token).await {
            Ok(true) => self.ledger().delivered.push(delivered),
            Ok(false) => return Err("a delivery was refused".to_owned().into()),
            Err(_) if self.net.interruptions() != interruptions => {}
            Err(error) => return Err(format!("delivery: {error}").into()),
        }
        Ok(())
    }

    async fn send(&mut self, token: &str) -> std::io::Result<bool> {
        let (stream, lmtp) = self.net.mail().await?;
        let mut stream = BufReader::new(stream);
        let hello = if lmtp { "LHLO" } else { "EHLO" };
        let to = &self.login.address;
        let lines = [
            String::new(),
            format!("{hello} elsewhere.test\r\n"),
            "MAIL FROM:<sender@elsewhere.test>\r\n".to_owned(),
            format!("RCPT TO:<{to}>\r\n"),
            "DATA\r\n".to_owned(),
            format!("{}.\r\n", String::from_utf8_lossy(&ledger::text(token))),
        ];
        for line in lines {
            stream.get_mut().write_all(line.as_bytes()).await?;
            stream.get_mut().flush().await?;
            loop {
                let mut reply = String::new();
                if stream.read_line(&mut reply).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                if !reply.starts_with(['2', '3']) {
                    return Ok(false);
                }
                if reply.as_bytes().get(3) != Some(&b'-') {
                    break;
                }
            }
        }
        Ok(true)
    }
}

fn uid_validity(code: &Code) -> Result<u32, String> {
    let number = code.values.first().and_then(Value::number);
    let number = number.and_then(|number| number.try_into().ok());
    number.ok_or_else(|| format!("{code:?}"))
}

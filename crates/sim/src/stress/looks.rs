//! Steps that only look, and what their answers must be.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{Client, KEYWORDS, MAILBOXES, PASSING};
use super::ledger;
use super::numbers;
use super::picture::{Flags, Picture, Snapshot};
use super::response::Value;
use super::session::{Answer, Broken, Command, Fetched, Notifying, Target};

const SNAPSHOTS_MAX: usize = 6;

/// What the flags of a message must be to match.
type Test = Box<dyn Fn(&Flags) -> bool + Send>;

/// Messages as a command names them.
pub struct Choice {
    pub text: String,
    pub by_uid: bool,
    pub target: Target,
}

impl Choice {
    pub fn uid_word(&self) -> &'static str {
        if self.by_uid { "UID " } else { "" }
    }
}

impl Client {
    /// Sequence numbers are of no use in this session.
    pub fn uids_only(&self) -> bool {
        self.session.as_ref().is_none_or(|session| {
            session.enabled.uid_only || session.notifying == Notifying::Immediate
        })
    }

    pub fn picture(&self) -> Result<&Picture, Broken> {
        let session = self.session.as_ref();
        let picture = session.and_then(|session| session.picture.as_ref());
        picture.ok_or(Broken::Closed)
    }

    /// Some messages of the selected mailbox.
    pub fn choose(&mut self) -> Result<Option<Choice>, Broken> {
        let by_uid = self.uids_only() || self.random.chance(50);
        let known = match by_uid {
            true => self.picture()?.uids(),
            false => self.picture()?.numbers(),
        };
        let chosen = numbers::choose(&mut self.random, &known);
        // What `*` means is not known, or may change under way when news come at any time.
        let exact =
            self.session()?.notifying != Notifying::Off || (by_uid && !self.picture()?.complete());
        Ok(chosen.map(|(text, meant)| Choice {
            text: match exact {
                true => numbers::print(meant.iter().copied()),
                false => text,
            },
            by_uid,
            target: match by_uid {
                true => Target::Uids(meant),
                false => Target::Numbers(meant),
            },
        }))
    }

    /// All of it, by numbers or by uids.
    pub async fn fetch_all(&mut self, items: &str) -> Result<Vec<Fetched>, Broken> {
        if self.picture()?.slots.is_empty() {
            return Ok(Vec::new());
        }
        let by_uid = self.uids_only() || self.random.chance(30);
        let word = if by_uid { "UID " } else { "" };
        let count = self.picture()?.slots.len();
        let text = format!("{word}FETCH 1:* {items}");
        let answer = self.ok(Command::new(text).by_number(!by_uid)).await?;
        let all = match by_uid {
            true => Target::Uids(self.picture()?.uids().into_iter().collect()),
            false => Target::Numbers((1..=count as u32).collect()),
        };
        self.left_out(&all, &answer)?;
        Ok(answer.fetched)
    }

    /// What a FETCH did not answer is to be told gone.
    fn left_out(&mut self, asked: &Target, answer: &Answer) -> Result<(), Broken> {
        let numbers: BTreeSet<u32> = answer.fetched.iter().map(|f| f.number).collect();
        let uids: BTreeSet<u32> = answer.fetched.iter().filter_map(|f| f.uid).collect();
        let Some(picture) = self.session()?.picture.as_mut() else {
            return Ok(());
        };
        for (index, slot) in picture.slots.iter_mut().enumerate() {
            slot.missing |= match asked {
                Target::Numbers(asked) => {
                    let number = index as u32 + 1;
                    asked.contains(&number) && !numbers.contains(&number)
                }
                Target::Uids(asked) => slot
                    .uid
                    .is_some_and(|uid| asked.contains(&uid) && !uids.contains(&uid)),
            };
        }
        Ok(())
    }

    /// After SELECT: everything, held against what is known and what was remembered.
    pub async fn look(&mut self) -> Result<(), Broken> {
        let mut remembered = self.picture()?.remembered.clone();
        if let Some(remembered) = remembered.as_mut() {
            for slot in &self.picture()?.slots {
                if let (Some(uid), Some(flags)) = (slot.uid, slot.flags.clone()) {
                    remembered.messages.insert(uid, flags);
                }
            }
        }
        let condstore = self.session()?.enabled.condstore;
        let items = match condstore {
            true => "(UID FLAGS MODSEQ)",
            false => "(UID FLAGS)",
        };
        let fetched = self.fetch_all(items).await?;
        let asked: BTreeMap<u32, Fetched> = fetched
            .into_iter()
            .filter_map(|fetched| Some((fetched.uid?, fetched)))
            .collect();
        if let Some(remembered) = remembered {
            self.resynced(&remembered, &asked)?;
        }
        let (key, opened) = (self.key()?, self.picture()?.opened);
        let mut uids: Vec<u32> = asked.into_keys().collect();
        uids.extend(self.picture()?.uids());
        self.ledger().opened(&key, opened, &uids)?;
        if self.random.chance(50) {
            self.keep_snapshot()?;
        }
        Ok(())
    }

    /// RFC 7162 §3.2.5: what was remembered and what was told since is what there is.
    fn resynced(
        &mut self,
        remembered: &Snapshot,
        asked: &BTreeMap<u32, Fetched>,
    ) -> Result<(), Broken> {
        let picture = self.picture()?;
        for (uid, fetched) in asked {
            let (Some(flags), Some(modseq)) = (&fetched.flags, fetched.modseq) else {
                continue;
            };
            if modseq > picture.modseq_opened {
                continue;
            }
            let known = remembered.messages.get(uid);
            if known.is_none() && remembered.only {
                continue;
            }
            if known != Some(flags) {
                let since = remembered.modseq;
                return Err(format!(
                    "QRESYNC since {since} left {known:?} of uid {uid}, which has {flags:?} at {modseq}"
                )
                .into());
            }
        }
        // What was told gone since is not remembered there any more.
        let left = picture.remembered.iter().flat_map(|r| r.messages.keys());
        let extra: Vec<_> = left.filter(|uid| !asked.contains_key(uid)).collect();
        let gone = picture.slots.iter().filter(|slot| slot.missing).count();
        match extra.len() <= gone {
            true => Ok(()),
            false => Err(format!("QRESYNC did not tell that {extra:?} are gone").into()),
        }
    }

    pub fn keep_snapshot(&mut self) -> Result<(), Broken> {
        let picture = self.picture()?;
        let name = picture.name.clone();
        if let Some(snapshot) = picture.snapshot().filter(|s| s.modseq > 0) {
            let all = self.snapshots.entry(name).or_default();
            all.push_back(snapshot);
            if all.len() > SNAPSHOTS_MAX {
                all.pop_front();
            }
        }
        Ok(())
    }

    /// What the client knows is what there is.
    pub async fn verify(&mut self) -> Result<(), Broken> {
        self.ok(Command::new("NOOP")).await?;
        let before = self.picture()?.clone();
        let condstore = self.session()?.enabled.condstore;
        let items = match condstore {
            true => "(UID FLAGS MODSEQ)",
            false => "(FLAGS UID)",
        };
        let fetched = self.fetch_all(items).await?;
        if self.alone && fetched.len() != before.slots.len() {
            let (count, known) = (fetched.len(), before.slots.len());
            return Err(format!("{count} messages, and {known} are known").into());
        }
        for fetched in fetched {
            // Numbers may have moved since, uids stay.
            let slot = fetched.uid.and_then(|uid| before.slot(uid));
            let (Some(known), Some(now)) = (slot.and_then(|s| s.flags.as_ref()), &fetched.flags)
            else {
                continue;
            };
            let newer = fetched.modseq.is_none_or(|modseq| modseq > before.modseq);
            if known != now && (self.alone || !newer) {
                return Err(
                    format!("{fetched:?} where {slot:?} was known at {}", before.modseq).into(),
                );
            }
        }
        self.keep_snapshot()
    }

    pub async fn fetch_flags(&mut self) -> Result<(), Broken> {
        let Some(choice) = self.choose()? else {
            return self.noop().await;
        };
        let items = [
            "FLAGS",
            "(UID)",
            "(UID FLAGS)",
            "FAST",
            "(UID FLAGS MODSEQ)",
        ];
        let items = items[self.random.index(items.len())];
        let text = format!("{}FETCH {} {items}", choice.uid_word(), choice.text);
        let command = Command::new(text).by_number(!choice.by_uid);
        let answer = self.ok_or_no(command, &["EXPUNGEISSUED"]).await?;
        match answer {
            Some(answer) => self.left_out(&choice.target, &answer),
            None => Ok(()),
        }
    }

    pub async fn fetch_bodies(&mut self) -> Result<(), Broken> {
        let Some(choice) = self.choose()? else {
            return self.noop().await;
        };
        let items = [
            "(UID BODY.PEEK[])",
            "(UID BODY[])",
            "(UID ENVELOPE BODYSTRUCTURE BODY.PEEK[] PREVIEW)",
            "(UID RFC822.SIZE INTERNALDATE BODY.PEEK[])",
        ];
        let items = items[self.random.index(items.len())];
        let text = format!("{}FETCH {} {items}", choice.uid_word(), choice.text);
        let command = Command::new(text).by_number(!choice.by_uid);
        let answer = self.ok_or_no(command, &["EXPUNGEISSUED"]).await?;
        let Some(answer) = answer else {
            return Ok(());
        };
        self.left_out(&choice.target, &answer)?;
        self.learn_tokens(&answer)
    }

    /// Bodies are what was sent, and each uid is one message for everybody.
    pub fn learn_tokens(&mut self, answer: &Answer) -> Result<(), Broken> {
        let key = self.key()?;
        for fetched in &answer.fetched {
            for body in &fetched.bodies {
                let token = ledger::recognize(body)?;
                let uid = fetched.uid.ok_or_else(|| "a body without uid".to_owned())?;
                self.ledger().name(&key, uid, &token)?;
            }
        }
        Ok(())
    }

    pub async fn fetch_changed(&mut self) -> Result<(), Broken> {
        let uids = self.picture()?.uids();
        let modseq = self.picture()?.modseq;
        let (Some(first), true) = (uids.first(), modseq > 0) else {
            return self.noop().await;
        };
        let back = self.random.below(20);
        let since = modseq.saturating_sub(back).max(1);
        let session = self.session()?;
        let vanished = match session.enabled.qresync && back.is_multiple_of(2) {
            true => " VANISHED",
            false => "",
        };
        let text = format!("UID FETCH {first}:* (FLAGS) (CHANGEDSINCE {since}{vanished})");
        let answer = self.ok(Command::new(text)).await?;
        for fetched in &answer.fetched {
            // After NOTIFY news may come before the server has read the command: without MODSEQ,
            // when this command is the first that asks for it (RFC 7162 §3.1).
            if fetched.modseq.is_some_and(|modseq| modseq <= since) {
                return Err(format!("{fetched:?} since {since}").into());
            }
        }
        if !self.alone {
            return Ok(());
        }
        let told: BTreeSet<u32> = answer.fetched.iter().filter_map(|f| f.uid).collect();
        let slots = &self.picture()?.slots;
        let quiet = |slot: &&super::picture::Slot| {
            slot.modseq > since && slot.uid.is_some_and(|uid| !told.contains(&uid))
        };
        match slots.iter().find(quiet) {
            Some(slot) => Err(format!("CHANGEDSINCE {since} left out {slot:?}").into()),
            None => Ok(()),
        }
    }

    /// `$` is what was saved, without what is gone since (RFC 5182 §2.1).
    pub async fn fetch_saved(&mut self) -> Result<(), Broken> {
        let Some(saved) = self.saved.clone() else {
            return self.search_save().await;
        };
        let by_uid = self.uids_only() || self.random.chance(50);
        let word = if by_uid { "UID " } else { "" };
        let command = Command::new(format!("{word}FETCH $ (UID)")).by_number(!by_uid);
        let Some(answer) = self.ok_or_no(command, &["EXPUNGEISSUED"]).await? else {
            return Ok(());
        };
        let only_uid = |fetched: &&Fetched| fetched.flags.is_none() && fetched.modseq.is_none();
        for fetched in answer.fetched.iter().filter(only_uid) {
            if !fetched.uid.is_some_and(|uid| saved.contains(&uid)) {
                return Err(format!("{fetched:?} is not in the saved result").into());
            }
        }
        self.left_out(&Target::Uids(saved), &answer)
    }

    /// A condition, and the test of it by what is known.
    fn condition(&mut self) -> (String, Option<Test>) {
        let flag = |name: &'static str, there: bool| -> Option<Test> {
            Some(Box::new(move |flags: &Flags| flags.contains(name) == there))
        };
        let keyword = KEYWORDS[self.random.index(2)];
        match self.random.below(9) {
            0 => ("ALL".to_owned(), Some(Box::new(|_| true))),
            1 => ("SEEN".to_owned(), flag("\\seen", true)),
            2 => ("UNSEEN".to_owned(), flag("\\seen", false)),
            3 => ("FLAGGED".to_owned(), flag("\\flagged", true)),
            4 => ("NOT DELETED".to_owned(), flag("\\deleted", false)),
            5 => (format!("KEYWORD {keyword}"), flag(keyword, true)),
            6 => (format!("UNKEYWORD {keyword}"), flag(keyword, false)),
            7 => (
                "OR ANSWERED DRAFT".to_owned(),
                Some(Box::new(|flags: &Flags| {
                    flags.contains("\\answered") || flags.contains("\\draft")
                })),
            ),
            _ => ("LARGER 700".to_owned(), None),
        }
    }

    /// The numbers or uids of a result, in its order.
    fn result(&self, answer: &Answer, name: &'static str) -> Result<Vec<u32>, Broken> {
        let mut all = Vec::new();
        for values in answer.data(name) {
            for value in values {
                match value.number().and_then(|n| u32::try_from(n).ok()) {
                    Some(number) => all.push(number),
                    None if value.list().is_some() => {}
                    None => return Err(format!("{value:?} in {name}").into()),
                }
            }
        }
        for values in answer.data("ESEARCH") {
            let at = values.iter().position(|value| value.is("ALL"));
            if let Some(set) = at.and_then(|at| values.get(at + 1)).and_then(Value::atom) {
                all.extend(numbers::parse(set)?);
            }
        }
        Ok(all)
    }

    /// A result names only what is there; alone, it is what is known to be right.
    fn check_result(
        &self,
        found: &[u32],
        by_uid: bool,
        shown: &str,
        test: Option<&Test>,
    ) -> Result<(), Broken> {
        let picture = self.picture()?;
        let unique: BTreeSet<u32> = found.iter().copied().collect();
        if unique.len() != found.len() {
            return Err(format!("{shown}: a number twice").into());
        }
        for number in found {
            let there = match by_uid {
                true => !picture.complete() || picture.slot(*number).is_some(),
                false => *number as usize <= picture.slots.len(),
            };
            // By uid, expunges may be told after the result.
            if !there && (self.alone || !by_uid) {
                return Err(format!("{shown}: {number} is not there").into());
            }
        }
        let Some(test) = test.filter(|_| self.alone) else {
            return Ok(());
        };
        for (index, slot) in picture.slots.iter().enumerate() {
            let (Some(flags), Some(uid)) = (&slot.flags, slot.uid) else {
                continue;
            };
            let number = if by_uid { uid } else { index as u32 + 1 };
            if unique.contains(&number) != test(flags) {
                return Err(format!("{shown}: {number} has {flags:?}").into());
            }
        }
        Ok(())
    }

    pub async fn search(&mut self) -> Result<(), Broken> {
        if self.random.chance(25) {
            return self.search_token().await;
        }
        self.ok(Command::new("NOOP")).await?;
        let by_uid = self.uids_only() || self.random.chance(50);
        let word = if by_uid { "UID " } else { "" };
        let (condition, test) = self.condition();
        let options = ["", "RETURN (ALL) ", "RETURN (MIN MAX COUNT ALL) "];
        let options = options[self.random.index(options.len())];
        let text = format!("{word}SEARCH {options}{condition}");
        let answer = self
            .ok(Command::new(text.clone()).by_number(!by_uid))
            .await?;
        let found = self.result(&answer, "SEARCH")?;
        self.check_extremes(&answer, &found, &text)?;
        self.check_result(&found, by_uid, &text, test.as_ref())
    }

    /// RFC 4731 §3.1: MIN, MAX and COUNT are of the same result.
    fn check_extremes(&self, answer: &Answer, found: &[u32], shown: &str) -> Result<(), Broken> {
        for values in answer.data("ESEARCH") {
            let named = |name: &str| {
                let at = values.iter().position(|value| value.is(name))?;
                values.get(at + 1)?.number()
            };
            let (min, max) = (found.iter().min(), found.iter().max());
            let right = named("COUNT").is_none_or(|count| count == found.len() as u64)
                && named("MIN").is_none_or(|told| min.is_some_and(|min| told == u64::from(*min)))
                && named("MAX").is_none_or(|told| max.is_some_and(|max| told == u64::from(*max)));
            if !right {
                return Err(format!("{shown}: {values:?}").into());
            }
        }
        Ok(())
    }

    /// A message is found by its text, and only it and its copies.
    async fn search_token(&mut self) -> Result<(), Broken> {
        self.ok(Command::new("NOOP")).await?;
        let (key, uids) = (self.key()?, self.picture()?.uids());
        if uids.is_empty() {
            return Ok(());
        }
        let uid = uids[self.random.index(uids.len())];
        let Some(token) = self.ledger().token(&key, uid).map(str::to_owned) else {
            return Ok(());
        };
        let words = ["SUBJECT", "TEXT", "HEADER Subject"];
        let word = words[self.random.index(words.len())];
        let text = format!("UID SEARCH {word} {token}");
        let answer = self.ok(Command::new(text.clone())).await?;
        let found: BTreeSet<u32> = self.result(&answer, "SEARCH")?.into_iter().collect();
        for uid in &found {
            let other = self.ledger().token(&key, *uid).map(str::to_owned);
            if other.is_some_and(|other| other != token) {
                return Err(format!("{text}: {uid} is another").into());
            }
        }
        if self.alone && !found.contains(&uid) {
            return Err(format!("{text}: {uid} was not found").into());
        }
        Ok(())
    }

    pub async fn search_save(&mut self) -> Result<(), Broken> {
        let by_uid = self.uids_only() || self.random.chance(50);
        let word = if by_uid { "UID " } else { "" };
        let (condition, _) = self.condition();
        let text = format!("{word}SEARCH RETURN (SAVE ALL) {condition}");
        let before = self.picture()?.clone();
        self.saved = None;
        let answer = self
            .ok(Command::new(text.clone()).by_number(!by_uid))
            .await?;
        let found = self.result(&answer, "SEARCH")?;
        self.check_result(&found, by_uid, &text, None)?;
        let uids = match by_uid {
            true => Some(found.into_iter().collect()),
            // Numbers did not move while it ran.
            false => {
                let uid = |number: &u32| before.slots.get(*number as usize - 1)?.uid;
                found.iter().map(uid).collect()
            }
        };
        self.saved = uids;
        Ok(())
    }

    pub async fn sort(&mut self) -> Result<(), Broken> {
        self.ok(Command::new("NOOP")).await?;
        let by_uid = self.uids_only() || self.random.chance(50);
        let word = if by_uid { "UID " } else { "" };
        let (condition, test) = self.condition();
        let criteria = [
            "ARRIVAL",
            "SUBJECT",
            "REVERSE DATE",
            "FROM SIZE",
            "DISPLAYFROM",
        ];
        let criteria = criteria[self.random.index(criteria.len())];
        let text = format!("{word}SORT ({criteria}) UTF-8 {condition}");
        let answer = self
            .ok(Command::new(text.clone()).by_number(!by_uid))
            .await?;
        let found = self.result(&answer, "SORT")?;
        self.check_result(&found, by_uid, &text, test.as_ref())
    }

    pub async fn thread(&mut self) -> Result<(), Broken> {
        self.ok(Command::new("NOOP")).await?;
        let by_uid = self.uids_only() || self.random.chance(50);
        let word = if by_uid { "UID " } else { "" };
        let (condition, test) = self.condition();
        let algorithms = ["REFERENCES", "ORDEREDSUBJECT", "REFS"];
        let algorithm = algorithms[self.random.index(algorithms.len())];
        let text = format!("{word}THREAD {algorithm} UTF-8 {condition}");
        let answer = self
            .ok(Command::new(text.clone()).by_number(!by_uid))
            .await?;
        let mut found = Vec::new();
        for values in answer.data("THREAD") {
            flatten(values, &mut found)?;
        }
        self.check_result(&found, by_uid, &text, test.as_ref())
    }

    pub async fn status(&mut self) -> Result<(), Broken> {
        let name = self.any_mailbox();
        let at = self.ledger().now();
        let text = format!("STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)");
        let missing: &[&str] = match MAILBOXES.contains(&name) {
            true => &[],
            false => &["NONEXISTENT"],
        };
        let Some(answer) = self.ok_or_no(Command::new(text), missing).await? else {
            return Ok(());
        };
        self.check_status(&answer, at)
    }

    pub fn check_status(&mut self, answer: &Answer, at: u64) -> Result<(), Broken> {
        for values in answer.data("STATUS") {
            let items = values.get(1).and_then(Value::list).unwrap_or_default();
            let named = |name: &str| {
                let at = items.iter().position(|value| value.is(name))?;
                items.get(at + 1)
            };
            let number = |name: &str| named(name).and_then(Value::number);
            let Some(uid_validity) = number("UIDVALIDITY") else {
                continue;
            };
            let uid_validity = u32::try_from(uid_validity).map_err(|e| e.to_string())?;
            let key = self.session()?.key(uid_validity);
            if let Some(id) = named("MAILBOXID").and_then(Value::list) {
                let id = id.first().and_then(Value::text).unwrap_or_default();
                self.ledger().identify(&key, &id)?;
            }
            // What NOTIFY tells may be from before.
            if named("MAILBOXID").is_some() {
                let (next, modseq) = (number("UIDNEXT"), number("HIGHESTMODSEQ"));
                self.ledger().numbers(&key, at, next, modseq)?;
            }
        }
        Ok(())
    }

    pub async fn list(&mut self) -> Result<(), Broken> {
        let at = self.ledger().now();
        let text = "LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))";
        let answer = self.ok(Command::new(text)).await?;
        let names: BTreeSet<String> = answer
            .data("LIST")
            .filter_map(|values| values.get(2)?.text())
            .collect();
        for name in MAILBOXES {
            if !names.contains(name) {
                return Err(format!("LIST without {name}").into());
            }
        }
        self.check_status(&answer, at)
    }

    /// Commands sent together that mean the same whatever is told between them: by numbers first,
    /// and after a command that may tell of expunges none by number (RFC 9051 §5.5).
    pub async fn pipeline(&mut self) -> Result<(), Broken> {
        let mut commands = Vec::new();
        if !self.uids_only() {
            for _ in 0..self.random.below(3) {
                let known = self.picture()?.numbers();
                let Some((set, _)) = numbers::choose(&mut self.random, &known) else {
                    break;
                };
                let text = match self.random.below(3) {
                    0 => format!("FETCH {set} (UID FLAGS)"),
                    1 => format!("STORE {set} +FLAGS (\\Seen)"),
                    _ => format!("SEARCH {set}"),
                };
                commands.push(Command::new(text).by_number(true));
            }
        }
        for _ in 0..=self.random.below(3) {
            let known = self.picture()?.uids();
            let set = numbers::choose(&mut self.random, &known);
            let set = set.map_or("1".to_owned(), |(set, _)| set);
            commands.push(Command::new(match self.random.below(5) {
                0 => format!("UID FETCH {set} (FLAGS)"),
                1 => format!("UID STORE {set} -FLAGS (\\Seen)"),
                2 => "UID SEARCH UNSEEN".to_owned(),
                3 => format!("STATUS {} (MESSAGES)", MAILBOXES[0]),
                _ => "NOOP".to_owned(),
            }));
        }
        let read_only = self.picture()?.read_only;
        let shown: Vec<String> = commands
            .iter()
            .map(|command| String::from_utf8_lossy(&command.text).into_owned())
            .collect();
        let answers = self.session()?.run_all(commands).await?;
        let refusals: &[&str] = match read_only {
            true => &["", "EXPUNGEISSUED"],
            false => &["EXPUNGEISSUED"],
        };
        for (answer, shown) in answers.into_iter().zip(shown) {
            self.check(answer, refusals, &shown)?;
        }
        Ok(())
    }

    /// A command that may be cut off at any byte.
    pub async fn blind_command(&mut self) -> Result<Option<Command>, Broken> {
        let uids = self.picture()?.uids();
        let Some((set, _)) = numbers::choose(&mut self.random, &uids) else {
            return Ok(None);
        };
        let text = match self.random.below(5) {
            0 => format!("UID STORE {set} +FLAGS.SILENT (\\Flagged kw0)"),
            1 => format!("UID FETCH {set} (BODY.PEEK[])"),
            2 => format!("UID COPY {set} {}", MAILBOXES[1]),
            3 => {
                let token = self.token();
                let body = ledger::text(&token);
                let mut text =
                    format!("APPEND {} {{{}+}}\r\n", MAILBOXES[2], body.len()).into_bytes();
                text.extend_from_slice(&body);
                return Ok(Some(Command::new(text)));
            }
            _ => "UID SEARCH TEXT line".to_owned(),
        };
        Ok(Some(Command::new(text)))
    }

    /// Is the name one that comes and goes?
    pub fn passing(name: &str) -> bool {
        PASSING.contains(&name)
    }
}

fn flatten(values: &[Value], into: &mut Vec<u32>) -> Result<(), String> {
    for value in values {
        match value {
            Value::List(inner) => flatten(inner, into)?,
            other => {
                let number = other.number().and_then(|number| number.try_into().ok());
                into.push(number.ok_or_else(|| format!("{other:?} in THREAD"))?);
            }
        }
    }
    Ok(())
}

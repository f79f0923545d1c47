//! Random operations, most of them sensible, some not.

use facteur_sim::Random;
use facteur_sim::model::{AccountState, Model};
use facteur_store::{
    AccountEdit, AccountId, AddressTarget, DeliverBy, FlagEdit, FlagNames, FlagScope, Grant,
    Grantee, MailboxEdit, MailboxId, ModSeq, NewMessage, NewQueueEntry, Place, QueueId,
    QueueRecipient, RecipientState, Rights, RightsEdit, ScriptEdit, SpecialUse, SystemFlags,
    Timestamp, TlsWish, Uid, UidSet, Wishes,
};

use super::BodySpec;
use super::op::Op;

/// Chooses operations on its own accounts, so that several of them can work on one store at once.
#[derive(Clone, Debug)]
pub struct Chooser {
    pub random: Random,
    /// In every name that is global: addresses, domains.
    pub label: String,
    pub body_bytes_max: usize,
    made: u64,
}

const NAMES: [&str; 12] = [
    "INBOX",
    "inbox",
    "Projets",
    "Projets/Été",
    "Projets/Été/Deux",
    "a",
    "a/b",
    "Archive/2025",
    "b",
    "INBOX/sub",
    "a//b",
    "",
];
const KEYWORDS: [&str; 5] = ["$Forwarded", "$Junk", "blue", "Blue", "à-lire"];

impl Chooser {
    pub fn new(seed: u64, label: &str) -> Self {
        let random = Random::new(seed);
        Chooser {
            random,
            label: label.to_owned(),
            body_bytes_max: 4000,
            made: 0,
        }
    }

    pub fn create_account(&mut self) -> Op {
        self.made += 1;
        let quota = self.random.chance(10).then_some(20_000);
        Op::CreateAccount(format!("{}-{}@example.test", self.label, self.made), quota)
    }

    pub fn op(&mut self, model: &Model, now: Timestamp) -> Op {
        let accounts: Vec<AccountId> = model.accounts.keys().copied().collect();
        if accounts.is_empty() {
            return self.create_account();
        }
        let account = accounts[self.random.index(accounts.len())];
        let state = &model.accounts[&account];
        match self.random.below(100) {
            0..20 => self.deliver(&accounts, now),
            20..32 => self.append(model, account, state),
            32..52 => self.edit_flags(model, account, state),
            52..58 => {
                let (from, uids, to) = self.way(model, account, state);
                Op::Copy(from, uids, to, self.scope())
            }
            58..64 => {
                let (from, uids, to) = self.way(model, account, state);
                Op::Move(from, uids, to, self.scope())
            }
            64..72 => {
                let mailbox = self.mailbox(state);
                let some = self.random.chance(60);
                let uids = some.then(|| self.uids(state, mailbox));
                Op::Expunge(account, mailbox, uids, self.random.chance(60))
            }
            72..76 => self.restore(account, state),
            76..81 => {
                let special = self.random.chance(20).then(|| self.special_use());
                Op::CreateMailbox(account, self.name(), special)
            }
            81..84 => Op::RenameMailbox(account, self.mailbox(state), self.name()),
            84..87 => Op::EditMailbox(account, self.mailbox(state), self.mailbox_edit()),
            87..89 => Op::DeleteMailbox(account, self.mailbox(state)),
            89..91 => Op::RestoreMailbox(account, self.deleted(state)),
            91..95 => self.queue_update(model, &accounts, now),
            95 => Op::EditAccount(account, self.account_edit()),
            97 | 98 => self.edit_rights(model, account, state),
            96 if accounts.len() > 2 => Op::EraseAccount(account),
            96 => self.create_account(),
            _ => self.directory(account, model),
        }
    }

    pub fn body(&mut self) -> BodySpec {
        let size = match self.random.below(10) {
            0 => self.body_bytes_max,
            1..4 => 1500,
            _ => 300,
        };
        let size = 30 + self.random.index(size.min(self.body_bytes_max));
        // Now and then one that is stored already.
        let seed = if self.random.chance(10) {
            self.random.below(5)
        } else {
            self.random.next()
        };
        let size = if seed < 5 { 400 } else { size };
        BodySpec {
            seed,
            size,
            text: self.random.chance(60),
        }
    }

    fn message(&mut self) -> NewMessage {
        let internal_date = self
            .random
            .chance(50)
            .then(|| self.random.below(2_000_000_000) as i64);
        let prefix = format!("Delivered-To: {}\r\n", self.random.below(1000)).into_bytes();
        NewMessage {
            prefix,
            flags: self.flags(),
            internal_date,
        }
    }

    fn flags(&mut self) -> FlagNames {
        let system = SystemFlags(self.random.below(32) as u8);
        let mut keywords = Vec::new();
        for _ in 0..self.random.below(3) {
            keywords.push(KEYWORDS[self.random.index(KEYWORDS.len())].to_owned());
        }
        FlagNames { system, keywords }
    }

    fn name(&mut self) -> String {
        NAMES[self.random.index(NAMES.len())].to_owned()
    }

    fn mailbox(&mut self, state: &AccountState) -> MailboxId {
        if self.random.chance(4) {
            return MailboxId(9999);
        }
        // INBOX is the busiest.
        let all: Vec<MailboxId> = state.mailboxes.keys().copied().collect();
        match state.by_name("INBOX") {
            Some(inbox) if self.random.chance(50) => inbox.id,
            _ => all[self.random.index(all.len())],
        }
    }

    fn deleted(&mut self, state: &AccountState) -> MailboxId {
        let all: Vec<MailboxId> = state.deleted.keys().copied().collect();
        match all.len() {
            0 => MailboxId(9999),
            len => all[self.random.index(len)],
        }
    }

    fn uids(&mut self, state: &AccountState, mailbox: MailboxId) -> UidSet {
        let next = state
            .mailboxes
            .get(&mailbox)
            .map_or(3, |mailbox| mailbox.uid_next.0);
        let mut ranges = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let first = 1 + self.random.below(u64::from(next)) as u32;
            ranges.push((first, first + self.random.below(3) as u32));
        }
        if self.random.chance(5) {
            ranges.push((1, u32::MAX));
        }
        UidSet::from_ranges(ranges)
    }

    fn deliver(&mut self, accounts: &[AccountId], now: Timestamp) -> Op {
        let mut queue = Vec::new();
        for _ in 0..self.random.below(3).saturating_sub(1) {
            queue.push(self.queue_entry(now));
        }
        let local = self.local(accounts, u64::from(queue.is_empty()));
        Op::Deliver(self.body(), local, queue)
    }

    fn local(
        &mut self,
        accounts: &[AccountId],
        least: u64,
    ) -> Vec<(AccountId, String, NewMessage)> {
        let mut local = Vec::new();
        for _ in 0..least + self.random.below(3) {
            let account = accounts[self.random.index(accounts.len())];
            let mailbox = if self.random.chance(70) {
                "INBOX"
            } else {
                "Projets"
            };
            local.push((account, mailbox.to_owned(), self.message()));
        }
        local
    }

    /// As the owner sees it, or somebody else.
    fn place(&mut self, model: &Model, account: AccountId, mailbox: MailboxId) -> Place {
        let viewer = match self.random.chance(30) {
            true => self.account(model),
            false => account,
        };
        Place {
            account,
            mailbox,
            viewer,
        }
    }

    fn account(&mut self, model: &Model) -> AccountId {
        let accounts: Vec<AccountId> = model.accounts.keys().copied().collect();
        accounts[self.random.index(accounts.len())]
    }

    /// From where, what, where to; in one account or from one to another.
    fn way(
        &mut self,
        model: &Model,
        account: AccountId,
        state: &AccountState,
    ) -> (Place, UidSet, Place) {
        let from = self.mailbox(state);
        let uids = self.uids(state, from);
        let from = self.place(model, account, from);
        let there = match self.random.chance(25) {
            true => self.account(model),
            false => account,
        };
        let to = Place {
            account: there,
            mailbox: self.mailbox(&model.accounts[&there]),
            viewer: from.viewer,
        };
        (from, uids, to)
    }

    fn scope(&mut self) -> FlagScope {
        match self.random.chance(70) {
            true => FlagScope::ALL,
            false => FlagScope {
                system: SystemFlags(self.random.below(32) as u8),
                keywords: self.random.chance(50),
            },
        }
    }

    fn edit_rights(&mut self, model: &Model, account: AccountId, state: &AccountState) -> Op {
        let grant = Grant {
            mailbox: self.random.chance(70).then(|| self.mailbox(state)),
            grantee: match self.random.chance(20) {
                true => Grantee::Anyone,
                false => Grantee::Account(self.account(model)),
            },
            rights: Rights(self.random.below(1 << 12) as u16),
        };
        if let (true, Grantee::Account(grantee)) = (self.random.chance(20), grant.grantee) {
            return Op::ReplaceRights(account, grantee, grant.rights);
        }
        let edit = [RightsEdit::Set, RightsEdit::Add, RightsEdit::Remove][self.random.index(3)];
        Op::EditRights(account, grant, edit)
    }

    fn append(&mut self, model: &Model, account: AccountId, state: &AccountState) -> Op {
        let mailbox = self.mailbox(state);
        let place = self.place(model, account, mailbox);
        let mut messages = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            messages.push((self.body(), self.message()));
        }
        Op::Append(place, messages)
    }

    fn edit_flags(&mut self, model: &Model, account: AccountId, state: &AccountState) -> Op {
        let mailbox = self.mailbox(state);
        let uids = match self.random.chance(30) {
            true => UidSet::from_ranges([(1, u32::MAX)]),
            false => self.uids(state, mailbox),
        };
        let place = self.place(model, account, mailbox);
        let edit = [FlagEdit::Add, FlagEdit::Remove, FlagEdit::Replace][self.random.index(3)];
        let since = self
            .random
            .chance(25)
            .then(|| ModSeq(self.random.below(state.highest.0 + 2)));
        let edit = (edit, self.scope());
        Op::EditFlags(place, uids, edit, self.flags(), since)
    }

    fn restore(&mut self, account: AccountId, state: &AccountState) -> Op {
        match state.tombstones.len() {
            0 => Op::Restore(account, self.mailbox(state), UidSet::from_ranges([(1, 3)])),
            len => {
                let stone = &state.tombstones[self.random.index(len)];
                let Uid(uid) = stone.message.row.uid;
                let more = self.random.below(3) as u32;
                Op::Restore(
                    account,
                    stone.mailbox,
                    UidSet::from_ranges([(uid, uid + more)]),
                )
            }
        }
    }

    fn special_use(&mut self) -> SpecialUse {
        [SpecialUse::Archive, SpecialUse::Sent, SpecialUse::Trash][self.random.index(3)]
    }

    fn mailbox_edit(&mut self) -> MailboxEdit {
        let special = self
            .random
            .chance(40)
            .then(|| self.random.chance(50).then(|| self.special_use()));
        let subscribed = self.random.chance(50).then(|| self.random.chance(50));
        MailboxEdit {
            subscribed,
            special_use: special,
        }
    }

    fn account_edit(&mut self) -> AccountEdit {
        AccountEdit {
            display_name: self.random.chance(50).then(|| "Zoé".to_owned()),
            disabled: self.random.chance(50).then(|| self.random.chance(50)),
            quota_bytes: self
                .random
                .chance(50)
                .then(|| self.random.chance(50).then_some(50_000)),
            language: self.random.chance(50).then(|| "en".to_owned()),
            ..AccountEdit::default()
        }
    }

    fn queue_entry(&mut self, now: Timestamp) -> NewQueueEntry {
        self.made += 1;
        let recipient = QueueRecipient::pending(format!("r{}@far.test", self.made));
        NewQueueEntry {
            domain: format!("{}-{}.far.test", self.label, self.made),
            reverse_path: "alice@example.test".to_owned(),
            recipients: vec![recipient],
            prefix: b"Received: here\r\n".to_vec(),
            body_8bit: self.random.chance(50),
            return_headers_only: self.random.chance(50),
            envelope_id: self.random.chance(50).then(|| "id".to_owned()),
            language: "fr".to_owned(),
            due: Timestamp(now.0 + self.random.below(100_000) as i64),
            expires: Timestamp(now.0 + 1_000_000),
            wishes: Wishes {
                priority: self.random.below(19) as i8 - 9,
                deliver_by: self.random.chance(20).then_some(DeliverBy {
                    at: Timestamp(now.0 + 50_000),
                    or_return: true,
                    trace: false,
                }),
                tls: TlsWish::AsPolicy,
                forward: None,
            },
            ..NewQueueEntry::default()
        }
    }

    fn queue_update(&mut self, model: &Model, accounts: &[AccountId], now: Timestamp) -> Op {
        let ids: Vec<QueueId> = model.queue.keys().copied().collect();
        if ids.is_empty() || self.random.chance(5) {
            return Op::QueueUpdate(QueueId(1 << 40), None, None);
        }
        let id = ids[self.random.index(ids.len())];
        let mut entry = model.queue[&id].clone();
        entry.attempts += 1;
        entry.owing = self.random.chance(20).then(|| facteur_store::Owing {
            since: now,
            retry: entry.due,
            lines: vec![facteur_store::OwedLine {
                address: "r@far.test".to_owned(),
                original: None,
                action: facteur_store::ReportAction::Delayed,
                status: "4.4.1".to_owned(),
                text: "later".to_owned(),
                host: String::new(),
            }],
        });
        entry.held = self.random.chance(20);
        entry.due = Timestamp(entry.due.0 + self.random.below(100_000) as i64);
        entry.last_outcome = "451 4.7.1 later".to_owned();
        if self.random.chance(30) {
            entry.recipients[0].state = RecipientState::Failed {
                reply: "550 no".to_owned(),
            };
        }
        let report = self.random.chance(30).then(|| {
            let queue = if self.random.chance(20) {
                vec![self.queue_entry(now)]
            } else {
                vec![]
            };
            (self.body(), self.local(accounts, 1), queue)
        });
        Op::QueueUpdate(id, self.random.chance(60).then_some(entry), report)
    }

    fn script_edit(&mut self) -> ScriptEdit {
        let name = self.script_name();
        match self.random.below(8) {
            0..3 => ScriptEdit::Put {
                name,
                text: format!("# {}\r\nkeep;\r\n", self.random.below(1_000)),
            },
            3 | 4 => ScriptEdit::Activate(Some(name)),
            5 => ScriptEdit::Activate(None),
            6 => ScriptEdit::Delete { name },
            _ => ScriptEdit::Rename {
                from: name,
                to: self.script_name(),
            },
        }
    }

    fn script_name(&mut self) -> String {
        let names = ["main", "holidays", "été", ""];
        names[self.random.index(names.len())].to_owned()
    }

    fn directory(&mut self, account: AccountId, model: &Model) -> Op {
        let domain = format!("{}-{}.test", self.label, self.random.below(3));
        let address = format!("x{}@{domain}", self.random.below(3));
        match self.random.below(10) {
            6.. => Op::EditScript(account, self.script_edit()),
            0 => Op::CreateDomain(domain),
            1 => Op::RemoveDomain(domain),
            2 => Op::SetCatchAll(domain, self.random.chance(70).then_some(account)),
            3 if !model.domains.contains_key(&domain) => Op::CreateDomain(domain),
            3 => Op::SetAddress(address, AddressTarget::Account(account)),
            4 if !model.domains.contains_key(&domain) => Op::CreateDomain(domain),
            4 => Op::SetAddress(
                address,
                AddressTarget::Alias(vec!["far@far.test".to_owned()]),
            ),
            _ => Op::RemoveAddress(address),
        }
    }
}

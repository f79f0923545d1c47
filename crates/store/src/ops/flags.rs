//! Flags and keywords.

use crate::ops::append::{count, resolve_flags};
use crate::tx::Tx;
use crate::*;

impl Store {
    pub async fn edit_flags(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: UidSet,
        edit: FlagEdit,
        flags: FlagNames,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Edited, Error> {
        self.write(move |tx| {
            tx.state(account)?;
            let before = tx.mailbox(account, mailbox)?;
            let rows = tx.rows_in(account, mailbox, &uids)?;
            let any = rows.iter().any(|row| is_unchanged(row, unchanged_since));
            let by = match edit {
                FlagEdit::Add | FlagEdit::Replace if any => {
                    resolve_flags(tx, account, mailbox, &flags)?
                }
                // What nobody gets, or what is taken away from where it is not, makes no keyword.
                _ => known_flags(&before, &flags),
            };
            edit_rows(tx, account, mailbox, rows, edit, by, unchanged_since)
        })
        .await
    }
}

fn edit_rows(
    tx: &mut Tx<'_>,
    account: AccountId,
    mailbox: MailboxId,
    rows: Vec<Row>,
    edit: FlagEdit,
    by: Flags,
    unchanged_since: Option<ModSeq>,
) -> Result<Edited, Error> {
    let mut target = tx.mailbox(account, mailbox)?;
    let mut changed = UidSet::default();
    let mut refused = UidSet::default();
    for row in rows {
        if !is_unchanged(&row, unchanged_since) {
            refused.push(row.uid);
            continue;
        }
        let flags = edited(row.flags, edit, by);
        if flags == row.flags {
            continue;
        }
        let modseq = tx.modseq(account)?;
        let new = Row {
            flags,
            modseq,
            ..row
        };
        count(&mut target, &row, -1);
        count(&mut target, &new, 1);
        tx.put_row(account, mailbox, &new);
        changed.push(row.uid);
    }
    if !changed.is_empty() {
        target.highest_modseq = tx.modseq(account)?;
        tx.put_mailbox(account, &target);
        tx.change(account, mailbox).updated = changed.clone();
    }
    Ok(Edited {
        changed,
        refused,
        modseq: tx.state(account)?.highest_modseq,
    })
}

/// RFC 7162 §3.1.3.
fn is_unchanged(row: &Row, since: Option<ModSeq>) -> bool {
    since.is_none_or(|since| row.modseq <= since)
}

fn known_flags(mailbox: &Mailbox, names: &FlagNames) -> Flags {
    let known = |keyword: &String| {
        names
            .keywords
            .iter()
            .any(|name| name.eq_ignore_ascii_case(keyword))
    };
    let own = mailbox
        .keywords
        .iter()
        .enumerate()
        .filter(|(_, keyword)| known(keyword));
    Flags {
        system: names.system,
        keywords: own.fold(0, |bits, (bit, _)| bits | 1 << bit),
    }
}

fn edited(old: Flags, edit: FlagEdit, by: Flags) -> Flags {
    let (system, keywords) = match edit {
        FlagEdit::Add => (old.system.0 | by.system.0, old.keywords | by.keywords),
        FlagEdit::Remove => (old.system.0 & !by.system.0, old.keywords & !by.keywords),
        FlagEdit::Replace => (by.system.0, by.keywords),
    };
    Flags {
        system: SystemFlags(system),
        keywords,
    }
}

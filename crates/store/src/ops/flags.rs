//! Flags and keywords.

use crate::ops::append::{count, resolve_flags};
use crate::seen::Eyes;
use crate::sweep::{FlagChange, Sweep};
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
        let place = Place::own(account, mailbox);
        let edit = (edit, FlagScope::ALL);
        self.edit_flags_in(place, uids, edit, flags, unchanged_since)
            .await
    }

    /// As the viewer of a place: \Seen is his own, and flags out of the scope stay as they are.
    pub async fn edit_flags_in(
        &self,
        place: Place,
        uids: UidSet,
        (edit, scope): (FlagEdit, FlagScope),
        flags: FlagNames,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Edited, Error> {
        let Place {
            account, mailbox, ..
        } = place;
        let flags = scope.limit(flags);
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
            edit_rows(tx, place, rows, change(edit, by, scope), unchanged_since)
        })
        .await
    }
}

fn edit_rows(
    tx: &mut Tx<'_>,
    place: Place,
    rows: Vec<Row>,
    change: FlagChange,
    unchanged_since: Option<ModSeq>,
) -> Result<Edited, Error> {
    let Place {
        account, mailbox, ..
    } = place;
    let mut target = tx.mailbox(account, mailbox)?;
    let mut eyes = Eyes::new(place);
    let mut changed = UidSet::default();
    let mut refused = UidSet::default();
    let mut new_rows = Vec::new();
    let mut modseq = None;
    for row in rows {
        if !is_unchanged(&row, unchanged_since) {
            refused.push(row.uid);
            continue;
        }
        let shown = eyes.show(tx, row)?.flags;
        let flags = change.on(shown);
        if flags == shown {
            continue;
        }
        let flags = eyes.keep(tx, row.uid, flags, row.flags.system)?;
        let modseq = match modseq {
            Some(modseq) => modseq,
            None => *modseq.insert(tx.modseq(account)?),
        };
        let new = Row {
            flags,
            modseq,
            ..row
        };
        count(&mut target, &row, -1);
        count(&mut target, &new, 1);
        new_rows.push(new);
        changed.push(row.uid);
    }
    if let Some(modseq) = modseq {
        let sweep = Sweep {
            account,
            mailbox,
            modseq,
            uids: changed.clone(),
            change: eyes.of_rows(change),
        };
        tx.put_swept(sweep, &new_rows);
        target.highest_modseq = modseq;
        tx.put_mailbox(account, &target);
        eyes.write(tx)?;
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

/// What an edit by flags within the scope does.
fn change(edit: FlagEdit, by: Flags, scope: FlagScope) -> FlagChange {
    let (replaced, set) = match edit {
        FlagEdit::Add => (Flags::default(), by),
        FlagEdit::Remove => (by, Flags::default()),
        FlagEdit::Replace => (scope.flags(), by),
    };
    FlagChange {
        kept: Flags {
            system: SystemFlags(!replaced.system.0),
            keywords: !replaced.keywords,
        },
        set,
    }
}

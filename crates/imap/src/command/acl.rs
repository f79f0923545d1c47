//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3) and SETQUOTA (RFC 9208 §4.1.3).

use super::mailbox::mailbox;
use super::{Command, MailboxName, Numbering, Request};
use crate::acl::Rights;
use crate::cursor::{Cursor, Fault, Parse};
use crate::limits;

/// RFC 4314 §3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAcl {
    pub mailbox: MailboxName,
    /// As written; not empty, no control characters.
    pub identifier: String,
    pub change: RightsChange,
    pub rights: Rights,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsChange {
    Set,
    Add,
    Remove,
}

/// DELETEACL and LISTRIGHTS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    pub mailbox: MailboxName,
    pub identifier: String,
}

/// RFC 9208 §4.1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetQuota {
    pub root: String,
    /// Names of resources in upper case, with their limits.
    pub limits: Vec<(String, u64)>,
}

pub(super) fn set_acl(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    let Identified {
        mailbox,
        identifier,
    } = identified(cursor)?;
    cursor.space()?;
    let written = cursor.astring()?;
    let (change, letters) = match written.split_first() {
        Some((b'+', rest)) => (RightsChange::Add, rest),
        Some((b'-', rest)) => (RightsChange::Remove, rest),
        _ => (RightsChange::Set, &*written),
    };
    // RFC 4314 §3.1: one that is not known is an error, as is a capital.
    let rights = Rights::parse(letters).ok_or(Fault::Arguments)?;
    Ok(Command::Run(Request::SetAcl(SetAcl {
        mailbox,
        identifier,
        change,
        rights,
    })))
}

pub(super) fn delete_acl(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    Ok(Command::Run(Request::DeleteAcl(identified(cursor)?)))
}

pub(super) fn list_rights(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    Ok(Command::Run(Request::ListRights(identified(cursor)?)))
}

pub(super) fn get_acl(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::GetAcl(mailbox(cursor)?)))
}

pub(super) fn my_rights(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    Ok(Command::Run(Request::MyRights(mailbox(cursor)?)))
}

fn identified(cursor: &mut Cursor<'_>) -> Parse<Identified> {
    cursor.space()?;
    let mailbox = mailbox(cursor)?;
    cursor.space()?;
    let identifier = cursor.astring_utf8()?;
    // RFC 4314 §3: what can't be a name is BAD.
    if identifier.is_empty()
        || identifier.len() > limits::IDENTIFIER_BYTES_MAX
        || identifier.chars().any(char::is_control)
    {
        return Err(Fault::Arguments);
    }
    Ok(Identified {
        mailbox,
        identifier,
    })
}

pub(super) fn set_quota(cursor: &mut Cursor<'_>, _: Numbering) -> Parse<Command> {
    cursor.space()?;
    let root = cursor.astring_utf8()?;
    cursor.space()?;
    let mut limits = Vec::new();
    cursor.list(limits::QUOTA_RESOURCES_MAX, |cursor| {
        let name = cursor.word()?;
        cursor.space()?;
        limits.push((name, cursor.number64()?));
        Ok(())
    })?;
    Ok(Command::Run(Request::SetQuota(SetQuota { root, limits })))
}

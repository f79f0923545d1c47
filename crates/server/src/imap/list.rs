//! LIST, plain and extended (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 9590), LSUB (RFC
//! 3501 §6.3.9) and NAMESPACE (RFC 9051 §6.3.10).

use std::collections::{BTreeMap, BTreeSet};

use facteur_imap::command::{List, ListSelect, Lsub, SpecialUse};
use facteur_imap::pattern::Pattern;
use facteur_imap::response::ListData;
use facteur_imap::{Untagged, text};
use facteur_store::Rights;

use super::door::{self, Asked, Handle};
use super::error::Failure;
use super::link::Link;
use super::{Handled, User, acl, done, metadata, status};
use crate::drive::Stream;

/// The answer to an empty pattern: the separator alone.
const ROOT: ListData<'static> = ListData {
    name: "",
    no_select: true,
    non_existent: false,
    no_inferiors: false,
    has_children: None,
    subscribed: false,
    special_use: &[],
    child_subscribed: false,
    old_name: None,
    root: true,
};

/// The account's mailboxes by name, with the levels above them that are none themselves.
struct Tree {
    nodes: BTreeMap<String, Option<Handle>>,
    /// Names with something below.
    parents: BTreeSet<String>,
    /// Names with something subscribed below.
    above_subscribed: BTreeSet<String>,
    /// Subscribed names without a mailbox.
    kept: BTreeSet<String>,
}

impl Tree {
    /// `kept`: subscribed names without a mailbox.
    fn new(mailboxes: Vec<Handle>, kept: Vec<String>) -> Self {
        let mut tree = Tree {
            nodes: BTreeMap::new(),
            parents: BTreeSet::new(),
            above_subscribed: BTreeSet::new(),
            kept: kept.into_iter().collect(),
        };
        for kept in &tree.kept {
            let mut name = kept.as_str();
            tree.nodes.insert(name.to_owned(), None);
            while let Some((parent, _)) = name.rsplit_once('/') {
                tree.above_subscribed.insert(parent.to_owned());
                tree.nodes.entry(parent.to_owned()).or_insert(None);
                name = parent;
            }
        }
        for mailbox in mailboxes {
            let mut name = mailbox.name();
            while let Some((parent, _)) = name.rsplit_once('/') {
                tree.parents.insert(parent.to_owned());
                if mailbox.record().subscribed {
                    tree.above_subscribed.insert(parent.to_owned());
                }
                tree.nodes.entry(parent.to_owned()).or_insert(None);
                name = parent;
            }
            tree.nodes.insert(mailbox.name().to_owned(), Some(mailbox));
        }
        tree
    }

    /// Something subscribed below `name` matches no pattern (RFC 5258 §3.5: only then is a name
    /// listed for what is below it).
    fn hides_subscribed(&self, name: &str, patterns: &[Pattern]) -> bool {
        let below = format!("{name}/");
        self.nodes
            .range(below.clone()..)
            .take_while(|(child, _)| child.starts_with(&below))
            .any(|(child, mailbox)| {
                let shown = patterns.iter().any(|pattern| pattern.matches(child));
                self.is_subscribed(child, mailbox.as_ref()) && !shown
            })
    }

    fn is_subscribed(&self, name: &str, mailbox: Option<&Handle>) -> bool {
        match mailbox {
            Some(mailbox) => mailbox.record().subscribed,
            None => self.kept.contains(name),
        }
    }

    fn load<'a, S: Stream>(
        link: &Link<S>,
        user: &User,
        patterns: impl IntoIterator<Item = &'a Pattern>,
    ) -> Result<Self, Failure> {
        let store = link.store();
        let asked: Vec<&str> = patterns.into_iter().map(Pattern::beginning).collect();
        Ok(Tree::new(
            user.door.mailboxes(store, Asked(&asked))?,
            user.door.kept_names(store)?,
        ))
    }
}

/// Why a name is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// It meets the selection options itself.
    Own,
    /// Something below does that no pattern matches (RFC 5258 §3.5 CHILDINFO).
    Below,
    Both,
}

pub(super) async fn list<S: Stream>(link: &mut Link<S>, user: &mut User, request: List) -> Handled {
    if request.root {
        link.session.respond(&Untagged::List(&ROOT));
        return done(text::LIST_DONE);
    }
    let tree = Tree::load(link, user, &request.patterns)?;
    for (name, mailbox) in &tree.nodes {
        let Some(matched) = matches(&tree, name, mailbox.as_ref(), &request) else {
            continue;
        };
        let says_subscribed = request.return_.subscribed || request.select.subscribed;
        let subscribed = tree.is_subscribed(name, mailbox.as_ref());
        link.say(&Untagged::List(&ListData {
            name,
            non_existent: mailbox.is_none(),
            has_children: Some(tree.parents.contains(name)),
            subscribed: says_subscribed && subscribed,
            special_use: special_uses(use_of(mailbox.as_ref())),
            child_subscribed: matched != Match::Own,
            ..ListData::default()
        }))
        .await?;
        // RFC 8440 §3: not of a name that is listed only for what is below it.
        if let (true, Some(mailbox)) = (request.return_.my_rights, mailbox)
            && matched != Match::Below
        {
            acl::respond(link, mailbox);
        }
        // RFC 5819 §2: what can't be looked into has no STATUS.
        if let (Some(items), Some(mailbox)) = (&request.return_.status, mailbox)
            && matched != Match::Below
            && mailbox.may(Rights::READ)
        {
            status::respond(link, mailbox, items)?;
        }
        if let (Some(entries), Some(mailbox)) = (&request.return_.metadata, mailbox)
            && matched != Match::Below
            && mailbox.may(Rights::READ)
        {
            metadata::list(link, mailbox, entries).await?;
        }
    }
    done(text::LIST_DONE)
}

fn matches(tree: &Tree, name: &str, mailbox: Option<&Handle>, request: &List) -> Option<Match> {
    if !request.patterns.iter().any(|pattern| pattern.matches(name)) {
        return None;
    }
    let own = meets(tree, name, mailbox, request.select);
    // RFC 9051 §6.3.9.1: RECURSIVEMATCH needs a base option; the parser sees to that.
    let below = request.select.recursive_match
        && request.select.subscribed
        && tree.above_subscribed.contains(name)
        && (own || tree.hides_subscribed(name, &request.patterns));
    match (own, below) {
        (true, true) => Some(Match::Both),
        (true, false) => Some(Match::Own),
        (false, true) => Some(Match::Below),
        (false, false) => None,
    }
}

/// All that is ours is local: REMOTE adds nothing.
fn meets(tree: &Tree, name: &str, mailbox: Option<&Handle>, select: ListSelect) -> bool {
    if select.special_use && use_of(mailbox).is_none() {
        return false;
    }
    // A level without a mailbox is shown to those who go level by level.
    match select.subscribed {
        true => tree.is_subscribed(name, mailbox),
        false => mailbox.is_some() || tree.parents.contains(name),
    }
}

pub(super) async fn lsub<S: Stream>(link: &mut Link<S>, user: &mut User, request: Lsub) -> Handled {
    if request.root {
        link.session.respond(&Untagged::Lsub(&ROOT));
        return done(text::LSUB_DONE);
    }
    let tree = Tree::load(link, user, [&request.pattern])?;
    for (name, mailbox) in &tree.nodes {
        let subscribed = tree.is_subscribed(name, mailbox.as_ref());
        if !request.pattern.matches(name) || !(subscribed || implied(&tree, name, &request.pattern))
        {
            continue;
        }
        link.say(&Untagged::Lsub(&ListData {
            name,
            no_select: !subscribed || mailbox.is_none(),
            ..ListData::default()
        }))
        .await?;
    }
    done(text::LSUB_DONE)
}

/// RFC 3501 §6.3.9: with `%`, a level above something subscribed is shown as \Noselect.
fn implied(tree: &Tree, name: &str, pattern: &Pattern) -> bool {
    pattern.as_str().contains('%') && tree.above_subscribed.contains(name)
}

fn use_of(mailbox: Option<&Handle>) -> Option<facteur_store::SpecialUse> {
    mailbox.and_then(|mailbox| mailbox.record().special_use)
}

pub(super) fn namespace<S: Stream>(link: &mut Link<S>) -> Handled {
    link.session.respond(&Untagged::Namespace {
        others: door::OTHERS,
        shared: door::SHARED,
    });
    done(text::NAMESPACE_DONE)
}

pub(super) fn special_uses(
    special_use: Option<facteur_store::SpecialUse>,
) -> &'static [SpecialUse] {
    use facteur_store::SpecialUse as Stored;
    match special_use {
        None => &[],
        Some(Stored::Archive) => &[SpecialUse::Archive],
        Some(Stored::Drafts) => &[SpecialUse::Drafts],
        Some(Stored::Junk) => &[SpecialUse::Junk],
        Some(Stored::Sent) => &[SpecialUse::Sent],
        Some(Stored::Trash) => &[SpecialUse::Trash],
    }
}

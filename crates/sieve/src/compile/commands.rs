//! The commands: one row each, and how its arguments become an instruction.

use super::Compiler;
use super::arguments::{Arguments, Shape, Tag, Want, constant, tag};
use super::tests::{INDEX, MATCHING, index};
use crate::capability::Capability as C;
use crate::error::{Error, Problem};
use crate::limits;
use crate::program::{
    Action, Comparator, Destination, FlagEdit, MatchType, Matching, Modifier, Notify, Op, Vacation,
};
use crate::syntax::Node;
use crate::text::Text;
use crate::value;

type Build = fn(&mut Compiler<'_>, &Arguments) -> Result<Op, Problem>;

struct Row {
    name: &'static str,
    needs: Option<C>,
    shape: Shape,
    build: Build,
}

/// RFC 5232 §5.
const FLAGS: &[Tag] = &[tag("flags", "flags")
    .with(Want::Strings)
    .needs(C::Imap4Flags)];
/// RFC 3894.
const COPY: &[Tag] = &[tag("copy", "copy").needs(C::Copy)];
/// RFC 5490 §3.2, RFC 8579 §4, RFC 9042.
const PLACE: &[Tag] = &[
    tag("create", "create").needs(C::Mailbox),
    tag("specialuse", "specialuse")
        .with(Want::String)
        .needs(C::SpecialUse),
    tag("mailboxid", "mailboxid")
        .with(Want::String)
        .needs(C::MailboxId),
];
/// RFC 5230 §4, RFC 6131 §2.
const VACATION: &[Tag] = &[
    tag("days", "interval").with(Want::Number),
    tag("seconds", "interval")
        .with(Want::Number)
        .needs(C::VacationSeconds),
    tag("subject", "subject").with(Want::String),
    tag("from", "from").with(Want::String),
    tag("addresses", "addresses").with(Want::Strings),
    tag("mime", "mime"),
    tag("handle", "handle").with(Want::String),
];
/// RFC 5229 §4.1, draft-ietf-sieve-regex §6.
const MODIFIERS: &[Tag] = &[
    tag("lower", "case"),
    tag("upper", "case"),
    tag("lowerfirst", "first"),
    tag("upperfirst", "first"),
    tag("quotewildcard", "quote"),
    tag("quoteregex", "quote").needs(C::Regex),
    // RFC 5435 §6.
    tag("encodeurl", "encodeurl").needs(C::Enotify),
    tag("length", "length"),
];
/// RFC 8580 §3.
const FCC: &[Tag] = &[tag("fcc", "fcc").with(Want::String).needs(C::Fcc)];
/// RFC 5435 §3.
const NOTIFY: &[Tag] = &[
    tag("from", "from").with(Want::String),
    tag("importance", "importance").with(Want::String),
    tag("options", "options").with(Want::Strings),
    tag("message", "message").with(Want::String),
];
/// RFC 6134 §2.3.
const LIST_NAME: &[Tag] = &[tag("list", "list").needs(C::Extlists)];
/// RFC 5293 §4.
const LAST: &[Tag] = &[tag("last", "last")];
/// RFC 5703 §7.
const FIRST: &[Tag] = &[tag("first", "length-limit").with(Want::Number)];
/// RFC 6609 §3.2.
const INCLUDE: &[Tag] = &[
    tag("personal", "location"),
    tag("global", "location"),
    tag("once", "once"),
    tag("optional", "optional"),
];

const fn row(
    name: &'static str,
    tags: &'static [&'static [Tag]],
    positional: &'static [Want],
    build: Build,
) -> Row {
    Row {
        name,
        needs: None,
        shape: Shape {
            tags,
            positional,
            optional_first: false,
            optional_last: false,
        },
        build,
    }
}

impl Row {
    const fn needs(self, capability: C) -> Row {
        Row {
            needs: Some(capability),
            ..self
        }
    }

    const fn optional_first(self) -> Row {
        Row {
            shape: Shape {
                optional_first: true,
                ..self.shape
            },
            ..self
        }
    }

    const fn optional_last(self) -> Row {
        Row {
            shape: Shape {
                optional_last: true,
                ..self.shape
            },
            ..self
        }
    }
}

const ONE: &[Want] = &[Want::String];
const LIST: &[Want] = &[Want::Strings];
/// A variable's name, which may be absent, and flags.
const VARIABLE: &[Want] = &[Want::String, Want::Strings];

const TABLE: &[Row] = &[
    // RFC 5228 §3, §4.
    row("stop", &[], &[], |_, _| Ok(Op::Stop)),
    row("keep", &[FLAGS], &[], |_, a| {
        Ok(Op::Action(Action::Keep {
            flags: a.tag_texts("flags"),
        }))
    }),
    row("discard", &[], &[], |_, _| Ok(Op::Action(Action::Discard))),
    row("fileinto", &[FLAGS, COPY, PLACE], ONE, fileinto).needs(C::Fileinto),
    row("redirect", &[COPY, LIST_NAME], ONE, redirect),
    // RFC 5229 §4.
    row("set", &[MODIFIERS], &[Want::String, Want::String], set).needs(C::Variables),
    // RFC 5232 §3.
    row("setflag", &[], VARIABLE, |c, a| flags(c, a, FlagEdit::Set))
        .needs(C::Imap4Flags)
        .optional_first(),
    row("addflag", &[], VARIABLE, |c, a| flags(c, a, FlagEdit::Add))
        .needs(C::Imap4Flags)
        .optional_first(),
    row("removeflag", &[], VARIABLE, |c, a| {
        flags(c, a, FlagEdit::Remove)
    })
    .needs(C::Imap4Flags)
    .optional_first(),
    // RFC 5429.
    row("reject", &[], ONE, |_, a| reject(a, false)).needs(C::Reject),
    row("ereject", &[], ONE, |_, a| reject(a, true)).needs(C::Ereject),
    // RFC 5230.
    row("vacation", &[VACATION, FCC, FLAGS, PLACE], ONE, vacation).needs(C::Vacation),
    // RFC 5435.
    row("notify", &[NOTIFY, FCC, FLAGS, PLACE], ONE, notify).needs(C::Enotify),
    // RFC 5293.
    row(
        "addheader",
        &[LAST],
        &[Want::String, Want::String],
        add_header,
    )
    .needs(C::Editheader),
    row(
        "deleteheader",
        &[MATCHING, INDEX],
        &[Want::String, Want::Strings],
        delete_header,
    )
    .needs(C::Editheader)
    .optional_last(),
    // RFC 5703 §7.
    row("extracttext", &[MODIFIERS, FIRST], ONE, extract_text).needs(C::Extracttext),
    // RFC 5463 §5.
    row("error", &[], ONE, |_, a| Ok(Op::Error(a.text(0)))).needs(C::Ihave),
    // RFC 6609.
    row("include", &[INCLUDE], ONE, |c, a| c.include(a)).needs(C::Include),
    row("return", &[], &[], |_, _| Ok(Op::Return)).needs(C::Include),
    row("global", &[], LIST, |c, a| c.global(a)).needs(C::Include),
];

impl Compiler<'_> {
    /// Any command but `require` and `if`.
    pub(super) fn command(&mut self, node: &Node) -> Result<(), Error> {
        let built = self.build_command(node);
        let built = built.and_then(|op| self.push(op));
        built.map(|_| ()).map_err(|problem| self.at(problem))
    }

    fn build_command(&mut self, node: &Node) -> Result<Op, Problem> {
        if matches!(node.name.as_str(), "elsif" | "else") {
            return Err(Problem::LoneElse(node.name.clone()));
        }
        let row = TABLE.iter().find(|row| row.name == node.name);
        let row = row.ok_or_else(|| Problem::UnknownCommand(node.name.clone()))?;
        if let Some(capability) = row.needs {
            self.scope.need(row.name, capability)?;
        }
        if node.block.is_some() {
            return Err(Problem::NoBlock(node.name.clone()));
        }
        if !node.tests.is_empty() {
            return Err(Problem::Tests(node.name.clone()));
        }
        let arguments = Arguments::read(row.name, row.shape, &node.arguments, &mut self.scope)?;
        (row.build)(self, &arguments)
    }
}

/// RFC 5228 §4.1.
fn fileinto(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    Ok(Op::Action(Action::Fileinto {
        place: destination(arguments, arguments.text(0))?,
        copy: arguments.has("copy"),
    }))
}

/// RFC 8580 §3: the tags of `fileinto` stand there only with `:fcc`.
fn fcc(arguments: &Arguments) -> Result<Option<Destination>, Problem> {
    let Some(mailbox) = arguments.tag_text("fcc") else {
        let lone = ["flags", "create", "specialuse", "mailboxid"];
        return match lone.into_iter().find(|name| arguments.has(name)) {
            Some(name) => Err(Problem::Requires {
                name: format!(":{name}"),
                capability: ":fcc".into(),
            }),
            None => Ok(None),
        };
    };
    destination(arguments, mailbox).map(Some)
}

fn destination(arguments: &Arguments, mailbox: Text) -> Result<Destination, Problem> {
    if let Some(name) = mailbox.constant()
        && value::mailbox(name).is_none()
    {
        return Err(Problem::Mailbox(name.to_owned()));
    }
    let special_use = arguments.tag_text("specialuse");
    let mailbox_id = arguments.tag_text("mailboxid");
    // RFC 9042.
    if special_use.is_some() && mailbox_id.is_some() {
        return Err(Problem::TwiceOrConflict(":specialuse".into()));
    }
    Ok(Destination {
        mailbox,
        create: arguments.has("create"),
        flags: arguments.tag_texts("flags"),
        special_use,
        mailbox_id,
    })
}

/// RFC 5228 §4.2.
fn redirect(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    let address = arguments.text(0);
    let list = arguments.has("list");
    if !list
        && let Some(text) = address.constant()
        && value::address(text).is_none()
    {
        return Err(Problem::Address(text.to_owned()));
    }
    Ok(Op::Action(Action::Redirect {
        address,
        copy: arguments.has("copy"),
        list,
    }))
}

fn set(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    let name = constant("set", &arguments.text(0))?;
    Ok(Op::Set {
        slot: compiler.scope.slot_to_set(&name)?,
        modifiers: modifiers(arguments),
        value: arguments.text(1),
    })
}

/// By precedence (RFC 5229 §4.1).
fn modifiers(arguments: &Arguments) -> Vec<Modifier> {
    let mut modifiers = Vec::new();
    for (word, modifier) in [
        ("upper", Modifier::Upper),
        ("lower", Modifier::Lower),
        ("upperfirst", Modifier::UpperFirst),
        ("lowerfirst", Modifier::LowerFirst),
        ("quoteregex", Modifier::QuoteRegex),
        ("quotewildcard", Modifier::QuoteWildcard),
        ("encodeurl", Modifier::EncodeUrl),
        ("length", Modifier::Length),
    ] {
        if arguments.has(word) {
            modifiers.push(modifier);
        }
    }
    modifiers
}

/// RFC 5703 §7.
fn extract_text(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    compiler.scope.need("extracttext", C::Variables)?;
    if compiler.scope.loops.is_empty() {
        return Err(Problem::NotInLoop("extracttext".into()));
    }
    let name = constant("extracttext", &arguments.text(0))?;
    Ok(Op::Extract {
        slot: compiler.scope.slot_to_set(&name)?,
        modifiers: modifiers(arguments),
        first: arguments.tag_number("first"),
    })
}

/// RFC 5435 §3. What is wrong with the method is found when it runs: `valid_notify_method` may
/// stand before.
fn notify(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    let importance = arguments.tag_text("importance");
    if let Some(text) = importance.as_ref().and_then(Text::constant)
        && !value::importance(text)
    {
        return Err(Problem::Value {
            name: ":importance".into(),
            value: text.to_owned(),
        });
    }
    let options = arguments.tag_texts("options").unwrap_or_default();
    for text in options.iter().filter_map(Text::constant) {
        if !value::notify_option(text) {
            return Err(Problem::Value {
                name: ":options".into(),
                value: text.to_owned(),
            });
        }
    }
    let from = arguments.tag_text("from");
    if let Some(text) = from.as_ref().and_then(Text::constant)
        && value::address(text).is_none()
    {
        return Err(Problem::Address(text.to_owned()));
    }
    Ok(Op::Action(Action::Notify(Box::new(Notify {
        from,
        importance,
        options,
        message: arguments.tag_text("message"),
        method: arguments.text(0),
        fcc: fcc(arguments)?,
    }))))
}

/// RFC 5293 §4.
fn add_header(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    Ok(Op::Action(Action::AddHeader {
        name: field_name(arguments.text(0))?,
        value: arguments.text(1),
        last: arguments.has("last"),
    }))
}

/// RFC 5293 §5.
fn delete_header(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    let matching = match arguments.texts(1).is_empty() {
        // RFC 5293 §5: how to compare does not matter then.
        true => Matching {
            how: MatchType::Is,
            comparator: Comparator::Octet,
            keys: Vec::new(),
        },
        false => compiler.matching(arguments, 1)?,
    };
    Ok(Op::Action(Action::DeleteHeader {
        name: field_name(arguments.text(0))?,
        index: index(arguments)?,
        matching,
    }))
}

fn field_name(name: Text) -> Result<Text, Problem> {
    match name.constant() {
        Some(text) if !value::field_name(text) => Err(Problem::Value {
            name: "header".into(),
            value: text.to_owned(),
        }),
        _ => Ok(name),
    }
}

fn flags(
    compiler: &mut Compiler<'_>,
    arguments: &Arguments,
    edit: FlagEdit,
) -> Result<Op, Problem> {
    let slot = match arguments.texts(0).first() {
        None => None,
        Some(name) => {
            // RFC 5232 §2: a variable's name is there only with variables.
            compiler.scope.need("setflag", C::Variables)?;
            let name = constant("setflag", name)?;
            Some(compiler.scope.slot_to_set(&name)?)
        }
    };
    Ok(Op::Flags {
        edit,
        slot,
        list: arguments.texts(1),
    })
}

fn reject(arguments: &Arguments, ereject: bool) -> Result<Op, Problem> {
    Ok(Op::Action(Action::Reject {
        reason: arguments.text(0),
        ereject,
    }))
}

fn vacation(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Op, Problem> {
    const DAY: u64 = 86_400;
    // RFC 5230 §4.1, RFC 6131 §2: out of bounds is the bound.
    let seconds = match (
        arguments.tag_number("days"),
        arguments.tag_number("seconds"),
    ) {
        (Some(days), _) => days.max(1).saturating_mul(DAY),
        (None, Some(seconds)) => seconds,
        (None, None) => limits::VACATION_SECONDS,
    };
    let from = arguments.tag_text("from");
    if let Some(text) = from.as_ref().and_then(Text::constant)
        && value::address(text).is_none()
    {
        return Err(Problem::Address(text.to_owned()));
    }
    let reason = arguments.text(0);
    let mime = arguments.has("mime");
    // RFC 5230 §5: no 8-bit header in what is a MIME entity.
    if let Some(text) = reason.constant().filter(|_| mime)
        && !value::mime_entity(text)
    {
        return Err(Problem::Value {
            name: ":mime".into(),
            value: text.chars().take(40).collect(),
        });
    }
    Ok(Op::Action(Action::Vacation(Box::new(Vacation {
        seconds: seconds.min(limits::VACATION_SECONDS_MAX),
        subject: arguments.tag_text("subject"),
        from,
        addresses: arguments.tag_texts("addresses").unwrap_or_default(),
        mime,
        handle: arguments.tag_text("handle"),
        reason,
        fcc: fcc(arguments)?,
    }))))
}

//! The tests: one row each, and how its arguments become an instruction.

use std::sync::Arc;

use super::Compiler;
use super::arguments::{Arguments, Shape, Tag, Want, constant, tag};
use crate::capability::Capability as C;
use crate::compare;
use crate::error::{Error, Problem};
use crate::limits;
use crate::program::{
    AddressPart, Aspect, Comparator, DatePart, Duplicate, DuplicateId, Fields, Headers, Index,
    MatchType, Matching, Op, Pattern, Relation, Test, Transform, Zone,
};
use crate::syntax::Node;
use crate::text::Text;

type Build = fn(&mut Compiler<'_>, &Arguments) -> Result<Test, Problem>;

struct Row {
    name: &'static str,
    needs: Option<C>,
    shape: Shape,
    build: Build,
}

/// RFC 5228 §2.7.1, §2.7.3, RFC 5231 §4.
pub(super) const MATCHING: &[Tag] = &[
    tag("is", "match"),
    tag("contains", "match"),
    tag("matches", "match"),
    tag("value", "match")
        .with(Want::String)
        .needs(C::Relational),
    tag("count", "match")
        .with(Want::String)
        .needs(C::Relational),
    tag("regex", "match").needs(C::Regex),
    tag("comparator", "comparator").with(Want::String),
];
/// RFC 5228 §2.7.4, RFC 5233 §4.
const PARTS: &[Tag] = &[
    tag("all", "part"),
    tag("localpart", "part"),
    tag("domain", "part"),
    tag("user", "part").needs(C::Subaddress),
    tag("detail", "part").needs(C::Subaddress),
];
/// RFC 5260 §6.
const INDEXED: &[Tag] = &[
    tag("index", "index").with(Want::Number).needs(C::Index),
    tag("last", "last").needs(C::Index),
];
/// The same in `deleteheader`, which has them of its own (RFC 5293 §5).
pub(super) const INDEX: &[Tag] = &[
    tag("index", "index").with(Want::Number),
    tag("last", "last"),
];
/// RFC 6134 §2.2.
const LISTS_TOO: &[Tag] = &[tag("list", "match").needs(C::Extlists)];
/// RFC 5703 §4.
const MIME: &[Tag] = &[
    tag("mime", "mime").needs(C::Mime),
    tag("anychild", "anychild").needs(C::Mime),
];
const ASPECT: &[Tag] = &[
    tag("type", "aspect").needs(C::Mime),
    tag("subtype", "aspect").needs(C::Mime),
    tag("contenttype", "aspect").needs(C::Mime),
    tag("param", "aspect").with(Want::Strings).needs(C::Mime),
];
/// RFC 5235 §3.2.
const PERCENT: &[Tag] = &[tag("percent", "percent").needs(C::SpamtestPlus)];
/// RFC 5260 §4.1.
const ZONE: &[Tag] = &[tag("zone", "zone").with(Want::String)];
const ORIGINAL: &[Tag] = &[tag("originalzone", "zone")];
const SIZE: &[Tag] = &[
    tag("over", "size").with(Want::Number),
    tag("under", "size").with(Want::Number),
];
/// RFC 5173 §5.
const BODY: &[Tag] = &[
    tag("raw", "transform"),
    tag("content", "transform").with(Want::Strings),
    tag("text", "transform"),
];
/// RFC 7352 §3.
const DUPLICATE: &[Tag] = &[
    tag("handle", "handle").with(Want::String),
    tag("header", "id").with(Want::String),
    tag("uniqueid", "id").with(Want::String),
    tag("seconds", "seconds").with(Want::Number),
    tag("last", "last"),
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
}

const LIST: &[Want] = &[Want::Strings];
const LISTS: &[Want] = &[Want::Strings, Want::Strings];

const TABLE: &[Row] = &[
    // RFC 5228 §5.
    row(
        "address",
        &[MATCHING, LISTS_TOO, PARTS, INDEXED, MIME],
        LISTS,
        address,
    ),
    row("envelope", &[MATCHING, LISTS_TOO, PARTS], LISTS, envelope).needs(C::Envelope),
    row("exists", &[MIME], LIST, |_, a| {
        Ok(Test::Exists {
            names: a.texts(0),
            headers: headers(a)?,
        })
    }),
    row("false", &[], &[], |_, _| Ok(Test::Constant(false))),
    row(
        "header",
        &[MATCHING, LISTS_TOO, INDEXED, MIME, ASPECT],
        LISTS,
        header,
    ),
    row("size", &[SIZE], &[], size),
    row("true", &[], &[], |_, _| Ok(Test::Constant(true))),
    // RFC 5229 §5.
    row("string", &[MATCHING, LISTS_TOO], LISTS, string).needs(C::Variables),
    // RFC 5232 §4.
    row("hasflag", &[MATCHING], LISTS, has_flag)
        .needs(C::Imap4Flags)
        .optional_first(),
    // RFC 5260.
    row(
        "date",
        &[MATCHING, INDEXED, ZONE, ORIGINAL],
        &[Want::String, Want::String, Want::Strings],
        date,
    )
    .needs(C::Date),
    row(
        "currentdate",
        &[MATCHING, ZONE],
        &[Want::String, Want::Strings],
        current_date,
    )
    .needs(C::Date),
    // RFC 5490 §3.1.
    row("mailboxexists", &[], LIST, |_, a| {
        Ok(Test::MailboxExists(a.texts(0)))
    })
    .needs(C::Mailbox),
    // RFC 9042.
    row("mailboxidexists", &[], LIST, |_, a| {
        Ok(Test::MailboxIdExists(a.texts(0)))
    })
    .needs(C::MailboxId),
    // RFC 8579 §3.
    row(
        "specialuse_exists",
        &[],
        &[Want::String, Want::Strings],
        special_use,
    )
    .needs(C::SpecialUse)
    .optional_first(),
    // RFC 5173.
    row("body", &[MATCHING, BODY], LIST, body).needs(C::Body),
    // RFC 5183.
    row(
        "environment",
        &[MATCHING],
        &[Want::String, Want::Strings],
        environment,
    )
    .needs(C::Environment),
    // RFC 5463.
    row("ihave", &[], LIST, ihave).needs(C::Ihave),
    // RFC 7352.
    row("duplicate", &[DUPLICATE], &[], duplicate).needs(C::Duplicate),
    // RFC 5235.
    row("spamtest", &[MATCHING, PERCENT], &[Want::String], |c, a| {
        Ok(Test::Spam {
            percent: a.has("percent"),
            matching: c.matching(a, 0)?,
        })
    })
    .needs(C::Spamtest),
    row("virustest", &[MATCHING], &[Want::String], |c, a| {
        Ok(Test::Virus(c.matching(a, 0)?))
    })
    .needs(C::Virustest),
    // RFC 5435.
    row("valid_notify_method", &[], LIST, |_, a| {
        Ok(Test::ValidNotifyMethod(a.texts(0)))
    })
    .needs(C::Enotify),
    row(
        "notify_method_capability",
        &[MATCHING],
        &[Want::String, Want::String, Want::Strings],
        |c, a| {
            Ok(Test::NotifyCapability {
                method: a.text(0),
                capability: a.text(1),
                matching: c.matching(a, 2)?,
            })
        },
    )
    .needs(C::Enotify),
    // RFC 6134 §2.7.
    row("valid_ext_list", &[], LIST, |_, a| {
        Ok(Test::ValidList(a.texts(0)))
    })
    .needs(C::Extlists),
    // RFC 5490 §3.3 to §4.2.
    row(
        "metadata",
        &[MATCHING],
        &[Want::String, Want::String, Want::Strings],
        |c, a| metadata(c, a, Some(a.text(0)), 1),
    )
    .needs(C::MailboxMetadata),
    row(
        "metadataexists",
        &[],
        &[Want::String, Want::Strings],
        |_, a| {
            Ok(Test::MetadataExists {
                mailbox: Some(a.text(0)),
                names: a.texts(1),
            })
        },
    )
    .needs(C::MailboxMetadata),
    row(
        "servermetadata",
        &[MATCHING],
        &[Want::String, Want::Strings],
        |c, a| metadata(c, a, None, 0),
    )
    .needs(C::ServerMetadata),
    row("servermetadataexists", &[], LIST, |_, a| {
        Ok(Test::MetadataExists {
            mailbox: None,
            names: a.texts(0),
        })
    })
    .needs(C::ServerMetadata),
];

impl Compiler<'_> {
    /// Any test that holds no other tests.
    pub(super) fn plain_test(&mut self, node: &Node) -> Result<(), Error> {
        let built = self.build_test(node);
        let built = built.and_then(|test| self.push(Op::Test(test)));
        built.map(|_| ()).map_err(|problem| self.at(problem))
    }

    fn build_test(&mut self, node: &Node) -> Result<Test, Problem> {
        let row = TABLE.iter().find(|row| row.name == node.name);
        let row = row.ok_or_else(|| Problem::UnknownTest(node.name.clone()))?;
        if let Some(capability) = row.needs {
            self.scope.need(row.name, capability)?;
        }
        if !node.tests.is_empty() {
            return Err(Problem::Tests(node.name.clone()));
        }
        let arguments = Arguments::read(row.name, row.shape, &node.arguments, &mut self.scope)?;
        (row.build)(self, &arguments)
    }

    /// The match type, the comparator and the keys, which are the positional argument at `place`.
    pub(super) fn matching(
        &mut self,
        arguments: &Arguments,
        place: usize,
    ) -> Result<Matching, Problem> {
        let keys = arguments.texts(place);
        let named = match arguments.tag_text("comparator") {
            None => None,
            Some(text) => Some(constant(":comparator", &text)?),
        };
        let comparator = match &named {
            None => Comparator::AsciiCasemap,
            Some(name) => {
                Comparator::named(name).ok_or_else(|| Problem::Comparator(name.clone()))?
            }
        };
        // RFC 5228 §2.7.3: the two others need not be required.
        let needs = match comparator {
            Comparator::AsciiNumeric => Some(C::ComparatorNumeric),
            Comparator::UnicodeCasemap => Some(C::ComparatorUnicode),
            Comparator::Octet | Comparator::AsciiCasemap => None,
        };
        if let Some(capability) = needs {
            self.scope.need(comparator.name(), capability)?;
        }
        let how = match arguments.of_set("match") {
            Some("contains") => MatchType::Contains,
            Some("matches") => MatchType::Matches,
            Some("value") => MatchType::Value(relation(arguments, "value")?),
            Some("count") => MatchType::Count(relation(arguments, "count")?),
            Some("regex") => MatchType::Regex(patterns(comparator, &keys)?),
            // RFC 6134 §2.2: the list says how it compares.
            Some("list") if named.is_some() => {
                return Err(Problem::TwiceOrConflict(":list".into()));
            }
            Some("list") => MatchType::List,
            _ => MatchType::Is,
        };
        let substrings = matches!(
            how,
            MatchType::Contains | MatchType::Matches | MatchType::Regex(_)
        );
        if substrings && !comparator.finds_substrings() {
            return Err(Problem::ComparatorMatch {
                comparator: comparator.name().to_owned(),
                matching: format!(":{}", arguments.of_set("match").unwrap_or_default()),
            });
        }
        Ok(Matching {
            how,
            comparator,
            keys,
        })
    }
}

fn relation(arguments: &Arguments, name: &str) -> Result<Relation, Problem> {
    let value = arguments.tag_constant(name)?.unwrap_or_default();
    Relation::named(&value).ok_or_else(|| Problem::Value {
        name: format!(":{name}"),
        value,
    })
}

fn patterns(comparator: Comparator, keys: &[Text]) -> Result<Arc<[Option<Pattern>]>, Problem> {
    let compile = |key: &Text| match key.constant() {
        None => Ok(None),
        Some(text) => compare::pattern(comparator, text)
            .map(|regex| Some(Pattern(regex)))
            .ok_or_else(|| Problem::Pattern(text.to_owned())),
    };
    keys.iter().map(compile).collect()
}

fn part(arguments: &Arguments) -> AddressPart {
    match arguments.of_set("part") {
        Some("localpart") => AddressPart::LocalPart,
        Some("domain") => AddressPart::Domain,
        Some("user") => AddressPart::User,
        Some("detail") => AddressPart::Detail,
        _ => AddressPart::All,
    }
}

/// RFC 5703 §4.
fn headers(arguments: &Arguments) -> Result<Headers, Problem> {
    let lone = |name: &str| Problem::Requires {
        name: format!(":{name}"),
        capability: ":mime".into(),
    };
    match (arguments.has("mime"), arguments.has("anychild")) {
        (true, true) => Ok(Headers::PartAndChildren),
        (true, false) => Ok(Headers::Part),
        (false, true) => Err(lone("anychild")),
        (false, false) => match arguments.of_set("aspect") {
            Some(name) => Err(lone(name)),
            None => Ok(Headers::Message),
        },
    }
}

/// RFC 5703 §4.1.
fn aspect(arguments: &Arguments) -> Aspect {
    match arguments.of_set("aspect") {
        Some("type") => Aspect::Type,
        Some("subtype") => Aspect::Subtype,
        Some("contenttype") => Aspect::ContentType,
        Some("param") => Aspect::Params(arguments.tag_texts("param").unwrap_or_default()),
        _ => Aspect::Value,
    }
}

fn fields(arguments: &Arguments, names: Vec<Text>) -> Result<Fields, Problem> {
    Ok(Fields {
        names,
        index: index(arguments)?,
    })
}

/// RFC 5490 §3.3.
fn metadata(
    compiler: &mut Compiler<'_>,
    arguments: &Arguments,
    mailbox: Option<Text>,
    place: usize,
) -> Result<Test, Problem> {
    Ok(Test::Metadata {
        mailbox,
        name: arguments.text(place),
        matching: compiler.matching(arguments, place + 1)?,
    })
}

/// RFC 5260 §6, RFC 5293 §5.
pub(super) fn index(arguments: &Arguments) -> Result<Option<Index>, Problem> {
    Ok(
        match (arguments.tag_number("index"), arguments.has("last")) {
            (Some(0), _) => {
                return Err(Problem::Value {
                    name: ":index".into(),
                    value: "0".into(),
                });
            }
            (Some(number), last) => Some(Index { number, last }),
            (None, true) => return Err(Problem::TagValue(":last".into())),
            (None, false) => None,
        },
    )
}

/// Fields that hold addresses (RFC 5228 §5.1).
pub(crate) const ADDRESS_FIELDS: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "sender",
    "reply-to",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "resent-sender",
    "resent-reply-to",
    "return-path",
    "delivered-to",
    "envelope-to",
    "x-envelope-to",
    "x-original-to",
    "errors-to",
    "disposition-notification-to",
    "apparently-to",
    "mail-followup-to",
    "mail-reply-to",
    "approved",
];

fn address(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    let names = arguments.texts(0);
    let headers = headers(arguments)?;
    // RFC 5703 §4.2: fields of parts have names of their own.
    let known = names.iter().filter(|_| headers == Headers::Message);
    for name in known.filter_map(Text::constant) {
        if !ADDRESS_FIELDS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
        {
            return Err(Problem::NoAddressHeader(name.to_owned()));
        }
    }
    Ok(Test::Address {
        fields: fields(arguments, names)?,
        headers,
        part: part(arguments),
        matching: compiler.matching(arguments, 1)?,
    })
}

/// RFC 5228 §5.4.
fn envelope(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    let parts = arguments.texts(0);
    for name in parts.iter().filter_map(Text::constant) {
        if !name.eq_ignore_ascii_case("from") && !name.eq_ignore_ascii_case("to") {
            return Err(Problem::EnvelopePart(name.to_owned()));
        }
    }
    Ok(Test::Envelope {
        parts,
        part: part(arguments),
        matching: compiler.matching(arguments, 1)?,
    })
}

fn header(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    Ok(Test::Header {
        fields: fields(arguments, arguments.texts(0))?,
        headers: headers(arguments)?,
        aspect: aspect(arguments),
        matching: compiler.matching(arguments, 1)?,
    })
}

fn size(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    let name = arguments.of_set("size");
    let name = name.ok_or_else(|| Problem::Arguments("size".into()))?;
    Ok(Test::Size {
        over: name == "over",
        limit: arguments.tag_number(name).unwrap_or_default(),
    })
}

fn string(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    Ok(Test::String {
        sources: arguments.texts(0),
        matching: compiler.matching(arguments, 1)?,
    })
}

fn has_flag(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    let names = arguments.texts(0);
    let slots = match names.is_empty() {
        true => None,
        false => {
            compiler.scope.need("hasflag", C::Variables)?;
            let slot = |name: &Text| {
                let name = constant("hasflag", name)?;
                compiler.scope.slot_to_set(&name)
            };
            Some(names.iter().map(slot).collect::<Result<Vec<_>, _>>()?)
        }
    };
    Ok(Test::HasFlag {
        slots,
        matching: compiler.matching(arguments, 1)?,
    })
}

/// `+hhmm` as minutes east of UTC.
pub(crate) fn zone_minutes(text: &str) -> Option<i16> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i16 = digits.parse().ok()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn zone(arguments: &Arguments) -> Result<Zone, Problem> {
    if arguments.has("originalzone") {
        return Ok(Zone::Original);
    }
    let Some(text) = arguments.tag_constant("zone")? else {
        return Ok(Zone::Local);
    };
    zone_minutes(&text)
        .map(Zone::Fixed)
        .ok_or_else(|| Problem::Value {
            name: ":zone".into(),
            value: text,
        })
}

fn date_part(name: &str, text: &Text) -> Result<DatePart, Problem> {
    let text = constant(name, text)?;
    DatePart::named(&text).ok_or_else(|| Problem::Value {
        name: name.to_owned(),
        value: text,
    })
}

fn date(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    Ok(Test::Date {
        fields: fields(arguments, arguments.texts(0))?,
        zone: zone(arguments)?,
        part: date_part("date", &arguments.text(1))?,
        matching: compiler.matching(arguments, 2)?,
    })
}

fn current_date(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    Ok(Test::CurrentDate {
        zone: zone(arguments)?,
        part: date_part("currentdate", &arguments.text(0))?,
        matching: compiler.matching(arguments, 1)?,
    })
}

fn special_use(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    Ok(Test::SpecialUseExists {
        mailbox: arguments.texts(0).into_iter().next(),
        uses: arguments.texts(1),
    })
}

fn body(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    compiler.needs_body = true;
    let transform = match arguments.of_set("transform") {
        Some("raw") => Transform::Raw,
        Some("content") => Transform::Content(arguments.tag_texts("content").unwrap_or_default()),
        _ => Transform::Text,
    };
    Ok(Test::Body {
        transform,
        matching: compiler.matching(arguments, 0)?,
    })
}

fn environment(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    Ok(Test::Environment {
        item: arguments.text(0),
        matching: compiler.matching(arguments, 1)?,
    })
}

/// RFC 5463 §4: what is there counts as required from here on.
fn ihave(compiler: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    let mut all = true;
    for text in arguments.texts(0) {
        let name = constant("ihave", &text)?;
        match C::named(&name) {
            Some(capability) => compiler.scope.required.add(capability),
            None => all = false,
        }
    }
    Ok(Test::Constant(all))
}

fn duplicate(_: &mut Compiler<'_>, arguments: &Arguments) -> Result<Test, Problem> {
    let id = match arguments.of_set("id") {
        Some("header") => {
            DuplicateId::Header(arguments.tag_text("header").unwrap_or(Text(Vec::new())))
        }
        Some("uniqueid") => {
            DuplicateId::Unique(arguments.tag_text("uniqueid").unwrap_or(Text(Vec::new())))
        }
        _ => DuplicateId::Header(Text::literal("message-id")),
    };
    // RFC 7352 §3.3: more than the maximum is the maximum.
    let seconds = arguments
        .tag_number("seconds")
        .unwrap_or(limits::DUPLICATE_SECONDS)
        .min(limits::DUPLICATE_SECONDS_MAX);
    Ok(Test::Duplicate(Duplicate {
        handle: arguments.tag_text("handle"),
        id,
        seconds,
        last: arguments.has("last"),
    }))
}

//! The arguments of one command or test, checked against its row of the table: tags first, in any
//! order, none twice, then the positional ones (RFC 5228 §2.6).

use super::Scope;
use crate::capability::Capability;
use crate::error::Problem;
use crate::syntax::Argument;
use crate::text::Text;

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Number,
    /// One string, no list.
    String,
    /// A list, or one string.
    Strings,
}

/// A tag that a command or test takes.
#[derive(Debug)]
pub(crate) struct Tag {
    pub name: &'static str,
    pub needs: Option<Capability>,
    pub value: Option<Want>,
    /// Tags of one set exclude each other.
    pub set: &'static str,
}

/// A tag that stands alone.
pub(crate) const fn tag(name: &'static str, set: &'static str) -> Tag {
    Tag {
        name,
        needs: None,
        value: None,
        set,
    }
}

impl Tag {
    pub(crate) const fn with(self, value: Want) -> Tag {
        Tag {
            value: Some(value),
            ..self
        }
    }

    pub(crate) const fn needs(self, capability: Capability) -> Tag {
        Tag {
            needs: Some(capability),
            ..self
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    None,
    Number(u64),
    Texts(Vec<Text>),
}

/// Arguments that fit their row.
#[derive(Debug)]
pub(crate) struct Arguments {
    tags: Vec<(&'static Tag, Value)>,
    /// As the row has them; an optional first one that is absent is an empty list.
    positional: Vec<Value>,
}

/// What a row says of its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub tags: &'static [&'static [Tag]],
    pub positional: &'static [Want],
    /// The first positional one may be absent (RFC 5232 §3).
    pub optional_first: bool,
    /// The last positional one may be absent (RFC 5293 §5).
    pub optional_last: bool,
}

impl Arguments {
    pub(crate) fn read(
        name: &str,
        shape: Shape,
        given: &[Argument],
        scope: &mut Scope,
    ) -> Result<Arguments, Problem> {
        let mut arguments = Arguments {
            tags: Vec::new(),
            positional: Vec::new(),
        };
        let mut rest = given.iter();
        let mut plain = Vec::new();
        while let Some(argument) = rest.next() {
            match argument {
                Argument::Tag(word) if plain.is_empty() => {
                    arguments.tag(shape, word, &mut rest, scope)?;
                }
                Argument::Tag(word) => return Err(Problem::Unexpected(format!(":{word}"))),
                other => plain.push(other),
            }
        }
        let mut wanted = shape.positional.iter();
        if shape.optional_first && plain.len() + 1 == shape.positional.len() {
            wanted.next();
            arguments.positional.push(Value::None);
        }
        if shape.optional_last && plain.len() + 1 == shape.positional.len() {
            wanted.next_back();
        }
        if plain.len() != wanted.len() {
            return Err(Problem::Arguments(name.to_owned()));
        }
        for (want, given) in wanted.zip(plain) {
            let value = value(*want, given, scope)?;
            let value = value.ok_or_else(|| Problem::Arguments(name.to_owned()))?;
            arguments.positional.push(value);
        }
        Ok(arguments)
    }

    fn tag<'a>(
        &mut self,
        shape: Shape,
        word: &str,
        rest: &mut impl Iterator<Item = &'a Argument>,
        scope: &mut Scope,
    ) -> Result<(), Problem> {
        let shown = || format!(":{word}");
        let tag = shape.tags.iter().flat_map(|list| list.iter());
        let tag = tag.into_iter().find(|tag| tag.name == word);
        let tag = tag.ok_or_else(|| Problem::UnknownTag(shown()))?;
        if let Some(capability) = tag.needs {
            scope.need(&shown(), capability)?;
        }
        if self.tags.iter().any(|(have, _)| have.set == tag.set) {
            return Err(Problem::TwiceOrConflict(shown()));
        }
        let value = match tag.value {
            None => Value::None,
            Some(want) => {
                let given = rest.next().ok_or_else(|| Problem::TagValue(shown()))?;
                value(want, given, scope)?.ok_or_else(|| Problem::TagValue(shown()))?
            }
        };
        self.tags.push((tag, value));
        Ok(())
    }

    /// Which tag of a set is there.
    pub(crate) fn of_set(&self, set: &str) -> Option<&'static str> {
        let mut tags = self.tags.iter();
        tags.find(|(tag, _)| tag.set == set)
            .map(|(tag, _)| tag.name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tags.iter().any(|(tag, _)| tag.name == name)
    }

    fn tag_value(&self, name: &str) -> Option<&Value> {
        let mut tags = self.tags.iter();
        tags.find(|(tag, _)| tag.name == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn tag_number(&self, name: &str) -> Option<u64> {
        match self.tag_value(name)? {
            Value::Number(number) => Some(*number),
            Value::None | Value::Texts(_) => None,
        }
    }

    pub(crate) fn tag_text(&self, name: &str) -> Option<Text> {
        self.tag_texts(name)?.into_iter().next()
    }

    /// A tag's string that has to be there as it is.
    pub(crate) fn tag_constant(&self, name: &str) -> Result<Option<String>, Problem> {
        self.tag_text(name)
            .map(|text| constant(&format!(":{name}"), &text))
            .transpose()
    }

    pub(crate) fn tag_texts(&self, name: &str) -> Option<Vec<Text>> {
        match self.tag_value(name)? {
            Value::Texts(texts) => Some(texts.clone()),
            Value::None | Value::Number(_) => None,
        }
    }

    /// Positional strings; empty for an optional one that is absent.
    pub(crate) fn texts(&self, place: usize) -> Vec<Text> {
        match self.positional.get(place) {
            Some(Value::Texts(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn text(&self, place: usize) -> Text {
        self.texts(place)
            .into_iter()
            .next()
            .unwrap_or(Text(Vec::new()))
    }
}

/// A string without variables.
pub(crate) fn constant(name: &str, text: &Text) -> Result<String, Problem> {
    text.constant()
        .map(str::to_owned)
        .ok_or_else(|| Problem::Constant(name.to_owned()))
}

/// `None`: of another kind.
fn value(want: Want, given: &Argument, scope: &mut Scope) -> Result<Option<Value>, Problem> {
    Ok(match (want, given) {
        (Want::Number, Argument::Number(number)) => Some(Value::Number(*number)),
        (Want::String | Want::Strings, Argument::Text(text)) => {
            Some(Value::Texts(vec![scope.text(text)?]))
        }
        (Want::Strings, Argument::List(list)) => {
            let texts: Result<_, _> = list.iter().map(|text| scope.text(text)).collect();
            Some(Value::Texts(texts?))
        }
        _ => None,
    })
}

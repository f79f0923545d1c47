//! JSON of strangers: a value of another type than expected is an empty one, lists are bounded, and what
//! nobody asks for is passed over without being kept.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::text;
use crate::limits::REPORT_COUNT_MAX;

/// A text; numbers are one too, and everything else is none.
#[derive(Default)]
pub(super) struct Text(pub(super) String);

/// A number, perhaps in quotes.
#[derive(Default)]
pub(super) struct Number(pub(super) u64);

/// At most so many, and one alone for a list of one.
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        List(Vec::new())
    }
}

/// An object; everything else is an empty one.
#[derive(Default)]
pub(super) struct Part<T>(pub(super) T);

/// The members of an object that are read.
pub(super) trait Members: Default {
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Of an object's members, those of this name are read into this field.
macro_rules! members {
    ($type:ty, $($name:literal => $($field:ident).+),+ $(,)?) => {
        impl $crate::reports::lenient::Members for $type {
            fn member<'de, A: MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match name {
                    $($name => self.$($field).+ = map.next_value()?,)+
                    _ => {
                        map.next_value::<serde::de::IgnoredAny>()?;
                    }
                }
                Ok(())
            }
        }
    };
}
pub(super) use members;

/// What is read of a value of any type: the arms that are not told give nothing.
pub(super) trait Read: Default {
    fn text(_: &str) -> Self {
        Self::default()
    }

    fn number(_: u64) -> Self {
        Self::default()
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl Read for Text {
    fn text(text: &str) -> Self {
        Text(text::clean(text))
    }

    fn number(number: u64) -> Self {
        Text(number.to_string())
    }
}

impl Read for Number {
    fn text(text: &str) -> Self {
        Number(text.trim().parse().unwrap_or(0).min(REPORT_COUNT_MAX))
    }

    fn number(number: u64) -> Self {
        Number(number.min(REPORT_COUNT_MAX))
    }
}

impl<T: Read + for<'de> Deserialize<'de>, const MAX: usize> Read for List<T, MAX> {
    fn text(text: &str) -> Self {
        List(vec![T::text(text)])
    }

    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MAX {
            let Some(one) = list.next_element()? else {
                return Ok(List(kept));
            };
            kept.push(one);
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(List(kept))
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Ok(List(vec![T::object(map)?]))
    }
}

impl<T: Members> Read for Part<T> {
    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut part = T::default();
        while let Some(Text(name)) = map.next_key()? {
            part.member(&name, &mut map)?;
        }
        Ok(Part(part))
    }
}

struct Lenient<T>(PhantomData<T>);

impl<'de, T: Read> Visitor<'de> for Lenient<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::number(u64::try_from(number).unwrap_or(0)))
    }

    /// Some write whole numbers so; what is no count is none.
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number as u64))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

impl<'de, T: Read + for<'e> Deserialize<'e>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

impl<'de, T: Members> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient(PhantomData))
    }
}

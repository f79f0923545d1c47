//! Lists and objects of JSON that stop growing at their limit.
//!
//! One more than the limit is kept, so that who counts sees that there were too many; the rest is read
//! over. A body of 16 MiB is five million addresses of nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// `max` and one more at most.
pub(crate) fn list<'de, D, T>(deserializer: D, max: usize) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List(max, PhantomData))
}

/// `max` and one more at most.
pub(crate) fn object<'de, D>(
    deserializer: D,
    max: usize,
) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(Object(max))
}

/// The same, of a list that has begun.
pub(crate) fn rest<'de, A, T>(mut list: A, max: usize) -> Result<Vec<T>, A::Error>
where
    A: SeqAccess<'de>,
    T: Deserialize<'de>,
{
    let mut found = Vec::new();
    while found.len() <= max {
        match list.next_element()? {
            Some(one) => found.push(one),
            None => return Ok(found),
        }
    }
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(found)
}

struct List<T>(usize, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        rest(list, self.0)
    }
}

struct Object(usize);

impl<'de> Visitor<'de> for Object {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeMap::new();
        while found.len() <= self.0 {
            match object.next_entry()? {
                Some((name, value)) => found.insert(name, value),
                None => return Ok(found),
            };
        }
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

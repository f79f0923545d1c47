//! Sets of numbers as they stand in commands and responses (RFC 9051 §9 `sequence-set`).

use std::collections::BTreeSet;

use crate::Random;

/// `1:3,7` as numbers; ranges may run either way.
pub fn parse(text: &str) -> Result<Vec<u32>, String> {
    let number = |text: &str| {
        text.parse::<u32>()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("{text:?} is no number"))
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first.abs_diff(last) > 1 << 20 {
            return Err(format!("{part} is very long"));
        }
        match first <= last {
            true => all.extend(first..=last),
            false => all.extend((last..=first).rev()),
        }
    }
    Ok(all)
}

/// Some of `known` (ascending), as a client may write it, and which of them it means. Ranges may
/// span what is not known and `*` is the last one, so with `holes` it is a set of uids.
pub fn choose(random: &mut Random, known: &[u32]) -> Option<(String, BTreeSet<u32>)> {
    let last = *known.last()?;
    let mut parts = Vec::new();
    let mut meant = BTreeSet::new();
    for _ in 0..=random.below(3) {
        let first = known[random.index(known.len())];
        match random.below(10) {
            0 => {
                parts.push("*".to_owned());
                meant.insert(last);
            }
            1 | 2 => {
                parts.push(format!("{first}:*"));
                meant.extend(known.iter().filter(|number| **number >= first));
            }
            3..=5 => {
                let end = first.saturating_add(random.below(8) as u32).min(last);
                let range = match random.chance(80) {
                    true => format!("{first}:{end}"),
                    false => format!("{end}:{first}"),
                };
                parts.push(range);
                meant.extend(known.iter().filter(|n| (first..=end).contains(*n)));
            }
            _ => {
                parts.push(first.to_string());
                meant.insert(first);
            }
        }
    }
    Some((parts.join(","), meant))
}

/// Ascending numbers as a set, ranges where they follow each other.
pub fn print(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(range) if range.1 + 1 == number => range.1 = number,
            _ => ranges.push((number, number)),
        }
    }
    let parts: Vec<String> = ranges
        .into_iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}:{last}"),
        })
        .collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        assert_eq!(parse("1:3,7"), Ok(vec![1, 2, 3, 7]));
        assert_eq!(parse("3:1"), Ok(vec![3, 2, 1]));
        assert!(parse("0").is_err());
        assert!(parse("*").is_err());
        assert_eq!(print([1, 2, 3, 7]), "1:3,7");
        let mut random = Random::new(1);
        for _ in 0..100 {
            let (_, meant) = choose(&mut random, &[2, 5, 6, 9]).unwrap();
            assert!(!meant.is_empty() && meant.iter().all(|n| [2, 5, 6, 9].contains(n)));
        }
        assert!(choose(&mut random, &[]).is_none());
    }
}

//! Sets of message numbers and uids: as a peer writes them (RFC 9051 §9 `sequence-set`) and as
//! sorted ranges.

/// One number of a sequence set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetNumber {
    /// Never 0.
    Number(u32),
    /// `*`: the largest number in use.
    Last,
}

/// A sequence set as written: order, reversed ranges and repetitions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceSet {
    /// Inclusive, either end may be the larger one. Never empty.
    Ranges(Vec<(SetNumber, SetNumber)>),
    /// `$`: the saved search result (RFC 5182).
    Saved,
}

/// Numbers as sorted, disjoint, non-adjacent, inclusive ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Numbers {
    ranges: Vec<(u32, u32)>,
}

impl Numbers {
    pub const fn new() -> Self {
        Numbers { ranges: Vec::new() }
    }

    /// Takes ranges in any order, overlapping or not, either end first.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<(u32, u32)> = ranges
            .into_iter()
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        sorted.sort_unstable();
        let mut numbers = Numbers::new();
        for (first, last) in sorted {
            numbers.push_range(first, last);
        }
        numbers
    }

    /// Ascending, or at least not below the last one pushed.
    pub fn push(&mut self, number: u32) {
        self.push_range(number, number);
    }

    /// Ascending by `first`.
    pub fn push_range(&mut self, first: u32, last: u32) {
        match self.ranges.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.ranges.push((first, last)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers.
    pub fn count(&self) -> u64 {
        self.ranges
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1)
            .sum()
    }

    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|range| range.0)
    }

    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|range| range.1)
    }

    pub fn contains(&self, number: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.1 < number);
        self.ranges
            .get(after)
            .is_some_and(|range| range.0 <= number)
    }

    /// Sorted, disjoint, non-adjacent, inclusive.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Every number of every range, ascending. Bound the set first when it comes from a peer.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// The numbers at these places, counted from 0.
    pub fn slice(&self, places: std::ops::Range<u64>) -> Numbers {
        let mut slice = Numbers::new();
        let mut at = 0;
        for &(first, last) in &self.ranges {
            let next = at + u64::from(last - first) + 1;
            let (from, to) = (places.start.max(at), places.end.min(next));
            if from < to {
                let number = |place: u64| u32::try_from(u64::from(first) + place - at);
                if let (Ok(from), Ok(to)) = (number(from), number(to - 1)) {
                    slice.push_range(from, to);
                }
            }
            at = next;
        }
        slice
    }

    /// In `self` or in `other`.
    pub fn union(&self, other: &Numbers) -> Numbers {
        Numbers::from_ranges(self.ranges.iter().chain(&other.ranges).copied())
    }

    /// In `self` and in `other`.
    pub fn intersection(&self, other: &Numbers) -> Numbers {
        let mut common = Numbers::new();
        let (mut left, mut right) = (
            self.ranges.iter().peekable(),
            other.ranges.iter().peekable(),
        );
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                common.push_range(first, last);
            }
            if a.1 < b.1 {
                left.next();
            } else {
                right.next();
            }
        }
        common
    }

    /// In `self` and not in `other`.
    pub fn difference(&self, other: &Numbers) -> Numbers {
        let mut rest = Numbers::new();
        let mut holes = other.ranges.iter().peekable();
        for &(first, last) in &self.ranges {
            let mut from = Some(first);
            while let (Some(start), Some(hole)) = (from, holes.peek()) {
                if hole.0 > last {
                    break;
                }
                if hole.1 < start {
                    holes.next();
                    continue;
                }
                if hole.0 > start {
                    rest.push_range(start, hole.0 - 1);
                }
                from = hole.1.checked_add(1).filter(|next| *next <= last);
                if from.is_some() {
                    holes.next();
                }
            }
            if let Some(start) = from {
                rest.push_range(start, last);
            }
        }
        rest
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut ascending = Numbers::new();
        let mut numbers = numbers.into_iter();
        while let Some(number) = numbers.next() {
            if ascending.last().is_some_and(|last| number < last) {
                let rest = std::iter::once(number).chain(numbers);
                let rest = rest.map(|number| (number, number));
                return Numbers::from_ranges(ascending.ranges.into_iter().chain(rest));
            }
            ascending.push(number);
        }
        ascending
    }
}

impl SequenceSet {
    /// The numbers meant when the largest number in use is `last`; `saved` stands for `$`.
    ///
    /// An empty mailbox (`last` 0) gives `*` the number 0, which matches nothing.
    pub fn numbers(&self, last: u32, saved: &Numbers) -> Numbers {
        let ranges = match self {
            SequenceSet::Saved => return saved.clone(),
            SequenceSet::Ranges(ranges) => ranges,
        };
        let resolve = |number: SetNumber| match number {
            SetNumber::Number(number) => number,
            SetNumber::Last => last,
        };
        Numbers::from_ranges(
            ranges
                .iter()
                .map(|(first, second)| (resolve(*first), resolve(*second)))
                .filter(|(first, second)| (*first).max(*second) > 0),
        )
    }

    /// How many ranges were written.
    pub fn len(&self) -> usize {
        match self {
            SequenceSet::Ranges(ranges) => ranges.len(),
            SequenceSet::Saved => 1,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

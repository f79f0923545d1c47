//! The classifier: a logistic regression over hashed features, learned one example at a time and
//! only until it is sure of it. Its size is fixed whatever it learns.
//!
//! With every new example some earlier ones are gone through again, so that what came last does
//! not weigh more than what came before: one pass learns as much as several.

use crate::features::{Features, View};
use crate::limits::{ACCOUNT_MODEL_BITS, REPLAY_MAX, REPLAYED_WITH_EACH, SERVER_MODEL_BITS};
use crate::state::{Changes, PAGE_WEIGHTS};

/// What somebody said a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    Good,
    Junk,
}

impl Label {
    fn sign(self) -> f32 {
        match self {
            Label::Good => -1.0,
            Label::Junk => 1.0,
        }
    }
}

/// How many examples it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    pub good: u32,
    pub junk: u32,
}

/// Weights by the low bits of a feature's hash.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: f32,
    pub(crate) examples: Examples,
    /// Where in the earlier examples it goes on.
    pub(crate) turn: u32,
    pub(crate) good: Ring,
    pub(crate) junk: Ring,
    pub(crate) changes: Changes,
}

/// The last examples of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ring {
    pub(crate) max: usize,
    pub(crate) kept: Vec<Features>,
    pub(crate) next: usize,
}

impl Ring {
    /// The place that it took.
    fn push(&mut self, features: &Features) -> usize {
        let place = self.next % self.max.max(1);
        match self.kept.get_mut(place) {
            Some(slot) => slot.clone_from(features),
            None => self.kept.push(features.clone()),
        }
        self.next = place + 1;
        place
    }
}

/// An example is learned until the log-odds are this far on its side.
const MARGIN: f32 = 5.0;
const STEPS_MAX: u32 = 30;
const RATE: f32 = 4.0;
const BIAS_RATE: f32 = 0.05;
/// What each view counts for, in the order of [`View`].
const VIEW_WEIGHTS: [f32; View::COUNT] = [1.0, 1.3, 1.0, 0.9, 0.8, 0.7];
/// Log-odds that each may give at most: an odd header alone, of a mailing list or an old program, is no junk.
const VIEW_MOST: [f32; View::COUNT] = [3.0, NO_MOST, NO_MOST, NO_MOST, NO_MOST, NO_MOST];
const NO_MOST: f32 = f32::INFINITY;

impl Model {
    /// What all people of a server teach together.
    pub fn of_server() -> Self {
        Model::new(SERVER_MODEL_BITS, REPLAY_MAX)
    }

    /// What one person teaches beyond that; learns without going back.
    pub fn of_account() -> Self {
        Model::new(ACCOUNT_MODEL_BITS, 0)
    }

    fn new(bits: u32, replay_max: usize) -> Self {
        let ring = Ring {
            max: replay_max,
            ..Ring::default()
        };
        Model {
            weights: vec![0.0; 1 << bits],
            bias: 0.0,
            examples: Examples::default(),
            turn: 0,
            good: ring.clone(),
            junk: ring,
            changes: Changes::default(),
        }
    }

    pub fn examples(&self) -> Examples {
        self.examples
    }

    /// Log-odds that it is junk; 0 says nothing.
    pub fn score(&self, features: &Features) -> f32 {
        let mask = self.weights.len() - 1;
        let mut sum = self.bias;
        for ((view, weight), most) in features.0.iter().zip(VIEW_WEIGHTS).zip(VIEW_MOST) {
            let learned = view
                .iter()
                .filter_map(|hash| self.weights.get(*hash as usize & mask));
            let said = learned.sum::<f32>() * weight * scale(view);
            sum += said.clamp(-most, most);
        }
        sum
    }

    /// `given`: the log-odds that others give it already.
    pub fn learn(&mut self, features: &Features, label: Label, given: f32) {
        let count = match label {
            Label::Good => &mut self.examples.good,
            Label::Junk => &mut self.examples.junk,
        };
        *count = count.saturating_add(1);
        self.changes.head = true;
        self.approach(features, label, given);
        if self.ring(label).max == 0 {
            return;
        }
        for _ in 0..REPLAYED_WITH_EACH {
            self.replay();
        }
        let place = self.ring(label).push(features);
        self.changes.examples.insert((label, place));
    }

    /// One earlier example, of each kind in turn, in an order that takes each of them up.
    fn replay(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        let label = if self.turn.is_multiple_of(2) {
            Label::Good
        } else {
            Label::Junk
        };
        let turn = usize::try_from(self.turn / 2).unwrap_or_default();
        let kept = &mut self.ring(label).kept;
        let place = turn.wrapping_mul(REPLAY_STRIDE) % kept.len().max(1);
        let Some(features) = kept.get_mut(place).map(std::mem::take) else {
            return;
        };
        self.approach(&features, label, 0.0);
        if let Some(slot) = self.ring(label).kept.get_mut(place) {
            *slot = features;
        }
    }

    fn ring(&mut self, label: Label) -> &mut Ring {
        match label {
            Label::Good => &mut self.good,
            Label::Junk => &mut self.junk,
        }
    }

    fn approach(&mut self, features: &Features, label: Label, given: f32) {
        let sign = label.sign();
        for _ in 0..STEPS_MAX {
            let sure = sign * (given + self.score(features));
            if sure >= MARGIN {
                return;
            }
            self.step(features, sign * RATE / (1.0 + sure.exp()));
        }
    }

    fn step(&mut self, features: &Features, push: f32) {
        let mask = self.weights.len() - 1;
        for (view, weight) in features.0.iter().zip(VIEW_WEIGHTS) {
            let each = push * weight * scale(view);
            for hash in view {
                let place = *hash as usize & mask;
                if let Some(learned) = self.weights.get_mut(place) {
                    *learned += each;
                    self.changes.pages.insert(place / PAGE_WEIGHTS);
                }
            }
        }
        self.bias += push * BIAS_RATE;
    }
}

/// A prime: neighbours in time are not gone through together.
const REPLAY_STRIDE: usize = 97;

/// A long view says no more than a short one.
fn scale(view: &[u32]) -> f32 {
    let count = u16::try_from(view.len().max(1)).unwrap_or(u16::MAX);
    f32::from(count).sqrt().recip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::extract;

    fn features(text: &str) -> Features {
        let message = format!("From: a@example.test\r\nSubject: {text}\r\n\r\n{text}\r\n");
        let mut scanner = facteur_message::Scanner::new();
        scanner.push(message.as_bytes());
        extract(b"", message.as_bytes(), &scanner.finish())
    }

    #[test]
    fn it_learns_and_changes_its_mind() {
        let mut model = Model::of_server();
        let (pills, lunch) = (features("cheap pills now"), features("lunch on friday?"));
        assert_eq!(model.score(&pills), 0.0);
        model.learn(&pills, Label::Junk, 0.0);
        model.learn(&lunch, Label::Good, 0.0);
        assert!(model.score(&pills) > 3.0);
        assert!(model.score(&lunch) < -3.0);
        assert!(model.score(&features("cheap pills today")) > 0.0);
        for _ in 0..5 {
            model.learn(&pills, Label::Good, 0.0);
        }
        assert!(model.score(&pills) < 0.0, "{}", model.score(&pills));
        assert_eq!(model.examples(), Examples { good: 6, junk: 1 });
    }

    #[test]
    fn a_header_alone_is_not_enough() {
        let mut model = Model::of_server();
        let mut odd = Features::default();
        odd.0[View::Shape as usize] = (0..20).collect();
        for _ in 0..50 {
            model.learn(&odd, Label::Junk, 0.0);
        }
        let most = VIEW_MOST[View::Shape as usize];
        assert!(model.score(&odd) - model.bias <= most);
        assert!(model.score(&odd) > 0.0, "it is heard");
    }

    #[test]
    fn an_account_learns_what_the_server_does_not_know() {
        let mut model = Model::of_account();
        let newsletter = features("our offers of the week");
        model.learn(&newsletter, Label::Junk, MARGIN + 1.0);
        assert_eq!(model.score(&newsletter), 0.0, "known already");
        model.learn(&newsletter, Label::Good, MARGIN);
        assert!(model.score(&newsletter) < -MARGIN);
    }

    #[test]
    fn earlier_examples_are_kept_in_bounds() {
        let mut model = Model::of_server();
        for number in 0..REPLAY_MAX + 10 {
            model.learn(&features(&format!("w{number}")), Label::Good, 0.0);
        }
        assert_eq!(model.good.kept.len(), REPLAY_MAX);
        assert_eq!(
            model.good.kept[9],
            features(&format!("w{}", REPLAY_MAX + 9))
        );
    }

    #[test]
    fn state_comes_back() {
        let mut model = Model::of_server();
        for number in 0..6 {
            let label = [Label::Good, Label::Junk][number % 2];
            model.learn(&features(&format!("one{number} two three")), label, 0.0);
        }
        let mut rows = model.take_changes();
        assert!(model.take_changes().is_empty());
        model.learn(&features("and more"), Label::Junk, 0.0);
        rows.extend(model.take_changes());
        let mut again = Model::of_server();
        for (key, value) in &rows {
            assert!(again.restore(key, value));
        }
        assert_eq!(again, model);
        for (key, value) in [
            (&b""[..], &b""[..]),
            (b"\x07", b"x"),
            (b"\x01\xff\xff", b"x"),
        ] {
            assert!(!again.restore(key, value));
        }
        assert_eq!(again, model);
    }
}

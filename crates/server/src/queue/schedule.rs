//! Whose turn it is among the destinations: the most urgent first, in turn where equal, within
//! what each of them takes. Pure: the runner tells it what the store says and how attempts end.
//!
//! Invariants: a destination that does not answer holds one place, and all such together half of
//! them; what is less urgent than a letter never holds more than three quarters, so that a
//! newsletter never keeps a letter from leaving.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use facteur_store::{Spot, Timestamp};

use super::limits::DESTINATIONS_REMEMBERED_MAX;
use super::pace::{Contact, Pace};

/// The class of a message without any wish; larger is less urgent.
pub const CLASS_LETTER: u8 = 9;

type Turn = (u8, u64, Arc<str>);

#[derive(Debug, Default)]
pub struct Schedule {
    places: HashMap<Arc<str>, Place>,
    /// Who has something due and room for it: the proven, and those who have to answer first.
    ready: [BTreeSet<Turn>; 2],
    /// When to look again. Some of it is out of date, which costs a look.
    later: BTreeSet<(Timestamp, Arc<str>)>,
    turn: u64,
    running: usize,
    running_unproven: usize,
    running_bulk: usize,
}

#[derive(Debug, Default)]
struct Place {
    pace: Pace,
    running: usize,
    running_bulk: usize,
    /// Class of the most urgent that is due.
    ready: Option<u8>,
    from: Spot,
    turn: u64,
    /// Where it stands in `ready`.
    listed: Option<(usize, u8, u64)>,
}

/// One transfer under way; goes back to [`Schedule::ended`].
#[derive(Clone, Debug)]
pub struct Started {
    pub destination: Arc<str>,
    bulk: bool,
    unproven: bool,
}

/// How many transfers there may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub transfers_max: usize,
}

impl Room {
    fn unproven_max(self) -> usize {
        self.transfers_max.div_ceil(2)
    }

    fn bulk_max(self) -> usize {
        (self.transfers_max * 3).div_ceil(4)
    }
}

impl Place {
    fn has_room(&self, class: u8) -> bool {
        // A letter does not wait for a newsletter to the same place.
        let spare = usize::from(class <= CLASS_LETTER && self.running_bulk > 0);
        self.running < self.pace.limit() + spare
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.ready.is_none()
    }
}

impl Schedule {
    /// Something was put into the queue, or was there at the start.
    pub fn note(&mut self, destination: &str, spot: Spot, now: Timestamp) {
        if spot.due() > now {
            let name = self.name(destination);
            self.later.insert((spot.due(), name));
            if let Some(place) = self.places.get_mut(destination) {
                place.from = place.from.min(spot);
            }
            return;
        }
        let name = self.name(destination);
        let turn = self.turn;
        let place = self.places.entry(Arc::clone(&name)).or_insert(Place {
            turn,
            from: spot,
            ..Place::default()
        });
        place.from = place.from.min(spot);
        place.ready = Some(
            place
                .ready
                .map_or(spot.class, |class| class.min(spot.class)),
        );
        self.relist(&name);
    }

    /// The store was asked for this destination.
    pub fn looked(
        &mut self,
        destination: &Arc<str>,
        ready: Option<u8>,
        next: Option<Timestamp>,
        from: Spot,
    ) {
        if let Some(place) = self.places.get_mut(destination) {
            place.ready = ready;
            place.from = from;
        }
        self.later
            .extend(next.map(|due| (due, Arc::clone(destination))));
        self.relist(destination);
    }

    /// Where to look from.
    pub fn from(&self, destination: &str) -> Spot {
        let place = self.places.get(destination);
        place.map_or_else(Spot::default, |place| place.from)
    }

    /// Destinations whose time has come are ready until the store says otherwise.
    pub fn wake(&mut self, now: Timestamp) {
        while let Some((due, _)) = self.later.first()
            && *due <= now
            && let Some((_, destination)) = self.later.pop_first()
        {
            // Where exactly is not known: from the start.
            self.note(&destination, Spot::default(), now);
        }
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        self.later.first().map(|(due, _)| *due)
    }

    /// Whose turn it is, if there is a place.
    pub fn next(&self, room: Room) -> Option<Arc<str>> {
        if self.running >= room.transfers_max {
            return None;
        }
        let [proven, unproven] = &self.ready;
        let unproven = unproven.first();
        let unproven = unproven.filter(|_| self.running_unproven < room.unproven_max());
        let first = proven.first().into_iter().chain(unproven).min()?;
        let bulk = first.0 > CLASS_LETTER;
        (!bulk || self.running_bulk < room.bulk_max()).then(|| Arc::clone(&first.2))
    }

    pub fn started(&mut self, destination: &Arc<str>, class: u8) -> Started {
        self.turn += 1;
        let bulk = class > CLASS_LETTER;
        let place = self.places.entry(Arc::clone(destination)).or_default();
        place.turn = self.turn;
        place.running += 1;
        place.running_bulk += usize::from(bulk);
        let unproven = !place.pace.is_proven();
        self.running += 1;
        self.running_bulk += usize::from(bulk);
        self.running_unproven += usize::from(unproven);
        self.relist(destination);
        Started {
            destination: Arc::clone(destination),
            bulk,
            unproven,
        }
    }

    pub fn ended(&mut self, started: &Started, contact: Contact) {
        self.running -= 1;
        self.running_bulk -= usize::from(started.bulk);
        self.running_unproven -= usize::from(started.unproven);
        if let Some(place) = self.places.get_mut(&started.destination) {
            place.running -= 1;
            place.running_bulk -= usize::from(started.bulk);
            place.pace.told(contact);
        }
        self.relist(&started.destination);
        if self.places.len() > DESTINATIONS_REMEMBERED_MAX {
            self.places.retain(|_, place| !place.is_idle());
        }
    }

    fn name(&self, destination: &str) -> Arc<str> {
        let known = self.places.get_key_value(destination);
        known.map_or_else(|| Arc::from(destination), |(name, _)| Arc::clone(name))
    }

    /// Puts a destination where it belongs in `ready`.
    fn relist(&mut self, destination: &Arc<str>) {
        let Some(place) = self.places.get_mut(destination) else {
            return;
        };
        if let Some((set, class, turn)) = place.listed.take()
            && let Some(set) = self.ready.get_mut(set)
        {
            set.remove(&(class, turn, Arc::clone(destination)));
        }
        if let Some(class) = place.ready.filter(|class| place.has_room(*class)) {
            let set = usize::from(!place.pace.is_proven());
            place.listed = Some((set, class, place.turn));
            if let Some(set) = self.ready.get_mut(set) {
                set.insert((class, place.turn, Arc::clone(destination)));
            }
        }
        if place.is_idle() && place.pace == Pace::default() {
            self.places.remove(destination);
        }
    }
}

#[cfg(test)]
mod tests {
    use facteur_store::QueueId;

    use super::*;

    const NOW: Timestamp = Timestamp(1000);
    const ROOM: Room = Room { transfers_max: 8 };

    fn spot(class: u8, due: u64) -> Spot {
        Spot {
            class,
            due,
            id: QueueId(1),
        }
    }

    /// Starts what can be started, as if each destination had endlessly more of its class.
    fn fill(schedule: &mut Schedule, class: impl Fn(&str) -> u8) -> Vec<Started> {
        let mut all = Vec::new();
        while let Some(destination) = schedule.next(ROOM) {
            let class = class(&destination);
            let started = schedule.started(&destination, class);
            schedule.looked(&destination, Some(class), None, spot(class, 1));
            all.push(started);
        }
        all
    }

    fn names(started: &[Started]) -> Vec<&str> {
        started.iter().map(|one| &*one.destination).collect()
    }

    #[test]
    fn one_each_until_they_answer_then_in_turn() {
        let mut schedule = Schedule::default();
        for name in ["a", "b", "c"] {
            schedule.note(name, spot(9, 1), NOW);
        }
        let first = fill(&mut schedule, |_| 9);
        assert_eq!(names(&first), ["a", "b", "c"]);
        for started in &first {
            schedule.ended(started, Contact::Reached);
        }
        let second = fill(&mut schedule, |_| 9);
        assert_eq!(names(&second), ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn those_who_do_not_answer_leave_half_of_the_places() {
        let mut schedule = Schedule::default();
        for name in ["1", "2", "3", "4", "5", "6", "7", "8", "9"] {
            schedule.note(name, spot(9, 1), NOW);
        }
        let first = fill(&mut schedule, |_| 9);
        assert_eq!(first.len(), 4);
        schedule.ended(&first[0], Contact::Reached);
        // The one that answered gets two, another is tried.
        let more = fill(&mut schedule, |_| 9);
        assert_eq!(names(&more), ["5", "1", "1"]);
    }

    #[test]
    fn a_newsletter_never_keeps_a_letter() {
        let mut schedule = Schedule::default();
        for name in ["1", "2", "3", "4", "5", "6", "7", "8", "9"] {
            schedule.note(name, spot(13, 1), NOW);
            let started = schedule.started(&Arc::from(name), 13);
            schedule.ended(&started, Contact::Reached);
        }
        let bulk = fill(&mut schedule, |_| 13);
        assert_eq!(bulk.len(), 6);
        schedule.note("letters", spot(9, 1), NOW);
        assert_eq!(schedule.next(ROOM).as_deref(), Some("letters"));
        fill(&mut schedule, |name| if name == "letters" { 9 } else { 13 });
        // To a place that newsletters fill: one more than the place takes.
        schedule.note("1", spot(9, 1), NOW);
        assert_eq!(schedule.next(ROOM).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_later_is_looked_at_in_its_time() {
        let mut schedule = Schedule::default();
        schedule.note("a", spot(9, 2000), NOW);
        assert_eq!(schedule.next(ROOM), None);
        assert_eq!(schedule.next_due(), Some(Timestamp(2000)));
        assert!(schedule.places.is_empty());
        schedule.wake(Timestamp(1999));
        assert_eq!(schedule.next(ROOM), None);
        schedule.wake(Timestamp(2000));
        let a = schedule.next(ROOM).unwrap();
        assert_eq!(schedule.from(&a), Spot::default());
        // Nothing there after all.
        schedule.looked(&a, None, None, spot(255, 9));
        assert_eq!((schedule.next(ROOM), schedule.places.len()), (None, 0));
    }

    #[test]
    fn a_look_goes_on_where_the_last_ended_but_for_what_came_before() {
        let mut schedule = Schedule::default();
        schedule.note("a", spot(9, 500), NOW);
        let a = schedule.next(ROOM).unwrap();
        schedule.started(&a, 9);
        schedule.looked(&a, Some(9), None, spot(9, 700));
        assert_eq!(schedule.from("a"), spot(9, 700));
        schedule.note("a", spot(9, 900), NOW);
        assert_eq!(schedule.from("a"), spot(9, 700));
        schedule.note("a", spot(3, 900), NOW);
        assert_eq!(schedule.from("a"), spot(3, 900));
    }
}

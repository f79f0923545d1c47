//! Power cuts, kills, failing and full disks, on the simulated disk: after each of them the store
//! opens, has all that it acknowledged, has of the rest the whole or nothing, verifies clean and
//! goes on working.
//!
//! One test runs everything on two threads, counts, prints the counts and checks them.
//! `CRASH_SEED=n` runs other histories, `CRASH_SHAPE=n` those of one shape, without the count.

mod crash_support;
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crash_support::{Count, scenarios};

/// Power cuts and kills, each with a recovery that was checked.
const CRASHES_MIN: u64 = 10_000;

#[test]
#[expect(clippy::print_stdout, reason = "the counts are what the run is for")]
fn nothing_acknowledged_is_lost() {
    let seed = support::number("CRASH_SEED", 1);
    let all = scenarios::all(seed);
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Count::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = scenario();
                    total.lock().unwrap().add(&count);
                }
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!("{total}");
    let whole = support::number("CRASH_SHAPE", 0) == 0;
    assert!(
        !whole || total.crashes() >= CRASHES_MIN,
        "only {} crashes",
        total.crashes()
    );
}

//! The loop: inputs that failed once, then the seeds, then mutations until the time is over.

use std::any::Any;
use std::collections::{HashSet, hash_map::DefaultHasher};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Random;
use crate::mutate::mutate;

/// Of each target, unless FUZZ_SECONDS says more.
const SECONDS: u64 = 4;

/// One input may not take longer. Far beyond what a slow machine needs for these sizes.
const HANG_SECONDS: u64 = 60;

const INPUT_BYTES_MAX: usize = 16 * 1024;

/// Inputs kept for mutation.
const POOL_MAX: usize = 4_096;

/// Tries to make a failing input smaller.
const SHRINK_TRIES_MAX: usize = 400;

/// What a target saw, so that inputs which show something new are kept.
#[derive(Debug, Default)]
pub struct Signature(DefaultHasher);

impl Signature {
    pub fn add(&mut self, seen: impl Hash) {
        seen.hash(&mut self.0);
    }

    /// The magnitude: 0, 1, 2, 3 to 4, 5 to 8 and so on are the same.
    pub fn add_size(&mut self, size: usize) {
        size.checked_next_power_of_two().hash(&mut self.0);
    }

    /// The names of types and variants in a value, but not what strings and numbers it holds.
    pub fn add_shape(&mut self, value: &impl Debug) {
        let text = format!("{value:?}");
        let shape = text.bytes().filter(u8::is_ascii_uppercase).take(256);
        shape.collect::<Vec<u8>>().hash(&mut self.0);
    }
}

/// One target.
#[derive(Debug)]
pub struct Fuzz {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
    bytes_max: usize,
}

impl Fuzz {
    pub fn new(name: &'static str) -> Self {
        Fuzz {
            name,
            seeds: Vec::new(),
            words: &[],
            bytes_max: INPUT_BYTES_MAX,
        }
    }

    pub fn seeds<S: Into<Vec<u8>>>(mut self, seeds: impl IntoIterator<Item = S>) -> Self {
        self.seeds.extend(seeds.into_iter().map(Into::into));
        self
    }

    /// Words of the grammar, put in anywhere.
    pub fn words(mut self, words: &'static [&'static str]) -> Self {
        self.words = words;
        self
    }

    pub fn bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Panics with what `target` panicked with, after the input was made smaller and written to
    /// `found/`.
    pub fn run(mut self, target: impl Fn(&[u8], &mut Signature)) {
        let seconds = setting("FUZZ_SECONDS").unwrap_or(SECONDS);
        let bytes_max = setting("FUZZ_BYTES").and_then(|bytes| bytes.try_into().ok());
        self.bytes_max = bytes_max.unwrap_or(self.bytes_max);
        let mut random = Random::new(setting("FUZZ_SEED").unwrap_or(0));
        let watch = Watch::start(self.name);
        let mut seen = HashSet::new();
        let mut slowest = (Duration::ZERO, 0);
        let mut attempt = |input: &[u8]| {
            watch.now(input);
            let start = instant();
            let result = caught(&target, input);
            slowest = slowest.max((start.elapsed(), input.len()));
            match result {
                Ok(signature) => seen.insert(signature.0.finish()),
                Err(panic) => self_reported(self.name, &target, input, panic),
            }
        };
        for input in found(self.name) {
            attempt(&input);
        }
        self.seeds
            .iter_mut()
            .for_each(|seed| seed.truncate(self.bytes_max));
        self.seeds.push(Vec::new());
        for seed in &self.seeds {
            attempt(seed);
        }
        let end = instant() + Duration::from_secs(seconds);
        let (mut count, mut kept, first) = (0u64, 0usize, self.seeds.len());
        while instant() < end {
            let input = mutate(&mut random, &self.seeds, self.words, self.bytes_max);
            count += 1;
            if attempt(&input) {
                kept += 1;
                if self.seeds.len() < POOL_MAX {
                    self.seeds.push(input);
                } else {
                    let at = first + random.below(POOL_MAX - first);
                    self.seeds[at] = input;
                }
            }
        }
        let (name, (time, bytes)) = (self.name, slowest);
        println!("{name}: {count} inputs, {kept} showed something new");
        println!("{name}: the slowest took {time:?} for {bytes} bytes");
    }
}

#[expect(clippy::disallowed_methods, reason = "no part of the product")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "no part of the product")]
fn instant() -> Instant {
    Instant::now()
}

type Panic = Box<dyn Any + Send>;

fn caught(target: &impl Fn(&[u8], &mut Signature), input: &[u8]) -> Result<Signature, Panic> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut signature = Signature::default();
        target(input, &mut signature);
        signature
    }))
}

fn self_reported(
    name: &str,
    target: &impl Fn(&[u8], &mut Signature),
    input: &[u8],
    panic: Panic,
) -> ! {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let small = shrink(input.to_vec(), |input| caught(target, input).is_err());
    set_hook(hook);
    let path = write(name, &small);
    println!("{name}: input {}\n{}", path.display(), small.escape_ascii());
    let mut signature = Signature::default();
    target(&small, &mut signature);
    resume_unwind(panic)
}

/// Leaves out ever smaller parts as long as it still fails.
fn shrink(mut input: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut size = input.len().div_ceil(2);
    let mut tries = 0;
    while size > 0 {
        let mut at = 0;
        while at < input.len() && tries < SHRINK_TRIES_MAX {
            tries += 1;
            let mut shorter = input.clone();
            shorter.drain(at..(at + size).min(input.len()));
            if fails(&shorter) {
                input = shorter;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    input
}

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("found")
        .join(name)
}

fn write(name: &str, input: &[u8]) -> PathBuf {
    let key = facteur_message::thread::key(input);
    let path = directory(name).join(format!("{key:016x}"));
    let written =
        std::fs::create_dir_all(directory(name)).and_then(|()| std::fs::write(&path, input));
    if let Err(error) = written {
        println!("{}: {error}", path.display());
    }
    path
}

fn found(name: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory(name)).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().flat_map(std::fs::read).collect()
}

/// Ends the process, after writing the input down, when one takes for ever.
struct Watch {
    now: Arc<Mutex<(u64, Vec<u8>)>>,
    /// Its end ends the watch.
    _alive: mpsc::Sender<()>,
}

impl Watch {
    fn start(name: &'static str) -> Self {
        let now = Arc::new(Mutex::new((0, Vec::new())));
        let (alive, ended) = mpsc::channel();
        let watched = Arc::clone(&now);
        std::thread::spawn(move || {
            let mut last = 0;
            let wait = Duration::from_secs(HANG_SECONDS);
            while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let now = watched.lock().unwrap_or_else(PoisonError::into_inner);
                let (count, input) = &*now;
                if *count == last {
                    let path = write(name, input);
                    eprintln!("{name}: hangs on {}", path.display());
                    std::process::exit(101);
                }
                last = *count;
            }
        });
        Watch { now, _alive: alive }
    }

    fn now(&self, input: &[u8]) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.0 += 1;
        now.1.clear();
        now.1.extend_from_slice(input);
    }
}

/// The input in pieces: single bytes, lines or anything, always the same for the same input.
pub fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let mut random = Random::of(input);
    let longest = match random.below(5) {
        0 => 1,
        1 => return input.split_inclusive(|byte| *byte == b'\n').collect(),
        2 => return input.split_inclusive(|byte| *byte == b'\r').collect(),
        3 => 8,
        _ => input.len(),
    };
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(1 + random.below(longest.min(rest.len())));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

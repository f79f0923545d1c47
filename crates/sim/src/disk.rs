//! A disk in memory that loses, tears and reorders what was not flushed, as real ones do.
//!
//! It keeps two pictures: what a running program sees, and what is surely on the medium. Writes
//! become durable with `sync_data` of their file; creations, renames and removals with
//! `sync_directory`. A flush of a file does not make its name durable.
//!
//! Every operation that changes something is numbered from 0 ([`SimDisk::operations`]); a power
//! cut ([`SimDisk::cut_power_at`]) or an error ([`SimDisk::fail_at`]) can be put at any of them.
//! [`SimDisk::reboot`] gives the disk as it is found after a power cut: of what was not flushed,
//! each sector of 512 bytes and each directory operation is kept or lost as the seed says. It
//! leaves the cut disk as it was, so that many outcomes of one cut can be tried. Once the power is
//! cut, every handle gives errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use facteur_store::{Disk, File};

use crate::Random;

/// What a medium writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// What an operation does instead of working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO. A failed flush may have dropped any of the file's unflushed writes for good, although
    /// reads still show them, as Linux does.
    Io,
    /// ENOSPC, after part of a write.
    Full,
}

/// Shared by its clones.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
}

type FileId = u64;

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, FileId),
    Rename(String, String, FileId),
    Remove(String),
    CreateDirectory(String),
}

impl NameChange {
    /// The directory whose flush makes it durable.
    fn directory(&self) -> &str {
        match self {
            NameChange::Create(path, _)
            | NameChange::Rename(_, path, _)
            | NameChange::Remove(path)
            | NameChange::CreateDirectory(path) => parent(path),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<String, FileId>,
    directories: BTreeSet<String>,
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Create(path, id) => {
                self.files.insert(path.clone(), *id);
            }
            NameChange::Rename(from, to, id) => {
                if self.files.get(from) == Some(id) {
                    self.files.remove(from);
                }
                self.files.insert(to.clone(), *id);
            }
            NameChange::Remove(path) => {
                self.files.remove(path);
            }
            NameChange::CreateDirectory(path) => {
                self.directories.insert(path.clone());
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Write {
    Data { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

impl Write {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Write::Data { offset, bytes } => put(image, *offset, bytes),
            Write::Length(len) => resize(image, *len as usize),
        }
    }
}

fn put(image: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = offset as usize;
    let end = start + bytes.len();
    if image.len() < end {
        resize(image, end);
    }
    image[start..end].copy_from_slice(bytes);
}

/// `Vec::resize`, which without optimisation writes its zeros one by one.
fn resize(image: &mut Vec<u8>, len: usize) {
    match len.checked_sub(image.len()) {
        None | Some(0) => image.truncate(len),
        Some(missing) => image.extend_from_slice(&vec![0; missing]),
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    unflushed: Vec<Write>,
}

#[derive(Debug)]
struct State {
    names: Names,
    durable_names: Names,
    name_changes: Vec<NameChange>,
    contents: BTreeMap<FileId, Content>,
    next_id: FileId,
    capacity: u64,
    operations: u64,
    syncs: u64,
    stop_at: Option<(u64, Stop)>,
    power: bool,
    faults: BTreeMap<u64, Fault>,
    /// From this operation on, every one that needs space fails.
    full_from: Option<u64>,
    random: Random,
}

impl State {
    /// Numbers the operation. `Ok(Some(fault))`: it is to fail so. `Err`: there is no power.
    fn step(&mut self) -> io::Result<Option<Step>> {
        if !self.power {
            return Err(no_power());
        }
        let number = self.operations;
        self.operations += 1;
        if let Some((_, stop)) = self.stop_at.filter(|(at, _)| number >= *at) {
            self.power = false;
            return match stop {
                Stop::PowerCut => Ok(Some(Step::Cut)),
                Stop::Kill => Err(no_power()),
            };
        }
        Ok(self.faults.remove(&number).map(Step::Fault))
    }

    fn used(&self) -> u64 {
        self.names
            .files
            .values()
            .filter_map(|id| self.contents.get(id))
            .map(|c| c.seen.len() as u64)
            .sum()
    }

    /// Bytes of growth that there is room for.
    fn room(&self) -> u64 {
        if self.full_from.is_some_and(|from| self.operations > from) {
            return 0;
        }
        self.capacity.saturating_sub(self.used())
    }

    /// Names change at once for the program; on the medium when the directory is flushed.
    fn change_names(&mut self, change: NameChange) -> io::Result<()> {
        match self.step()? {
            // The power goes while it happens: it may have reached the medium.
            Some(Step::Cut) => {
                self.name_changes.push(change);
                Err(no_power())
            }
            Some(Step::Fault(fault)) => Err(fault.error()),
            None => {
                self.names.apply(&change);
                self.name_changes.push(change);
                Ok(())
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    PowerCut,
    Kill,
}

enum Step {
    Cut,
    Fault(Fault),
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Io => io::Error::other("simulated EIO"),
            Fault::Full => io::ErrorKind::StorageFull.into(),
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power is cut")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("SimDisk")
            .field("files", &state.names.files.keys())
            .field("operations", &state.operations)
            .field("power", &state.power)
            .finish()
    }
}

impl SimDisk {
    /// Empty, without a practical limit of space.
    pub fn new(seed: u64) -> Self {
        SimDisk::with(State {
            names: Names::default(),
            durable_names: Names::default(),
            name_changes: Vec::new(),
            contents: BTreeMap::new(),
            next_id: 0,
            capacity: 1 << 40,
            operations: 0,
            syncs: 0,
            stop_at: None,
            power: true,
            faults: BTreeMap::new(),
            full_from: None,
            random: Random::new(seed),
        })
    }

    fn with(state: State) -> Self {
        SimDisk {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations that change something were asked for so far.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// How many file flushes succeeded so far.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// The operation of that number, and all later ones, meet no power.
    pub fn cut_power_at(&self, operation: u64) {
        self.lock().stop_at = Some((operation, Stop::PowerCut));
    }

    /// The program is killed before the operation of that number: the disk keeps its power, what
    /// was written but not flushed is still seen by the next program ([`SimDisk::restart`]).
    pub fn kill_at(&self, operation: u64) {
        self.lock().stop_at = Some((operation, Stop::Kill));
    }

    /// Now.
    pub fn cut_power(&self) {
        self.lock().power = false;
    }

    pub fn has_power(&self) -> bool {
        self.lock().power
    }

    /// The operation of that number fails once.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.lock().faults.insert(operation, fault);
    }

    /// From that operation on there is no room to grow, until [`SimDisk::make_room`].
    pub fn full_from(&self, operation: u64) {
        self.lock().full_from = Some(operation);
    }

    /// All files together may take this much.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock().capacity = bytes;
    }

    /// As much room as anybody wants.
    pub fn make_room(&self) {
        let mut state = self.lock();
        state.capacity = 1 << 40;
        state.full_from = None;
    }

    pub fn used_bytes(&self) -> u64 {
        self.lock().used()
    }

    /// Paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.lock().names.files.keys().cloned().collect()
    }

    /// A file as the program sees it.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.lock();
        let id = state.names.files.get(path)?;
        state.contents.get(id).map(|content| content.seen.clone())
    }

    /// Damage on the medium: turns over bits of one byte, durably.
    pub fn flip(&self, path: &str, offset: usize, bits: u8) {
        let mut state = self.lock();
        let id = state.names.files.get(path).copied();
        if let Some(content) = id.and_then(|id| state.contents.get_mut(&id)) {
            for image in [&mut content.seen, &mut content.durable] {
                if let Some(byte) = image.get_mut(offset) {
                    *byte ^= bits;
                }
            }
        }
    }

    /// The same disk for the next program, after the last one was killed or stopped: handles of
    /// the last one work no more, unflushed writes are still seen and still unflushed.
    pub fn restart(&self) -> SimDisk {
        let mut state = self.lock();
        state.power = false;
        SimDisk::with(State {
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            name_changes: state.name_changes.clone(),
            contents: state.contents.clone(),
            next_id: state.next_id,
            capacity: state.capacity,
            operations: 0,
            syncs: 0,
            stop_at: None,
            power: true,
            faults: BTreeMap::new(),
            full_from: None,
            random: state.random.clone(),
        })
    }

    /// A disk of its own with the same durable and visible bytes: everything flushed.
    pub fn copy(&self) -> SimDisk {
        let state = self.lock();
        let contents = state.names.files.values().filter_map(|id| {
            let seen = state.contents.get(id)?.seen.clone();
            Some((
                *id,
                Content {
                    durable: seen.clone(),
                    seen,
                    unflushed: Vec::new(),
                },
            ))
        });
        SimDisk::booted(state.names.clone(), contents.collect(), state.next_id, 0)
    }

    /// The disk as it is found after the power is cut now, one outcome for each seed.
    pub fn reboot(&self, seed: u64) -> SimDisk {
        let mut random = Random::new(seed);
        let state = self.lock();
        let mut names = state.durable_names.clone();
        let luck = Luck::draw(&mut random);
        for change in &state.name_changes {
            if luck.keeps(&mut random) {
                names.apply(change);
            }
        }
        let lost: Vec<String> = names
            .files
            .keys()
            .filter(|path| !parent(path).is_empty() && !names.directories.contains(parent(path)))
            .cloned()
            .collect();
        for path in lost {
            names.files.remove(&path);
        }
        let mut contents = BTreeMap::new();
        for id in names.files.values() {
            let Some(content) = state.contents.get(id) else {
                continue;
            };
            let image = survivor(content, &mut random);
            let content = Content {
                seen: image.clone(),
                durable: image,
                unflushed: Vec::new(),
            };
            contents.insert(*id, content);
        }
        SimDisk::booted(names, contents, state.next_id, random.next())
    }

    fn booted(
        names: Names,
        contents: BTreeMap<FileId, Content>,
        next_id: FileId,
        seed: u64,
    ) -> SimDisk {
        SimDisk::with(State {
            durable_names: names.clone(),
            names,
            name_changes: Vec::new(),
            contents,
            next_id,
            capacity: 1 << 40,
            operations: 0,
            syncs: 0,
            stop_at: None,
            power: true,
            faults: BTreeMap::new(),
            full_from: None,
            random: Random::new(seed),
        })
    }
}

/// How much of what was not flushed is found again.
enum Luck {
    None,
    All,
    /// This many percent, each for itself.
    Some(u64),
}

impl Luck {
    fn draw(random: &mut Random) -> Luck {
        match random.below(5) {
            0 => Luck::None,
            1 => Luck::All,
            _ => Luck::Some(10 + random.below(81)),
        }
    }

    fn keeps(&self, random: &mut Random) -> bool {
        match self {
            Luck::None => false,
            Luck::All => true,
            Luck::Some(percent) => random.chance(*percent),
        }
    }
}

/// The image of one file after the cut: its unflushed writes kept, lost or torn.
fn survivor(content: &Content, random: &mut Random) -> Vec<u8> {
    let mut image = content.durable.clone();
    if content.unflushed.is_empty() {
        return image;
    }
    // Either in order up to a point inside one write, or any sectors in any order.
    if random.chance(30) {
        let whole = random.index(content.unflushed.len() + 1);
        for (index, write) in content.unflushed.iter().enumerate() {
            if index == whole {
                keep_sectors(write, &mut image, &Luck::Some(50), random);
                break;
            }
            write.apply(&mut image);
        }
        return image;
    }
    let luck = Luck::draw(random);
    for write in &content.unflushed {
        keep_sectors(write, &mut image, &luck, random);
    }
    image
}

/// Applies those sectors of a write that luck keeps. Space that a lost sector would have added is
/// zeros or, as on file systems that write sizes before data, anything.
fn keep_sectors(write: &Write, image: &mut Vec<u8>, luck: &Luck, random: &mut Random) {
    let Write::Data { offset, bytes } = write else {
        if luck.keeps(random) {
            write.apply(image);
        }
        return;
    };
    let garbage = random.chance(10);
    let mut at = *offset;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let sector = (SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len() as u64) as usize;
        let (piece, after) = rest.split_at(sector);
        if luck.keeps(random) {
            put(image, at, piece);
        } else if garbage && at >= image.len() as u64 {
            let mut noise = vec![0; piece.len()];
            random.fill(&mut noise);
            put(image, at, &noise);
        }
        at += sector as u64;
        rest = after;
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let mut state = self.lock();
        if !state.power {
            return Err(no_power());
        }
        if let Some(id) = state.names.files.get(path).copied() {
            return Ok(Arc::new(SimFile {
                disk: self.clone(),
                id,
            }));
        }
        let directory = parent(path);
        let missing = !directory.is_empty() && !state.names.directories.contains(directory);
        if !create || missing {
            return Err(io::ErrorKind::NotFound.into());
        }
        let id = state.next_id;
        state.next_id += 1;
        state.contents.insert(id, Content::default());
        state.change_names(NameChange::Create(path.to_owned(), id))?;
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            id,
        }))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let state = self.lock();
        if !state.power {
            return Err(no_power());
        }
        let files = state
            .names
            .files
            .keys()
            .filter(|path| parent(path) == directory);
        Ok(files
            .map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
            .collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let Some(id) = state.names.files.get(from).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        state.change_names(NameChange::Rename(from.to_owned(), to.to_owned(), id))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        if !state.names.files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_names(NameChange::Remove(path.to_owned()))
    }

    fn create_directory(&self, path: &str) -> io::Result<()> {
        let mut state = self.lock();
        if state.names.directories.contains(path) {
            return Ok(());
        }
        state.change_names(NameChange::CreateDirectory(path.to_owned()))
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        let mut state = self.lock();
        match state.step()? {
            Some(Step::Cut) => return Err(no_power()),
            Some(Step::Fault(fault)) => return Err(fault.error()),
            None => {}
        }
        let changes = std::mem::take(&mut state.name_changes);
        for change in changes {
            if change.directory() == directory {
                state.durable_names.apply(&change);
            } else {
                state.name_changes.push(change);
            }
        }
        Ok(())
    }

    fn available_bytes(&self) -> io::Result<u64> {
        let state = self.lock();
        if !state.power {
            return Err(no_power());
        }
        Ok(state.room())
    }
}

struct SimFile {
    disk: SimDisk,
    id: FileId,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile").field("id", &self.id).finish()
    }
}

impl SimFile {
    fn write(&self, write: Write) -> io::Result<()> {
        let mut state = self.disk.lock();
        let step = state.step()?;
        let room = state.room();
        let content = state.contents.entry(self.id).or_default();
        let end = match &write {
            Write::Data { offset, bytes } => offset + bytes.len() as u64,
            Write::Length(len) => *len,
        };
        let growth = end.saturating_sub(content.seen.len() as u64);
        match step {
            // It may or may not reach the medium; nobody sees it any more.
            Some(Step::Cut) => {
                content.unflushed.push(write);
                return Err(no_power());
            }
            Some(Step::Fault(fault)) => {
                if fault == Fault::Full {
                    part_of(&write, growth / 2)
                        .into_iter()
                        .for_each(|part| content.take(part));
                }
                return Err(fault.error());
            }
            None => {}
        }
        if growth > room {
            part_of(&write, growth - room)
                .into_iter()
                .for_each(|part| content.take(part));
            return Err(Fault::Full.error());
        }
        content.take(write);
        Ok(())
    }
}

/// What is written before the disk is full: all but the last `missing` bytes.
fn part_of(write: &Write, missing: u64) -> Option<Write> {
    match write {
        Write::Length(_) => None,
        Write::Data { offset, bytes } => {
            let kept = bytes.len().saturating_sub(missing as usize);
            (kept > 0).then(|| Write::Data {
                offset: *offset,
                bytes: bytes[..kept].to_vec(),
            })
        }
    }
}

impl Content {
    fn take(&mut self, write: Write) {
        write.apply(&mut self.seen);
        self.unflushed.push(write);
    }

    fn flush(&mut self) {
        for write in self.unflushed.drain(..) {
            write.apply(&mut self.durable);
        }
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.lock();
        if !state.power {
            return Err(no_power());
        }
        Ok(state
            .contents
            .get(&self.id)
            .map_or(0, |content| content.seen.len() as u64))
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.lock();
        if !state.power {
            return Err(no_power());
        }
        let content = state.contents.get(&self.id);
        let start = offset as usize;
        let bytes = content.and_then(|content| content.seen.get(start..start + buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(Write::Data {
            offset,
            bytes: bytes.to_vec(),
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write(Write::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let step = state.step()?;
        let state = &mut *state;
        let content = state.contents.entry(self.id).or_default();
        match step {
            Some(Step::Cut) => Err(no_power()),
            Some(Step::Fault(fault)) => {
                // The kernel drops what it could not write and calls it clean.
                let image = survivor(content, &mut state.random);
                content.durable = image;
                content.unflushed.clear();
                Err(fault.error())
            }
            None => {
                content.flush();
                state.syncs += 1;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! What the work took: processor time and memory of a process tree, bytes and flushes of the disk.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor seconds that the process trees under `roots` used so far, ended children included.
/// Work that the kernel does in threads of its own (write-back, the file system's journal) is not
/// in it, and neither is anybody else's load on the machine.
fn cpu_seconds(roots: &[u32]) -> f64 {
    let ticks = |pid: u32| -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        // utime, stime, cutime, cstime; proc_pid_stat(5).
        let ticks = fields.get(11..15)?.iter();
        Some(ticks.filter_map(|field| field.parse::<f64>().ok()).sum())
    };
    tree(roots).into_iter().filter_map(ticks).sum::<f64>() / 100.0
}

/// Written to the machine's disks so far: bytes, and flushes of their caches.
fn device() -> Result<(u64, u64)> {
    let stats = fs::read_to_string("/proc/diskstats")?;
    let (mut sectors, mut flushes) = (0, 0);
    for line in stats.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = fields.get(2) else { continue };
        let whole = fs::metadata(format!("/sys/block/{name}")).is_ok();
        if !whole || name.starts_with("loop") || name.starts_with("ram") {
            continue;
        }
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        sectors += number(9).unwrap_or(0);
        flushes += number(18).unwrap_or(0);
    }
    Ok((sectors * 512, flushes))
}

/// A picture before some work; the difference after it belongs to the work.
pub struct Meter {
    roots: Vec<u32>,
    cpu_seconds: f64,
    device: (u64, u64),
}

/// The servers' processor time; all the machine's writing.
pub struct Used {
    pub cpu_seconds: f64,
    pub device_bytes: u64,
    pub flushes: u64,
}

impl Meter {
    pub fn start(roots: Vec<u32>) -> Result<Self> {
        rustix::fs::sync();
        Ok(Meter {
            cpu_seconds: cpu_seconds(&roots),
            roots,
            device: device()?,
        })
    }

    pub fn stop(self) -> Result<Used> {
        let cpu_seconds = cpu_seconds(&self.roots) - self.cpu_seconds;
        let flushes = device()?.1.saturating_sub(self.device.1);
        rustix::fs::sync();
        Ok(Used {
            cpu_seconds,
            device_bytes: device()?.0.saturating_sub(self.device.0),
            flushes,
        })
    }
}

/// Waits until the servers have nothing to do any more: less than a twentieth of a processor for a
/// quarter of a minute, since some rest between their steps. Ten minutes at most.
pub fn settle(roots: &[u32]) {
    const STEP: Duration = Duration::from_secs(1);
    const QUIET: u32 = 15;
    let (mut before, mut quiet) = (cpu_seconds(roots), 0);
    for _ in 0..600 {
        thread::sleep(STEP);
        let now = cpu_seconds(roots);
        quiet = if now - before < 0.05 { quiet + 1 } else { 0 };
        if quiet == QUIET {
            return;
        }
        before = now;
    }
}

/// Proportional set size, in bytes, of a process and all its descendants.
pub fn memory_bytes(roots: &[u32]) -> u64 {
    tree(roots)
        .into_iter()
        .filter_map(|pid| resident(pid).ok())
        .sum()
}

/// The processes under `roots`, themselves included.
fn tree(roots: &[u32]) -> Vec<u32> {
    let parents = parents();
    let belongs = |pid: &u32| {
        let mut ancestor = *pid;
        while ancestor > 1 && !roots.contains(&ancestor) {
            ancestor = parents.get(&ancestor).copied().unwrap_or(0);
        }
        roots.contains(&ancestor)
    };
    parents.keys().copied().filter(belongs).collect()
}

fn parents() -> HashMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')')
            .next()?
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect()
}

fn resident(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text
        .lines()
        .find(|line| line.starts_with("Pss:"))
        .context("no Pss")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no number")?
        .parse()?;
    Ok(kib * 1024)
}

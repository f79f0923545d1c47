//! What the machine did: processor time, device bytes, memory of a process tree.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result};

/// Processor seconds used by this process so far.
fn own_cpu_seconds() -> Result<f64> {
    process_cpu_seconds(std::process::id())
}

fn process_cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks: f64 = [11, 12]
        .iter()
        .filter_map(|index| fields.get(*index)?.parse::<f64>().ok())
        .sum();
    Ok(ticks / 100.0)
}

/// Processor seconds of the whole machine that were not idle.
fn machine_cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|f| f.parse().ok())
        .collect();
    let busy: f64 = ticks.iter().take(8).sum::<f64>()
        - ticks.get(3).unwrap_or(&0.0)
        - ticks.get(4).unwrap_or(&0.0);
    Ok(busy / 100.0)
}

/// Bytes written to the device that holds the benchmark's directory.
fn device_bytes() -> Result<u64> {
    let stats = fs::read_to_string("/proc/diskstats")?;
    let sectors: u64 = stats
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let name = fields.get(2)?;
            let whole = fs::metadata(format!("/sys/block/{name}")).is_ok();
            (whole && !name.starts_with("loop") && !name.starts_with("ram"))
                .then(|| fields.get(9)?.parse::<u64>().ok())
                .flatten()
        })
        .sum();
    Ok(sectors * 512)
}

/// A picture before some work; the difference after it belongs to the server and the kernel.
pub struct Meter {
    machine: f64,
    own: f64,
    device: u64,
}

pub struct Used {
    /// Machine time without the load generator's own.
    pub cpu_seconds: f64,
    pub device_bytes: u64,
}

impl Meter {
    pub fn start() -> Result<Self> {
        rustix::fs::sync();
        Ok(Meter {
            machine: machine_cpu_seconds()?,
            own: own_cpu_seconds()?,
            device: device_bytes()?,
        })
    }

    pub fn stop(self) -> Result<Used> {
        let cpu_seconds = (machine_cpu_seconds()? - self.machine) - (own_cpu_seconds()? - self.own);
        rustix::fs::sync();
        Ok(Used {
            cpu_seconds,
            device_bytes: device_bytes()?.saturating_sub(self.device),
        })
    }
}

/// Proportional set size, in bytes, of a process and all its descendants.
pub fn memory_bytes(roots: &[u32]) -> Result<u64> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.insert(pid, parent.unwrap_or(0));
    }
    let mut total = 0;
    for pid in parents.keys() {
        let mut ancestor = *pid;
        while ancestor > 1 && !roots.contains(&ancestor) {
            ancestor = parents.get(&ancestor).copied().unwrap_or(0);
        }
        if roots.contains(&ancestor) {
            total += resident(*pid).unwrap_or(0);
        }
    }
    Ok(total)
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

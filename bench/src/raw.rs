//! The limit that the disk sets: threads hand records to one writer that appends what waits and
//! flushes once a group.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Durable records a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn appends_per_second(
    directory: &Path,
    threads: usize,
    size: usize,
    time: Duration,
) -> Result<f64> {
    let mut file = File::create(directory.join("raw"))?;
    let (sender, receiver) = mpsc::channel::<(Vec<u8>, mpsc::Sender<()>)>();
    let writer = thread::spawn(move || -> Result<()> {
        while let Ok(first) = receiver.recv() {
            let mut group = vec![first];
            while group.len() < 1024 {
                match receiver.try_recv() {
                    Ok(next) => group.push(next),
                    Err(_) => break,
                }
            }
            let records: Vec<&[u8]> = group.iter().map(|(record, _)| record.as_slice()).collect();
            let bytes = records.concat();
            file.write_all(&bytes)?;
            file.sync_data()?;
            for (_, done) in group {
                let _ = done.send(());
            }
        }
        Ok(())
    });
    let start = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|seed| {
            let sender = sender.clone();
            thread::spawn(move || {
                let record: Vec<u8> = (0..size).map(|n| (n * 31 + seed * 17) as u8).collect();
                let (done, wait) = mpsc::channel();
                let mut count = 0u64;
                while start.elapsed() < time {
                    if sender.send((record.clone(), done.clone())).is_err() || wait.recv().is_err()
                    {
                        break;
                    }
                    count += 1;
                }
                count
            })
        })
        .collect();
    drop(sender);
    let count: u64 = workers
        .into_iter()
        .map(|worker| worker.join().unwrap_or(0))
        .sum();
    let seconds = start.elapsed().as_secs_f64();
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the raw writer failed"))??;
    std::fs::remove_file(directory.join("raw"))?;
    Ok(count as f64 / seconds)
}

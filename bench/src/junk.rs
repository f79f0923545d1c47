//! How well junk is told from good mail: the public corpus in five parts that the names of its
//! files decide; each part is judged by a filter that learned the other four, one message after
//! the other. Beside it, Debian's rspamd on the same parts when it is installed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use facteur_filter::{Evidence, JUNK_POINTS, Label, Model, Opinion, extract, judge, traits};
use facteur_message::{Facts, Scanner};

use crate::rspamd::Rspamd;

const PARTS: usize = 5;
const FOLDERS: [(&str, Label); 4] = [
    ("easy-ham-1", Label::Good),
    ("hard-ham-1", Label::Good),
    ("spam-1", Label::Junk),
    ("spam-2", Label::Junk),
];

struct Sample {
    /// The digest in the file's name: no order of ours.
    key: String,
    label: Label,
    message: Vec<u8>,
}

/// What one filter said of a message that it had not learned.
struct Judged {
    label: Label,
    points: f32,
}

struct Measured {
    name: &'static str,
    judged: Vec<Judged>,
    /// From here on it calls a message junk.
    threshold: f32,
    learning: Duration,
    judging: Duration,
}

#[expect(clippy::print_stdout, reason = "the table is the program's answer")]
pub fn run(home: &Path) -> Result<()> {
    let samples = read()?;
    let mut results = vec![ours(&samples)];
    match Rspamd::program() {
        Some(program) => results.push(theirs(&samples, &program, home)?),
        None => println!("rspamd is not installed: measured alone\n"),
    }
    let good = samples
        .iter()
        .filter(|one| one.label == Label::Good)
        .count();
    println!(
        "{good} good and {} junk messages, each judged by a filter that learned four fifths of the \
         others; no network.\n",
        samples.len() - good
    );
    println!(
        "| filter | good called junk | junk caught | junk caught when at most 0.1 % of good is called junk | learning | judging |"
    );
    println!("|---|---|---|---|---|---|");
    for result in &results {
        println!("{}", line(result));
    }
    Ok(())
}

fn read() -> Result<Vec<Sample>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/corpus/spamassassin-public-corpus");
    let mut samples = Vec::new();
    for (folder, label) in FOLDERS {
        let folder = corpus.join(folder);
        for entry in std::fs::read_dir(&folder).with_context(|| format!("{folder:?}"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let Some((_, key)) = name.split_once('.') else {
                continue;
            };
            let bytes = std::fs::read(&path)?;
            samples.push(Sample {
                key: key.to_owned(),
                label,
                message: without_envelope_line(bytes),
            });
        }
    }
    ensure!(!samples.is_empty(), "the corpus is empty");
    samples.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(samples)
}

fn without_envelope_line(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"From ")
        && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
    {
        bytes.drain(..=end);
    }
    bytes
}

fn facts(message: &[u8]) -> Facts {
    let mut scanner = Scanner::new();
    scanner.push(message);
    scanner.finish()
}

fn ours(samples: &[Sample]) -> Measured {
    let mut result = Measured {
        name: "Facteur",
        judged: Vec::new(),
        threshold: JUNK_POINTS,
        learning: Duration::ZERO,
        judging: Duration::ZERO,
    };
    for part in 0..PARTS {
        let mut model = Model::of_server();
        let begin = now();
        for (_, sample) in samples
            .iter()
            .enumerate()
            .filter(|(i, _)| i % PARTS != part)
        {
            let features = extract(b"", &sample.message, &facts(&sample.message));
            model.learn(&features, sample.label, 0.0);
        }
        result.learning += begin.elapsed();
        let begin = now();
        for (_, sample) in samples
            .iter()
            .enumerate()
            .filter(|(i, _)| i % PARTS == part)
        {
            let facts = facts(&sample.message);
            let features = extract(b"", &sample.message, &facts);
            let evidence = Evidence {
                opinion: Some(Opinion {
                    log_odds: model.score(&features),
                    examples: model.examples(),
                }),
                traits: traits(&sample.message, &facts),
                ..Evidence::default()
            };
            let points = judge(&evidence).points;
            result.judged.push(Judged {
                label: sample.label,
                points,
            });
        }
        result.judging += begin.elapsed();
    }
    result
}

fn theirs(samples: &[Sample], program: &Path, home: &Path) -> Result<Measured> {
    let mut result = Measured {
        name: "rspamd",
        judged: Vec::new(),
        threshold: crate::rspamd::ADD_HEADER_POINTS,
        learning: Duration::ZERO,
        judging: Duration::ZERO,
    };
    for part in 0..PARTS {
        let server = Rspamd::start(program, &home.join(format!("rspamd-{part}")))?;
        let begin = now();
        for (_, sample) in samples
            .iter()
            .enumerate()
            .filter(|(i, _)| i % PARTS != part)
        {
            server.learn(&sample.message, sample.label == Label::Junk)?;
        }
        result.learning += begin.elapsed();
        let begin = now();
        for (_, sample) in samples
            .iter()
            .enumerate()
            .filter(|(i, _)| i % PARTS == part)
        {
            result.judged.push(Judged {
                label: sample.label,
                points: server.check(&sample.message)?,
            });
        }
        result.judging += begin.elapsed();
    }
    Ok(result)
}

#[expect(clippy::disallowed_methods, reason = "a stop-watch")]
fn now() -> Instant {
    Instant::now()
}

/// Shares of good mail called junk and of junk caught, from `threshold` on.
fn shares(judged: &[Judged], threshold: f32) -> (f64, f64) {
    let share = |label| {
        let all = judged.iter().filter(|one| one.label == label).count();
        let called = judged
            .iter()
            .filter(|one| one.label == label && one.points >= threshold)
            .count();
        100.0 * called as f64 / all.max(1) as f64
    };
    (share(Label::Good), share(Label::Junk))
}

fn line(result: &Measured) -> String {
    let (good, junk) = shares(&result.judged, result.threshold);
    let best = result
        .judged
        .iter()
        .map(|one| shares(&result.judged, one.points))
        .filter(|(good, _)| *good <= 0.1)
        .map(|(_, junk)| junk)
        .fold(0.0, f64::max);
    let count = result.judged.len().max(1) as f64;
    let learned = count * (PARTS - 1) as f64;
    format!(
        "| {} | {good:.2} % | {junk:.2} % | {best:.2} % | {:.2} ms each | {:.2} ms each |",
        result.name,
        result.learning.as_secs_f64() * 1000.0 / learned,
        result.judging.as_secs_f64() * 1000.0 / count,
    )
}

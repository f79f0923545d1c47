//! A thread for work that nobody waits for: it gets what others leave of the processors.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread;

use facteur_store::Error;

use crate::drive;

/// As the command `nice` counts: beside one busy thread it gets about a tenth of a processor.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// Takes one piece of work after the other; ends when it is dropped.
pub struct Background {
    /// `None`: the thread could not be started.
    jobs: Option<Sender<Job>>,
}

impl Background {
    pub fn start(name: &str) -> Self {
        let (jobs, queue) = channel::<Job>();
        let thread = thread::Builder::new().name(name.to_owned());
        let started = thread.spawn(move || {
            // Linux takes this for the thread alone (setpriority(2), Notes).
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::debug!(%error, "background work runs like any other");
            }
            for job in queue {
                job();
            }
        });
        if let Err(error) = &started {
            tracing::warn!(%error, "no thread for background work");
        }
        Background {
            jobs: started.is_ok().then_some(jobs),
        }
    }

    /// Like [`drive::blocking`], on this thread. A panic of `work` comes out here.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(jobs) = &self.jobs else {
            return drive::blocking(work).await;
        };
        let (answer, answered) = sync_channel(1);
        let job = Box::new(move || {
            // Who asked may be gone.
            let _ = answer.send(catch_unwind(AssertUnwindSafe(work)));
        });
        if jobs.send(job).is_err() {
            return Err(Error::Closed);
        }
        drive::blocking(move || match answered.recv() {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::Closed),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_after_the_other_and_after_a_panic() {
        let background = Background::start("test");
        assert_eq!(background.run(|| Ok(1)).await.unwrap(), 1);
        assert!(matches!(
            background.run(|| Err::<(), _>(Error::NoSuchAccount)).await,
            Err(Error::NoSuchAccount)
        ));
        let background = std::sync::Arc::new(background);
        let other = std::sync::Arc::clone(&background);
        let fault = tokio::spawn(async move {
            let work = || -> Result<(), Error> { panic!("a fault") };
            other.run(work).await
        });
        assert!(fault.await.unwrap_err().is_panic());
        assert_eq!(background.run(|| Ok(2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn it_gives_way() {
        let own = rustix::process::getpriority_process(None).unwrap();
        let background = Background::start("test");
        let there = background.run(|| Ok(rustix::process::getpriority_process(None).unwrap()));
        assert!(there.await.unwrap() >= own.max(NICENESS));
        let after = rustix::process::getpriority_process(None).unwrap();
        assert_eq!(after, own, "no other thread");
    }
}

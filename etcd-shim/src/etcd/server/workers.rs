//! The threads that serve connections: one current-thread runtime a core. A connection stays on its thread, so its tasks
//! never wake another core.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{runtime::Handle, sync::oneshot};

/// How long tasks may go on after the process was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The threads. Dropping them leaves them running; [`Workers::stop`] ends them.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts one thread a core.
    ///
    /// # Errors
    /// A thread or its runtime cannot be started.
    pub fn start() -> io::Result<Workers> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..count).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Workers { workers, next: AtomicUsize::new(0) })
    }

    /// The runtime for the next connection, in turn.
    pub(super) fn next(&self) -> Option<&Handle> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len().max(1);
        self.workers.get(turn).map(|worker| &worker.handle)
    }

    /// Ends the threads; what is still running is dropped after a grace period. Blocks.
    pub fn stop(self) {
        let threads: Vec<_> = self
            .workers
            .into_iter()
            .map(|worker| {
                drop(worker.stop);
                worker.thread
            })
            .collect();
        for thread in threads {
            if thread.join().is_err() {
                tracing::warn!("a thread that served connections panicked");
            }
        }
    }
}

impl Worker {
    fn start(index: usize) -> io::Result<Worker> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(format!("serve-{index}")).spawn(move || {
            // Runs its tasks until `stop` is dropped.
            drop(runtime.block_on(stopped));
            runtime.shutdown_timeout(STOP_GRACE);
        })?;
        Ok(Worker { handle, stop, thread })
    }
}

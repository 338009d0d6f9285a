//! The store's door: what `etcd-shim` calls. Successor on the write path: `sequencer`.

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::core::{Core, leases};
use crate::disk::{Disk, RealDisk};
use crate::error::{OpenError, RequestError};
use crate::guarded::Guarded;
use crate::index::{Backend, SledIndex};
use crate::inspect::{Scrub, ScrubStatus};
use crate::keyspace::Keyspace;
use crate::lease::{self, Deadlines, LeaseInfo};
use crate::limits::{LEASE_EXPIRY_INTERVAL_MS, LEASE_TTL_MAX_S, MAINTENANCE_INTERVAL_MS, SCRUB_INTERVAL_MS};
use crate::log::{Log, Options, Table};
use crate::mvcc::{
    DeleteRangeReply, DeleteRangeRequest, PutReply, PutRequest, RangeReply, RangeRequest, TxnReply, TxnRequest,
    ValueCache, ValueCacheStats,
};
use crate::pulse::Pulse;
use crate::recovery::{Recovered, recover};
use crate::replica::{Emitter, Replicas, SharedReplicas, SiteIdentity};
use crate::sequencer::{self, Commit, Evaluator, Sequencer, Ticket};
use crate::sync::{Arc, Mutex, OnceLock, Ordering, lock, thread};
use crate::view::View;
use crate::watch::{WatchRequest, Watcher};
use std::task::Poll;
use std::time::Duration;
use uuid::Uuid;

/// One site's store. Clones share it; [`Store::close`] ends its threads, and so does dropping the last clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    /// Set once, at the end of the start.
    replicas: OnceLock<SharedReplicas>,
    scrub: Arc<Scrub>,
    threads: Mutex<Threads>,
}

/// Threads of one store, in the order in which they are stopped. The log writer is last: it drains the queue.
#[derive(Debug, Default)]
struct Threads {
    paced: Vec<(Arc<Pulse>, thread::JoinHandle<()>)>,
    maintenance: Option<Arc<Pulse>>,
    writer: Option<thread::JoinHandle<()>>,
}

/// Bytes of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// The commit log on disk, recycled segments included.
    pub total_bytes: u64,
    /// Live and uncompacted versions and table rows.
    pub in_use_bytes: u64,
    /// Live keys.
    pub keys: u64,
}

impl Store {
    /// Opens or makes the store on the real disk. Blocks until recovery is done; starts the store's threads.
    ///
    /// # Errors
    /// The directory cannot be used, or the log is damaged before its end.
    pub fn open(config: Config) -> Result<Store, OpenError> {
        Store::open_with(config, Arc::new(RealDisk), |index| Arc::new(index))
    }

    /// The same on a disk and an index that the caller watches.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(
        config: Config,
        disk: Arc<dyn Disk>,
        watched: impl FnOnce(SledIndex) -> Arc<dyn Backend>,
    ) -> Result<Store, OpenError> {
        let options = log_options(&config, true);
        // The log's lock is taken before the index is touched: two processes never have it open.
        let log = Log::open(disk, &config.dir.join("log"), options)?;
        let index = SledIndex::open(&config.dir.join("index"))?;
        Store::start(config, log, Arc::new(SystemClock::new()), watched(index))
    }

    /// Opens or makes the store on a disk, a clock and an index of the caller's: the simulator's way.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(
        config: Config,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        index: Arc<dyn Backend>,
    ) -> Result<Store, OpenError> {
        let log = Log::open(disk, &config.dir.join("log"), log_options(&config, config.background))?;
        Store::start(config, log, clock, index)
    }

    fn start(
        config: Config,
        log: crate::log::Recovery,
        clock: Arc<dyn Clock>,
        index: Arc<dyn Backend>,
    ) -> Result<Store, OpenError> {
        let cache = ValueCache::new(config.value_cache_bytes);
        let Recovered { state, live, dirty, parts, indexed } = recover(log, index.as_ref(), &cache)?;
        let now = clock.monotonic();
        let mut deadlines = Deadlines::default();
        for (id, granted_s) in leases(&state) {
            deadlines.start(id, granted_s, now);
        }
        let evaluator = Evaluator::new(state, deadlines, parts.appender, live, dirty);
        let sequencer = Sequencer::new(evaluator, parts.syncer, clock.clone(), config.background);
        let background = config.background;
        let scrub = Arc::new(Scrub::new(parts.reader, clock.clone(), config.scrub_bytes_per_second));
        let core = Arc::new(Core::new(config, sequencer, clock, parts.cleaner, index, indexed));
        let (replicas, threads) = (OnceLock::new(), Mutex::new(Threads::default()));
        let inner = Inner { core: core.clone(), replicas, scrub: scrub.clone(), threads };
        let store = Store(Arc::new(inner));
        let mut threads = lock(&store.0.threads);
        let writer = core.clone();
        threads.writer = Some(spawn("log-writer", move || writer.sequencer.write_batches())?);
        if background {
            if core.config.scrub_bytes_per_second > 0 {
                threads.paced.push(scrubbing(core.clone(), scrub)?);
            }
            let expiry = core.clone();
            let beat = Duration::from_millis(LEASE_EXPIRY_INTERVAL_MS);
            threads.paced.push(paced("lease-expiry", beat, move |_| expiry.expire_leases().is_ok())?);
            let beat = Duration::from_millis(MAINTENANCE_INTERVAL_MS);
            let maintenance =
                paced("maintenance", beat, move |pulse| core.maintain(false, &|| pulse.is_stopped()).is_ok())?;
            threads.maintenance = Some(maintenance.0.clone());
            threads.paced.push(maintenance);
        }
        drop(threads);
        store.load_replicas()?;
        Ok(store)
    }

    /// Makes or reads the site's identity and its shares, and lets the sequencer show them local writes.
    fn load_replicas(&self) -> Result<(), OpenError> {
        let Config { site_name, prefix, .. } = self.config();
        let (replicas, ticket) = self
            .commit(|commit| {
                let site = SiteIdentity::load_or_create(commit, site_name);
                Ok::<_, RequestError>(Replicas::load(commit, site, Keyspace::new(prefix), self.clock().clone()))
            })
            .map_err(OpenError::Identity)?;
        ticket.wait().map_err(OpenError::Identity)?;
        let replicas = SharedReplicas::new(replicas.map_err(OpenError::Share)?);
        self.sequencer().with(|evaluator| evaluator.set_emit(Box::new(Emitter(replicas.clone()))));
        let _ = self.0.replicas.set(replicas);
        Ok(())
    }

    /// Who this site is.
    pub fn site(&self) -> SiteIdentity {
        self.replicas().lock().site().clone()
    }

    pub(crate) fn replicas(&self) -> &SharedReplicas {
        self.0.replicas.get().expect("invariant: the replicas are loaded before the store is handed out")
    }

    /// Ends the store: a checkpoint is made, the last batch is synced, threads are joined. Later requests are refused.
    pub async fn close(&self) {
        let inner = self.0.clone();
        let (done, closed) = tokio::sync::oneshot::channel();
        let closing = spawn("close", move || {
            inner.close();
            let _ = done.send(());
        });
        match closing {
            Ok(_) => drop(closed.await),
            Err(_) => self.0.close(),
        }
    }

    /// The published revision: all up to it is durable.
    pub fn revision(&self) -> i64 {
        self.sequencer().publication().load().revision
    }

    /// The published compact revision; -1 = nothing compacted.
    pub fn compact_revision(&self) -> i64 {
        self.sequencer().publication().load().compact_revision
    }

    /// Pins the published state.
    pub fn view(&self) -> View {
        View::new(self.sequencer().publication().load())
    }

    /// Evaluates a Range on the published state; the header's revision comes with it.
    ///
    /// # Errors
    /// As [`View::range`].
    pub fn range(&self, request: &RangeRequest) -> Result<(i64, RangeReply), RequestError> {
        let view = self.view();
        Ok((view.revision(), view.range(request)?))
    }

    /// For writes that are refused if `holds` says no. It is asked under the sequencer's lock, so it must be quick; by a
    /// transaction that only reads, after it has read.
    pub fn only_if<G: FnOnce() -> bool>(&self, holds: G) -> Guarded<'_, G> {
        Guarded::new(self, holds)
    }

    /// Puts; resolves when durable and published.
    ///
    /// # Errors
    /// See [`RequestError`]; the store is then as it was.
    pub async fn put(&self, request: PutRequest) -> Result<(i64, PutReply), RequestError> {
        self.only_if(|| true).put(request).await
    }

    /// Deletes; resolves when durable and published.
    ///
    /// # Errors
    /// See [`RequestError`]; the store is then as it was.
    pub async fn delete_range(&self, request: DeleteRangeRequest) -> Result<(i64, DeleteRangeReply), RequestError> {
        self.only_if(|| true).delete_range(request).await
    }

    /// Runs a transaction; resolves when what it wrote, and what it read, is durable and published. Limits on the
    /// number of operations and duplicate keys are the caller's check.
    ///
    /// # Errors
    /// See [`RequestError`]; the store is then as it was.
    pub async fn txn(&self, request: TxnRequest) -> Result<(i64, TxnReply), RequestError> {
        self.only_if(|| true).txn(request).await
    }

    /// Compacts at `revision`. Returns the store's revision once the mark is durable; with `physical`, once the data
    /// is gone from memory too.
    ///
    /// # Errors
    /// Compacted already, or a future revision.
    pub async fn compact(&self, revision: i64, physical: bool) -> Result<i64, RequestError> {
        let change = |commit: &mut Commit<'_>| {
            sequencer::compact(commit, revision)?;
            Ok::<_, RequestError>(commit.revision())
        };
        let (current, ticket) = self.sequencer().commit(true, change)?;
        ticket.await?;
        if physical {
            while !self.0.core.compact_slice()? {
                breathe().await;
            }
        } else if let Some(maintenance) = &lock(&self.0.threads).maintenance {
            maintenance.poke();
        }
        Ok(current)
    }

    /// Grants a lease: (header revision, id, granted TTL in seconds). Id 0 = choose one.
    ///
    /// # Errors
    /// The id is in use, or the TTL is too large.
    pub async fn lease_grant(&self, id: i64, ttl_s: i64) -> Result<(i64, i64, i64), RequestError> {
        self.admit_growth()?;
        if ttl_s > LEASE_TTL_MAX_S {
            return Err(RequestError::LeaseTtlTooLarge);
        }
        let granted_s = ttl_s.max(self.0.core.config.min_lease_ttl_s);
        let now = self.0.core.clock.monotonic();
        let change = |commit: &mut Commit<'_>| {
            let id = if id == 0 { choose_lease_id(commit) } else { id };
            if commit.lease_exists(id) {
                return Err(RequestError::LeaseExists);
            }
            let key = lease::row_key(id);
            commit.table_put(Table::Lease, key.to_vec().into(), lease::row_value(granted_s));
            Ok((commit.revision(), id))
        };
        let start = |evaluator: &mut Evaluator, (_, id): &(i64, i64)| evaluator.deadlines.start(*id, granted_s, now);
        let ((revision, id), ticket) = self.sequencer().commit_and(true, change, start)?;
        ticket.await?;
        Ok((revision, id, granted_s))
    }

    /// Revokes a lease and deletes its keys in one revision; returns the header's revision.
    ///
    /// # Errors
    /// The lease does not exist.
    pub async fn lease_revoke(&self, id: i64) -> Result<i64, RequestError> {
        let (revision, ticket) = self.0.core.revoke(id)?;
        ticket.await?;
        Ok(revision)
    }

    /// Renews a lease and returns its granted TTL in seconds; None if it is unknown or expired.
    pub async fn lease_keep_alive(&self, id: i64) -> Option<i64> {
        let now = self.0.core.clock.monotonic();
        self.sequencer().with(|evaluator| evaluator.deadlines.renew(id, now))
    }

    /// What is left of a lease, and its keys if asked for; None if it is unknown.
    pub fn lease_time_to_live(&self, id: i64, keys: bool) -> Option<LeaseInfo> {
        let state = self.sequencer().publication().load();
        let granted_s = state.row(Table::Lease, &lease::row_key(id)).and_then(|row| lease::granted_s(row.value()))?;
        let now = self.0.core.clock.monotonic();
        let remaining = self.sequencer().with(|evaluator| evaluator.deadlines.remaining(id, now))?;
        let keys = if keys { state.keys_of_lease(id) } else { Vec::new() };
        Some(LeaseInfo { remaining_s: remaining.as_secs() as i64, granted_s, keys })
    }

    /// All lease ids.
    pub fn leases(&self) -> Vec<i64> {
        leases(&self.sequencer().publication().load()).into_iter().map(|(id, _)| id).collect()
    }

    /// Starts a watcher on the published state. The range may be empty or reversed; it then sees nothing.
    pub fn watch(&self, request: WatchRequest) -> Watcher {
        Watcher::new(self.sequencer().publication().clone(), request)
    }

    /// The published revision as a channel that changes at most once a batch. Also changes when only the compact
    /// revision or a table did.
    pub fn published(&self) -> tokio::sync::watch::Receiver<i64> {
        self.sequencer().publication().subscribe()
    }

    /// Bytes and keys.
    pub fn size(&self) -> Sizes {
        let state = self.sequencer().publication().load();
        Sizes { total_bytes: self.0.core.cleaner.file_bytes(), in_use_bytes: state.bytes, keys: state.by_key.weight() }
    }

    /// What the value cache did so far.
    pub fn value_cache_stats(&self) -> ValueCacheStats {
        self.sequencer().publication().load().values.cache().stats()
    }

    /// Why the disk does not let the store grow, if so: it refuses the log's next segment, or is nearly full. Puts, grants
    /// of leases and remote entries are refused meanwhile ([`RequestError::NoSpace`]); raise an alarm.
    pub fn space_error(&self) -> Option<String> {
        self.sequencer().with(|evaluator| evaluator.space_error())
    }

    /// Whether what grows the store may be written.
    pub(crate) fn admit_growth(&self) -> Result<(), RequestError> {
        if !self.0.core.is_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.space_error().map_or(Ok(()), |reason| Err(RequestError::NoSpace(reason)))
    }

    /// What the scrub did so far.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.0.scrub.status()
    }

    /// Reads and checks every closed segment, at once and whatever the configured rate is. Blocks. What is damaged is logged
    /// and counted in what comes back.
    pub fn scrub(&self) -> ScrubStatus {
        self.0.scrub.pass(&|| self.sequencer().publication().load());
        self.0.scrub.status()
    }

    /// What the store was opened with.
    pub fn config(&self) -> &Config {
        &self.0.core.config
    }

    /// The store's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.core.clock
    }

    /// The sequencer's door for table writes and remote changes: `f` runs under the lock. The emit seam does not see
    /// what it changes. Err, from `f` or from the sequencer, means that nothing happened.
    ///
    /// # Errors
    /// What `f` returns; [`RequestError::Stopped`] and [`RequestError::TooManyRequests`] from the sequencer.
    pub fn commit<R, E: From<RequestError>>(
        &self,
        f: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
    ) -> Result<(R, Ticket), E> {
        self.sequencer().commit(false, f)
    }

    /// Revokes leases whose time is over; returns how many. The expiry thread calls it.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub fn expire_leases(&self) -> Result<usize, RequestError> {
        self.0.core.expire_leases()
    }

    /// One round of physical compaction, checkpoint and cleaning. The maintenance thread does the same when it is due.
    /// Blocks.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub fn maintain(&self) -> Result<(), RequestError> {
        self.0.core.maintain(true, &|| false)
    }

    pub(crate) fn sequencer(&self) -> &Sequencer {
        &self.0.core.sequencer
    }
}

impl Inner {
    fn close(&self) {
        let mut threads = lock(&self.threads);
        threads.maintenance = None;
        for (pulse, _) in &threads.paced {
            pulse.stop();
        }
        for (_, thread) in threads.paced.drain(..) {
            // A thread that panicked has said so; closing goes on.
            let _ = thread.join();
        }
        let Some(writer) = threads.writer.take() else { return };
        // A checkpoint; cleaning can wait for the next start.
        if let Err(error) = self.core.maintain(true, &|| true) {
            tracing::warn!(%error, "no checkpoint at the end; the next start reads more of the commit log");
        }
        self.core.sequencer.close();
        let _ = writer.join();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn log_options(config: &Config, prepare_ahead: bool) -> Options {
    let log_id = Uuid::new_v4().as_u64_pair().0;
    Options { segment_bytes: config.segment_bytes, fsync: config.fsync, prepare_ahead, log_id }
}

/// A random positive 63-bit id that is not in use.
fn choose_lease_id(commit: &Commit<'_>) -> i64 {
    loop {
        let id = (Uuid::new_v4().as_u64_pair().0 >> 1) as i64;
        if id != 0 && !commit.lease_exists(id) {
            return id;
        }
    }
}

/// Lets other tasks of this runtime run.
async fn breathe() {
    let mut rested = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut rested, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, OpenError> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|source| OpenError::Thread { name, source })
}

/// The thread that reads what is written no more.
fn scrubbing(core: Arc<Core>, scrub: Arc<Scrub>) -> Result<(Arc<Pulse>, thread::JoinHandle<()>), OpenError> {
    paced("scrub", Duration::from_millis(SCRUB_INTERVAL_MS), move |pulse| {
        scrub.beat(&|| core.sequencer.publication().load(), &|| pulse.is_stopped());
        true
    })
}

/// A thread that runs at a pace until it is stopped or has nothing to do any more.
fn paced(
    name: &'static str,
    interval: Duration,
    mut run: impl FnMut(&Pulse) -> bool + Send + 'static,
) -> Result<(Arc<Pulse>, thread::JoinHandle<()>), OpenError> {
    let pulse = Arc::new(Pulse::default());
    let beat = pulse.clone();
    let thread = spawn(name, move || while beat.next(interval) && run(&beat) {})?;
    Ok((pulse, thread))
}

//! One watch stream: a single task answers the client's requests and pulls events for all its watchers, so what belongs
//! together (`created` before events, the parts of one response, events before the progress that covers them) leaves in order.

use super::{
    fragment,
    watched::{Progress, Watched, stream_progress},
};
use crate::etcd::{
    auth::{Credentials, Operation},
    context::Context,
    convert,
    status::{self, EtcdError},
    wire::{
        WatchCreateRequest, WatchRequest, WatchResponse, watch_create_request::FilterType, watch_request::RequestUnion,
    },
};
use archipel_store::watch::{WatchRequest as StoreWatch, WatchStep};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval_at},
};
use tonic::{Status, Streaming};

/// Encoded events that are taken from the history at once; a single revision may be larger.
const POLL_BYTES: usize = 1 << 20;
/// What etcd adds to the largest request for the size of a part (server/etcdserver/api/v3rpc/watch.go).
const FRAGMENT_OVERHEAD_BYTES: usize = 512 * 1024;
/// Ids of ended watches that a stream remembers; of more, the smallest are free again.
const COMPACTED_IDS_MAX: usize = 1024;
/// Id of a refused watch, and of a progress notification for the whole stream.
const NO_WATCH_ID: i64 = -1;

/// The client went away, or the process stops: the task ends.
struct Gone;

/// A stream's state. Owned by its task.
#[derive(Debug)]
pub(super) struct Session {
    context: Context,
    /// Who opened the stream; each watch is permitted on its own, when it is created.
    credentials: Credentials,
    output: mpsc::Sender<Result<WatchResponse, Status>>,
    watchers: BTreeMap<i64, Watched>,
    next_id: i64,
    /// Ids of watches that a compaction ended and that the client has not cancelled yet. etcd keeps such an id taken, and
    /// answers its cancel.
    compacted: BTreeSet<i64>,
    /// The client asked for progress, and not every watcher was synced yet.
    progress_wanted: bool,
}

impl Session {
    pub(super) fn new(
        context: Context,
        credentials: Credentials,
        output: mpsc::Sender<Result<WatchResponse, Status>>,
    ) -> Session {
        Session {
            context,
            credentials,
            output,
            watchers: BTreeMap::new(),
            next_id: 0,
            compacted: BTreeSet::new(),
            progress_wanted: false,
        }
    }

    /// Serves the stream until it ends.
    pub(super) async fn run(mut self, mut requests: Streaming<WatchRequest>) {
        let mut published = self.context.store.published();
        let stop = self.context.stop.clone();
        let mut ticks = progress_ticks(self.context.progress_notify);
        loop {
            // Marked before looking: what is published while we look wakes us again.
            published.mark_unchanged();
            let Ok(more) = self.deliver().await else { break };
            let publish = async {
                if more {
                    tokio::task::yield_now().await;
                    Ok(())
                } else {
                    published.changed().await
                }
            };
            let outcome = tokio::select! {
                biased;
                () = stop.cancelled() => self.refuse(EtcdError::Stopped.into()).await,
                request = requests.message() => match request {
                    Ok(Some(request)) => self.answer(request).await,
                    // The client closed its half, or the connection is gone: all watches end.
                    Ok(None) | Err(_) => Err(Gone),
                },
                _ = ticks.tick() => self.notify_idle().await,
                store = publish => match store {
                    Ok(()) => Ok(()),
                    Err(_) => self.refuse(EtcdError::Stopped.into()).await,
                },
            };
            if outcome.is_err() {
                break;
            }
        }
        self.context.metrics.watchers.sub(i64::try_from(self.watchers.len()).unwrap_or(0));
    }

    /// One step of every watcher; says whether any of them has more to send.
    async fn deliver(&mut self) -> Result<bool, Gone> {
        let mut more = false;
        let ids: Vec<i64> = self.watchers.keys().copied().collect();
        for id in ids {
            let Some(watched) = self.watchers.get_mut(&id) else { continue };
            match watched.watcher.poll_events(POLL_BYTES) {
                WatchStep::Synced { revision } => watched.synced = Some(revision),
                WatchStep::Events { revision, events } => {
                    watched.synced = None;
                    watched.idle = false;
                    more = true;
                    let in_parts = watched.fragment;
                    let response = WatchResponse {
                        header: Some(self.context.header(revision)),
                        watch_id: id,
                        events: events.into_iter().map(convert::event).collect(),
                        ..WatchResponse::default()
                    };
                    self.send_events(response, in_parts).await?;
                }
                WatchStep::Unreadable(error) => {
                    self.remove(id);
                    self.send(WatchResponse {
                        header: Some(self.context.header_now()),
                        watch_id: id,
                        canceled: true,
                        cancel_reason: status::from_store(error).message().to_owned(),
                        ..WatchResponse::default()
                    })
                    .await?;
                }
                WatchStep::Compacted { compact_revision } => {
                    self.remove(id);
                    if self.compacted.len() == COMPACTED_IDS_MAX {
                        self.compacted.pop_first();
                    }
                    self.compacted.insert(id);
                    self.send(WatchResponse {
                        header: Some(self.context.header_now()),
                        watch_id: id,
                        canceled: true,
                        compact_revision,
                        ..WatchResponse::default()
                    })
                    .await?;
                }
            }
        }
        if self.progress_wanted {
            self.answer_progress().await?;
        }
        Ok(more)
    }

    async fn answer(&mut self, request: WatchRequest) -> Result<(), Gone> {
        match request.request_union {
            Some(RequestUnion::CreateRequest(create)) => self.create(create).await,
            Some(RequestUnion::CancelRequest(cancel)) => self.cancel(cancel.watch_id).await,
            Some(RequestUnion::ProgressRequest(_)) => {
                // Answered by the next delivery, once every watcher has been looked at.
                self.progress_wanted = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Creates a watcher. The `created` response leaves before any of its events.
    async fn create(&mut self, create: WatchCreateRequest) -> Result<(), Gone> {
        let revision = self.context.store.revision();
        let refusal = self.refusal(&create);
        let id = if refusal.is_some() { NO_WATCH_ID } else { self.take_id(create.watch_id) };
        let response = WatchResponse {
            header: Some(self.context.header(revision)),
            watch_id: id,
            created: true,
            canceled: refusal.is_some(),
            cancel_reason: refusal.unwrap_or_default(),
            ..WatchResponse::default()
        };
        if !response.canceled {
            let watched = self.watch(create, revision);
            self.watchers.insert(id, watched);
            self.context.metrics.watchers.inc();
        }
        self.send(response).await
    }

    /// Why a watch is refused, if it is.
    fn refusal(&self, create: &WatchCreateRequest) -> Option<String> {
        if create.start_revision < 0 {
            return Some(EtcdError::Compacted.row().1.to_owned());
        }
        if let Err(refused) = self.context.auth.authorize_as(&self.credentials, Operation::Watch(create)) {
            return Some(status::watch_refusal(refused));
        }
        let end = create.range_end.as_ref();
        if !end.is_empty() && end != [0] && create.key.as_ref() >= end {
            return Some(status::WATCH_RANGE_EMPTY.to_owned());
        }
        let taken = create.watch_id != 0 && self.is_taken(create.watch_id);
        taken.then(|| status::WATCH_ID_TAKEN.to_owned())
    }

    fn is_taken(&self, id: i64) -> bool {
        self.watchers.contains_key(&id) || self.compacted.contains(&id)
    }

    /// The client's id, or the next free one if it left the choice to us.
    fn take_id(&mut self, wanted: i64) -> i64 {
        if wanted != 0 {
            return wanted;
        }
        while self.is_taken(self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    fn watch(&self, create: WatchCreateRequest, revision: i64) -> Watched {
        let filtered = |kind: FilterType| create.filters.contains(&i32::from(kind));
        let (no_put, no_delete) = (filtered(FilterType::Noput), filtered(FilterType::Nodelete));
        // Started at the revision that the `created` response names, not at a later one.
        let start_revision = if create.start_revision == 0 { revision + 1 } else { create.start_revision };
        let watcher = self.context.store.watch(StoreWatch {
            // An empty key means the first key.
            key: if create.key.is_empty() { Bytes::from_static(&[0]) } else { create.key },
            range_end: create.range_end,
            start_revision,
            no_put,
            no_delete,
            prev_kv: create.prev_kv,
        });
        Watched {
            watcher,
            start_revision: create.start_revision,
            synced: None,
            fragment: create.fragment,
            progress_notify: create.progress_notify,
            idle: true,
        }
    }

    /// Cancels a watch of the client; an unknown id gets no reply.
    async fn cancel(&mut self, id: i64) -> Result<(), Gone> {
        if !self.remove(id) && !self.compacted.remove(&id) {
            return Ok(());
        }
        self.send(WatchResponse {
            header: Some(self.context.header_now()),
            watch_id: id,
            canceled: true,
            ..WatchResponse::default()
        })
        .await
    }

    fn remove(&mut self, id: i64) -> bool {
        let removed = self.watchers.remove(&id).is_some();
        if removed {
            self.context.metrics.watchers.dec();
        }
        removed
    }

    /// Answers a request for progress, unless a watcher is behind: then after it has caught up. All events up to the
    /// revision that is sent have left on this stream.
    async fn answer_progress(&mut self) -> Result<(), Gone> {
        match stream_progress(self.watchers.values().map(Watched::progress)) {
            Progress::Behind => Ok(()),
            Progress::Future => {
                self.progress_wanted = false;
                Ok(())
            }
            Progress::At(revision) => {
                self.progress_wanted = false;
                self.send_progress(NO_WATCH_ID, revision).await
            }
        }
    }

    /// A tick: tells each idle watcher that wants it how far it is. One that had events is left out once.
    async fn notify_idle(&mut self) -> Result<(), Gone> {
        let mut due = Vec::new();
        for (id, watched) in self.watchers.iter_mut().filter(|(_, watched)| watched.progress_notify) {
            if let (true, Progress::At(revision)) = (watched.idle, watched.progress()) {
                due.push((*id, revision));
            }
            watched.idle = true;
        }
        for (id, revision) in due {
            self.send_progress(id, revision).await?;
        }
        Ok(())
    }

    async fn send_progress(&self, watch_id: i64, revision: i64) -> Result<(), Gone> {
        let header = Some(self.context.header(revision));
        self.send(WatchResponse { header, watch_id, ..WatchResponse::default() }).await
    }

    async fn send_events(&self, response: WatchResponse, in_parts: bool) -> Result<(), Gone> {
        if !in_parts {
            return self.send(response).await;
        }
        for part in fragment::parts(response, self.context.limits.max_request_bytes + FRAGMENT_OVERHEAD_BYTES) {
            self.send(part).await?;
        }
        Ok(())
    }

    /// Waits while the client does not take what it was sent.
    async fn send(&self, response: WatchResponse) -> Result<(), Gone> {
        self.output.send(Ok(response)).await.map_err(|_| Gone)
    }

    /// Ends the stream with a status.
    async fn refuse(&self, status: Status) -> Result<(), Gone> {
        // The client may be gone; either way the stream ends.
        let _gone = self.output.send(Err(status)).await;
        Err(Gone)
    }
}

/// etcd spreads the notifications of many streams by up to a tenth of the interval.
fn progress_ticks(every: Duration) -> Interval {
    const SPREAD_STEPS: u64 = 1000;
    let step = u32::try_from(RandomState::new().hash_one(()) % SPREAD_STEPS).unwrap_or(0);
    let period = every + every / 10 * step / SPREAD_STEPS as u32;
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

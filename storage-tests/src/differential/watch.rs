//! One watch stream over a part of the run. What it brings is kept by watch id; how events are spread over responses is left
//! to the server, as long as no revision is split.

use super::{relative::Revisions, reply::Reply, request::WatchAction};
use crate::client::{
    Client, kv,
    wire::{
        Event, WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
        watch_request::RequestUnion,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// A response that is due comes in this time.
const DUE: Duration = Duration::from_secs(20);
/// Progress is asked for again after this time: etcd forgets the request while a watch is behind.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Requests that may wait.
const REQUESTS_MAX: usize = 16;
/// The id of refused watches and of progress.
const NO_ID: i64 = -1;

/// The reply to an action on a stream.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum StreamReply {
    Opened,
    Created {
        watch_id: i64,
        revision: i64,
        refused: Option<String>,
    },
    Cancelled {
        known: bool,
    },
    /// The revision of the notification; none if none is promised.
    Progress(Option<i64>),
    Closed(BTreeMap<i64, Vec<Note>>),
    /// There is no stream in that slot.
    NotOpen,
}

/// Something about one watch id.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Note {
    Created {
        revision: i64,
    },
    Refused {
        reason: String,
    },
    Events(Vec<Event>),
    Canceled {
        compact_revision: i64,
        reason: String,
    },
    /// What no server may do.
    Violation(String),
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    requests: mpsc::Sender<WatchRequest>,
    side: Side,
    notes: BTreeMap<i64, Vec<Note>>,
    /// Watches that live, with their start revision.
    live: BTreeMap<i64, i64>,
    /// Watches that a compaction ended, and whose cancel is not answered yet.
    ending: BTreeSet<i64>,
    progress: i64,
}

/// The receiving side.
#[derive(Debug)]
enum Side {
    Closed { client: Box<Client>, outgoing: mpsc::Receiver<WatchRequest> },
    Open(Box<Streaming<WatchResponse>>),
}

impl Stream {
    /// A stream that opens with its first watch: etcd sends no headers before it has something to say.
    pub(super) fn new(client: Client) -> Stream {
        let (requests, outgoing) = mpsc::channel(REQUESTS_MAX);
        let side = Side::Closed { client: Box::new(client), outgoing };
        Stream { requests, side, notes: BTreeMap::new(), live: BTreeMap::new(), ending: BTreeSet::new(), progress: 0 }
    }

    /// What the server sends; opens the stream if it is not open.
    async fn responses(&mut self) -> Result<&mut Streaming<WatchResponse>, Status> {
        if let Side::Closed { client, outgoing } = &mut self.side {
            let outgoing = std::mem::replace(outgoing, mpsc::channel(1).1);
            let responses = client.watch.watch(ReceiverStream::new(outgoing)).await?.into_inner();
            self.side = Side::Open(Box::new(responses));
        }
        match &mut self.side {
            Side::Open(responses) => Ok(responses),
            Side::Closed { .. } => Err(Status::unavailable("the watch stream could not be opened")),
        }
    }

    /// Any action but Open.
    pub(super) async fn act(&mut self, action: WatchAction, revisions: Revisions) -> Reply {
        let reply = match action {
            WatchAction::Create(create) => self.create(create, revisions).await,
            WatchAction::Cancel(id) => self.cancel(id, revisions).await,
            WatchAction::Progress => self.settle(revisions).await.map(StreamReply::Progress),
            WatchAction::Close => {
                self.settle(revisions).await.map(|_| StreamReply::Closed(std::mem::take(&mut self.notes)))
            }
            WatchAction::Open => Ok(StreamReply::Opened),
        };
        reply.map_or_else(|status| Reply::error(&status), Reply::Watch)
    }

    async fn send(&self, request: RequestUnion) -> Result<(), Status> {
        let request = WatchRequest { request_union: Some(request) };
        self.requests.send(request).await.map_err(|_| Status::unavailable("the stream takes no requests"))
    }

    async fn next(&mut self) -> Result<WatchResponse, Status> {
        let next = timeout(DUE, async { self.responses().await?.message().await }).await;
        let response = next.map_err(|_| Status::deadline_exceeded("a watch response was due"))??;
        response.ok_or_else(|| Status::unavailable("the watch stream ended"))
    }

    async fn create(&mut self, create: WatchCreateRequest, revisions: Revisions) -> Result<StreamReply, Status> {
        let start = create.start_revision;
        self.send(RequestUnion::CreateRequest(create)).await?;
        loop {
            let response = self.next().await?;
            self.take(&response).await?;
            if response.created {
                let watch_id = response.watch_id;
                let revision = response.header.map_or(0, |header| header.revision);
                let refused = response.canceled.then_some(response.cancel_reason);
                if refused.is_none() {
                    self.live.insert(watch_id, start);
                    if start > 0 && start < revisions.compacted {
                        // Its end is on the way; nothing else should meet it half ended.
                        self.settle(revisions).await?;
                    }
                }
                return Ok(StreamReply::Created { watch_id, revision, refused });
            }
        }
    }

    async fn cancel(&mut self, id: i64, revisions: Revisions) -> Result<StreamReply, Status> {
        self.settle(revisions).await?;
        let known = self.live.contains_key(&id);
        self.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: id })).await?;
        while self.live.contains_key(&id) {
            let response = self.next().await?;
            self.take(&response).await?;
        }
        Ok(StreamReply::Cancelled { known })
    }

    /// Waits until everything up to the current revision has come, and returns the revision of the notification that says so.
    pub(super) async fn settle(&mut self, revisions: Revisions) -> Result<Option<i64>, Status> {
        let began = Instant::now();
        loop {
            let promised = self.live.values().all(|start| *start <= revisions.current) && !self.live.is_empty();
            if self.ending.is_empty() && !promised {
                return Ok(None);
            }
            if self.ending.is_empty() && self.progress >= revisions.current {
                return Ok(Some(self.progress));
            }
            self.send(RequestUnion::ProgressRequest(WatchProgressRequest {})).await?;
            let ask_again = Instant::now() + ASK_AGAIN;
            while let Ok(response) = timeout_at(ask_again, self.responses().await?.message()).await {
                let response = response?.ok_or_else(|| Status::unavailable("the watch stream ended"))?;
                self.take(&response).await?;
                if self.ending.is_empty() && self.progress >= revisions.current {
                    break;
                }
            }
            if began.elapsed() > DUE {
                return Err(Status::deadline_exceeded(format!("progress was due; live watches: {:?}", self.live)));
            }
        }
    }

    /// Notes a response.
    async fn take(&mut self, response: &WatchResponse) -> Result<(), Status> {
        let id = response.watch_id;
        let revision = response.header.map_or(0, |header| header.revision);
        let notes = self.notes.entry(id).or_default();
        if response.created && response.canceled {
            notes.push(Note::Refused { reason: response.cancel_reason.clone() });
        } else if response.created {
            notes.push(Note::Created { revision });
        } else if response.canceled {
            let compact_revision = response.compact_revision;
            notes.push(Note::Canceled { compact_revision, reason: response.cancel_reason.clone() });
            if compact_revision == 0 {
                self.live.remove(&id);
                self.ending.remove(&id);
            } else {
                // As the Go client does; the server answers once more.
                self.ending.insert(id);
                self.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id: id })).await?;
            }
        } else if response.events.is_empty() {
            if id == NO_ID {
                self.progress = self.progress.max(revision);
            }
        } else {
            note_events(notes, response, revision);
        }
        Ok(())
    }
}

fn note_events(notes: &mut Vec<Note>, response: &WatchResponse, revision: i64) {
    let at = |event: &Event| kv(&event.kv).mod_revision;
    let (first, last) = (response.events.first().map_or(0, at), response.events.last().map_or(0, at));
    if revision < last {
        notes.push(Note::Violation(format!("header {revision} below the event at {last}")));
    }
    if let Some(Note::Events(before)) = notes.last_mut() {
        if before.last().map_or(0, at) >= first {
            let text = format!("an event at {first} after one at {}", before.last().map_or(0, at));
            notes.push(Note::Violation(text));
        } else {
            before.extend(response.events.iter().cloned());
            return;
        }
    }
    notes.push(Note::Events(response.events.clone()));
}

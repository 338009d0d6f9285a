//! Watches of all kinds, and the one that sees everything and is resumed for ever.

use super::{
    call::{everything, kv},
    recorder::Recorder,
};
use crate::{
    client::{
        Client,
        wire::{
            Event, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse, event::EventType,
            watch_request::RequestUnion,
        },
    },
    differential::Random,
    history::{Change, Read, Response, Watch},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Progress is asked for at this interval, so that notifications meet events.
const ASK_EVERY: Duration = Duration::from_millis(15);
/// After a stream that could not be opened, or that broke.
const AFTER_BREAK: Duration = Duration::from_millis(3);
/// Requests of one stream that may wait.
const REQUESTS_MAX: usize = 8;
/// The watch that sees everything waits for the last revision at the end, at most this long.
const LAST_DUE: Duration = Duration::from_secs(20);

/// Sees every revision, over all breaks.
pub(super) async fn see_everything(mut client: Client, recorder: Arc<Recorder>, stop: CancellationToken) {
    let mut next = 2;
    let mut ends: Option<Instant> = None;
    loop {
        let mut watch = Watch { interval: Read { revision: next, ..everything() }, prev_kv: true, ..Watch::default() };
        let end = if ends.is_some() { Instant::now() + ASK_EVERY } else { Instant::now() + Duration::from_millis(200) };
        // A break shows in what is missing.
        let _broken = follow(&mut client, &mut watch, &recorder, end, true).await;
        next = next.max(watch.end() + 1);
        recorder.watch(watch);
        if stop.is_cancelled() {
            let ends = *ends.get_or_insert_with(|| Instant::now() + LAST_DUE);
            if recorder.watched() >= recorder.revision() || Instant::now() > ends {
                return;
            }
        }
        tokio::time::sleep(AFTER_BREAK).await;
    }
}

/// Opens one watch after the other.
pub(super) async fn watch_around(mut client: Client, recorder: Arc<Recorder>, stop: CancellationToken, seed: u64) {
    let mut random = Random::new(seed);
    while !stop.is_cancelled() {
        let mut watch = any_watch(&mut random, recorder.revision(), recorder.compacted());
        let end = Instant::now() + Duration::from_millis(random.between(20, 700).unsigned_abs());
        let broken = follow(&mut client, &mut watch, &recorder, end, false).await.is_err();
        recorder.watch(watch);
        if broken {
            tokio::time::sleep(AFTER_BREAK).await;
        }
    }
}

fn any_watch(random: &mut Random, revision: i64, compacted: i64) -> Watch {
    let one_key = random.percent(30);
    let interval = match one_key {
        true => Read { key: format!("r/{:02}", random.between(0, 12)), ..Read::default() },
        false => everything(),
    };
    let start = match random.weighted(&[25, 30, 15, 10, 20]) {
        0 => 0,
        1 => (revision - random.between(0, 200)).max(1),
        2 => compacted.max(1),
        3 => (compacted - random.between(1, 20)).max(1),
        _ => revision + random.between(1, 100),
    };
    let filter = random.percent(15);
    let puts = random.percent(50);
    Watch {
        interval: Read { revision: start, ..interval },
        prev_kv: random.percent(60),
        no_put: filter && puts,
        no_delete: filter && !puts,
        ..Watch::default()
    }
}

/// Follows one watch until `end`, the end of the watch, or a break.
async fn follow(
    client: &mut Client,
    watch: &mut Watch,
    recorder: &Recorder,
    end: Instant,
    sees_everything: bool,
) -> Result<(), Status> {
    watch.called_ns = recorder.now_ns();
    let (requests, outgoing) = mpsc::channel(REQUESTS_MAX);
    send(&requests, RequestUnion::CreateRequest(create(watch))).await?;
    let mut stream = client.watch.watch(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut joined: Vec<Event> = Vec::new();
    while Instant::now() < end {
        let ask = (Instant::now() + ASK_EVERY).min(end);
        let Ok(response) = timeout_at(ask, stream.message()).await else {
            send(&requests, RequestUnion::ProgressRequest(WatchProgressRequest {})).await?;
            continue;
        };
        let Some(mut response) = response? else { return Err(Status::unavailable("the stream ended")) };
        joined.append(&mut response.events);
        if response.fragment {
            continue;
        }
        response.events = std::mem::take(&mut joined);
        let canceled = response.canceled;
        watch.responses.push(noted(response));
        if sees_everything {
            recorder.set_watched(watch.end());
        }
        if canceled {
            return Ok(());
        }
    }
    Ok(())
}

async fn send(requests: &mpsc::Sender<WatchRequest>, request: RequestUnion) -> Result<(), Status> {
    let request = WatchRequest { request_union: Some(request) };
    requests.send(request).await.map_err(|_| Status::unavailable("the stream takes no requests"))
}

fn create(watch: &Watch) -> WatchCreateRequest {
    let filters = [(watch.no_put, 0), (watch.no_delete, 1)];
    WatchCreateRequest {
        key: watch.interval.key.clone().into(),
        range_end: watch.interval.end.clone().into(),
        start_revision: watch.interval.revision,
        prev_kv: watch.prev_kv,
        filters: filters.into_iter().filter(|(wanted, _)| *wanted).map(|(_, filter)| filter).collect(),
        progress_notify: true,
        fragment: true,
        ..WatchCreateRequest::default()
    }
}

fn noted(response: WatchResponse) -> Response {
    let revision = response.header.map_or(0, |header| header.revision);
    if response.canceled {
        return Response::Compacted { compact_revision: response.compact_revision };
    }
    if response.created {
        return Response::Created { revision };
    }
    if response.events.is_empty() {
        return Response::Progress { revision };
    }
    let change = |event: &Event| Change {
        delete: event.r#type == i32::from(EventType::Delete),
        kv: kv(&event.kv),
        previous: event.prev_kv.as_ref().map(kv),
    };
    Response::Events { revision, changes: response.events.iter().map(change).collect() }
}

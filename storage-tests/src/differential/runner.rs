//! Steps to one server, in order.

use super::{
    call::Caller,
    relative::Revisions,
    reply::Reply,
    request::{Request, Step, WatchAction},
    watch::{Stream, StreamReply},
};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// One server's side of the run.
#[derive(Debug)]
pub(super) struct Runner {
    caller: Caller,
    revisions: Revisions,
    streams: BTreeMap<usize, Stream>,
}

impl Runner {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub(super) async fn connect(url: &str) -> Result<Runner, tonic::transport::Error> {
        let caller = Caller::connect(url).await?;
        Ok(Runner { caller, revisions: Revisions::EMPTY, streams: BTreeMap::new() })
    }

    /// The replies to a step's requests, in their order.
    pub(super) async fn step(&mut self, mut step: Step) -> Vec<Reply> {
        step.iter_mut().for_each(|request| self.revisions.resolve(request));
        if step.len() > 1 {
            return self.together(step).await;
        }
        let mut replies = Vec::with_capacity(1);
        for request in step {
            let reply = self.alone(request).await;
            replies.push(reply);
        }
        replies
    }

    async fn together(&mut self, step: Step) -> Vec<Reply> {
        let mut calls = JoinSet::new();
        for (index, request) in step.into_iter().enumerate() {
            let caller = self.caller.clone();
            calls.spawn(async move { (index, caller.call(request).await) });
        }
        let mut replies = calls.join_all().await;
        replies.sort_by_key(|(index, _)| *index);
        replies.into_iter().map(|(_, reply)| reply).collect()
    }

    async fn alone(&mut self, request: Request) -> Reply {
        match request {
            Request::Watch { slot, action } => self.watch(slot, action).await,
            Request::Compact(compact) => {
                // What a watch still has to send from below the compaction comes first at both, or at none.
                for stream in self.streams.values_mut() {
                    if let Err(status) = stream.settle(self.revisions).await {
                        return Reply::error(&status);
                    }
                }
                let reply = self.call(Request::Compact(compact)).await;
                if let Reply::Compact(_) = reply {
                    self.revisions.compacted = compact.revision;
                }
                reply
            }
            request => self.call(request).await,
        }
    }

    async fn call(&mut self, request: Request) -> Reply {
        let mut reply = self.caller.clone().call(request).await;
        if let Some(header) = reply.header_mut() {
            self.revisions.current = self.revisions.current.max(header.revision);
        }
        reply
    }

    async fn watch(&mut self, slot: usize, action: WatchAction) -> Reply {
        if action == WatchAction::Open {
            self.streams.insert(slot, Stream::new(self.caller.client.clone()));
            return Reply::Watch(StreamReply::Opened);
        }
        let ends = action == WatchAction::Close;
        let Some(stream) = self.streams.get_mut(&slot) else { return Reply::Watch(StreamReply::NotOpen) };
        let reply = stream.act(action, self.revisions).await;
        if ends {
            self.streams.remove(&slot);
        }
        reply
    }
}

//! Accepts watch streams: one task a stream.

use super::session::Session;
use crate::etcd::{
    auth::Credentials,
    context::Context,
    wire::{WatchRequest, WatchResponse, watch_server::Watch},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Responses that wait for the client on one stream. Beyond it the stream's task waits, and its watchers stay behind in
/// the history at no cost.
const OUTPUT_RESPONSES_MAX: usize = 16;

/// etcdserverpb.Watch.
#[derive(Clone, Debug)]
pub(crate) struct WatchService {
    context: Context,
}

impl WatchService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> WatchService {
        WatchService { context }
    }
}

#[tonic::async_trait]
impl Watch for WatchService {
    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<Streaming<WatchRequest>>) -> Result<Response<Self::WatchStream>, Status> {
        let call = self.context.metrics.calls.watch.start();
        let (output, responses) = mpsc::channel(OUTPUT_RESPONSES_MAX);
        // Ends when the client closes its half, goes away, or the process stops.
        let session = Session::new(self.context.clone(), Credentials::of(&request), output);
        tokio::spawn(session.run(request.into_inner()));
        call.end(Ok(Response::new(ReceiverStream::new(responses))))
    }
}

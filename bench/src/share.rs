//! How long a write of a shared object takes to the other site, and what it costs on the wire: two sites on this machine,
//! the link through a proxy that counts, one field of one Deployment rewritten, one write after the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use archipel::demo::kubernetes::{Process, free_port};
use archipel::demo::proxy::Proxy;
use archipel::etcd::wire::{
    PutRequest, RangeRequest, WatchCreateRequest, WatchRequest, kv_client::KvClient, watch_client::WatchClient,
    watch_request::RequestUnion,
};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::server::{Folder, Found};

type Failure = Box<dyn std::error::Error>;

/// How long a site, or the first copy, may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Events of the watch that may wait to be looked at; there is one a write.
const EVENTS: usize = 16;
const NAMESPACE_KEY: &str = "/registry/namespaces/team-a";
const KEY: &str = "/registry/deployments/team-a/web";

/// What was measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the reply at the writing site to the event at the other, in microseconds.
    latency_us: Histogram<u64>,
    /// Bytes on the wire in both directions, TLS and acknowledgements included.
    wire_bytes: u64,
    /// Bytes of one object as it is written.
    object_bytes: usize,
}

impl Outcome {
    pub(crate) fn json(&self) -> Value {
        let at = |quantile| self.latency_us.value_at_quantile(quantile);
        json!({
            "writes": self.latency_us.len(),
            "reply_to_event_us": { "p50": at(0.5), "p99": at(0.99), "max": self.latency_us.max() },
            "wire_bytes_per_write": self.wire_bytes / self.latency_us.len().max(1),
            "object_bytes": self.object_bytes,
        })
    }

    pub(crate) fn text(&self) -> String {
        let at = |quantile| self.latency_us.value_at_quantile(quantile);
        format!(
            "{} writes of one field of a Deployment of {} bytes\n\
             from the reply at nantes to the watch event at rennes: p50 {} µs, p99 {} µs, max {} µs\n\
             on the wire, both directions, TLS and acknowledgements included: {} bytes a write",
            self.latency_us.len(),
            self.object_bytes,
            at(0.5),
            at(0.99),
            self.latency_us.max(),
            self.wire_bytes / self.latency_us.len().max(1)
        )
    }
}

/// Runs it.
///
/// # Errors
/// A site does not start, a verb fails, or an event does not come.
pub(crate) fn measure(program: &Found, parent: &Path, writes: usize) -> Result<Outcome, Failure> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let folder = Folder::new(parent)?;
        let nantes_link = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let wire = Proxy::open(nantes_link).await?;
        let nantes = Site::start(program, &folder, "nantes", nantes_link, &wire.address().to_string()).await?;
        let rennes_link = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let rennes = Site::start(program, &folder, "rennes", rennes_link, "none").await?;
        share(&nantes, &rennes).await?;
        write_and_watch(&nantes, &rennes, &wire, writes).await
    })
}

/// A running site.
#[derive(Debug)]
struct Site {
    _process: Process,
    program: std::path::PathBuf,
    data: std::path::PathBuf,
    channel: Channel,
}

impl Site {
    async fn start(
        program: &Found,
        folder: &Folder,
        name: &str,
        link: SocketAddr,
        advertise: &str,
    ) -> Result<Site, Failure> {
        let (data, url) = (folder.path().join(name), format!("http://127.0.0.1:{}", free_port()?));
        let mut command = Command::new(&program.path);
        command.args(["--name", name, "--log-level", "warn"]).arg("--data-dir").arg(&data);
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args([&format!("--link-listen-url=https://{link}"), &format!("--link-advertise-address={advertise}")]);
        let process = Process::start(name, command, &folder.path().join(format!("{name}.log")))?;
        let began = Instant::now();
        let channel = loop {
            match Channel::from_shared(url.clone())?.tcp_nodelay(true).connect().await {
                Ok(channel) => break channel,
                Err(error) if began.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => process.check()?,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        };
        Ok(Site { _process: process, program: program.path.clone(), data, channel })
    }

    /// Runs a verb of the command line and returns what it prints.
    fn verb(&self, words: &[&str]) -> Result<String, Failure> {
        let output = Command::new(&self.program).args(words).arg("--data-dir").arg(&self.data).output()?;
        if !output.status.success() {
            return Err(format!("archipel {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    async fn put(&self, key: &'static str, object: &Value) -> Result<(), Failure> {
        let value = object.to_string().into_bytes().into();
        let request = PutRequest { key: key.into(), value, ..PutRequest::default() };
        KvClient::new(self.channel.clone()).put(request).await?;
        Ok(())
    }

    async fn has(&self, key: &'static str) -> Result<bool, Failure> {
        let request = RangeRequest { key: key.into(), ..RangeRequest::default() };
        Ok(KvClient::new(self.channel.clone()).range(request).await?.into_inner().count > 0)
    }
}

async fn share(nantes: &Site, rennes: &Site) -> Result<(), Failure> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team-a", "uid": "namespace" },
        "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
    });
    nantes.put(NAMESPACE_KEY, &namespace).await?;
    nantes.put(KEY, &deployment(0)).await?;
    let token = nantes.verb(&["peer", "invite"])?;
    rennes.verb(&["peer", "accept", token.trim()])?;
    nantes.verb(&["share", "attach", "-n", "team-a", "--with", "rennes"])?;
    rennes.verb(&["share", "accept", "-n", "team-a", "--from", "nantes"])?;
    let began = Instant::now();
    while !rennes.has(KEY).await? {
        if began.elapsed() > PATIENCE {
            return Err("the share's first copy does not arrive".into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn write_and_watch(nantes: &Site, rennes: &Site, wire: &Proxy, writes: usize) -> Result<Outcome, Failure> {
    let (seen, mut events) = mpsc::channel(EVENTS);
    let create = WatchCreateRequest { key: KEY.into(), ..WatchCreateRequest::default() };
    let (requests, queue) = mpsc::channel(1);
    requests.send(WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }).await?;
    let mut client = WatchClient::new(rennes.channel.clone());
    let mut stream = client.watch(ReceiverStream::new(queue)).await?.into_inner();
    stream.message().await?.filter(|created| created.created).ok_or("the watch was not created")?;
    tokio::spawn(async move {
        while let Ok(Some(response)) = stream.message().await {
            for _ in &response.events {
                if seen.send(Instant::now()).await.is_err() {
                    return;
                }
            }
        }
    });
    let before = wire.bytes().total();
    let mut latency_us = Histogram::new(3)?;
    for image in 1..=writes {
        nantes.put(KEY, &deployment(image)).await?;
        let replied = Instant::now();
        let event = tokio::time::timeout(PATIENCE, events.recv()).await?.ok_or("the watch ended")?;
        latency_us.record(u64::try_from(event.saturating_duration_since(replied).as_micros())?)?;
    }
    let wire_bytes = wire.bytes().total() - before;
    Ok(Outcome { latency_us, wire_bytes, object_bytes: deployment(0).to_string().len() })
}

fn deployment(image: usize) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "team-a", "uid": "deployment", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "app": "web" },
        },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{
                    "name": "web", "image": format!("registry.example/web:{image}"),
                    "env": [{ "name": "LOG_LEVEL", "value": "info" }],
                    "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
                }] },
            },
        },
    })
}

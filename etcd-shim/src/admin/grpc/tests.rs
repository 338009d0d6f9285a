//! The admin API over its socket, with shares in memory.

use super::proto::peers_client::PeersClient;
use super::proto::shares_client::SharesClient;
use super::proto::site_client::SiteClient;
use super::proto::{
    AcceptRequest, AcceptShareRequest, AttachRequest, DetachRequest, InviteRequest, RevokeRequest, StatusRequest,
};
use super::*;
use crate::link::replica::Later;
use crate::link::tests::TestSite;
use crate::share::{ConflictView, Facts, Refused, ShareView, Shares};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;
use uuid::Uuid;

/// Shares that only remember what was asked.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<ShareView>>);

impl Shares for Asked {
    fn facts(&self) -> Facts {
        Facts { revision: 7, ..Facts::default() }
    }

    fn shares(&self) -> Vec<ShareView> {
        self.0.lock().unwrap().clone()
    }

    fn conflicts(&self, _: Option<&str>) -> Vec<ConflictView> {
        Vec::new()
    }

    fn attach<'a>(&'a self, namespace: &'a str, peer: Uuid, peer_name: &'a str) -> Later<'a, Result<(), Refused>> {
        let share = ShareView {
            namespace: namespace.into(),
            peer,
            peer_name: peer_name.into(),
            state: "proposed",
            ..ShareView::default()
        };
        self.0.lock().unwrap().push(share);
        Box::pin(async { Ok(()) })
    }

    fn accept<'a>(&'a self, namespace: &'a str, _: &'a str, _: bool) -> Later<'a, Result<(), Refused>> {
        let text = format!("{namespace} was not offered");
        Box::pin(async { Err(Refused::NotInvited(text)) })
    }

    fn detach<'a>(&'a self, namespace: &'a str) -> Later<'a, Result<(), Refused>> {
        self.0.lock().unwrap().retain(|share| share.namespace != namespace);
        Box::pin(async { Ok(()) })
    }
}

async fn served(site: &TestSite) -> Channel {
    let path = socket_path(site.dir.path(), None).unwrap();
    let admin = Admin {
        links: site.running.links.clone(),
        listening: site.running.listening,
        shares: Arc::new(Asked::default()),
        store: None,
    };
    serve(admin, &path, CancellationToken::new()).unwrap();
    connect(&path).await.unwrap()
}

#[tokio::test]
async fn two_sites_pair_and_ask_for_a_share_through_their_sockets() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let rennes = TestSite::start("rennes", 2, Some("none")).await;
    let (at_nantes, at_rennes) = (served(&nantes).await, served(&rennes).await);

    let invite = InviteRequest { ttl_seconds: 60, link_address: String::new() };
    let token = PeersClient::new(at_nantes.clone()).invite(invite).await.unwrap().into_inner().token;
    let accept = AcceptRequest { token, link_address: String::new() };
    let peer = PeersClient::new(at_rennes.clone()).accept(accept).await.unwrap().into_inner();
    assert_eq!(peer.name, "nantes");

    let attach = AttachRequest { namespace: "team-a".into(), with: "rennes".into() };
    let share = SharesClient::new(at_nantes.clone()).attach(attach).await.unwrap().into_inner();
    assert_eq!((share.state.as_str(), share.with.as_str()), ("proposed", "rennes"));

    let status = SiteClient::new(at_nantes.clone()).status(StatusRequest {}).await.unwrap().into_inner();
    let site = status.site.unwrap();
    assert_eq!((site.name.as_str(), site.revision), ("nantes", 7));
    assert_eq!((status.peer.len(), status.share.len()), (1, 1));

    let revoke = RevokeRequest { name: "rennes".into() };
    let reply = PeersClient::new(at_nantes.clone()).revoke(revoke).await.unwrap().into_inner();
    assert_eq!(reply.namespace_still_shared, ["team-a"]);
    let detach = DetachRequest { namespace: "team-a".into() };
    assert_eq!(SharesClient::new(at_nantes).detach(detach).await.unwrap().into_inner().state, "detached");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let channel = served(&nantes).await;
    let mut shares = SharesClient::new(channel.clone());
    let attach = |namespace: &str, with: &str| AttachRequest { namespace: namespace.into(), with: with.into() };

    let error = shares.attach(attach("team-a", "rennes")).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("archipel peer list"), "{}", error.message());
    let error = shares.attach(attach("Team A", "rennes")).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    let error = shares.detach(DetachRequest { namespace: "team-a".into() }).await.unwrap_err();
    assert!(error.message().contains("archipel share list"), "{}", error.message());
    let accept = AcceptShareRequest { namespace: "team-a".into(), from: "rennes".into(), merge: "both".into() };
    let error = shares.accept(accept).await.unwrap_err();
    assert!(error.message().contains("earliest"), "{}", error.message());
    let token = AcceptRequest { token: "x".into(), link_address: String::new() };
    let error = PeersClient::new(channel).accept(token).await.unwrap_err();
    assert!(error.message().contains("archipel peer invite"), "{}", error.message());
}

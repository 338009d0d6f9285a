//! What a request brings to say who sends it.

use std::{fmt, sync::Arc};
use tonic::{
    Request,
    metadata::{Ascii, MetadataMap, MetadataValue},
};

/// Metadata keys of a token, the first one that is there counts (etcd: api/v3rpc/rpctypes/metadatafields.go).
const TOKEN_KEYS: [&str; 2] = ["token", "authorization"];
/// What may stand before the token.
const BEARER: &str = "Bearer ";
/// Requests that came through a gateway carry it. The certificate of their connection is the gateway's.
const GATEWAY_KEY: &str = "grpcgateway-accept";

/// The client certificate of a connection. The TLS listener puts it into the extensions of every request of the
/// connection, and only when client certificates are demanded (`--client-cert-auth`) and this one was verified: its
/// common name then is a user's name. A request that comes through the JSON gateway must not carry it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerCertificate {
    /// The subject's common name; may be empty.
    pub common_name: Arc<str>,
}

/// A token, a certificate, both or nothing. Not checked yet; a stream keeps it as long as it lives.
#[derive(Clone, Default)]
pub struct Credentials {
    token: Option<MetadataValue<Ascii>>,
    peer: Option<PeerCertificate>,
}

impl Credentials {
    /// What this request brings.
    #[must_use]
    pub fn of<T>(request: &Request<T>) -> Credentials {
        let metadata = request.metadata();
        let peer = request.extensions().get::<PeerCertificate>().filter(|_| !through_gateway(metadata));
        Credentials { token: TOKEN_KEYS.iter().find_map(|key| metadata.get(*key)).cloned(), peer: peer.cloned() }
    }

    /// The token. Some("") if what was sent is no text.
    pub(super) fn token(&self) -> Option<&str> {
        let text = self.token.as_ref()?.to_str().unwrap_or("");
        Some(text.strip_prefix(BEARER).unwrap_or(text))
    }

    /// The name in the certificate.
    pub(super) fn common_name(&self) -> Option<&Arc<str>> {
        self.peer.as_ref().map(|peer| &peer.common_name)
    }
}

/// A secret is not for logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("token", &self.token.is_some()).field("peer", &self.peer).finish()
    }
}

fn through_gateway(metadata: &MetadataMap) -> bool {
    metadata.contains_key(GATEWAY_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(metadata: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::new(());
        for (key, value) in metadata {
            request.metadata_mut().insert(*key, value.parse().unwrap());
        }
        request.extensions_mut().insert(PeerCertificate { common_name: "eve".into() });
        request
    }

    #[test]
    fn the_token_comes_before_the_authorization() {
        let credentials = Credentials::of(&request(&[("authorization", "Bearer b.2"), ("token", "a.1")]));
        assert_eq!(credentials.token(), Some("a.1"));
        let credentials = Credentials::of(&request(&[("authorization", "Bearer b.2")]));
        assert_eq!(credentials.token(), Some("b.2"));
        assert_eq!(Credentials::of(&request(&[])).token(), None);
        assert!(!format!("{credentials:?}").contains("b.2"));
    }

    #[test]
    fn a_gateways_certificate_names_nobody() {
        assert_eq!(Credentials::of(&request(&[])).common_name().map(|name| name.as_ref()), Some("eve"));
        let through = request(&[("grpcgateway-accept", "*/*")]);
        assert_eq!(Credentials::of(&through).common_name(), None);
    }
}

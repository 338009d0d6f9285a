//! Where links are accepted.

use super::ConfigError;
use std::net::{Ipv4Addr, SocketAddr};

/// The port of links, next to etcd's 2379 and 2380.
const DEFAULT_PORT: u16 = 2382;
/// As an address: no listener.
const NONE: &str = "none";

/// The link listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkListen {
    /// None: this site dials its peers.
    Nowhere,
    /// Nobody said: this one if it is free. A binary that stands in for etcd must start next to another one.
    IfFree(SocketAddr),
    /// This one.
    At(SocketAddr),
}

impl LinkListen {
    /// From its flag.
    ///
    /// # Errors
    /// It is no https URL with an IP address and a port.
    pub(super) fn parse(flag: Option<&str>) -> Result<Self, ConfigError> {
        let Some(text) = flag else {
            return Ok(Self::IfFree(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))));
        };
        if text.is_empty() || text == NONE {
            return Ok(Self::Nowhere);
        }
        let refused = || ConfigError::LinkListen(text.to_owned());
        let address = text.strip_prefix("https://").ok_or_else(refused)?.trim_end_matches('/');
        let address = address.replace("localhost:", "127.0.0.1:");
        address.parse().map(Self::At).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_https_and_default_to_a_free_loopback_port() {
        assert!(matches!(LinkListen::parse(None), Ok(LinkListen::IfFree(address)) if address.port() == DEFAULT_PORT));
        assert_eq!(LinkListen::parse(Some("none")), Ok(LinkListen::Nowhere));
        for good in ["https://127.0.0.1:1", "https://[::1]:1/", "https://localhost:1", "https://0.0.0.0:2382"] {
            assert!(matches!(LinkListen::parse(Some(good)), Ok(LinkListen::At(_))), "{good}");
        }
        for bad in ["http://127.0.0.1:1", "127.0.0.1:1", "https://nantes.example:1", "https://127.0.0.1"] {
            assert!(LinkListen::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}

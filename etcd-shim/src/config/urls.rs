//! Addresses to listen on, as etcd writes them.

use std::{fmt, path::PathBuf, str::FromStr};
use thiserror::Error;

/// One address to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListenUrl {
    /// `http://HOST:PORT`: plain TCP. A host name is resolved when it is bound.
    Http(String),
    /// `unix://PATH`: a socket in the file system. etcd also writes `unix://HOST:PORT` and means a file of that name.
    Unix(PathBuf),
}

/// An address that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{url:?} is not an address to listen on: use http://HOST:PORT or unix://PATH")]
pub struct UrlError {
    url: String,
}

impl FromStr for ListenUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<ListenUrl, UrlError> {
        let refused = || UrlError { url: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix://").filter(|path| !path.is_empty()) {
            return Ok(ListenUrl::Unix(PathBuf::from(path)));
        }
        let authority = text.strip_prefix("http://").ok_or_else(refused)?.trim_end_matches('/');
        let (host, port) = authority.rsplit_once(':').ok_or_else(refused)?;
        if port.parse::<u16>().is_err() || host.contains('/') {
            return Err(refused());
        }
        // An empty host means every interface, as in Go.
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        Ok(ListenUrl::Http(format!("{host}:{port}")))
    }
}

impl fmt::Display for ListenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenUrl::Http(authority) => write!(f, "http://{authority}"),
            ListenUrl::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl ListenUrl {
    /// Parses a list separated by commas.
    ///
    /// # Errors
    /// The first address that cannot be used.
    pub fn parse_list(text: &str) -> Result<Vec<ListenUrl>, UrlError> {
        text.split(',').map(str::trim).filter(|url| !url.is_empty()).map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_and_lists() {
        let urls = ListenUrl::parse_list("http://127.0.0.1:2379,unix:///run/a.sock, http://[::1]:1").unwrap();
        assert_eq!(
            urls,
            [
                ListenUrl::Http("127.0.0.1:2379".into()),
                ListenUrl::Unix("/run/a.sock".into()),
                ListenUrl::Http("[::1]:1".into())
            ]
        );
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        for url in ["https://127.0.0.1:1", "127.0.0.1:1", "http://127.0.0.1", "http://a:b", "unix://"] {
            assert!(ListenUrl::parse_list(url).is_err(), "{url}");
        }
    }
}

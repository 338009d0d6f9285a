//! Addresses, as etcd writes them (client/pkg/types/urls.go, server/embed/config.go).

use std::{fmt, net::IpAddr, path::PathBuf};
use thiserror::Error;

/// One address to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenUrl {
    /// `https` or `unixs`.
    pub secure: bool,
    /// Where.
    pub address: Address,
}

/// Where a listener listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Address {
    /// `localhost`: loopback of both families.
    Localhost(u16),
    /// An interface.
    Tcp(IpAddr, u16),
    /// A socket file. etcd also writes `unix://HOST:PORT` and means a file of that name in the working directory.
    Unix(PathBuf),
}

/// An address that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Its scheme.
    #[error("URL scheme must be http, https, unix, or unixs: {0}")]
    Scheme(String),
    /// Its host and port.
    #[error("URL address does not have the form \"host:port\": {0}")]
    HostPort(String),
    /// Its path.
    #[error("URL must not contain a path: {0}")]
    Path(String),
    /// A host name where an interface is wanted.
    #[error("expected IP in URL for binding ({0})")]
    Bind(String),
    /// No host where others are told to dial.
    #[error("unexpected empty host ({0})")]
    EmptyHost(String),
}

/// A URL in its parts.
struct Parts<'a> {
    secure: bool,
    /// None: a socket file.
    host_port: Option<(&'a str, u16)>,
    path: &'a str,
}

fn split(url: &str) -> Result<Parts<'_>, UrlError> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| UrlError::Scheme(url.to_owned()))?;
    let refused = || UrlError::HostPort(url.to_owned());
    match scheme {
        "unix" | "unixs" if rest.is_empty() => Err(refused()),
        "unix" | "unixs" => Ok(Parts { secure: scheme == "unixs", host_port: None, path: rest }),
        "http" | "https" => {
            if rest.contains(['/', '?', '#']) {
                return Err(UrlError::Path(url.to_owned()));
            }
            let (host, port) = rest.rsplit_once(':').ok_or_else(refused)?;
            let port = port.parse().map_err(|_| refused())?;
            let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            if bracketed.is_none() && host.contains(':') {
                return Err(refused());
            }
            let host = bracketed.unwrap_or(host);
            Ok(Parts { secure: scheme == "https", host_port: Some((host, port)), path: "" })
        }
        _ => Err(UrlError::Scheme(url.to_owned())),
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|url| !url.is_empty())
}

/// Checks the form of a list of URLs.
///
/// # Errors
/// The first that is none.
pub(super) fn check_list(list: &str) -> Result<(), UrlError> {
    items(list).try_for_each(|url| split(url).map(drop))
}

/// A list of URLs that others are told to dial: sorted, each once, as etcd lists them.
///
/// # Errors
/// The first that cannot be dialled.
pub(super) fn dialled(list: &str) -> Result<Vec<String>, UrlError> {
    let mut urls = Vec::new();
    for url in items(list) {
        if matches!(split(url)?.host_port, Some(("", _))) {
            return Err(UrlError::EmptyHost(url.to_owned()));
        }
        urls.push(url.to_owned());
    }
    urls.sort_unstable();
    urls.dedup();
    Ok(urls)
}

impl ListenUrl {
    /// Parses a list separated by commas; what comes twice is taken once.
    ///
    /// # Errors
    /// The first address that cannot be listened on.
    pub fn parse_list(list: &str) -> Result<Vec<ListenUrl>, UrlError> {
        let mut urls = Vec::new();
        for text in items(list) {
            let url = ListenUrl::parse(text)?;
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(urls)
    }

    fn parse(text: &str) -> Result<ListenUrl, UrlError> {
        let parts = split(text)?;
        let address = match parts.host_port {
            None => Address::Unix(PathBuf::from(parts.path)),
            Some(("localhost", port)) => Address::Localhost(port),
            Some((host, port)) => Address::Tcp(host.parse().map_err(|_| UrlError::Bind(text.to_owned()))?, port),
        };
        Ok(ListenUrl { secure: parts.secure, address })
    }
}

impl fmt::Display for ListenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (&self.address, self.secure) {
            (Address::Unix(_), false) => "unix",
            (Address::Unix(_), true) => "unixs",
            (_, false) => "http",
            (_, true) => "https",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Localhost(port) => write!(f, "localhost:{port}"),
            Address::Tcp(IpAddr::V4(ip), port) => write!(f, "{ip}:{port}"),
            Address::Tcp(IpAddr::V6(ip), port) => write!(f, "[{ip}]:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_and_lists() {
        let list =
            "http://127.0.0.1:2379,unix:///run/a.sock, https://[::1]:1,unixs://localhost:20000,http://localhost:0";
        let urls = ListenUrl::parse_list(list).unwrap();
        let shown: Vec<_> = urls.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(","), list.replace(' ', ""));
        assert_eq!(urls.iter().map(|url| url.secure).collect::<Vec<_>>(), [false, false, true, true, false]);
        assert_eq!(urls.get(3).map(|url| &url.address), Some(&Address::Unix("localhost:20000".into())));
        assert_eq!(ListenUrl::parse_list("http://127.0.0.1:1,http://127.0.0.1:1,").unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        for (url, message) in [
            ("ftp://127.0.0.1:1", "scheme"),
            ("127.0.0.1:1", "scheme"),
            ("http://127.0.0.1", "host:port"),
            ("http://127.0.0.1:b", "host:port"),
            ("http://::1:1", "host:port"),
            ("http://127.0.0.1:1/", "path"),
            ("http://nantes.example:1", "expected IP"),
            ("http://:1", "expected IP"),
            ("unix://", "host:port"),
        ] {
            let error = ListenUrl::parse_list(url).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn what_is_dialled_may_be_a_name_and_is_sorted() {
        let urls = dialled("http://b.example:1,http://a.example:1,http://b.example:1,unix://a").unwrap();
        assert_eq!(urls, ["http://a.example:1", "http://b.example:1", "unix://a"]);
        assert!(dialled("http://:1").is_err());
    }
}

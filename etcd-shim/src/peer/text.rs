//! Names and addresses that may come from a peer and go to a terminal.

/// Bytes of a site's name at most.
const NAME_BYTES_MAX: usize = 63;
/// Bytes of an address at most: a DNS name, a colon, a port.
const ADDRESS_BYTES_MAX: usize = 255 + 1 + 5;

/// True if `name` can be a site's name.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(fits)
}

/// True if `address` is `host:port`, the host being a name, an IPv4 address or a bracketed IPv6 address.
pub fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')),
    };
    address.len() <= ADDRESS_BYTES_MAX && host_fits && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_what_a_terminal_can_show() {
        for good in ["nantes", "site-1", "a.b_c"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "\u{1b}[2J", "é", &"x".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
        for good in ["127.0.0.1:2382", "nantes.example.org:1", "[::1]:2382"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "nantes", ":1", "a:0", "a:65536", "::1:2382", "[x]:1", "http://a:1", "a b:1"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}

//! Where a server is, as people write it.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::{fmt, io, vec};

/// A host and a port. A name is looked up whenever the address is used, and all that it stands for
/// is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an IP address, which has no brackets here.
    host: String,
    port: u16,
}

/// Where the server listens and the client connects when nobody says.
impl Default for Address {
    fn default() -> Address {
        Address { host: "127.0.0.1".to_owned(), port: 4000 }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse().ok()?;
            let host = match host.strip_prefix('[') {
                Some(host) => {
                    let host = host.strip_suffix(']')?;
                    without_zone(host).parse::<Ipv6Addr>().ok()?;
                    host
                }
                None if host.is_empty() || host.contains([':', '[', ']', '%']) => return None,
                None => host,
            };
            Some(Address { host: host.to_owned(), port })
        };
        parse().ok_or_else(|| {
            format!("`{text}` is no HOST:PORT, such as localhost:4000 or [::1]:4000")
        })
    }
}

impl ToSocketAddrs for Address {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let ip = without_zone(&self.host);
        let link_local = ip.parse().is_ok_and(|ip: Ipv6Addr| ip.is_unicast_link_local());
        // The system knows the zones of link-local addresses. Others mean the same in all zones.
        (if link_local { &self.host } else { ip }, self.port).to_socket_addrs()
    }
}

fn without_zone(host: &str) -> &str {
    host.split_once('%').map_or(host, |(ip, _)| ip)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> String {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        address.to_socket_addrs().unwrap().next().unwrap().to_string()
    }

    #[test]
    fn names_addresses_and_zones_are_understood() {
        assert_eq!(resolved("127.0.0.1:4000"), "127.0.0.1:4000");
        assert_eq!(resolved("[::1]:1"), "[::1]:1");
        assert_eq!(resolved("[::1%lo]:1"), "[::1]:1");
        assert_eq!(resolved("[fe80::1%lo]:4000"), "[fe80::1%1]:4000");
        assert!(["127.0.0.1:7", "[::1]:7"].contains(&&*resolved("localhost:7")));
        let no_zone: Address = "[fe80::1%nosuch]:4000".parse().unwrap();
        assert!(no_zone.to_socket_addrs().is_err());
        for wrong in [
            "nowhere",
            "localhost",
            "localhost:",
            "127.0.0.1:99999",
            ":1",
            "::1:4000",
            "[::1:4",
            "[a]:1",
        ] {
            assert!(wrong.parse::<Address>().unwrap_err().contains(wrong), "{wrong}");
        }
    }
}

//! Where a server is, as people write it.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::{fmt, io, vec};

/// A host and a port. A name is looked up whenever the address is used, and all that it stands for
/// is tried.
#[derive(Clone, Debug)]
pub(super) struct Address(String);

/// Where the server listens and the client connects when nobody says.
impl Default for Address {
    fn default() -> Address {
        Address("127.0.0.1:4000".to_owned())
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        split(text).ok_or_else(|| {
            format!("`{text}` is no HOST:PORT, such as localhost:4000 or [::1]:4000")
        })?;
        Ok(Address(text.to_owned()))
    }
}

impl ToSocketAddrs for Address {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let (host, port) = split(&self.0).ok_or(io::ErrorKind::InvalidInput)?;
        // The system knows the zones of link-local addresses, which no parser of the standard library takes.
        (host, port).to_socket_addrs()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host, which is a name or an IP address without brackets, and the port.
fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').filter(|host| ip(host).is_some())?,
        None => Some(host).filter(|host| !host.is_empty() && !host.contains([':', ']', '%']))?,
    };
    Some((host, port.parse().ok()?))
}

/// The IPv6 address that a host is, without its zone.
fn ip(host: &str) -> Option<Ipv6Addr> {
    host.split_once('%').map_or(host, |(ip, _)| ip).parse().ok()
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
        assert_eq!(resolved("[fe80::1%lo]:4000"), "[fe80::1%1]:4000");
        assert!(["127.0.0.1:7", "[::1]:7"].contains(&&*resolved("localhost:7")));
        let no_zone: Address = "[fe80::1%nosuch]:4000".parse().unwrap();
        assert!(no_zone.to_socket_addrs().is_err());
        for wrong in ["nowhere", "host:", "host:99999", ":1", "::1:4000", "[::1:4", "[a]:1"] {
            assert!(wrong.parse::<Address>().unwrap_err().contains(wrong), "{wrong}");
        }
    }
}

//! The container's `/etc/hosts`, as Docker writes it. Pure text.

use std::fmt::Write as _;
use std::net::IpAddr;

const STANDARD: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// Returns the text of the container's `/etc/hosts`: the standard names, `extra` (`--add-host`)
/// in its order, then the container's own name, with each of its addresses.
///
/// A name with a domain is listed with and without it. Without an address (`--network none`)
/// the container's name is not listed. With `--network host` use the host's own file instead.
#[must_use]
pub fn hosts_file(hostname: &str, addresses: impl IntoIterator<Item = IpAddr>, extra: &[(String, IpAddr)]) -> String {
    let mut text = STANDARD.to_owned();
    let mut line = |address: IpAddr, names: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        writeln!(text, "{address}\t{names}").unwrap_or_default();
    };
    for (name, address) in extra {
        line(*address, format_args!("{name}"));
    }
    for address in addresses {
        match hostname.split_once('.') {
            Some((short, _)) => line(address, format_args!("{hostname} {short}")),
            None => line(address, format_args!("{hostname}")),
        }
    }
    text
}

#[cfg(test)]
mod tests;

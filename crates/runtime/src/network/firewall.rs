//! What the packet filter must let through and rewrite for one bridge network.
//!
//! One table per network, named like its bridge, made and replaced in one transaction.
//! Other people's tables are only touched where they would drop our packets by default
//! (Docker and ufw set the policy of `ip filter FORWARD` to drop): there two plain accept rules are
//! put in front, in the form that `iptables` itself writes, so that it can still list them.
//!
//! What this file refuses to know: how rules are encoded, and what a container is.

use rustix::io::Errno;

use super::NetworkError;
use super::nftables::{
    Expression, FORWARD, FilterSocket, INPUT, POSTROUTING, Rule, STATE_ESTABLISHED_RELATED, STATE_INVALID,
    STATUS_DESTINATION_NAT, Table,
};
use super::subnet::Subnet;
use super::{iptables, ports};

/// The table and the chains in which iptables keeps the filter that others may have closed.
const IPTABLES_TABLE: &str = "filter";
const IPTABLES_FORWARD: &str = "FORWARD";
/// The chain that Docker leaves to others and never flushes; jumped to first from FORWARD.
const DOCKER_USER: &str = "DOCKER-USER";

/// Makes sure that the rules for this bridge are in place.
///
/// Writes nothing when they are. The caller holds the network's lock if `may_write`; without
/// it, `false` is returned where something is missing.
pub(super) fn ensure(bridge: &str, subnet: Subnet, internal: bool, may_write: bool) -> Result<bool, NetworkError> {
    let unavailable = match ensure_nftables(bridge, subnet, internal, may_write) {
        Ok(false) => return Ok(false),
        Ok(true) => return Ok(iptables::pass_legacy_forward_chain(bridge, may_write)?),
        Err(error) if kernel_lacks_nftables(&error) => error,
        Err(error) => return Err(error),
    };
    iptables::ensure(bridge, subnet, may_write)
        .map_err(|iptables| NetworkError::NoPacketFilter { nftables: Box::new(unavailable), iptables })
}

/// Drops what comes in by `interface` and belongs to no connection, in the namespace of the calling thread.
///
/// Versions of pasta before 2024 send segments without any flag, which TCP ignores (RFC 9293, 3.10.7.4) and conntrack calls invalid: it does
/// not hand them on to the container, and our own TCP, which knows nothing of the connection, would end it by a reset.
pub(super) fn ignore_strays(interface: &str) -> Result<(), NetworkError> {
    let rule = Rule {
        chain: "input",
        comment: "onggi: what belongs to no connection".to_owned(),
        expressions: vec![
            Expression::InputIs(interface.to_owned()),
            Expression::ConnectionState(STATE_INVALID),
            Expression::Drop,
        ],
    };
    let table = Table { name: "onggi-outer".to_owned(), chains: vec![("input", INPUT)], rules: vec![rule] };
    Ok(open()?.replace_table(&table)?)
}

/// Removes this bridge's rules; absent ones are no error.
pub(super) fn remove(bridge: &str) -> Result<(), NetworkError> {
    match remove_nftables(bridge) {
        Err(error) if kernel_lacks_nftables(&error) => Ok(iptables::remove(bridge, true)?),
        Err(error) => Err(error),
        Ok(()) => Ok(iptables::remove(bridge, false)?),
    }
}

fn remove_nftables(bridge: &str) -> Result<(), NetworkError> {
    let mut socket = open()?;
    socket.delete_table(bridge)?;
    if socket.ports(&ports::table_name(bridge))?.is_some() {
        socket.delete_table(&ports::table_name(bridge))?;
    }
    let comment = pass_comment(bridge);
    let mut ours = socket.rules(IPTABLES_TABLE, None)?;
    ours.retain(|rule| rule.comment == comment);
    Ok(socket.delete_rules(IPTABLES_TABLE, &ours)?)
}

fn ensure_nftables(bridge: &str, subnet: Subnet, internal: bool, may_write: bool) -> Result<bool, NetworkError> {
    let mut socket = open()?;
    let wanted = if internal { internal_table(bridge) } else { table(bridge, subnet) };
    let found = socket.rules(bridge, None)?;
    let same = found.len() == wanted.rules.len()
        && found.iter().zip(&wanted.rules).all(|(is, should)| is.comment == should.comment);
    if !same && !may_write {
        return Ok(false);
    }
    if !same {
        socket.replace_table(&wanted)?;
    }
    pass_closed_forward_chain(&mut socket, bridge, may_write)
}

/// nf_tables gives every base chain of a hook its say, and one drop is final: where somebody's
/// FORWARD chain drops by default, an accept of ours elsewhere does not help.
fn pass_closed_forward_chain(socket: &mut FilterSocket, bridge: &str, may_write: bool) -> Result<bool, NetworkError> {
    if socket.drops_by_default(IPTABLES_TABLE, IPTABLES_FORWARD)? != Some(true) {
        return Ok(true);
    }
    let chain = if socket.has_chain(IPTABLES_TABLE, DOCKER_USER)? { DOCKER_USER } else { IPTABLES_FORWARD };
    let wanted = pass_rules(bridge);
    let comment = pass_comment(bridge);
    let mut found = socket.rules(IPTABLES_TABLE, Some(chain))?;
    found.retain(|rule| rule.comment == comment);
    // Two processes with different locks may both have inserted theirs; that does no harm.
    if found.len() >= wanted.len() {
        return Ok(true);
    }
    if may_write {
        socket.delete_rules(IPTABLES_TABLE, &found)?;
        socket.insert_rules(IPTABLES_TABLE, chain, &wanted)?;
    }
    Ok(may_write)
}

/// The rules of one network. Their comments carry all that varies, so that comparing comments
/// tells whether the kernel's table is the wanted one.
fn table(bridge: &str, subnet: Subnet) -> Table {
    let is_in = |expressions| [vec![Expression::OutputIs(bridge.to_owned())], expressions].concat();
    let rule = |chain, comment: String, expressions| Rule { chain, comment, expressions };
    Table {
        name: bridge.to_owned(),
        chains: vec![("forward", FORWARD), ("postrouting", POSTROUTING)],
        rules: vec![
            rule(
                "forward",
                "onggi: answers to containers".to_owned(),
                is_in(vec![Expression::ConnectionState(STATE_ESTABLISHED_RELATED), Expression::Accept]),
            ),
            rule(
                "forward",
                "onggi: published ports".to_owned(),
                is_in(vec![Expression::ConnectionStatus(STATUS_DESTINATION_NAT), Expression::Accept]),
            ),
            rule(
                "forward",
                // Forwarding is on now, so a neighbour could route packets to any container through this host.
                "onggi: nothing else from outside".to_owned(),
                is_in(vec![Expression::InputIsNot(bridge.to_owned()), Expression::Drop]),
            ),
            rule(
                "postrouting",
                format!("onggi: {subnet} leaves with the host's address"),
                vec![Expression::SourceIn(subnet), Expression::OutputIsNot(bridge.to_owned()), Expression::Masquerade],
            ),
        ],
    }
}

/// The rules of a network that leads nowhere. The host itself is reached.
fn internal_table(bridge: &str) -> Table {
    let (enters, leaves) = (Expression::InputIs(bridge.to_owned()), Expression::OutputIs(bridge.to_owned()));
    let (not_from, not_to) = (Expression::InputIsNot(bridge.to_owned()), Expression::OutputIsNot(bridge.to_owned()));
    let drop = |comment: &str, one, other| Rule {
        chain: "forward",
        comment: format!("onggi: {comment}"),
        expressions: vec![one, other, Expression::Drop],
    };
    Table {
        name: bridge.to_owned(),
        chains: vec![("forward", FORWARD)],
        rules: vec![drop("nothing goes out", enters, not_to), drop("nothing comes in", leaves, not_from)],
    }
}

/// `-i BRIDGE -j ACCEPT` and `-o BRIDGE -j ACCEPT`. The second may be this wide because our
/// own table still drops what nobody asked for. Only expressions that iptables knows how to
/// print are used; a native `ct` here would make every later `iptables` command fail.
fn pass_rules(bridge: &str) -> [Rule; 2] {
    let accept = |condition| Rule {
        chain: IPTABLES_FORWARD,
        comment: pass_comment(bridge),
        expressions: vec![condition, Expression::Counter, Expression::Accept],
    };
    [accept(Expression::InputIs(bridge.to_owned())), accept(Expression::OutputIs(bridge.to_owned()))]
}

fn pass_comment(bridge: &str) -> String {
    format!("onggi: {bridge}")
}

pub(super) fn open() -> Result<FilterSocket, NetworkError> {
    FilterSocket::open().map_err(|source| NetworkError::Socket { protocol: "netfilter", source })
}

/// Asks the kernel for the rules of a table that is not there: whether nf_tables can be used, without a trace.
///
/// # Errors
/// When the kernel has no nf_tables, or this process may not ask.
pub fn try_nftables() -> Result<(), NetworkError> {
    Ok(open()?.rules("onggi-doctor", None).map(drop)?)
}

/// Whether the kernel was built without nf_tables, or its modules are not installed.
fn kernel_lacks_nftables(error: &NetworkError) -> bool {
    let errno = match error {
        NetworkError::Socket { source, .. } => *source,
        NetworkError::Kernel(error) => error.source,
        _ => return false,
    };
    matches!(errno, Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOENT)
}

#[cfg(test)]
mod tests;

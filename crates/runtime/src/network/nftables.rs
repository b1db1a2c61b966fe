//! The kernel's packet filter, spoken to directly (linux/netfilter/nf_tables.h): tables,
//! chains and rules of a few expressions, written in one transaction or not at all.
//!
//! No `nft` program is needed. This file knows the encoding; which rules a network wants is
//! `firewall`'s business.

mod port_maps;

use rustix::io::Errno;
use rustix::net::netlink;

pub(super) use port_maps::{ListedPort, PortChange, PortMap, PortRule};

use super::netlink::{Attributes, FLAG_ACK, FLAG_APPEND, FLAG_CREATE, FLAG_DUMP, NetlinkError, Request, Socket, text};

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const DELETE_TABLE: u16 = NEW_TABLE | 2;
const NEW_CHAIN: u16 = NEW_TABLE | 3;
const GET_CHAIN: u16 = NEW_TABLE | 4;
const NEW_RULE: u16 = NEW_TABLE | 6;
const GET_RULE: u16 = NEW_TABLE | 7;
const DELETE_RULE: u16 = NEW_TABLE | 8;

const NESTED: u16 = 0x8000;
const FAMILY_IPV4: u8 = 2;

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;
/// The kind of user data that `nft` and `iptables` print as the rule's comment.
const USERDATA_COMMENT: u8 = 0;

const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const REGISTER_VERDICT: u32 = 0;
const REGISTER_1: u32 = 1;
const VERDICT_DROP: u32 = 0;
const VERDICT_ACCEPT: u32 = 1;

const META_INPUT_NAME: u32 = 6;
const META_OUTPUT_NAME: u32 = 7;
const CONNTRACK_STATE: u32 = 0;
const CONNTRACK_STATUS: u32 = 2;
const PAYLOAD_NETWORK_HEADER: u32 = 1;
const IPV4_SOURCE_OFFSET: u32 = 12;
const IPV4_DESTINATION_OFFSET: u32 = 16;
/// The kind of a local address, linux/rtnetlink.h.
const ROUTE_LOCAL: u32 = 2;

/// Connection states, as bits of the `ct state` register.
pub(super) const STATE_ESTABLISHED_RELATED: u32 = 2 | 4;
/// Packets that belong to no connection and begin none (`NF_CT_STATE_INVALID_BIT`).
pub(super) const STATE_INVALID: u32 = 1;
/// Connection status bit: the destination was rewritten, as for a published port.
pub(super) const STATUS_DESTINATION_NAT: u32 = 1 << 5;

/// Where a base chain hangs in the packet's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hook {
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) priority: i32,
}

/// Packets for this machine itself, at the usual place of filters.
pub(super) const INPUT: Hook = Hook { kind: "filter", number: 1, priority: 0 };
/// Forwarded packets, at the usual place of filters.
pub(super) const FORWARD: Hook = Hook { kind: "filter", number: 2, priority: 0 };
/// Packets that arrive, before anything has looked at them.
pub(super) const RAW: Hook = Hook { kind: "filter", number: 0, priority: -300 };
/// Packets that arrive, at the usual place of destination rewriting.
pub(super) const PREROUTING: Hook = Hook { kind: "nat", number: 0, priority: -100 };
/// The host's own packets, at the usual place of destination rewriting.
pub(super) const OUTPUT: Hook = Hook { kind: "nat", number: 3, priority: -100 };
/// Packets about to leave, at the usual place of source rewriting.
pub(super) const POSTROUTING: Hook = Hook { kind: "nat", number: 4, priority: 100 };

/// A condition on a packet, or what is done with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expression {
    InputIs(String),
    InputIsNot(String),
    OutputIs(String),
    OutputIsNot(String),
    SourceIn(super::subnet::Subnet),
    DestinationIn(super::subnet::Subnet),
    DestinationNotIn(super::subnet::Subnet),
    /// To an address of this host.
    DestinationIsLocal,
    /// Rewrites the destination as the map says; a packet that is not in it goes on.
    DestinationFrom(PortMap),
    ConnectionState(u32),
    ConnectionStatus(u32),
    Counter,
    Masquerade,
    Accept,
    Drop,
}

/// A rule; its comment is shown by `nft list` and is how the rule is found again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    pub(super) chain: &'static str,
    pub(super) comment: String,
    pub(super) expressions: Vec<Expression>,
}

/// A whole table of the `ip` family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) chains: Vec<(&'static str, Hook)>,
    pub(super) rules: Vec<Rule>,
}

/// What is known of a rule in the kernel: its number there, its chain, its comment if it has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ListedRule {
    pub(super) handle: u64,
    pub(super) chain: String,
    pub(super) comment: String,
}

/// The packet filter of the namespace the socket was opened in.
#[derive(Debug)]
pub(super) struct FilterSocket(Socket);

impl FilterSocket {
    pub(super) fn open() -> Result<Self, Errno> {
        Socket::open(Some(netlink::NETFILTER)).map(Self)
    }

    /// Lists the rules of a table, of one chain if given; an absent table has none.
    pub(super) fn rules(&mut self, table: &str, chain: Option<&str>) -> Result<Vec<ListedRule>, NetlinkError> {
        let request = || {
            let mut request = message(GET_RULE, FLAG_DUMP, "list rules of table", table);
            request.string(RULE_TABLE, table);
            if let Some(chain) = chain {
                request.string(RULE_CHAIN, chain);
            }
            request
        };
        match self.0.list(request, parse_rule) {
            Err(error) if error.source == Errno::NOENT => Ok(Vec::new()),
            // Kernels before 4.20 ignore the filter, hence the second look.
            other => Ok(other?
                .into_iter()
                .filter(|(of, _)| of == table)
                .map(|(_, rule)| rule)
                .filter(|rule| chain.is_none_or(|chain| rule.chain == chain))
                .collect()),
        }
    }

    /// Returns the chain's policy: `Some(true)` drops what no rule decided; `None` without such a base chain.
    pub(super) fn drops_by_default(&mut self, table: &str, chain: &str) -> Result<Option<bool>, NetlinkError> {
        let mut found = None;
        let exists = self.chain(table, chain, &mut |attributes| {
            found = Attributes::find(attributes, CHAIN_POLICY)
                .and_then(|value| value.try_into().ok())
                .map(|value| u32::from_be_bytes(value) == VERDICT_DROP);
        })?;
        Ok(found.filter(|_| exists))
    }

    pub(super) fn has_chain(&mut self, table: &str, chain: &str) -> Result<bool, NetlinkError> {
        self.chain(table, chain, &mut |_| {})
    }

    /// Replaces the table, or creates it: one transaction, no packet sees it half made.
    pub(super) fn replace_table(&mut self, table: &Table) -> Result<(), NetlinkError> {
        let name = table.name.as_str();
        // Deleting needs the table to exist, so it is created first; that changes nothing if it does.
        let mut requests = vec![new_table(name), delete_table(name), new_table(name)];
        requests.extend(table.chains.iter().map(|(chain, hook)| new_chain(name, chain, *hook)));
        requests.extend(table.rules.iter().map(|rule| new_rule(name, rule.chain, rule, FLAG_APPEND)));
        self.commit(requests)
    }

    pub(super) fn delete_table(&mut self, name: &str) -> Result<(), NetlinkError> {
        self.commit(vec![new_table(name), delete_table(name)])
    }

    /// Puts rules at the head of a chain that belongs to somebody else, all or none.
    pub(super) fn insert_rules(&mut self, table: &str, chain: &str, rules: &[Rule]) -> Result<(), NetlinkError> {
        self.commit(rules.iter().rev().map(|rule| new_rule(table, chain, rule, 0)).collect())
    }

    pub(super) fn delete_rules(&mut self, table: &str, rules: &[ListedRule]) -> Result<(), NetlinkError> {
        let delete = |rule: &ListedRule| {
            let mut request = message(DELETE_RULE, FLAG_ACK, "delete a rule of table", table);
            request
                .string(RULE_TABLE, table)
                .string(RULE_CHAIN, &rule.chain)
                .attribute(RULE_HANDLE, &rule.handle.to_be_bytes());
            request
        };
        self.commit(rules.iter().map(delete).collect())
    }

    fn chain(&mut self, table: &str, chain: &str, receive: &mut dyn FnMut(&[u8])) -> Result<bool, NetlinkError> {
        let mut request = message(GET_CHAIN, FLAG_ACK, "look up chain", chain);
        request.string(CHAIN_TABLE, table).string(CHAIN_NAME, chain);
        let mut read = |_: u16, payload: &[u8]| receive(payload.get(4..).unwrap_or_default());
        match self.0.transact(&mut [request], &mut read) {
            Err(error) if error.source == Errno::NOENT => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn commit(&mut self, requests: Vec<Request>) -> Result<(), NetlinkError> {
        if requests.is_empty() {
            return Ok(());
        }
        let mut batch = Vec::with_capacity(requests.len() + 2);
        batch.push(batch_mark(BATCH_BEGIN));
        batch.extend(requests);
        batch.push(batch_mark(BATCH_END));
        self.0.execute(&mut batch)
    }
}

/// A message of the `ip` family, with its nfgenmsg (family, version, resource).
fn message(kind: u16, flags: u16, action: &'static str, object: &str) -> Request {
    let mut request = Request::new(kind, flags, action, object);
    request.raw(&[FAMILY_IPV4, 0, 0, 0]);
    request
}

fn batch_mark(kind: u16) -> Request {
    let mut request = Request::new(kind, 0, "change", "the packet filter");
    let [high, low] = SUBSYSTEM.to_be_bytes();
    request.raw(&[0, 0, high, low]);
    request
}

fn new_table(name: &str) -> Request {
    let mut request = message(NEW_TABLE, FLAG_ACK | FLAG_CREATE, "create table", name);
    request.string(TABLE_NAME, name);
    request
}

fn delete_table(name: &str) -> Request {
    let mut request = message(DELETE_TABLE, FLAG_ACK, "delete table", name);
    request.string(TABLE_NAME, name);
    request
}

fn new_chain(table: &str, name: &str, hook: Hook) -> Request {
    let mut request = message(NEW_CHAIN, FLAG_ACK | FLAG_CREATE, "create chain", name);
    request
        .string(CHAIN_TABLE, table)
        .string(CHAIN_NAME, name)
        .nested(CHAIN_HOOK | NESTED, |nest| {
            nest.u32_be(HOOK_NUMBER, hook.number).u32_be(HOOK_PRIORITY, hook.priority.cast_unsigned());
        })
        .u32_be(CHAIN_POLICY, VERDICT_ACCEPT)
        .string(CHAIN_TYPE, hook.kind);
    request
}

fn new_rule(table: &str, chain: &str, rule: &Rule, flags: u16) -> Request {
    let flags = FLAG_ACK | FLAG_CREATE | flags;
    let mut request = message(NEW_RULE, flags, "add a rule to table", table);
    request.string(RULE_TABLE, table).string(RULE_CHAIN, chain);
    request.nested(RULE_EXPRESSIONS | NESTED, |list| {
        for expression in &rule.expressions {
            encode(list, expression);
        }
    });
    request.attribute(RULE_USERDATA, &comment_userdata(&rule.comment));
    request
}

fn comment_userdata(comment: &str) -> Vec<u8> {
    let len = u8::try_from(comment.len() + 1).unwrap_or(u8::MAX);
    let mut data = vec![USERDATA_COMMENT, len];
    data.extend_from_slice(&comment.as_bytes()[..usize::from(len) - 1]);
    data.push(0);
    data
}

fn encode(list: &mut Request, expression: &Expression) {
    match expression {
        Expression::InputIs(name) => interface(list, META_INPUT_NAME, Comparison::Equal, name),
        Expression::InputIsNot(name) => interface(list, META_INPUT_NAME, Comparison::NotEqual, name),
        Expression::OutputIs(name) => interface(list, META_OUTPUT_NAME, Comparison::Equal, name),
        Expression::OutputIsNot(name) => interface(list, META_OUTPUT_NAME, Comparison::NotEqual, name),
        Expression::SourceIn(subnet) => address(list, IPV4_SOURCE_OFFSET, Comparison::Equal, *subnet),
        Expression::DestinationIn(subnet) => address(list, IPV4_DESTINATION_OFFSET, Comparison::Equal, *subnet),
        Expression::DestinationNotIn(subnet) => address(list, IPV4_DESTINATION_OFFSET, Comparison::NotEqual, *subnet),
        Expression::DestinationIsLocal => {
            // Register, result (kind of address), flags (of the destination).
            element(list, "fib", |data| {
                data.u32_be(1, REGISTER_1).u32_be(2, 3).u32_be(3, 2);
            });
            compare(list, Comparison::Equal, &ROUTE_LOCAL.to_ne_bytes());
        }
        Expression::DestinationFrom(map) => port_maps::rewrite_destination(list, *map),
        Expression::ConnectionState(bits) => conntrack_bits(list, CONNTRACK_STATE, *bits),
        Expression::ConnectionStatus(bits) => conntrack_bits(list, CONNTRACK_STATUS, *bits),
        Expression::Counter => element(list, "counter", |data| {
            data.attribute(1, &[0; 8]).attribute(2, &[0; 8]);
        }),
        Expression::Masquerade => element(list, "masq", |_| {}),
        Expression::Accept => verdict(list, VERDICT_ACCEPT),
        Expression::Drop => verdict(list, VERDICT_DROP),
    }
}

#[derive(Clone, Copy)]
enum Comparison {
    Equal = 0,
    NotEqual = 1,
}

fn element(list: &mut Request, name: &str, fill: impl FnOnce(&mut Request)) {
    list.nested(LIST_ELEMENT | NESTED, |element| {
        element.string(EXPRESSION_NAME, name).nested(EXPRESSION_DATA | NESTED, fill);
    });
}

fn interface(list: &mut Request, key: u32, comparison: Comparison, name: &str) {
    element(list, "meta", |data| {
        data.u32_be(2, key).u32_be(1, REGISTER_1);
    });
    // With the terminating zero byte, so that `onggi0` is not also `onggi01`.
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    compare(list, comparison, &bytes);
}

fn address(list: &mut Request, offset: u32, comparison: Comparison, subnet: super::subnet::Subnet) {
    element(list, "payload", |data| {
        data.u32_be(1, REGISTER_1).u32_be(2, PAYLOAD_NETWORK_HEADER).u32_be(3, offset).u32_be(4, 4);
    });
    mask(list, subnet.mask().octets());
    compare(list, comparison, &subnet.network().octets());
}

/// Any of the bits: register AND bits, not equal to zero.
fn conntrack_bits(list: &mut Request, key: u32, bits: u32) {
    element(list, "ct", |data| {
        data.u32_be(2, key).u32_be(1, REGISTER_1);
    });
    mask(list, bits.to_ne_bytes());
    compare(list, Comparison::NotEqual, &[0; 4]);
}

fn mask(list: &mut Request, bits: [u8; 4]) {
    element(list, "bitwise", |data| {
        data.u32_be(1, REGISTER_1).u32_be(2, REGISTER_1).u32_be(3, 4);
        data.nested(4 | NESTED, |nest| {
            nest.attribute(DATA_VALUE, &bits);
        });
        data.nested(5 | NESTED, |nest| {
            nest.attribute(DATA_VALUE, &[0; 4]);
        });
    });
}

fn compare(list: &mut Request, comparison: Comparison, value: &[u8]) {
    element(list, "cmp", |data| {
        data.u32_be(1, REGISTER_1).u32_be(2, comparison as u32);
        data.nested(3 | NESTED, |nest| {
            nest.attribute(DATA_VALUE, value);
        });
    });
}

fn verdict(list: &mut Request, code: u32) {
    element(list, "immediate", |data| {
        data.u32_be(1, REGISTER_VERDICT).nested(2 | NESTED, |nest| {
            nest.nested(DATA_VERDICT | NESTED, |verdict| {
                verdict.u32_be(1, code);
            });
        });
    });
}

/// A rule's table and what is known of it.
fn parse_rule(payload: &[u8]) -> Option<(String, ListedRule)> {
    let attributes = payload.get(4..)?;
    let owned = |kind| Attributes::find(attributes, kind).and_then(text).map(str::to_owned);
    let handle = Attributes::find(attributes, RULE_HANDLE)?.try_into().ok().map(u64::from_be_bytes)?;
    let comment = Attributes::find(attributes, RULE_USERDATA).and_then(parse_comment);
    let comment = comment.unwrap_or_default().to_owned();
    Some((owned(RULE_TABLE)?, ListedRule { handle, chain: owned(RULE_CHAIN)?, comment }))
}

/// User data is a sequence of (type, length, value), one byte each for the first two.
fn parse_comment(mut data: &[u8]) -> Option<&str> {
    loop {
        let (&[kind, len], rest) = data.split_first_chunk::<2>()?;
        let value = rest.get(..usize::from(len))?;
        if kind == USERDATA_COMMENT {
            return text(value);
        }
        data = &rest[usize::from(len)..];
    }
}

#[cfg(test)]
mod tests;

//! The two maps that published ports are looked up in, one lookup for a packet however many there are.
//!
//! The first packet of a connection finds the container's address and port by protocol, the host's address and port, or,
//! where a port is published on all addresses, by protocol and port alone. Each entry's comment says whose it is.

use std::net::Ipv4Addr;

use rustix::io::Errno;

use super::super::netlink::{Attributes, FLAG_ACK, FLAG_CREATE, FLAG_DUMP, NetlinkError, Request};
use super::{
    DATA_VALUE, FAMILY_IPV4, FilterSocket, IPV4_DESTINATION_OFFSET, LIST_ELEMENT, NESTED, NEW_TABLE,
    PAYLOAD_NETWORK_HEADER, Table, comment_userdata, delete_table, element, message, new_chain, new_rule, new_table,
    parse_comment,
};

const NEW_SET: u16 = NEW_TABLE | 9;
const NEW_ELEMENT: u16 = NEW_TABLE | 12;
const GET_ELEMENT: u16 = NEW_TABLE | 13;
const DELETE_ELEMENT: u16 = NEW_TABLE | 14;

const SET_TABLE: u16 = 1;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_LEN: u16 = 5;
const SET_DATA_TYPE: u16 = 6;
const SET_DATA_LEN: u16 = 7;
const SET_ID: u16 = 10;
/// NFT_SET_MAP.
const IS_MAP: u32 = 8;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const ELEMENT_USERDATA: u16 = 6;

/// What `nft` calls the types of concatenated keys: six bits each.
const TYPE_ADDRESS: u32 = 7;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_SERVICE: u32 = 13;

/// The first of the registers of four bytes.
const REGISTER_32: u32 = 8;
const META_TRANSPORT_PROTOCOL: u32 = 16;
const PAYLOAD_TRANSPORT_HEADER: u32 = 2;
/// Of TCP, UDP and SCTP.
const DESTINATION_PORT_OFFSET: u32 = 2;

/// Elements of one request: its attribute's length is 16 bits.
const PER_REQUEST: usize = 250;

/// Which of the maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum PortMap {
    /// By protocol, address and port.
    At,
    /// By protocol and port.
    Any,
}

/// One published port, as the kernel keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct PortRule {
    /// Number of the protocol: 6, 17, 132.
    pub(in super::super) protocol: u8,
    /// Address of the host; `None` for all.
    pub(in super::super) address: Option<Ipv4Addr>,
    pub(in super::super) port: u16,
    pub(in super::super) target: (Ipv4Addr, u16),
}

/// A published port with its comment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct ListedPort {
    pub(in super::super) rule: PortRule,
    pub(in super::super) comment: String,
}

impl PortMap {
    const ALL: [Self; 2] = [Self::At, Self::Any];

    fn name(self) -> &'static str {
        match self {
            Self::At => "at",
            Self::Any => "any",
        }
    }

    fn of(rule: &PortRule) -> Self {
        if rule.address.is_some() { Self::At } else { Self::Any }
    }
}

impl PortRule {
    /// Each part takes a register of four bytes.
    fn key(&self) -> Vec<u8> {
        let [high, low] = self.port.to_be_bytes();
        let address = self.address.map(|address| address.octets());
        let address = address.as_ref().map_or(&[][..], |octets| octets.as_slice());
        [&[self.protocol, 0, 0, 0], address, &[high, low, 0, 0]].concat()
    }

    fn data(&self) -> Vec<u8> {
        let [high, low] = self.target.1.to_be_bytes();
        [&self.target.0.octets()[..], &[high, low, 0, 0]].concat()
    }

    fn parse(key: &[u8], data: &[u8]) -> Option<Self> {
        let word = |bytes: &[u8], at: usize| bytes.get(at..at + 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
        let port = |word: [u8; 4]| u16::from_be_bytes([word[0], word[1]]);
        let (address, at) = if key.len() > 8 { (Some(Ipv4Addr::from(word(key, 4)?)), 8) } else { (None, 4) };
        let target = (Ipv4Addr::from(word(data, 0)?), port(word(data, 4)?));
        Some(Self { protocol: *key.first()?, address, port: port(word(key, at)?), target })
    }
}

/// What changes about published ports, in one transaction.
#[derive(Debug, Default)]
pub(in super::super) struct PortChange<'a> {
    /// The table is not there yet.
    pub(in super::super) create: Option<&'a Table>,
    pub(in super::super) remove: &'a [PortRule],
    pub(in super::super) add: &'a [PortRule],
    pub(in super::super) comment: &'a str,
}

impl FilterSocket {
    /// Lists what is published; `None` without the table.
    pub(in super::super) fn ports(&mut self, table: &str) -> Result<Option<Vec<ListedPort>>, NetlinkError> {
        let mut all = Vec::new();
        for map in PortMap::ALL {
            let request = || {
                let mut request = message(GET_ELEMENT, FLAG_DUMP, "list published ports of table", table);
                request.string(SET_TABLE, table).string(SET_NAME, map.name());
                request
            };
            match self.0.list(request, |payload| Some(parse_elements(payload))) {
                Err(error) if error.source == Errno::NOENT => return Ok(None),
                listed => all.extend(listed?.into_iter().flatten()),
            }
        }
        Ok(Some(all))
    }

    /// Changes what is published, all or nothing.
    pub(in super::super) fn change_ports(&mut self, table: &str, change: &PortChange<'_>) -> Result<(), NetlinkError> {
        let mut requests = Vec::new();
        if let Some(created) = change.create {
            requests.extend([new_table(table), delete_table(table), new_table(table)]);
            requests.extend((1..).zip(PortMap::ALL).map(|(number, map)| new_map(table, map, number)));
            requests.extend(created.chains.iter().map(|(chain, hook)| new_chain(table, chain, *hook)));
        }
        let made = change.create.map_or(&[][..], |created| &created.rules[..]);
        requests.extend(made.iter().map(|rule| new_rule(table, rule.chain, rule, super::FLAG_APPEND)));
        requests.extend(elements(DELETE_ELEMENT, FLAG_ACK, table, change.remove, ""));
        requests.extend(elements(NEW_ELEMENT, FLAG_ACK | FLAG_CREATE, table, change.add, change.comment));
        self.commit(requests)
    }
}

fn new_map(table: &str, map: PortMap, number: u32) -> Request {
    let (kind, len) = match map {
        PortMap::At => ((TYPE_PROTOCOL << 6 | TYPE_ADDRESS) << 6 | TYPE_SERVICE, 12),
        PortMap::Any => (TYPE_PROTOCOL << 6 | TYPE_SERVICE, 8),
    };
    let mut request = message(NEW_SET, FLAG_ACK | FLAG_CREATE, "create map", map.name());
    request
        .string(SET_TABLE, table)
        .string(SET_NAME, map.name())
        .u32_be(SET_FLAGS, IS_MAP)
        .u32_be(SET_KEY_TYPE, kind)
        .u32_be(SET_KEY_LEN, len)
        .u32_be(SET_DATA_TYPE, TYPE_ADDRESS << 6 | TYPE_SERVICE)
        .u32_be(SET_DATA_LEN, 8)
        .u32_be(SET_ID, number);
    request
}

fn elements(kind: u16, flags: u16, table: &str, rules: &[PortRule], comment: &str) -> Vec<Request> {
    let mut requests = Vec::new();
    for map in PortMap::ALL {
        let of_map: Vec<&PortRule> = rules.iter().filter(|rule| PortMap::of(rule) == map).collect();
        for some in of_map.chunks(PER_REQUEST) {
            let mut request = message(kind, flags, "change published ports of table", table);
            request.string(SET_TABLE, table).string(SET_NAME, map.name());
            request.nested(ELEMENTS | NESTED, |list| {
                for rule in some {
                    list.nested(LIST_ELEMENT | NESTED, |entry| {
                        value(entry, ELEMENT_KEY, &rule.key());
                        if kind == NEW_ELEMENT {
                            value(entry, ELEMENT_DATA, &rule.data());
                            entry.attribute(ELEMENT_USERDATA, &comment_userdata(comment));
                        }
                    });
                }
            });
            requests.push(request);
        }
    }
    requests
}

fn value(entry: &mut Request, kind: u16, bytes: &[u8]) {
    entry.nested(kind | NESTED, |data| {
        data.attribute(DATA_VALUE, bytes);
    });
}

fn parse_elements(payload: &[u8]) -> Vec<ListedPort> {
    let list = payload.get(4..).and_then(|attributes| Attributes::find(attributes, ELEMENTS)).unwrap_or_default();
    Attributes(list).filter_map(|(_, entry)| parse_element(entry)).collect()
}

fn parse_element(entry: &[u8]) -> Option<ListedPort> {
    let value = |kind| Attributes::find(Attributes::find(entry, kind)?, DATA_VALUE);
    let rule = PortRule::parse(value(ELEMENT_KEY)?, value(ELEMENT_DATA)?)?;
    let comment = Attributes::find(entry, ELEMENT_USERDATA).and_then(parse_comment).unwrap_or_default().to_owned();
    Some(ListedPort { rule, comment })
}

/// Loads the key, looks it up, and rewrites the destination with what is found.
pub(super) fn rewrite_destination(list: &mut Request, map: PortMap) {
    element(list, "meta", |data| {
        data.u32_be(2, META_TRANSPORT_PROTOCOL).u32_be(1, REGISTER_32);
    });
    let mut next = REGISTER_32 + 1;
    let mut load = |base, offset, len| {
        element(list, "payload", |data| {
            data.u32_be(1, next).u32_be(2, base).u32_be(3, offset).u32_be(4, len);
        });
        next += 1;
    };
    if map == PortMap::At {
        load(PAYLOAD_NETWORK_HEADER, IPV4_DESTINATION_OFFSET, 4);
    }
    load(PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT_OFFSET, 2);
    element(list, "lookup", |data| {
        data.string(1, map.name()).u32_be(2, REGISTER_32).u32_be(3, REGISTER_32);
    });
    // Type (destination), family, address and port from where the lookup has put them.
    element(list, "nat", |data| {
        data.u32_be(1, 1).u32_be(2, u32::from(FAMILY_IPV4)).u32_be(3, REGISTER_32).u32_be(5, REGISTER_32 + 1);
    });
}

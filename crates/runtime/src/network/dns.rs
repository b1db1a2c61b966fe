//! Questions and answers of the domain name system (RFC 1035), as far as a network of containers needs them. Pure.

use std::net::Ipv4Addr;

const HEADER: usize = 12;
/// Types of records.
pub(super) const TYPE_A: u16 = 1;
pub(super) const TYPE_PTR: u16 = 12;
const CLASS_IN: u16 = 1;
const SERVER_FAILURE: u8 = 2;

/// The one question of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Question {
    /// In lower case, without the last dot.
    pub(super) name: String,
    pub(super) kind: u16,
    /// Where it ends in the message.
    end: usize,
}

impl Question {
    /// Reads a query; `None` for everything else.
    pub(super) fn parse(message: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        // A query, and one that asks one thing: nobody asks more.
        if message.len() < HEADER || message[2] & 0xf8 != 0 || word(4)? != 1 {
            return None;
        }
        let mut at = HEADER;
        let mut name = String::new();
        loop {
            let len = usize::from(*message.get(at)?);
            at += 1;
            if len == 0 {
                break;
            }
            // Names in questions are not compressed.
            if len > 63 || name.len() + len > 254 {
                return None;
            }
            let label = message.get(at..at + len)?;
            at += len;
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        }
        let (kind, class) = (word(at)?, word(at + 2)?);
        (class == CLASS_IN).then_some(Self { name, kind, end: at + 4 })
    }

    /// The address that a question of the form `2.0.18.172.in-addr.arpa` is about.
    pub(super) fn reverse_address(&self) -> Option<Ipv4Addr> {
        let mut octets = [0; 4];
        let mut labels = self.name.strip_suffix(".in-addr.arpa")?.split('.');
        for octet in octets.iter_mut().rev() {
            *octet = labels.next()?.parse().ok()?;
        }
        labels.next().is_none().then(|| Ipv4Addr::from(octets))
    }
}

/// Addresses for a name; none says that the name is there, and has no record of that kind.
pub(super) fn addresses(query: &[u8], question: &Question, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let records: Vec<Vec<u8>> = addresses.iter().map(|address| address.octets().to_vec()).collect();
    answer(query, question, TYPE_A, &records)
}

/// The name of an address.
pub(super) fn name(query: &[u8], question: &Question, name: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| (1..=63).contains(&label.len())) {
        data.push(u8::try_from(label.len()).unwrap_or(63));
        data.extend_from_slice(label.as_bytes());
    }
    data.push(0);
    answer(query, question, TYPE_PTR, &[data])
}

/// Nobody knows, for now (SERVFAIL).
pub(super) fn failure(query: &[u8], question: &Question) -> Vec<u8> {
    let mut message = answer(query, question, TYPE_A, &[]);
    message[3] |= SERVER_FAILURE;
    message
}

fn answer(query: &[u8], question: &Question, kind: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = query[..question.end].to_vec();
    // An answer; recursion was or was not desired, and is available.
    message[2] = 0x80 | query[2] & 1;
    message[3] = 0x80;
    message[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap_or(u16::MAX).to_be_bytes());
    message[8..12].fill(0);
    for data in records {
        // The name is that of the question. Nothing is to be remembered: a container may have another address soon.
        message.extend_from_slice(&[0xc0, 0x0c]);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        message.extend_from_slice(data);
    }
    message
}

#[cfg(test)]
mod tests;

//! Which devices a container may use: Docker's list, as text for v1 and as a small eBPF program for v2.

use std::fmt::{self, Display};

use crate::StartError;
use crate::builtin::HostDevice;
use crate::spec::ContainerSpec;
use crate::sys::BpfInstruction;

/// One thing that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRule {
    /// `a`, `c` or `b`.
    pub(crate) kind: char,
    /// `None` is any.
    pub(crate) major: Option<u32>,
    /// `None` is any.
    pub(crate) minor: Option<u32>,
    /// Of `r`, `w` and `m`.
    pub(crate) access: String,
}

impl DeviceRule {
    fn new(kind: char, major: Option<u32>, minor: Option<u32>, access: &str) -> Self {
        Self { kind, major, minor, access: access.to_owned() }
    }
}

impl Display for DeviceRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == 'a' {
            return formatter.write_str("a");
        }
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        write!(formatter, "{} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }
}

/// Docker's list: nodes may be made, the standard ones and terminals used, and what the specification adds.
pub(crate) fn device_rules(spec: &ContainerSpec) -> Result<Vec<DeviceRule>, StartError> {
    if spec.all_devices {
        return Ok(vec![DeviceRule::new('a', None, None, "rwm")]);
    }
    let mut rules = vec![DeviceRule::new('c', None, None, "m"), DeviceRule::new('b', None, None, "m")];
    // null, zero, full, random, urandom, tty, console, ptmx
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)] {
        rules.push(DeviceRule::new('c', Some(major), Some(minor), "rwm"));
    }
    rules.push(DeviceRule::new('c', Some(136), None, "rwm")); // pseudo-terminals
    for device in &spec.devices {
        let host = HostDevice::open(&device.source)?;
        let kind = if host.file_type == rustix::fs::FileType::BlockDevice { 'b' } else { 'c' };
        let (major, minor) = (rustix::fs::major(host.device), rustix::fs::minor(host.device));
        rules.push(DeviceRule::new(kind, Some(major), Some(minor), &device.access));
    }
    for text in &spec.device_rules {
        let invalid = || StartError::InvalidSpec { reason: format!("invalid device cgroup format: {text:?}") };
        rules.push(parse_rule(text).ok_or_else(invalid)?);
    }
    Ok(rules)
}

/// `a`, `b` or `c`, two numbers or `*`, and any of `r`, `w` and `m`: `c 42:* rwm`.
fn parse_rule(text: &str) -> Option<DeviceRule> {
    let mut words = text.split_whitespace();
    let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
    let (major, minor) = numbers.split_once(':')?;
    let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
    let kind = ["a", "b", "c"].contains(&kind).then(|| kind.chars().next())??;
    let is_access = !access.is_empty() && access.chars().all(|one| "rwm".contains(one)) && words.next().is_none();
    is_access.then(|| Some(DeviceRule::new(kind, number(major)?, number(minor)?, access)))?
}

/// Registers 0 and 1: result and context; 2 to 5: type, access, major, minor; 6: scratch.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE_REGISTER: u8 = 0xbf; // BPF_ALU64 | BPF_MOV | BPF_X
const MOVE: u8 = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const AND: u8 = 0x57; // BPF_ALU64 | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x77; // BPF_ALU64 | BPF_RSH | BPF_K
const IF_NOT_EQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// A program that returns 1 for what some rule allows and 0 for everything else.
pub(super) fn assemble(rules: &[DeviceRule]) -> Vec<BpfInstruction> {
    // struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor
    let mut program = vec![
        instruction(LOAD_WORD, TYPE, CONTEXT, 0, 0),
        instruction(MOVE_REGISTER, ACCESS, TYPE, 0, 0),
        instruction(AND, TYPE, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules {
        program.extend(assemble_rule(rule));
    }
    program.extend([instruction(MOVE, RESULT, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)]);
    program
}

/// Returns 1 if everything about the request fits, else falls through to the next rule.
fn assemble_rule(rule: &DeviceRule) -> Vec<BpfInstruction> {
    let mut tests = Vec::new();
    match rule.kind {
        'b' => tests.push((TYPE, 1)),
        'c' => tests.push((TYPE, 2)),
        _ => {}
    }
    if let Some(major) = rule.major {
        tests.push((MAJOR, major.cast_signed()));
    }
    if let Some(minor) = rule.minor {
        tests.push((MINOR, minor.cast_signed()));
    }
    let bits = [('m', 1), ('r', 2), ('w', 4)];
    let denied: i32 = bits.iter().filter(|(letter, _)| !rule.access.contains(*letter)).map(|(_, bit)| bit).sum();
    let mut length = tests.len() + 2 + if denied == 0 { 0 } else { 3 };
    let mut skip = || {
        length -= 1;
        i16::try_from(length).unwrap_or(i16::MAX)
    };
    let mut program: Vec<BpfInstruction> =
        tests.into_iter().map(|(register, value)| instruction(IF_NOT_EQUAL, register, 0, skip(), value)).collect();
    if denied != 0 {
        program.push(instruction(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        program.push(instruction(AND, SCRATCH, 0, 0, denied));
        program.push(instruction(IF_NOT_EQUAL, SCRATCH, 0, 2, 0));
    }
    program.extend([instruction(MOVE, RESULT, 0, 0, 1), instruction(EXIT, 0, 0, 0, 0)]);
    program
}

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> BpfInstruction {
    BpfInstruction { code, registers: source << 4 | destination, offset, immediate }
}

#[cfg(test)]
mod tests;

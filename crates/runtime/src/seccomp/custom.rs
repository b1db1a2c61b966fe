//! Profiles of the user's own, in Docker's JSON form (`--security-opt seccomp=FILE`).
//!
//! A profile is a default action and rules; of the rules whose conditions hold (architecture, capabilities) the first that fits a call
//! decides. They become a chain of tests of one number each, sorted into no tree: profiles of users are looked at by people,
//! and whoever wants speed leaves the default in place. 32-bit programs are refused unless the profile lists their architecture.

use serde::Deserialize;

use super::compiler::{ALLOW, ARCH_OFFSET, ERRNO, IF_AT_LEAST, IF_EQUAL, JUMP, LOAD, NUMBER_OFFSET, RETURN};
use super::profile::{COMPAT_ARCH, NATIVE_ARCH, number_of};
use crate::spec::Capabilities;
use crate::sys::FilterInstruction;

/// `BPF_JMP | BPF_JGT | BPF_K` and `BPF_ALU | BPF_AND | BPF_K`.
const IF_ABOVE: u16 = 0x25;
const AND: u16 = 0x54;

const KILL_PROCESS: u32 = 0x8000_0000;
const KILL_THREAD: u32 = 0;
const TRAP: u32 = 0x0003_0000;
const TRACE: u32 = 0x7ff0_0000;
const LOG: u32 = 0x7ffc_0000;
/// `BPF_MAXINSNS`.
const LONGEST: usize = 4096;

/// A profile that has been read and understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeccompProfile {
    text: String,
    parsed: Profile,
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not JSON of the form that Docker takes.
    #[error("decoding seccomp profile failed")]
    Decode {
        /// Where and why.
        source: serde_json::Error,
    },
    /// An action that the kernel does not have, or that needs a listener.
    #[error("the seccomp action {0:?} is not supported")]
    Action(String),
    /// A comparison that does not exist.
    #[error("the seccomp operator {0:?} does not exist")]
    Operator(String),
    /// An argument that no system call has.
    #[error("a system call has no argument {0}")]
    Argument(u32),
    /// The kernel takes no more instructions.
    #[error("the seccomp profile is too long: {0} instructions of at most {LONGEST}")]
    TooLong(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u16>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u16>,
    #[serde(default)]
    args: Option<Vec<Condition>>,
    #[serde(default)]
    includes: Filter,
    #[serde(default)]
    excludes: Filter,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    caps: Vec<String>,
    arches: Vec<String>,
    min_kernel: String,
}

impl SeccompProfile {
    /// Reads a profile and tries it.
    ///
    /// # Errors
    /// When it is not a profile, or too long for the kernel.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let parsed = serde_json::from_str(text).map_err(|source| ProfileError::Decode { source })?;
        let profile = Self { text: text.to_owned(), parsed };
        profile.compile(Capabilities::ALL)?;
        Ok(profile)
    }

    /// The profile as it was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For a container with these capabilities.
    pub(crate) fn compile(&self, capabilities: Capabilities) -> Result<Vec<FilterInstruction>, ProfileError> {
        let profile = &self.parsed;
        let default = action(&profile.default_action, profile.default_errno_ret)?;
        let native = self.rules(capabilities, false, default)?;
        let wants_compat = profile.architectures.iter().any(|name| COMPAT_NAMES.contains(&name.as_str()))
            || profile.arch_map.iter().any(|map| {
                NATIVE_NAMES.contains(&map.architecture.as_str())
                    && map.sub_architectures.iter().flatten().any(|name| COMPAT_NAMES.contains(&name.as_str()))
            });
        let compat = if wants_compat { self.rules(capabilities, true, default)? } else { vec![returns(KILL_PROCESS)] };
        let mut program = vec![load(ARCH_OFFSET)];
        // Conditional jumps reach 255 instructions, so each is followed by one that reaches any number.
        program.push(test(IF_EQUAL, NATIVE_ARCH, 1, 0));
        program.push(jump(native.len()));
        program.extend(native);
        program.push(test(IF_EQUAL, COMPAT_ARCH, 1, 0));
        program.push(returns(KILL_PROCESS));
        program.extend(compat);
        if program.len() > LONGEST {
            return Err(ProfileError::TooLong(program.len()));
        }
        Ok(program)
    }

    /// In the words of the OCI runtime-spec, for other runtimes.
    pub(crate) fn oci(&self, capabilities: Capabilities) -> serde_json::Value {
        let profile = &self.parsed;
        let mapped = profile.arch_map.iter().filter(|map| NATIVE_NAMES.contains(&map.architecture.as_str()));
        let mapped = mapped.flat_map(|map| {
            [map.architecture.clone()].into_iter().chain(map.sub_architectures.iter().flatten().cloned())
        });
        let architectures: Vec<String> = profile.architectures.iter().cloned().chain(mapped).collect();
        let rules: Vec<_> = profile.syscalls.iter().filter(|rule| rule.applies(capabilities)).map(Rule::oci).collect();
        serde_json::json!({
            "defaultAction": profile.default_action,
            "defaultErrnoRet": profile.default_errno_ret,
            "architectures": architectures,
            "syscalls": rules,
        })
    }

    /// Tests of one number each, in the order of the profile.
    fn rules(
        &self,
        capabilities: Capabilities,
        compat: bool,
        default: u32,
    ) -> Result<Vec<FilterInstruction>, ProfileError> {
        let mut program = vec![load(NUMBER_OFFSET)];
        if !compat && cfg!(target_arch = "x86_64") {
            // x32 numbers would pass as others.
            program.extend([test(IF_AT_LEAST, 0x4000_0000, 0, 1), returns(ERRNO | libc::ENOSYS as u32)]);
        }
        for rule in self.parsed.syscalls.iter().filter(|rule| rule.applies(capabilities)) {
            let result = action(&rule.action, rule.errno_ret.or(Some(libc::EPERM as u16)))?;
            if result == default {
                continue;
            }
            let names = rule.names.iter().chain(&rule.name);
            let conditions = rule.args.as_deref().unwrap_or_default();
            for number in names.filter_map(|name| number_of(name, compat)) {
                if conditions.is_empty() {
                    program.extend([test(IF_EQUAL, number, 0, 1), returns(result)]);
                    continue;
                }
                let mut body = Vec::new();
                for condition in conditions {
                    body.extend(condition.compile()?);
                }
                // What does not fit goes on with the next rule: behind the body, where the number is loaded again.
                let skip = body.len() + 1;
                let fails = body.iter().enumerate().map(|(place, one)| one.finish(skip - place)).collect::<Vec<_>>();
                program.push(test(IF_EQUAL, number, 1, 0));
                program.push(jump(skip));
                program.extend(fails);
                program.push(returns(result));
                program.push(load(NUMBER_OFFSET));
            }
        }
        program.push(returns(default));
        Ok(program)
    }
}

/// An instruction of a condition, whose way out is known only when all of them are there.
#[derive(Debug, Clone, Copy)]
enum Part {
    Fixed(FilterInstruction),
    /// Goes on if the test holds, out otherwise.
    Needs(u16, u32),
    /// Out if the test holds, on otherwise.
    Refuses(u16, u32),
    /// Skips so many instructions if the test holds, goes on otherwise.
    Skips(u16, u32, u8),
}

impl Part {
    /// `out` is how many instructions further the way out begins, seen from the next one.
    fn finish(self, out: usize) -> FilterInstruction {
        let out = u8::try_from(out.saturating_sub(1)).unwrap_or(u8::MAX);
        match self {
            Self::Fixed(instruction) => instruction,
            Self::Needs(code, value) => test(code, value, 0, out),
            Self::Refuses(code, value) => test(code, value, out, 0),
            Self::Skips(code, value, count) => test(code, value, count, 0),
        }
    }
}

impl Condition {
    /// Compares 64 bits, the upper half first.
    fn compile(&self) -> Result<Vec<Part>, ProfileError> {
        use Part::{Fixed, Needs, Refuses, Skips};
        if self.index > 5 {
            return Err(ProfileError::Argument(self.index));
        }
        let (low, high) = if cfg!(target_endian = "little") { (0, 4) } else { (4, 0) };
        let offset = 16 + 8 * self.index;
        let (load_low, load_high) = (Fixed(load(offset + low)), Fixed(load(offset + high)));
        let halves = |value: u64| ((value & 0xffff_ffff) as u32, (value >> 32) as u32);
        let (value_low, value_high) = halves(self.value);
        let (two_low, two_high) = halves(self.value_two);
        let and = |mask| Fixed(FilterInstruction { code: AND, jump_true: 0, jump_false: 0, value: mask });
        Ok(match self.op.as_str() {
            "SCMP_CMP_EQ" => vec![load_high, Needs(IF_EQUAL, value_high), load_low, Needs(IF_EQUAL, value_low)],
            // Different above: done. The same: it must differ below.
            "SCMP_CMP_NE" => {
                vec![load_high, Skips(IF_EQUAL, value_high, 1), Fixed(jump(2)), load_low, Refuses(IF_EQUAL, value_low)]
            }
            "SCMP_CMP_MASKED_EQ" => vec![
                load_high,
                and(value_high),
                Needs(IF_EQUAL, two_high),
                load_low,
                and(value_low),
                Needs(IF_EQUAL, two_low),
            ],
            "SCMP_CMP_GT" => vec![
                load_high,
                Skips(IF_ABOVE, value_high, 3),
                Needs(IF_EQUAL, value_high),
                load_low,
                Needs(IF_ABOVE, value_low),
            ],
            "SCMP_CMP_GE" => vec![
                load_high,
                Skips(IF_ABOVE, value_high, 3),
                Needs(IF_EQUAL, value_high),
                load_low,
                Needs(IF_AT_LEAST, value_low),
            ],
            "SCMP_CMP_LT" => vec![
                load_high,
                Refuses(IF_ABOVE, value_high),
                Skips(IF_EQUAL, value_high, 1),
                Fixed(jump(2)),
                load_low,
                Refuses(IF_AT_LEAST, value_low),
            ],
            "SCMP_CMP_LE" => vec![
                load_high,
                Refuses(IF_ABOVE, value_high),
                Skips(IF_EQUAL, value_high, 1),
                Fixed(jump(2)),
                load_low,
                Refuses(IF_ABOVE, value_low),
            ],
            other => return Err(ProfileError::Operator(other.to_owned())),
        })
    }
}

impl Rule {
    fn oci(&self) -> serde_json::Value {
        let args = self.args.iter().flatten().map(
            |one| serde_json::json!({"index": one.index, "value": one.value, "valueTwo": one.value_two, "op": one.op}),
        );
        serde_json::json!({
            "names": self.names.iter().chain(&self.name).collect::<Vec<_>>(),
            "action": self.action,
            "errnoRet": self.errno_ret,
            "args": args.collect::<Vec<_>>(),
        })
    }

    fn applies(&self, capabilities: Capabilities) -> bool {
        let has = |name: &String| Capabilities::named(name).is_ok_and(|one| capabilities.contains(one));
        let is_here = |name: &String| ARCH_WORDS.contains(&name.as_str());
        let included = self.includes.caps.iter().all(has)
            && (self.includes.arches.is_empty() || self.includes.arches.iter().any(is_here))
            && is_kernel_at_least(&self.includes.min_kernel);
        let excluded = self.excludes.caps.iter().any(has)
            || self.excludes.arches.iter().any(is_here)
            || (!self.excludes.min_kernel.is_empty() && is_kernel_at_least(&self.excludes.min_kernel));
        included && !excluded
    }
}

#[cfg(target_arch = "x86_64")]
const ARCH_WORDS: [&str; 3] = ["amd64", "x86_64", "x32"];
#[cfg(target_arch = "x86_64")]
const NATIVE_NAMES: [&str; 1] = ["SCMP_ARCH_X86_64"];
#[cfg(target_arch = "x86_64")]
const COMPAT_NAMES: [&str; 1] = ["SCMP_ARCH_X86"];
#[cfg(target_arch = "aarch64")]
const ARCH_WORDS: [&str; 2] = ["arm64", "aarch64"];
#[cfg(target_arch = "aarch64")]
const NATIVE_NAMES: [&str; 1] = ["SCMP_ARCH_AARCH64"];
#[cfg(target_arch = "aarch64")]
const COMPAT_NAMES: [&str; 1] = ["SCMP_ARCH_ARM"];

/// `4.8`; nothing is said by an empty text.
fn is_kernel_at_least(wanted: &str) -> bool {
    let version = |text: &str| {
        let mut parts = text.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    wanted.is_empty() || version(&rustix::system::uname().release().to_string_lossy()) >= version(wanted)
}

fn action(name: &str, errno: Option<u16>) -> Result<u32, ProfileError> {
    let errno = u32::from(errno.unwrap_or(libc::EPERM as u16));
    Ok(match name {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_ERRNO" => ERRNO | errno,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => KILL_THREAD,
        "SCMP_ACT_KILL_PROCESS" => KILL_PROCESS,
        "SCMP_ACT_TRAP" => TRAP,
        "SCMP_ACT_TRACE" => TRACE | errno,
        "SCMP_ACT_LOG" => LOG,
        other => return Err(ProfileError::Action(other.to_owned())),
    })
}

fn load(offset: u32) -> FilterInstruction {
    FilterInstruction { code: LOAD, jump_true: 0, jump_false: 0, value: offset }
}

fn returns(value: u32) -> FilterInstruction {
    FilterInstruction { code: RETURN, jump_true: 0, jump_false: 0, value }
}

fn test(code: u16, value: u32, jump_true: u8, jump_false: u8) -> FilterInstruction {
    FilterInstruction { code, jump_true, jump_false, value }
}

/// Skips so many instructions.
fn jump(count: usize) -> FilterInstruction {
    let value = u32::try_from(count).unwrap_or(u32::MAX);
    FilterInstruction { code: JUMP, jump_true: 0, jump_false: 0, value }
}

#[cfg(test)]
mod tests;

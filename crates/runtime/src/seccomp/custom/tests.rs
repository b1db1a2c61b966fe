use super::super::compiler::FIRST_ARGUMENT_OFFSET;
use super::*;

/// What the kernel would answer, with an argument of 64 bits.
fn evaluate(program: &[FilterInstruction], arch: u32, number: u32, argument: u64) -> u32 {
    let (mut position, mut accumulator) = (0, 0_u32);
    loop {
        let FilterInstruction { code, jump_true, jump_false, value } = program[position];
        let jump = |condition| usize::from(if condition { jump_true } else { jump_false });
        position += 1;
        match code {
            LOAD if value == NUMBER_OFFSET => accumulator = number,
            LOAD if value == ARCH_OFFSET => accumulator = arch,
            LOAD if value == FIRST_ARGUMENT_OFFSET => accumulator = argument as u32,
            LOAD => accumulator = (argument >> 32) as u32,
            AND => accumulator &= value,
            JUMP => position += value as usize,
            IF_EQUAL => position += jump(accumulator == value),
            IF_AT_LEAST => position += jump(accumulator >= value),
            IF_ABOVE => position += jump(accumulator > value),
            RETURN => return value,
            other => panic!("code {other:#x}"),
        }
    }
}

fn compile(text: &str) -> Vec<FilterInstruction> {
    SeccompProfile::parse(text).unwrap().compile(Capabilities::DOCKER).unwrap()
}

fn number(name: &str) -> u32 {
    number_of(name, false).unwrap()
}

#[test]
fn c206_rules_hold_in_their_order_and_with_their_conditions() {
    let program = compile(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [
            {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
            {"name": "mkdir", "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
            {"names": ["reboot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_BOOT"]}},
            {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_BOOT"]}},
            {"names": ["sync"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
            {"names": ["write"], "action": "SCMP_ACT_KILL_PROCESS"}
        ]}"#,
    );
    let answer = |name| evaluate(&program, NATIVE_ARCH, number(name), 0);
    assert_eq!(answer("read"), ALLOW);
    assert_eq!(answer("mkdir"), ERRNO | 13);
    assert_eq!(answer("reboot"), ERRNO | 38);
    assert_eq!(answer("chroot"), ALLOW);
    assert_eq!(answer("sync"), ERRNO | 38);
    assert_eq!(answer("write"), KILL_PROCESS);
    assert_eq!(evaluate(&program, COMPAT_ARCH, 3, 0), KILL_PROCESS);
    assert_eq!(evaluate(&program, 7, number("read"), 0), KILL_PROCESS);
}

#[test]
fn c206_arguments_are_compared_with_all_their_bits() {
    let values =
        [0, 1, 5, 6, 7, 0xffff_ffff, 1 << 32, (1 << 32) + 5, (1 << 32) + 6, (1 << 32) + 7, (2 << 32) + 6, u64::MAX];
    for value in [6, (1_u64 << 32) + 6] {
        type Holds = fn(u64, u64) -> bool;
        let cases: [(&str, Holds); 6] = [
            ("SCMP_CMP_EQ", |one, other| one == other),
            ("SCMP_CMP_NE", |one, other| one != other),
            ("SCMP_CMP_GT", |one, other| one > other),
            ("SCMP_CMP_GE", |one, other| one >= other),
            ("SCMP_CMP_LT", |one, other| one < other),
            ("SCMP_CMP_LE", |one, other| one <= other),
        ];
        for (operator, holds) in cases {
            let program = compile(&format!(
                r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{{"names": ["read"], "action": "SCMP_ACT_ALLOW",
                    "args": [{{"index": 0, "value": {value}, "op": "{operator}"}}]}},
                    {{"names": ["write"], "action": "SCMP_ACT_ALLOW"}}]}}"#
            ));
            for argument in values {
                let expected = if holds(argument, value) { ALLOW } else { ERRNO | libc::EPERM as u32 };
                let answer = evaluate(&program, NATIVE_ARCH, number("read"), argument);
                assert_eq!(answer, expected, "{argument:#x} {operator} {value:#x}");
                assert_eq!(evaluate(&program, NATIVE_ARCH, number("write"), argument), ALLOW);
            }
        }
    }
    let program = compile(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": 6, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]}]}"#,
    );
    for (argument, is_allowed) in [(2, false), (3, false), (6, true), (4, true), (8 + 2, false)] {
        let answer = evaluate(&program, NATIVE_ARCH, number("read"), argument);
        assert_eq!(answer == ALLOW, is_allowed, "{argument}");
    }
}

#[test]
fn c206_what_is_no_profile_is_refused() {
    for (text, message) in [
        ("", "decoding seccomp profile failed"),
        ("{}", "decoding seccomp profile failed"),
        (r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#, "the seccomp action \"SCMP_ACT_NOTIFY\" is not supported"),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "op": "EQ"}]}]}"#,
            "the seccomp operator \"EQ\" does not exist",
        ),
    ] {
        assert_eq!(SeccompProfile::parse(text).unwrap_err().to_string(), message);
    }
}

use super::*;

const MAKE: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;
const BLOCK: u32 = 1;
const CHARACTER: u32 = 2;

/// What the kernel's interpreter would return.
fn evaluate(program: &[BpfInstruction], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
    let context = [access << 16 | kind, major, minor];
    let mut registers = [0_u64; 11];
    let mut position = 0_usize;
    loop {
        let BpfInstruction { code, registers: pair, offset, immediate } = program[position];
        let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
        position += 1;
        match code {
            LOAD_WORD => registers[to] = context[usize::try_from(offset).unwrap() / 4].into(),
            MOVE_REGISTER => registers[to] = registers[from],
            MOVE => registers[to] = i64::from(immediate) as u64,
            AND => registers[to] &= i64::from(immediate) as u64,
            SHIFT_RIGHT => registers[to] >>= immediate,
            IF_NOT_EQUAL if registers[to] != i64::from(immediate) as u64 => {
                position += usize::try_from(offset).unwrap();
            }
            IF_NOT_EQUAL => {}
            EXIT => return registers[0],
            other => panic!("code {other:#x}"),
        }
    }
}

fn standard() -> Vec<DeviceRule> {
    let mut rules = vec![DeviceRule::new('c', None, None, "m"), DeviceRule::new('b', None, None, "m")];
    rules.push(DeviceRule::new('c', Some(1), Some(3), "rwm"));
    rules.push(DeviceRule::new('c', Some(136), None, "rw"));
    rules.push(DeviceRule::new('b', Some(8), Some(1), "r"));
    rules
}

#[test]
fn the_program_allows_what_the_rules_say() {
    let program = assemble(&standard());
    let table = [
        (CHARACTER, MAKE, 77, 1, true),
        (BLOCK, MAKE, 8, 0, true),
        (CHARACTER, READ | WRITE, 1, 3, true),
        (CHARACTER, READ | WRITE | MAKE, 1, 3, true),
        (CHARACTER, READ, 1, 4, false),
        (CHARACTER, READ | WRITE, 136, 1000, true),
        (CHARACTER, READ | MAKE, 136, 0, false),
        (BLOCK, READ, 8, 1, true),
        (BLOCK, WRITE, 8, 1, false),
        (BLOCK, READ, 8, 0, false),
        (CHARACTER, READ, 8, 1, false),
    ];
    for (kind, access, major, minor, allowed) in table {
        let answer = evaluate(&program, kind, access, major, minor);
        assert_eq!(answer, u64::from(allowed), "{kind} {access} {major}:{minor}");
    }
    assert_eq!(evaluate(&assemble(&[]), CHARACTER, READ, 1, 3), 0);
    let all = assemble(&[DeviceRule::new('a', None, None, "rwm")]);
    assert_eq!(evaluate(&all, BLOCK, READ | WRITE, 8, 0), 1);
}

#[test]
fn rules_print_as_cgroup_v1_reads_them() {
    let texts: Vec<String> = standard().iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["c *:* m", "b *:* m", "c 1:3 rwm", "c 136:* rw", "b 8:1 r"]);
    assert_eq!(DeviceRule::new('a', None, None, "rwm").to_string(), "a");
}

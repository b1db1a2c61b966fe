//! Tars written byte by byte, so that they can be what no writer would write.

/// One member of a tar, as hostile as one likes.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) flag: u8,
    pub(crate) link: &'a str,
    pub(crate) mode: u32,
    pub(crate) device: (u32, u32),
    pub(crate) data: &'a str,
    pub(crate) xattr: Option<(&'a str, &'a str)>,
}

pub(crate) fn member(name: &str, flag: u8) -> Member<'_> {
    Member { name, flag, link: "", mode: 0o644, device: (0, 0), data: "", xattr: None }
}

pub(crate) fn file(name: &str) -> Member<'_> {
    Member { data: "written by the tar", ..member(name, b'0') }
}

pub(crate) fn folder(name: &str) -> Member<'_> {
    Member { mode: 0o777, ..member(name, b'5') }
}

pub(crate) fn symlink<'a>(name: &'a str, link: &'a str) -> Member<'a> {
    Member { link, ..member(name, b'2') }
}

pub(crate) fn hard_link<'a>(name: &'a str, link: &'a str) -> Member<'a> {
    Member { link, ..member(name, b'1') }
}

pub(crate) fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in members {
        if let Some((name, value)) = member.xattr {
            let record = format!(" SCHILY.xattr.{name}={value}\n");
            let length = (record.len() + 2..).find(|all| all.to_string().len() + record.len() == *all).unwrap();
            let records = Member { data: &format!("{length}{record}"), ..self::member("pax", b'x') };
            push(&mut out, &records);
        }
        push(&mut out, member);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn push(out: &mut Vec<u8>, member: &Member<'_>) {
    let mut block = [0u8; 512];
    block[..member.name.len()].copy_from_slice(member.name.as_bytes());
    let mut octal = |at: usize, width: usize, number: u64| {
        block[at..at + width].copy_from_slice(format!("{number:0width$o}").as_bytes());
    };
    octal(100, 7, member.mode.into());
    octal(108, 7, 0);
    octal(116, 7, 0);
    octal(124, 11, member.data.len() as u64);
    octal(136, 11, 0);
    octal(329, 7, member.device.0.into());
    octal(337, 7, member.device.1.into());
    block[156] = member.flag;
    block[157..157 + member.link.len()].copy_from_slice(member.link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    out.extend_from_slice(&block);
    out.extend_from_slice(member.data.as_bytes());
    out.resize(out.len().next_multiple_of(512), 0);
}

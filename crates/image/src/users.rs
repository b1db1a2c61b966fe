//! Who `user:group` is in a root file system.
//!
//! Names are looked up in the image's own `/etc/passwd` and `/etc/group`, never on the host, with limits on their
//! size (field notes: symlinked passwd, 10^7 groups). Numbers are taken strictly: one that does not fit 32 bits is an
//! error and not a name (CVE-2026-46680, CVE-2024-40635).

use std::io::Read;

use layer::{EntryKind, Tree, TreeError};

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups: the primary one, then those that list the user, unless a group was named. Without the
    /// primary one a program could step out of it (CVE-2022-36109).
    pub additional_gids: Vec<u32>,
    /// Home folder from passwd.
    pub home: Option<String>,
}

/// Why a user cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name is not in the file.
    #[error("unable to find {kind} {name}: no matching entries in {file}")]
    Unknown {
        /// `user` or `group`.
        kind: &'static str,
        /// As typed.
        name: String,
        /// Where it was looked for.
        file: &'static str,
    },
    /// A number that is not a user or group ID.
    #[error("`{0}` is not a valid user or group ID (0 to 4294967294)")]
    Number(String),
    /// The file is too large to be honest.
    #[error("{file} of the image has more than {limit} bytes")]
    TooLarge {
        /// Which file.
        file: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The file cannot be read.
    #[error("cannot read {file} of the image")]
    Read {
        /// Which file.
        file: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The image's layers cannot be read.
    #[error("cannot look up {file} in the image")]
    Tree {
        /// Which file.
        file: &'static str,
        /// Why not.
        source: TreeError,
    },
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Bytes of a file of users, at most.
pub const LIMIT: u64 = 8 << 20;

/// Resolves `USER` of an image or `--user`: `name`, `uid`, `name:group`, `uid:gid`; empty means root.
///
/// # Errors
/// When a name is unknown, a number is out of range, or a file of the image cannot be read.
pub fn resolve(tree: &Tree, text: &str) -> Result<User, UserError> {
    resolve_in(|file| read(tree, file), text)
}

/// As [`resolve`], in files that `read` gives: those of a running container.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_in(read: impl Fn(&'static str) -> Result<String, UserError>, text: &str) -> Result<User, UserError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (text, None),
    };
    let passwd = read(PASSWD)?;
    let row = find_user(&passwd, if user.is_empty() { "0" } else { user })?;
    let mut resolved = match row {
        Ok(user) => user,
        Err(uid) => User { uid, ..User::default() },
    };
    let groups = read(GROUP)?;
    match group {
        Some(group) => resolved.gid = find_group(&groups, group)?,
        None => resolved.additional_gids = memberships(&passwd, &groups, &resolved),
    }
    resolved.additional_gids.retain(|gid| *gid != resolved.gid);
    resolved.additional_gids.insert(0, resolved.gid);
    Ok(resolved)
}

/// Resolves a group by itself.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_group(tree: &Tree, text: &str) -> Result<u32, UserError> {
    find_group(&read(tree, GROUP)?, text)
}

/// Resolves `--chown` of COPY and ADD: as [`resolve`], but a number alone is user and group (Dockerfile reference,
/// "COPY --chown"), and `root` needs no row anywhere, as in BuildKit, nor does the user of `:group`, who is root.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_owner(tree: &Tree, text: &str) -> Result<(u32, u32), UserError> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let user = if user.is_empty() { "0" } else { user };
    let [user, group] = [user, group].map(|name| if name == "root" { "0" } else { name });
    let uid = match number(user)? {
        Some(uid) => uid,
        None => find_user(&read(tree, PASSWD)?, user)?.map_or_else(|uid| uid, |row| row.uid),
    };
    let gid = match number(group)? {
        Some(gid) => gid,
        None if group.is_empty() => match number(user)? {
            Some(gid) => gid,
            None => find_user(&read(tree, PASSWD)?, user)?.map_or_else(|uid| uid, |row| row.gid),
        },
        None => find_group(&read(tree, GROUP)?, group)?,
    };
    Ok((uid, gid))
}

/// Decimal digits only: `-1`, `0x0` and `+0` are neither numbers nor likely names.
fn number(text: &str) -> Result<Option<u32>, UserError> {
    let first = text.as_bytes().first().copied().unwrap_or(b'x');
    if !first.is_ascii_digit() && !matches!(first, b'-' | b'+') {
        return Ok(None);
    }
    if first.is_ascii_digit() && !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) if first.is_ascii_digit() && number != u32::MAX => Ok(Some(number)),
        _ => Err(UserError::Number(text.to_owned())),
    }
}

/// The row of a user, or only the number where it has no row.
fn find_user(passwd: &str, user: &str) -> Result<Result<User, u32>, UserError> {
    let uid = number(user)?;
    for row in passwd.lines() {
        let mut fields = row.split(':');
        let (Some(name), Some(_), Some(row_uid), Some(row_gid)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (Ok(row_uid), Ok(row_gid)) = (row_uid.parse::<u32>(), row_gid.parse::<u32>()) else { continue };
        if uid.map_or(name == user, |uid| uid == row_uid) {
            let home = fields.nth(1).filter(|home| !home.is_empty()).map(str::to_owned);
            return Ok(Ok(User { uid: row_uid, gid: row_gid, additional_gids: Vec::new(), home }));
        }
    }
    uid.map(Err).ok_or_else(|| UserError::Unknown { kind: "user", name: user.to_owned(), file: PASSWD })
}

fn find_group(groups: &str, group: &str) -> Result<u32, UserError> {
    if let Some(gid) = number(group)? {
        return Ok(gid);
    }
    let row = groups.lines().find(|row| row.split(':').next() == Some(group));
    row.and_then(|row| row.split(':').nth(2)?.parse().ok()).ok_or_else(|| UserError::Unknown {
        kind: "group",
        name: group.to_owned(),
        file: GROUP,
    })
}

/// Groups that list the user as a member.
fn memberships(passwd: &str, groups: &str, user: &User) -> Vec<u32> {
    let is_own = |row: &&str| row.split(':').nth(2).and_then(|uid| uid.parse().ok()) == Some(user.uid);
    let Some(name) = passwd.lines().find(is_own).and_then(|row| row.split(':').next()) else { return Vec::new() };
    let mut gids: Vec<u32> = groups
        .lines()
        .filter(|row| row.rsplit(':').next().is_some_and(|members| members.split(',').any(|member| member == name)))
        .filter_map(|row| row.split(':').nth(2)?.parse().ok())
        .collect();
    gids.sort_unstable();
    gids.dedup();
    gids
}

/// A text file as [`resolve_in`] wants it, from at most one byte more than [`LIMIT`].
///
/// # Errors
/// When there are more bytes than a file of users may have.
pub fn text(file: &'static str, content: &[u8]) -> Result<String, UserError> {
    if content.len() as u64 > LIMIT {
        return Err(UserError::TooLarge { file, limit: LIMIT });
    }
    Ok(String::from_utf8_lossy(content).into_owned())
}

/// A text file of the image; empty where there is none.
fn read(tree: &Tree, file: &'static str) -> Result<String, UserError> {
    let broken = |source| UserError::Tree { file, source };
    let Some(node) = tree.resolve(&file.as_bytes()[1..], true).map_err(broken)?.node else {
        return Ok(String::new());
    };
    if !matches!(tree.entry(&node, b"").map_err(broken)?.kind, EntryKind::File { .. }) {
        return Ok(String::new());
    }
    let mut content = Vec::new();
    let reader = tree.open(&node).map_err(broken)?;
    reader.take(LIMIT + 1).read_to_end(&mut content).map_err(|source| UserError::Read { file, source })?;
    text(file, &content)
}

#[cfg(test)]
mod tests;

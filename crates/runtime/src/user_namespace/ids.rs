//! Which IDs a user may give to others: subuid(5), subgid(5), and what a namespace was given (user_namespaces(7)).

use std::io;

/// Users or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// `/etc/subuid`.
    User,
    /// `/etc/subgid`.
    Group,
}

impl IdKind {
    /// The file that grants them.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::User => "/etc/subuid",
            Self::Group => "/etc/subgid",
        }
    }
}

/// IDs that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first one.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// The IDs that were granted to a user, who is known by number and name. Empty where there are none, or no such file.
#[must_use]
pub fn subordinate_ids(kind: IdKind, uid: u32) -> Vec<IdRange> {
    let text = std::fs::read_to_string(kind.file()).unwrap_or_default();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    granted(&text, uid, user_name(&users, uid))
}

fn granted(text: &str, uid: u32, name: Option<&str>) -> Vec<IdRange> {
    let number = uid.to_string();
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        if owner != number && Some(owner) != name {
            return None;
        }
        let range = IdRange { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        (range.count > 0 && range.first.checked_add(range.count - 1).is_some()).then_some(range)
    };
    text.lines().filter_map(range).collect()
}

fn user_name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// What a user namespace's IDs are outside: lines of `inside outside count`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap(Vec<(u32, u32, u32)>);

impl IdMap {
    /// The user IDs of this process's namespace.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string("/proc/self/uid_map")?))
    }

    /// The group IDs of this process's namespace.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn read_groups() -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string("/proc/self/gid_map")?))
    }

    /// The user IDs of another process's.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/uid_map"))?))
    }

    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut numbers = line.split_ascii_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The user as root, and what was granted behind that.
    pub(super) fn with_granted(own: u32, granted: &[IdRange]) -> Self {
        let mut next = 1_u32;
        let mut lines = vec![(0, own, 1)];
        for range in granted {
            // What would pass the largest ID is of no use.
            let count = range.count.min(u32::MAX - next);
            lines.push((next, range.first, count));
            next += count;
        }
        Self(lines)
    }

    /// All that the namespace around this one has, as it is there.
    pub(super) fn all_of(outer: &Self) -> Self {
        Self(outer.0.iter().map(|&(inside, _, count)| (inside, inside, count)).collect())
    }

    /// What an ID is outside.
    pub(super) fn outside(&self, id: u32) -> Option<u32> {
        self.0
            .iter()
            .find_map(|&(inside, outside, count)| Some(outside + id.checked_sub(inside).filter(|at| *at < count)?))
    }

    /// No ID was mapped yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many IDs there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.iter().fold(0, |sum, (.., count)| sum.saturating_add(*count))
    }

    /// As `uid_map` takes it.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(inside, outside, count)| format!("{inside} {outside} {count}\n")).collect()
    }

    /// As newuidmap(1) takes it.
    pub(super) fn arguments(&self) -> Vec<String> {
        self.0.iter().flat_map(|&(inside, outside, count)| [inside, outside, count]).map(|id| id.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_name_or_number() {
        let text = "other:5:10\nme:100000:65536\n# a comment\n1000:300000:10\nme:x:1\nme:1:0\nme:4294967295:2\n";
        let wanted = [IdRange { first: 100_000, count: 65_536 }, IdRange { first: 300_000, count: 10 }];
        assert_eq!(granted(text, 1000, Some("me")), wanted);
        assert_eq!(granted(text, 1001, None), []);
    }

    #[test]
    fn a_user_is_known_by_number() {
        let users = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000:,,,:/home/me:/bin/sh\n";
        assert_eq!(user_name(users, 1000), Some("me"));
        assert_eq!(user_name(users, 1001), None);
    }

    #[test]
    fn granted_ids_follow_root() {
        let map = IdMap::with_granted(1000, &[IdRange { first: 100_000, count: 10 }, IdRange { first: 7, count: 2 }]);
        assert_eq!(map.text(), "0 1000 1\n1 100000 10\n11 7 2\n");
        assert_eq!(map.count(), 13);
        assert_eq!(IdMap::parse(&map.text()), map);
    }

    #[test]
    fn everything_from_around_stays_what_it_is() {
        let outer = IdMap::parse("         0       1000          1\n         1     100000      65536\n");
        assert_eq!(IdMap::all_of(&outer).text(), "0 0 1\n1 1 65536\n");
    }
}

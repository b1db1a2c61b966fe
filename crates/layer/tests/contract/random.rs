//! Layers and changes made by chance, from fixed seeds: the kernel, the indexes and the tars must tell one story.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::symlink as make_symlink;
use std::path::PathBuf;

use layer::{DiffOptions, Entry, EntryKind};

use crate::stack::{both, entry, file, folder};
use crate::view::{kernel_view, path_of};

/// A small generator (Marsaglia's xorshift), so that a failure comes back with its seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Uses up what one change would.
    pub(crate) fn skip(&mut self, root: BorrowedFd<'_>) {
        let (_one, _other) = (self.path(), self.path());
        let _renaming = (self.below(10), root);
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    /// Few names, so that layers meet often.
    fn path(&mut self) -> Vec<u8> {
        let depth = 1 + self.below(4);
        (0..depth).map(|_| ["a", "b", "c", "d"][self.below(4) as usize]).collect::<Vec<_>>().join("/").into_bytes()
    }
}

/// An entry with its content.
type Made = (Entry, Vec<u8>);

/// A layer in the order that a walk gives: each name once, parents before what is in them.
pub(crate) fn layer_by_chance(chance: &mut Chance) -> Vec<Made> {
    let mut entries: BTreeMap<Vec<Vec<u8>>, Vec<Made>> = BTreeMap::new();
    for _ in 0..3 + chance.below(12) {
        let path = chance.path();
        let content = vec![b'x'; chance.below(1500) as usize];
        let made = match chance.below(10) {
            0..4 => vec![file(&path, content)],
            4..6 => vec![folder(&path)],
            6 => vec![entry(&path, EntryKind::Whiteout)],
            7 => vec![folder(&path), entry(&path, EntryKind::Opaque)],
            8 => vec![entry(&path, EntryKind::Symlink { target: b"a".to_vec() })],
            _ => vec![entry(&path, EntryKind::Fifo)],
        };
        let components: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
        let is_folder = |made: &Vec<Made>| made[0].0.kind == EntryKind::Directory;
        let is_below_other =
            (1..components.len()).any(|depth| entries.get(&components[..depth]).is_some_and(|made| !is_folder(made)));
        let has_below = entries.keys().any(|other| other.len() > components.len() && other.starts_with(&components));
        if !is_below_other && (is_folder(&made) || !has_below) {
            entries.insert(components, made);
        }
    }
    entries.into_values().flatten().collect()
}

#[test]
#[ignore = "requires root"]
fn stacks_by_chance_requires_root() {
    for seed in 1..=40 {
        both(|mut stack| {
            println!("seed {seed}");
            let mut chance = Chance::new(seed);
            for _ in 0..5 {
                stack.push(&layer_by_chance(&mut chance));
            }
            stack.view();
        });
    }
}

#[test]
#[ignore = "requires root"]
fn both_backends_show_the_same_requires_root() {
    for seed in 100..=110 {
        let mut views = Vec::new();
        let views_of = std::cell::RefCell::new(&mut views);
        both(|mut stack| {
            let mut chance = Chance::new(seed);
            for _ in 0..4 {
                stack.push(&layer_by_chance(&mut chance));
            }
            views_of.borrow_mut().push(kernel_view(stack.mount().as_fd()));
        });
        crate::view::assert_same(&views[0], &views[1], "erofs (left) and extracted");
    }
}

#[test]
#[ignore = "requires root"]
fn changes_by_chance_requires_root() {
    for seed in 1..=25 {
        both(|mut stack| {
            println!("seed {seed}");
            let mut chance = Chance::new(seed + 1000);
            stack.push(&layer_by_chance(&mut chance));
            stack.push(&layer_by_chance(&mut chance));
            for _ in 0..4 {
                stack.change(&DiffOptions::default(), |root| {
                    for _ in 0..12 {
                        // Names that are not there are part of the game.
                        drop(change_by_chance(&mut chance, root));
                    }
                });
            }
        });
    }
}

/// Does one thing, if it can be done.
pub(crate) fn change_by_chance(chance: &mut Chance, root: BorrowedFd<'_>) -> std::io::Result<()> {
    let place = |path: Vec<u8>| -> PathBuf { path_of(root).join(String::from_utf8(path).unwrap()) };
    let (one, other) = (place(chance.path()), place(chance.path()));
    let is_real = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|status| status.is_file() || status.is_dir());
    match chance.below(10) {
        0..3 if !one.exists() || is_real(&one) => fs::write(&one, vec![b'y'; chance.below(900) as usize]),
        3 => fs::create_dir_all(&one),
        4 => fs::remove_file(&one),
        5 => fs::remove_dir_all(&one),
        6 => fs::rename(&one, &other),
        7 => fs::hard_link(&one, &other),
        8 => make_symlink("b", &one),
        _ => fs::remove_dir_all(&one).and_then(|()| fs::create_dir(&one)),
    }
}

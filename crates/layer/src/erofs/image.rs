//! Lays the finished tree out as an image: inodes folder by folder, then blocks of data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use oci::Digest;

use crate::entry::{Shown, Timestamp};

use super::directory::{self, file_type};
use super::inodes::{Directory, Id, Indexed, IndexingError, Inode, Inodes, Kind, ROOT};
use super::mapping::{Address, Mapping};
use super::{BLOCK, FIRST_INODE, SLOT, Superblock, layout, put16, put32, put64, xattrs};

/// A complete image but for its superblock, which has the tar's digest.
#[derive(Debug)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    time: Timestamp,
    inodes: u64,
    /// Sum of the sizes of regular files, hard links once.
    pub(crate) content_size: u64,
    /// Holds something of the layers below.
    pub(crate) needs_base: bool,
    /// The tar has no entry for some folders below the root that it puts things into.
    pub(crate) implies_folders: bool,
    /// The tar has an entry for the root.
    pub(crate) lists_root: bool,
}

impl Image {
    /// Fills the superblock in.
    pub(crate) fn seal(mut self, digest: &Digest, tar_size: u64) -> Option<Vec<u8>> {
        let blocks = u32::try_from(self.bytes.len() as u64 / BLOCK).ok()?;
        let tar_blocks = u32::try_from(tar_size.div_ceil(BLOCK)).ok()?;
        // The last address means a hole.
        blocks.checked_add(tar_blocks).filter(|end| *end < layout::HOLE)?;
        let superblock = Superblock { blocks, tar_blocks, inodes: self.inodes, time: self.time, digest };
        superblock.write(&mut self.bytes);
        Some(self.bytes)
    }

    /// Number of inodes.
    pub(crate) fn inodes(&self) -> u64 {
        self.inodes
    }
}

/// Lays out all that can be reached from the root.
pub(super) fn build(tree: &Inodes) -> Result<Image, IndexingError> {
    let reach = Reach::new(tree);
    let time = most_frequent(reach.order.iter().map(|id| tree.all[*id as usize].mtime));
    let plan = Plan::new(tree, &reach, time);
    let data_start = plan.inodes_end.div_ceil(BLOCK);
    let spill_start = data_start + plan.data_blocks;
    let length = spill_start * BLOCK + tree.spilled.len() as u64;
    let too_large = || IndexingError::Range { path: Shown(b".").to_string(), what: "number of blocks" };
    let starts = Starts {
        data: u32::try_from(data_start).map_err(|_| too_large())?,
        spill: u32::try_from(spill_start).map_err(|_| too_large())?,
        tar: u32::try_from(length / BLOCK).map_err(|_| too_large())?,
    };

    let mut bytes = vec![0; length as usize];
    bytes[(spill_start * BLOCK) as usize..].copy_from_slice(&tree.spilled);
    let mut content_size = 0;
    for (number, id) in reach.order.iter().enumerate() {
        let inode = &tree.all[*id as usize];
        if let Kind::File { size, .. } = inode.kind {
            content_size += size;
        }
        write_inode(&mut bytes, &Writing { tree, reach: &reach, plan: &plan, starts: &starts }, number, *id);
    }
    let inodes = reach.order.len() as u64;
    Ok(Image {
        bytes,
        time,
        inodes,
        content_size,
        needs_base: tree.needs_base,
        implies_folders: tree.implies_folders,
        lists_root: tree.lists_root(),
    })
}

/// First blocks of the areas behind the inodes.
struct Starts {
    data: u32,
    spill: u32,
    /// The tar follows the image.
    tar: u32,
}

impl Starts {
    /// The block that an inode names; `build` and `seal` see to it that all fit.
    fn address(&self, address: Address) -> u32 {
        match address {
            Address::Hole => layout::HOLE,
            Address::Tar(block) => self.tar.wrapping_add(block),
            Address::Spill(block) => self.spill + block,
        }
    }
}

/// What can be reached from the root, folder by folder.
struct Reach {
    order: Vec<Id>,
    /// By inode.
    links: Vec<u32>,
    /// By inode; of folders only.
    parents: Vec<Id>,
    /// By inode; of folders only.
    has_whiteouts: Vec<bool>,
}

impl Reach {
    fn new(tree: &Inodes) -> Self {
        let count = tree.all.len();
        let mut reach = Self {
            order: vec![ROOT],
            links: vec![0; count],
            parents: vec![ROOT; count],
            has_whiteouts: vec![false; count],
        };
        reach.links[ROOT as usize] = 2;
        let mut next = 0;
        while let Some(folder) = reach.order.get(next).copied() {
            next += 1;
            let Kind::Directory(directory) = &tree.all[folder as usize].kind else { continue };
            for child in directory.children.values().copied() {
                let links = &mut reach.links[child as usize];
                let is_first = *links == 0;
                match tree.all[child as usize].kind {
                    Kind::Directory(_) => {
                        *links = 2;
                        reach.parents[child as usize] = folder;
                        reach.links[folder as usize] += 1;
                    }
                    Kind::Whiteout => {
                        *links = 1;
                        reach.has_whiteouts[folder as usize] = true;
                    }
                    _ => *links += 1,
                }
                if is_first {
                    reach.order.push(child);
                }
            }
        }
        reach
    }
}

/// The time that more than half of the inodes have, if there is one (Boyer and Moore): those are written short.
fn most_frequent(times: impl Iterator<Item = Timestamp>) -> Timestamp {
    let mut candidate = (Timestamp::default(), 0u64);
    for time in times {
        candidate = match candidate {
            (_, 0) => (time, 1),
            (known, count) if known == time => (known, count + 1),
            (known, count) => (known, count - 1),
        };
    }
    candidate.0
}

/// Where an inode and its data go.
struct Place {
    offset: u64,
    is_extended: bool,
    layout: u16,
    size: u64,
    /// First of its blocks in the data area.
    block: u64,
}

struct Plan {
    /// In the order of [`Reach::order`].
    places: Vec<Place>,
    /// Inode numbers, by inode.
    numbers: Vec<u64>,
    inodes_end: u64,
    data_blocks: u64,
}

impl Plan {
    fn new(tree: &Inodes, reach: &Reach, time: Timestamp) -> Self {
        let mut plan = Self {
            places: Vec::with_capacity(reach.order.len()),
            numbers: vec![0; tree.all.len()],
            inodes_end: FIRST_INODE,
            data_blocks: 0,
        };
        for id in &reach.order {
            plan.place(tree, reach, *id, time);
        }
        plan
    }

    fn place(&mut self, tree: &Inodes, reach: &Reach, id: Id, time: Timestamp) {
        let inode = &tree.all[id as usize];
        let size = match &inode.kind {
            Kind::Directory(directory) => directory_size(directory),
            Kind::File { size, .. } => *size,
            Kind::Symlink(target) => target.len() as u64,
            Kind::Device(_) | Kind::Fifo | Kind::Whiteout => 0,
        };
        let is_extended = inode.uid > u32::from(u16::MAX)
            || inode.gid > u32::from(u16::MAX)
            || size > u64::from(u32::MAX)
            || reach.links[id as usize] > u32::from(u16::MAX)
            || inode.mtime != time;
        let head = if is_extended { 64 } else { 32 }
            + xattrs::body_size(attributes(inode, reach.has_whiteouts[id as usize]).len()).0;
        let mut offset = self.inodes_end.next_multiple_of(SLOT);
        let mut block = 0;
        let mut data_layout = layout::FLAT_PLAIN;
        let end;
        match &inode.kind {
            Kind::File { mapping: Mapping::Chunks { chunks, .. }, .. } => {
                data_layout = layout::CHUNKED;
                end = (offset + head).next_multiple_of(8) + 8 * chunks.len() as u64;
            }
            Kind::Directory(_) | Kind::Symlink(_) => {
                let tail = size % BLOCK;
                block = self.data_blocks;
                self.data_blocks += size / BLOCK;
                // Inline data must lie within one block. A gap in front of the inode is worth less than a block.
                let fits = |offset: u64| tail > 0 && (offset + head) % BLOCK + tail <= BLOCK;
                let next_block = offset.next_multiple_of(BLOCK);
                if !fits(offset) && fits(next_block) && next_block - offset <= BLOCK - tail {
                    offset = next_block;
                }
                if fits(offset) {
                    data_layout = layout::FLAT_INLINE;
                    end = offset + head + tail;
                } else {
                    self.data_blocks += u64::from(tail > 0);
                    end = offset + head;
                }
            }
            _ => end = offset + head,
        }
        self.inodes_end = end;
        self.numbers[id as usize] = offset / SLOT;
        self.places.push(Place { offset, is_extended, layout: data_layout, size, block });
    }
}

/// Encoded attributes with those for overlayfs.
fn attributes(inode: &Inode, has_whiteouts: bool) -> Cow<'_, [u8]> {
    let is_opaque = matches!(&inode.kind, Kind::Directory(directory) if directory.is_opaque);
    if !is_opaque && !has_whiteouts {
        return Cow::Borrowed(&inode.xattrs);
    }
    let mut entries = inode.xattrs.clone();
    if is_opaque {
        xattrs::push(&mut entries, xattrs::OPAQUE.0, xattrs::OPAQUE.1);
    }
    if has_whiteouts {
        xattrs::push(&mut entries, xattrs::ORIGIN.0, xattrs::ORIGIN.1);
    }
    Cow::Owned(entries)
}

/// The entries of a folder with `.` and `..`, sorted by bytes.
fn sorted(children: &BTreeMap<Box<[u8]>, Id>) -> impl Iterator<Item = (&[u8], Indexed)> {
    let range = |from: Bound<&'static [u8]>, to: Bound<&'static [u8]>| {
        children.range::<[u8], _>((from, to)).map(|(name, id)| (&name[..], Indexed::Child(*id)))
    };
    let (dot, dots): (&'static [u8], &'static [u8]) = (b".", b"..");
    range(Bound::Unbounded, Bound::Excluded(dot))
        .chain(std::iter::once((dot, Indexed::Own)))
        .chain(range(Bound::Excluded(dot), Bound::Excluded(dots)))
        .chain(std::iter::once((dots, Indexed::Parent)))
        .chain(range(Bound::Excluded(dots), Bound::Unbounded))
}

fn directory_size(directory: &Directory) -> u64 {
    let mut size = directory::Size::default();
    for (name, _) in sorted(&directory.children) {
        size.add(name);
    }
    size.total()
}

struct Writing<'a> {
    tree: &'a Inodes,
    reach: &'a Reach,
    plan: &'a Plan,
    starts: &'a Starts,
}

fn write_inode(bytes: &mut [u8], writing: &Writing<'_>, number: usize, id: Id) {
    let inode = &writing.tree.all[id as usize];
    let place = &writing.plan.places[number];
    let attributes = attributes(inode, writing.reach.has_whiteouts[id as usize]);
    let (attributes_size, attributes_count) = xattrs::body_size(attributes.len());
    let specific = match &inode.kind {
        Kind::Directory(_) | Kind::Symlink(_) => writing.starts.data + place.block as u32,
        Kind::File { mapping, .. } => match mapping {
            Mapping::Empty => 0,
            Mapping::One(address) => writing.starts.address(*address),
            Mapping::Chunks { bits, .. } => u32::from(layout::CHUNK_INDEXES | u16::from(*bits)),
        },
        Kind::Device(numbers) => *numbers,
        Kind::Fifo | Kind::Whiteout => 0,
    };
    let links = writing.reach.links[id as usize];
    let head = if place.is_extended { 64 } else { 32 };
    let start = place.offset as usize;
    let out = &mut bytes[start..start + head];
    put16(out, 0, place.layout << 1 | if place.is_extended { layout::EXTENDED } else { 0 });
    put16(out, 2, attributes_count);
    put16(out, 4, inode.mode);
    put32(out, 16, specific);
    put32(out, 20, number as u32 + 1);
    if place.is_extended {
        put64(out, 8, place.size);
        put32(out, 24, inode.uid);
        put32(out, 28, inode.gid);
        put64(out, 32, inode.mtime.secs.cast_unsigned());
        put32(out, 40, inode.mtime.nanos);
        put32(out, 44, links);
    } else {
        put16(out, 6, links as u16);
        put32(out, 8, place.size as u32);
        put16(out, 24, inode.uid as u16);
        put16(out, 26, inode.gid as u16);
    }
    let behind = start + head + attributes_size as usize;
    xattrs::write(&mut bytes[start + head..behind], &attributes);
    write_data(bytes, writing, place, id, behind);
}

fn write_data(bytes: &mut [u8], writing: &Writing<'_>, place: &Place, id: Id, behind: usize) {
    let owned;
    let content = match &writing.tree.all[id as usize].kind {
        Kind::File { mapping, .. } => {
            if let Mapping::Chunks { chunks, .. } = mapping {
                write_chunks(&mut bytes[behind.next_multiple_of(8)..], chunks, writing.starts);
            }
            return;
        }
        Kind::Symlink(target) => &target[..],
        Kind::Directory(directory) => {
            let mut writer = directory::Writer::default();
            for (name, child) in sorted(&directory.children) {
                let child = match child {
                    Indexed::Child(child) => child,
                    Indexed::Own => id,
                    Indexed::Parent => writing.reach.parents[id as usize],
                };
                let inode = &writing.tree.all[child as usize];
                writer.add(name, writing.plan.numbers[child as usize], file_type(inode.mode));
            }
            owned = writer.finish();
            &owned[..]
        }
        Kind::Device(_) | Kind::Fifo | Kind::Whiteout => return,
    };
    let tail = if place.layout == layout::FLAT_INLINE { content.len() % BLOCK as usize } else { 0 };
    let (blocks, inline) = content.split_at(content.len() - tail);
    let at = (u64::from(writing.starts.data) + place.block) as usize * BLOCK as usize;
    bytes[at..at + blocks.len()].copy_from_slice(blocks);
    bytes[behind..behind + inline.len()].copy_from_slice(inline);
}

fn write_chunks(out: &mut [u8], chunks: &[Address], starts: &Starts) {
    for (index, chunk) in out.chunks_exact_mut(8).zip(chunks) {
        put32(index, 4, starts.address(*chunk));
    }
}

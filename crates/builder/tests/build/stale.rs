//! No stale hit: random edits of a context and a Dockerfile, each followed by a build on the same store, whose image
//! must hold what a model of the two says.
//!
//! Edits are as nasty as they can be: in place, of equal length, with times put back, within one tick of the clock.
//! `ONGGI_RANDOM_EDITS=100000 cargo test --release -p builder --test build stale` makes a long run of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use builder::CacheMode;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::cache_folder::{from, to};
use crate::kitchen::Kitchen;

/// Edits of a run that nobody asked to be longer.
const EDITS: usize = 250;

/// Small on purpose: names, contents and values come back, so that old results could be taken for new ones.
const NAMES: [&str; 6] = ["a", "b", "c.log", "e/a", "e/b", "e/f/c.log"];
const TEXTS: [&str; 3] = ["1", "2", "3"];
const MODES: [u32; 2] = [0o644, 0o755];

#[derive(Debug, Clone, PartialEq, Eq)]
enum File {
    Regular { text: usize, mode: usize },
    Link { target: usize },
}

/// What there should be.
#[derive(Debug, Clone, Default)]
struct Model {
    files: BTreeMap<&'static str, File>,
    /// Lines of the ignore file that are in force.
    ignores_logs: bool,
    ignores_e: bool,
    argument: usize,
    variable: usize,
    chmod: Option<usize>,
    /// The stage that is copied from writes this.
    stage: usize,
    /// Which of the steps come first.
    is_reversed: bool,
    is_linked: bool,
    keeps_parents: bool,
    /// What `--exclude` says, of [`EXCLUDES`].
    excluded: usize,
    /// The file that a RUN takes from the mounted context, and how it is mounted.
    taken: usize,
    mount: usize,
    /// The text of here-documents.
    document: usize,
    /// What a cache is told and what a secret is, neither of which reaches the image.
    kept: usize,
    secret: usize,
}

/// Nothing, files by their names, a folder.
const EXCLUDES: [&str; 3] = ["", "--exclude=**/*.log ", "--exclude=e "];
const MOUNTS: [&str; 3] = ["target=/m,source=d", "type=bind,target=/m,source=/d,rw", "target=/m,source=d,ro"];

/// Numbers that look random and are the same each time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

#[test]
fn no_stale_hit_in_random_edits() {
    edit_and_build(None);
}

/// Every few edits the store forgets what was built, and finds it in the folder or not at all.
#[test]
fn no_stale_hit_in_random_edits_with_a_cache_folder() {
    edit_and_build(Some(3));
}

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
fn edit_and_build(forgets_after: Option<usize>) {
    // Those with a folder write more, and a bit of it is enough.
    let usual = if forgets_after.is_some() { EDITS / 4 } else { EDITS };
    let edits = std::env::var("ONGGI_RANDOM_EDITS").ok().map_or(usual, |count| count.parse().unwrap());
    let kitchen = Kitchen::with("d/a=1 d/e/f/ d/e/a=1");
    let start = File::Regular { text: 0, mode: 0 };
    let mut model = Model { files: [("a", start.clone()), ("e/a", start)].into(), ..Model::default() };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let folder = kitchen.folder().join("cache");
    let mut imported = 0;
    for number in 0..edits {
        if forgets_after.is_some_and(|count| number % count == 0) {
            kitchen.forget_results();
        }
        let what = edit(&kitchen, &mut model, &mut random);
        kitchen.secret("s", &format!("hidden-{}", model.secret));
        let outcome = kitchen.build_as(&model.dockerfile(), |request| {
            request.build_args = vec![("ARG".to_owned(), TEXTS[model.argument].to_owned())];
            request.explain = false;
            if forgets_after.is_some() {
                request.cache_from = vec![from(&folder)];
                let mode = if number % 2 == 0 { CacheMode::Max } else { CacheMode::Min };
                request.cache_to = vec![to(&folder, mode)];
            }
        });
        let mut found: Vec<String> = outcome.changes().lines().map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join("\n"), model.expected(), "after edit {number}: {what}\n{}", outcome.steps());
        if forgets_after.is_some_and(|count| number % count == 0) {
            imported += outcome.steps().matches("CACHED").count();
        }
    }
    assert_eq!(imported > 0, forgets_after.is_some());
}

fn edit(kitchen: &Kitchen, model: &mut Model, random: &mut Random) -> String {
    let name = NAMES[random.below(NAMES.len())];
    let path = kitchen.context().join("d").join(name);
    match random.below(18) {
        0..=4 => {
            let file = File::Regular { text: random.below(TEXTS.len()), mode: random.below(MODES.len()) };
            put(&path, &file, model.files.get(name));
            let what = format!("{name} is {file:?}");
            model.files.insert(name, file);
            what
        }
        5 => {
            // Something must be left, or there is nothing to copy.
            if model.files.len() > 1 && model.files.remove(name).is_some() {
                fs::remove_file(&path).unwrap();
            }
            format!("{name} is gone")
        }
        6 => {
            let file = File::Link { target: random.below(TEXTS.len()) };
            put(&path, &file, model.files.get(name));
            model.files.insert(name, file);
            format!("{name} is a link")
        }
        7 => {
            if random.below(2) == 0 {
                model.ignores_logs ^= true;
            } else {
                model.ignores_e ^= true;
            }
            let line = |is_there: bool, line: &'static str| if is_there { line } else { "#" };
            let lines = [line(model.ignores_logs, "**/*.log"), line(model.ignores_e, "d/e")];
            fs::write(kitchen.context().join(".dockerignore"), lines.join("\n")).unwrap();
            "the ignore file".to_owned()
        }
        8 => choose("ARG", &mut model.argument, random),
        9 => choose("ENV", &mut model.variable, random),
        10 => choose("the stage", &mut model.stage, random),
        11 => choose("the document", &mut model.document, random),
        12 => choose("the cache", &mut model.kept, random),
        13 => choose("the secret", &mut model.secret, random),
        14 => {
            model.excluded = random.below(EXCLUDES.len());
            format!("excluded is `{}`", EXCLUDES[model.excluded])
        }
        15 => {
            (model.taken, model.mount) = (random.below(NAMES.len()), random.below(MOUNTS.len()));
            format!("taken is {}", NAMES[model.taken])
        }
        16 => {
            if random.below(2) == 0 {
                model.is_linked ^= true;
            } else {
                model.keeps_parents ^= true;
            }
            format!("linked {}, parents {}", model.is_linked, model.keeps_parents)
        }
        _ => {
            if random.below(2) == 0 {
                model.is_reversed ^= true;
            } else {
                let mode = random.below(MODES.len() + 1);
                model.chmod = (mode < MODES.len()).then_some(mode);
            }
            "the Dockerfile".to_owned()
        }
    }
}

fn choose(what: &str, value: &mut usize, random: &mut Random) -> String {
    *value = random.below(TEXTS.len());
    format!("{what} is {}", TEXTS[*value])
}

/// Makes the file so, by the means that show the least.
fn put(path: &Path, file: &File, before: Option<&File>) {
    match (file, before) {
        (File::Regular { text, mode }, Some(File::Regular { .. })) => {
            let old = fs::metadata(path).unwrap();
            let mut opened = fs::OpenOptions::new().write(true).open(path).unwrap();
            std::io::Write::write_all(&mut opened, TEXTS[*text].as_bytes()).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(MODES[*mode])).unwrap();
            let time = Timespec { tv_sec: old.mtime(), tv_nsec: old.mtime_nsec() };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
        }
        _ => {
            if before.is_some() {
                fs::remove_file(path).unwrap();
            }
            match file {
                File::Regular { text, mode } => {
                    fs::write(path, TEXTS[*text]).unwrap();
                    fs::set_permissions(path, fs::Permissions::from_mode(MODES[*mode])).unwrap();
                }
                File::Link { target } => symlink(TEXTS[*target], path).unwrap(),
            }
        }
    }
}

impl Model {
    fn dockerfile(&self) -> String {
        let stage = format!("FROM base AS one\nRUN write /s {}\n", TEXTS[self.stage]);
        let chmod = self.chmod.map_or_else(String::new, |mode| format!("--chmod={:o} ", MODES[mode]));
        let link = if self.is_linked { "--link " } else { "" };
        let parents = if self.keeps_parents { "--parents " } else { "" };
        let copy = format!("COPY {link}{parents}{}{chmod}d /x/\n", self.exclude());
        let document = TEXTS[self.document];
        let documents = format!("COPY {link}<<END /h\n{document}\nEND\nRUN <<END\nwrite /r {document}\nEND\n");
        let name = NAMES[self.taken];
        let mounts = format!(
            "RUN --mount={} --mount=from=one,source=/s,target=/o take /m/{name} /t && take /o /q\n\
             RUN --mount=type=cache,target=/c --mount=type=secret,id=s keep /c/x {} && show /c/x && write /k kept\n",
            MOUNTS[self.mount], TEXTS[self.kept]
        );
        let run = format!("ARG ARG\nENV VARIABLE={}\nRUN variables /v\n{documents}", TEXTS[self.variable]);
        let copy = format!("{copy}{mounts}");
        let (first, second) = if self.is_reversed { (run, copy) } else { (copy, run) };
        format!("{stage}FROM base\n{first}{second}COPY {link}--from=one /s /s\n")
    }

    /// What the image has that the base has not, as the kitchen shows it.
    fn expected(&self) -> String {
        let document = format!("{}\n", TEXTS[self.document]);
        let mut lines = vec![
            format!("/s 644 {:?}", TEXTS[self.stage]),
            format!("/q 644 {:?}", TEXTS[self.stage]),
            format!("/v 644 {:?}", format!("{} {}", TEXTS[self.argument], TEXTS[self.variable])),
            format!("/h 644 {document:?}"),
            format!("/r 644 {:?}", TEXTS[self.document]),
            format!("/t 644 {:?}", self.taken()),
            "/k 644 \"kept\"".to_owned(),
            "/x/ 755".to_owned(),
        ];
        let folder_mode = self.chmod.map_or(0o755, |mode| MODES[mode]);
        let place = if self.keeps_parents { "/x/d" } else { "/x" };
        if self.keeps_parents {
            lines.push(format!("/x/d/ {folder_mode:o}"));
        }
        if !self.ignores_e && self.excluded != 2 {
            lines.extend([format!("{place}/e/ {folder_mode:o}"), format!("{place}/e/f/ {folder_mode:o}")]);
        }
        let copied = self.files.iter().filter(|(name, _)| !self.is_ignored(name) && !self.is_excluded(name));
        for (name, file) in copied {
            lines.push(match file {
                File::Regular { text, mode } => {
                    format!("{place}/{name} {:o} {:?}", MODES[self.chmod.unwrap_or(*mode)], TEXTS[*text])
                }
                File::Link { target } => format!("{place}/{name} -> {}", TEXTS[*target]),
            });
        }
        lines.sort();
        lines.join("\n")
    }

    /// What the file that a RUN takes from the mounted context holds; links lead nowhere.
    fn taken(&self) -> &'static str {
        let name = NAMES[self.taken];
        match self.files.get(name) {
            Some(File::Regular { text, .. }) if !self.is_ignored(name) => TEXTS[*text],
            _ => "nothing",
        }
    }

    /// Patterns begin where the copied path does: with `--parents` at the context.
    fn exclude(&self) -> String {
        let exclude = EXCLUDES[self.excluded];
        if self.keeps_parents { exclude.replace("=e ", "=d/e ") } else { exclude.to_owned() }
    }

    fn is_excluded(&self, name: &str) -> bool {
        match self.excluded {
            1 => name.ends_with(".log"),
            2 => name.starts_with("e/"),
            _ => false,
        }
    }

    fn is_ignored(&self, name: &str) -> bool {
        self.ignores_logs && name.ends_with(".log") || self.ignores_e && name.starts_with("e/")
    }
}

//! A store, a context and a recorder in a temporary folder; builds, and their results as text.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use builder::{
    BuildError, BuildRequest, BuildTools, Event, Problem, Reporter, RunNetwork, StepId, StepOptions, StepOutcome,
    TimeOptions,
};
use image::Stack;
use layer::{Entry, EntryKind, LayerWriter, Metadata, Node, Timestamp, Tree, Xattr};
use oci::{DiffId, History, ImageConfig, ImageId, Platform};
use store::Store;

use crate::recorder::Recorder;
use crate::servers::Servers;

/// `PATH` of images that have none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the image `base` holds.
pub(crate) const BASE: &str = "bin/ bin/sh:755=sh etc/ \
    etc/passwd=root:x:0:0::/root:/bin/sh\\napp:x:1000:1001::/home/app:/bin/sh\\n \
    etc/group=root:x:0:\\napp:x:1001:\\nstaff:x:50:\\n \
    srv/:750 srv/old=old link->srv loop->loop";

pub(crate) struct Kitchen {
    folder: PathBuf,
    /// Removes the folder; a kitchen that another process made leaves it.
    guard: Option<tempfile::TempDir>,
    pub(crate) store: Store,
    pub(crate) recorder: Recorder,
    pub(crate) servers: Servers,
    secrets: Mutex<HashMap<String, String>>,
    pub(crate) cancelled: AtomicBool,
    clock: AtomicI64,
}

impl Kitchen {
    /// An empty context, and a store with the image `base`.
    pub(crate) fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        fs::create_dir(guard.path().join("context")).unwrap();
        let mut kitchen = Self::open(guard.path());
        kitchen.guard = Some(guard);
        kitchen.image("base", BASE, r#"{"Env":["PATH=/bin"],"Cmd":["sh"]}"#);
        kitchen
    }

    /// Another one's store and context.
    pub(crate) fn open(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            guard: None,
            store: Store::open(&folder.join("store")).unwrap(),
            recorder: Recorder::default(),
            servers: Servers::default(),
            secrets: Mutex::default(),
            cancelled: AtomicBool::new(false),
            clock: AtomicI64::new(1_767_225_600),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A kitchen whose context holds these files; see [`Kitchen::files`].
    pub(crate) fn with(files: &str) -> Self {
        let kitchen = Self::new();
        kitchen.files(files);
        kitchen
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.folder.join("context")
    }

    /// Files of the context, in words: `a=text`, `a:755=text`, `folder/`, `folder/:700`, `link->target`,
    /// `second==first` for a hard link, `-a` to remove. `\n` and `\s` stand for a line break and a blank.
    pub(crate) fn files(&self, words: &str) {
        for file in words.split_whitespace().map(parse) {
            let path = self.context().join(&file.path);
            if file.kind == Kind::Removed {
                fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).unwrap();
                continue;
            }
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match file.kind {
                Kind::File => fs::write(&path, file.text).unwrap(),
                Kind::Folder => fs::create_dir_all(&path).unwrap(),
                Kind::Symlink => symlink(file.text, &path).unwrap(),
                Kind::HardLink => fs::hard_link(self.context().join(file.text), &path).unwrap(),
                Kind::Removed => unreachable!(),
            }
            if matches!(file.kind, Kind::File | Kind::Folder) {
                fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
            }
        }
    }

    /// When a file of the context was changed, in seconds since 1970.
    pub(crate) fn set_mtime(&self, path: &str, seconds: u64) {
        let file = fs::File::open(self.context().join(path)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    }

    /// Puts an image of one layer into the store. `config` is the JSON of its `config`.
    pub(crate) fn image(&self, name: &str, files: &str, config: &str) -> ImageId {
        let layer = self.layer(files);
        let mut image = ImageConfig::scratch(&Platform::host());
        image.config = serde_json::from_str(config).unwrap();
        image.rootfs.diff_ids.push(layer);
        let created = Some("2025-01-01T00:00:00Z".to_owned());
        image.history.push(History { created, created_by: Some(format!("made {name}")), ..History::default() });
        let id = self.store.publish_image(&image.to_bytes(), None).unwrap();
        self.store.set_reference(&format!("{name}:latest").parse().unwrap(), id).unwrap();
        id
    }

    fn layer(&self, words: &str) -> DiffId {
        let mut files: Vec<File> = words.split_whitespace().map(parse).collect();
        files.sort_by(|one, other| one.path.split('/').cmp(other.path.split('/')));
        let sink = self.store.layer_sink().unwrap();
        let mut writer = LayerWriter::new(sink.file().unwrap());
        for file in files {
            let kind = match file.kind {
                Kind::File => EntryKind::File { size: file.text.len() as u64 },
                Kind::Folder => EntryKind::Directory,
                Kind::Symlink => EntryKind::Symlink { target: file.text.clone().into_bytes() },
                Kind::HardLink => EntryKind::HardLink { target: file.text.clone().into_bytes() },
                Kind::Removed => unreachable!("a base image has nothing to remove"),
            };
            let mtime = Timestamp { secs: 1_700_000_000, nanos: 0 };
            // Some folder that is not root's, to see whether it stays as it is.
            let (uid, gid) = if file.path == "srv" { (7, 8) } else { (0, 0) };
            let metadata = Metadata { mode: file.mode, uid, gid, mtime, xattrs: Vec::new() };
            let content = if file.kind == Kind::File { file.text.into_bytes() } else { Vec::new() };
            writer.append(&Entry { path: file.path.into_bytes(), kind, metadata }, &mut content.as_slice()).unwrap();
        }
        let finished = writer.finish().unwrap();
        self.store.add_layer(finished.diff_id, sink, &finished.index, None).unwrap();
        finished.diff_id
    }

    /// Waits until no file of the context is so young that its times cannot be trusted.
    pub(crate) fn let_files_age(&self) {
        let born = std::time::Instant::now();
        while born.elapsed() < std::time::Duration::from_millis(25) {
            std::thread::yield_now();
        }
    }

    /// Names, times and sizes of all files of the store.
    pub(crate) fn snapshot(&self) -> Vec<String> {
        use std::os::unix::fs::MetadataExt;
        let mut lines = Vec::new();
        let mut folders = vec![self.store.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                lines.push(format!("{} {} {} {}", path.display(), meta.len(), meta.ctime(), meta.ctime_nsec()));
                if meta.is_dir() {
                    folders.push(path);
                }
            }
        }
        lines.sort();
        lines
    }

    /// A secret for the builds that follow.
    pub(crate) fn secret(&self, id: &str, value: &str) {
        self.secrets.lock().unwrap().insert(id.to_owned(), value.to_owned());
    }

    /// Files of the store that hold a text.
    pub(crate) fn find_in_store(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.store.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
        }
        found
    }

    /// Takes a layer's files away, as pruning would.
    pub(crate) fn remove_layer(&self, layer: DiffId) {
        for kind in ["tar", "erofs"] {
            fs::remove_file(self.store.path().join(format!("layers/{}.{kind}", layer.0.hex()))).unwrap();
        }
    }

    /// Makes the store one in which nothing was ever built: what is left are images that have names.
    pub(crate) fn forget_results(&self) {
        let path = |name: &str| self.store.path().join(name);
        let named: Vec<ImageId> = self.store.references().unwrap().into_iter().map(|(_, id)| id).collect();
        let layers: Vec<String> = named
            .iter()
            .flat_map(|id| self.store.image(*id).unwrap().rootfs.diff_ids)
            .map(|layer| layer.0.hex())
            .collect();
        let images: Vec<String> = named.iter().map(|id| id.0.hex()).collect();
        for (folder, kept) in [
            ("steps", &Vec::new()),
            ("builds", &Vec::new()),
            ("contexts", &Vec::new()),
            ("images", &images),
            ("layers", &layers),
        ] {
            for entry in fs::read_dir(path(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if !kept.iter().any(|kept| name.starts_with(kept.as_str())) {
                    fs::remove_file(path(folder).join(name)).unwrap();
                }
            }
        }
    }

    /// The clock goes on.
    pub(crate) fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn request(&self, dockerfile: &str) -> BuildRequest {
        BuildRequest {
            dockerfile_name: "Dockerfile".to_owned(),
            dockerfile: dockerfile.as_bytes().to_vec(),
            context: Some(self.context().into()),
            named_contexts: Vec::new(),
            ignore_file: None,
            tags: Vec::new(),
            outputs: Vec::new(),
            platforms: Vec::new(),
            target: None,
            build_args: Vec::new(),
            labels: Vec::new(),
            no_cache: false,
            cache_from: Vec::new(),
            cache_to: Vec::new(),
            no_cache_filter: Vec::new(),
            squash: false,
            times: TimeOptions::default(),
            network: RunNetwork::Default,
            classic: None,
            run: StepOptions::default(),
            explain: true,
            pull: false,
        }
    }

    pub(crate) fn build(&self, dockerfile: &str) -> Outcome<'_> {
        self.run(&self.request(dockerfile))
    }

    /// A build with options changed.
    pub(crate) fn build_as(&self, dockerfile: &str, change: impl FnOnce(&mut BuildRequest)) -> Outcome<'_> {
        let mut request = self.request(dockerfile);
        change(&mut request);
        self.run(&request)
    }

    pub(crate) fn run(&self, request: &BuildRequest) -> Outcome<'_> {
        self.run_watched(request, &|_| {})
    }

    /// A build whose events are also given to `watch` as they come.
    pub(crate) fn run_watched(&self, request: &BuildRequest, watch: &(dyn Fn(&Event) + Sync)) -> Outcome<'_> {
        self.recorder.forget();
        self.cancelled.store(false, Ordering::Relaxed);
        let events = Mutex::new(Vec::new());
        let progress = |event: Event| {
            watch(&event);
            events.lock().unwrap().push(event);
        };
        let clock = || jiff::Timestamp::from_second(self.clock.load(Ordering::Relaxed)).unwrap();
        let progress = Reporter::new(&progress);
        let tools = BuildTools {
            store: &self.store,
            executor: &self.recorder,
            fetch: &self.servers,
            secrets: &|id| Ok(self.secrets.lock().unwrap().get(id).map(|value| value.clone().into_bytes())),
            progress: &progress,
            clock: &clock,
            cancelled: &self.cancelled,
        };
        let result = builder::build(request, &tools).map(|built| built.image);
        let events = std::mem::take(&mut *events.lock().unwrap());
        Outcome { kitchen: self, result, events, dockerfile: request.dockerfile.clone() }
    }

    pub(crate) fn tree(&self, layers: &[DiffId]) -> Vec<String> {
        list(&Stack::open(&self.store, layers).unwrap().tree())
    }
}

/// Builds each case in a kitchen of its own: context, instructions behind `FROM base`, what changed in the image, or
/// the error.
#[track_caller]
pub(crate) fn check(cases: &[(&str, &str, &str)]) {
    for (files, instructions, expected) in cases {
        let kitchen = Kitchen::with(files);
        let outcome = kitchen.build(&format!("FROM base\n{instructions}"));
        let seen = if outcome.result.is_ok() { outcome.changes() } else { outcome.error() };
        assert_eq!(seen, *expected, "for\n{instructions}");
    }
}

/// How a build ended, and ways to look at it.
pub(crate) struct Outcome<'k> {
    kitchen: &'k Kitchen,
    pub(crate) result: Result<ImageId, BuildError>,
    pub(crate) events: Vec<Event>,
    dockerfile: Vec<u8>,
}

impl Outcome<'_> {
    #[track_caller]
    pub(crate) fn id(&self) -> ImageId {
        match &self.result {
            Ok(id) => *id,
            Err(_) => panic!("no image: {}", self.error()),
        }
    }

    #[track_caller]
    pub(crate) fn image(&self) -> ImageConfig {
        self.kitchen.store.image(self.id()).unwrap()
    }

    #[track_caller]
    pub(crate) fn layers(&self) -> Vec<DiffId> {
        self.image().rootfs.diff_ids
    }

    /// The `config` of the image, a field a line.
    #[track_caller]
    pub(crate) fn config(&self) -> String {
        let serde_json::Value::Object(fields) = serde_json::to_value(self.image().config).unwrap() else {
            unreachable!("a config is an object")
        };
        let lines: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        lines.join("\n").replace(DEFAULT_PATH, "DEFAULT")
    }

    /// Rows above the base's, a row a line; those without a layer are marked.
    #[track_caller]
    pub(crate) fn history(&self) -> String {
        let image = self.image();
        let rows = image.history.iter().filter(|row| row.comment.as_deref() == Some("buildkit.dockerfile.v0"));
        let show = |row: &History| {
            let mark = if row.empty_layer { "- " } else { "" };
            format!("{mark}{}", row.created_by.as_deref().unwrap_or_default())
        };
        rows.map(show).collect::<Vec<_>>().join("\n")
    }

    /// What differs from the image `base`: new lines as they are, lines that are gone with `-` before them.
    #[track_caller]
    pub(crate) fn changes(&self) -> String {
        let base = image::find(&self.kitchen.store, "base").unwrap().unwrap();
        let before = self.kitchen.tree(&self.kitchen.store.image(base).unwrap().rootfs.diff_ids);
        let after = self.kitchen.tree(&self.layers());
        let mut lines: Vec<String> = after.iter().filter(|line| !before.contains(line)).cloned().collect();
        let same_path = |line: &String| after.iter().any(|other| path_of(other) == path_of(line));
        lines.extend(before.iter().filter(|line| !same_path(line)).map(|line| format!("-{}", path_of(line))));
        lines.join("\n")
    }

    /// The whole tree.
    #[track_caller]
    pub(crate) fn tree(&self) -> String {
        self.kitchen.tree(&self.layers()).join("\n")
    }

    /// When a file of the image was changed.
    #[track_caller]
    pub(crate) fn mtime(&self, path: &str) -> i64 {
        let tree = Stack::open(&self.kitchen.store, &self.layers()).unwrap().tree();
        let node = tree.lookup(path.as_bytes()).unwrap().unwrap();
        tree.entry(&node, path.as_bytes()).unwrap().metadata.mtime.secs
    }

    /// What only the top layer holds.
    #[track_caller]
    pub(crate) fn top_layer(&self) -> String {
        let top = *self.layers().last().unwrap();
        let stack = Stack::open(&self.kitchen.store, &self.layers()).unwrap();
        let place = stack.diff_ids().iter().rposition(|layer| *layer == top).unwrap();
        list(&Tree::new(vec![stack.layers()[place].clone()])).join("\n")
    }

    pub(crate) fn calls(&self) -> String {
        self.kitchen.recorder.calls()
    }

    /// All events, grouped by step, digests blotted out.
    pub(crate) fn text(&self) -> String {
        let mut steps: Vec<StepId> = Vec::new();
        let mut lines: HashMap<StepId, String> = HashMap::new();
        let mut warnings = String::new();
        for event in &self.events {
            let (step, line) = match event {
                Event::StepQueued { step, name, .. } => {
                    steps.push(*step);
                    (*step, format!("{name}\n"))
                }
                Event::StepStarted { .. }
                | Event::StepRuns { .. }
                | Event::StepKept { .. }
                | Event::CacheHit { .. }
                | Event::StageNotNeeded { .. }
                | Event::Instruction(_) => continue,
                Event::StepStatus { step, text, .. } => (*step, format!("  {text}\n")),
                Event::StepLog { step, data, .. } => (*step, format!("  | {}", String::from_utf8_lossy(data))),
                Event::StepFinished { step, outcome, .. } => (*step, finish(outcome)),
                Event::CacheMiss { step, reason } => (*step, format!("  because {reason}\n")),
                Event::Check(found) => {
                    let (name, line) = (found.rule.name, found.location.first_line);
                    writeln!(warnings, "check: {name}: {}, line {line}", found.message).unwrap();
                    continue;
                }
                Event::Warning { message, line } => {
                    writeln!(warnings, "warning: {message}, line {}", line.unwrap_or(0)).unwrap();
                    continue;
                }
            };
            lines.entry(step).or_default().push_str(&line);
        }
        let text: String = steps.iter().map(|step| lines[step].as_str()).collect();
        blot(&(text + &warnings))
    }

    /// Only the numbered steps: how each ended, and why it ran.
    pub(crate) fn steps(&self) -> String {
        let mut shown = false;
        let mut name = String::new();
        let mut text = String::new();
        for line in self.text().lines() {
            match line.strip_prefix("  ") {
                None => {
                    shown = line.starts_with('[') && line.contains('/') && !line.starts_with("[internal]");
                    line.clone_into(&mut name);
                }
                Some(rest) if shown && rest.starts_with("because ") => name += &format!(" ({rest})"),
                Some(rest) if shown && is_outcome(rest) => text += &format!("{rest} {name}\n"),
                Some(_) => {}
            }
        }
        text.trim_end().to_owned()
    }

    /// The error as text: each problem with its line, label and help, then the causes.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let Err(error) = &self.result else { panic!("the build did not fail") };
        let line = |problem: &Problem| {
            let line = dockerfile::SourceMap::new(&self.dockerfile).line_column(problem.span.start).line;
            let mut text = format!("line {line}: {}", problem.message);
            if !problem.label.is_empty() {
                text += &format!(" [{}]", problem.label);
            }
            if let Some(help) = &problem.help {
                text += &format!("\n  help: {help}");
            }
            text
        };
        match error {
            BuildError::Dockerfile(problems) => {
                problems.iter().filter(|problem| problem.is_error).map(line).collect::<Vec<_>>().join("\n")
            }
            BuildError::Step { problem, causes, .. } => {
                let causes: String = causes.iter().map(|cause| format!("\n  cause: {cause}")).collect();
                format!("{}{causes}", line(problem))
            }
            BuildError::Failed { causes, .. } => format!("{error}: {}", causes.join(": ")),
            error => error.to_string(),
        }
    }
}

fn is_outcome(line: &str) -> bool {
    ["DONE", "CACHED", "CANCELED"].contains(&line) || line.starts_with("ERROR")
}

fn finish(outcome: &StepOutcome) -> String {
    match outcome {
        StepOutcome::Done => "  DONE\n".to_owned(),
        StepOutcome::Cached => "  CACHED\n".to_owned(),
        StepOutcome::Canceled => "  CANCELED\n".to_owned(),
        StepOutcome::Failed(reason) => format!("  ERROR: {reason}\n"),
    }
}

/// Digests differ from host to host (the platform is in them).
fn blot(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let mut blotted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        blotted += "sha256:…";
        blotted += &part[digits..];
    }
    blotted
}

fn path_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default().trim_end_matches('/')
}

/// `/a 644 "text"`, `/folder/ 755`, `/link -> target`, `/second = /first`; owners where they are not root.
pub(crate) fn list(tree: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut first_names = HashMap::new();
    if let Some(root) = tree.root().unwrap() {
        walk(tree, &root, "", &mut first_names, &mut lines);
    }
    lines
}

fn walk(
    tree: &Tree,
    folder: &Node,
    path: &str,
    first_names: &mut HashMap<layer::Identity, String>,
    lines: &mut Vec<String>,
) {
    for (name, node) in tree.read_dir(folder).unwrap() {
        let path = format!("{path}/{}", String::from_utf8(name).unwrap());
        let entry = tree.entry(&node, path.trim_start_matches('/').as_bytes()).unwrap();
        let mode = format!("{:o}", entry.metadata.mode);
        let tail = owner(&entry.metadata) + &xattrs(&entry.metadata.xattrs);
        match entry.kind {
            EntryKind::Directory => {
                lines.push(format!("{path}/ {mode}{tail}"));
                walk(tree, &node, &path, first_names, lines);
            }
            EntryKind::Symlink { target } => {
                lines.push(format!("{path} -> {}{tail}", String::from_utf8(target).unwrap()));
            }
            EntryKind::File { .. } => {
                let first = first_names.entry(node.identity()).or_insert_with(|| path.clone());
                if *first == path {
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(&mut tree.open(&node).unwrap(), &mut bytes).unwrap();
                    let text = String::from_utf8_lossy(&bytes);
                    lines.push(format!("{path} {mode} {text:?}{tail}"));
                } else {
                    lines.push(format!("{path} = {first}"));
                }
            }
            other => lines.push(format!("{path} {mode} {other:?}{tail}")),
        }
    }
}

/// What the recorder writes belongs to whoever runs the tests.
fn owner(metadata: &Metadata) -> String {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    match (metadata.uid, metadata.gid) {
        (0, 0) => String::new(),
        owner if owner == own => String::new(),
        (uid, gid) => format!(" {uid}:{gid}"),
    }
}

fn xattrs(xattrs: &[Xattr]) -> String {
    let show =
        |xattr: &Xattr| format!(" {}={}", String::from_utf8_lossy(&xattr.name), String::from_utf8_lossy(&xattr.value));
    xattrs.iter().map(show).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Symlink,
    HardLink,
    Removed,
}

struct File {
    path: String,
    kind: Kind,
    mode: u32,
    text: String,
}

fn parse(word: &str) -> File {
    let plain = |text: &str| text.replace("\\n", "\n").replace("\\s", " ");
    if let Some(path) = word.strip_prefix('-') {
        return File { path: plain(path), kind: Kind::Removed, mode: 0, text: String::new() };
    }
    for (mark, kind) in [("->", Kind::Symlink), ("==", Kind::HardLink)] {
        if let Some((path, target)) = word.split_once(mark) {
            return File { path: plain(path), kind, mode: 0o777, text: plain(target) };
        }
    }
    let (name, text) = word.split_once('=').map_or((word, None), |(name, text)| (name, Some(text)));
    let (path, mode) = name.split_once(':').map_or((name, None), |(path, mode)| (path, Some(mode)));
    let mode = mode.map(|mode| u32::from_str_radix(mode, 8).unwrap());
    match text {
        Some(text) => File { path: plain(path), kind: Kind::File, mode: mode.unwrap_or(0o644), text: plain(text) },
        None => File {
            path: plain(path.trim_end_matches('/')),
            kind: Kind::Folder,
            mode: mode.unwrap_or(0o755),
            text: String::new(),
        },
    }
}

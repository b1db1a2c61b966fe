//! A folder with a Dockerfile, a store with a `busybox` image in it, and what the tests ask of a finished image.
//!
//! The store with the base image is built once by the binary under test and copied for each project: an image is a
//! few files, and a test should not wait for more.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::checker::{self, CheckedImage, Kind, Node};
use testkit::{Command, Output, Sandbox};

/// A sandbox whose working folder is the context of a build.
pub(crate) struct Project {
    pub(crate) sandbox: Sandbox,
}

impl Project {
    /// An empty folder, and `busybox` in the store.
    pub(crate) fn new() -> Self {
        let project = Self::without_base();
        copy_folder(&base_store(), &project.sandbox.root());
        project
    }

    /// An empty folder and no store.
    pub(crate) fn without_base() -> Self {
        let sandbox = Sandbox::new();
        // No test reaches the internet: what is missing is not asked for there.
        let folder = sandbox.home().join(".config/containers");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("registries.conf"), "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n").unwrap();
        Self { sandbox }
    }

    /// The same with a Dockerfile.
    pub(crate) fn with(dockerfile: &str) -> Self {
        let project = Self::new();
        project.dockerfile(dockerfile);
        project
    }

    pub(crate) fn dockerfile(&self, text: &str) -> &Self {
        self.file("Dockerfile", text)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        self.sandbox.write(name, content);
        self
    }

    pub(crate) fn onggi<I>(&self, words: I) -> Command
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.sandbox.onggi(words)
    }

    /// Runs a command that must succeed and gives what it wrote to standard output.
    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        self.onggi(words).run().success().stdout
    }

    /// `build FLAGS .`, not run yet.
    pub(crate) fn build(&self, flags: &[&str]) -> Command {
        self.onggi([&["build"], flags, &["."]].concat())
    }

    /// `build -t app .`, which must succeed.
    #[track_caller]
    pub(crate) fn build_app(&self) -> Output {
        self.build(&["-t", "app"]).run().success()
    }

    /// The only element of `inspect`'s answer.
    #[track_caller]
    pub(crate) fn inspect(&self, name: &str) -> Value {
        let list: Value = serde_json::from_str(&self.ask(&["image", "inspect", name])).unwrap();
        list[0].clone()
    }

    /// `Config` of `inspect`.
    #[track_caller]
    pub(crate) fn config(&self, name: &str) -> Value {
        self.inspect(name)["Config"].clone()
    }

    /// CREATED BY of all rows, oldest first, without those of the base.
    #[track_caller]
    pub(crate) fn history(&self, name: &str) -> Vec<String> {
        let text = self.ask(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", name]);
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        rows.reverse();
        let base = rows.iter().position(|row| row == "CMD [\"sh\"]").map_or(0, |last| last + 1);
        rows.split_off(base)
    }

    /// The image as the independent checker reads it.
    #[track_caller]
    pub(crate) fn image(&self, name: &str) -> CheckedImage {
        let id = self.inspect(name)["Id"].as_str().unwrap().to_owned();
        let images = checker::store_images(&self.sandbox.root()).unwrap();
        images.into_iter().find(|image| image.id == id).unwrap()
    }

    /// Digest of the base's manifest, as the FROM step shows it.
    #[track_caller]
    pub(crate) fn base_digest(&self) -> String {
        self.dockerfile_of("FROM busybox\n", |built| {
            let (name, _) = steps(&built.stderr).swap_remove(0);
            name.split_once('@').unwrap().1.to_owned()
        })
    }

    /// Builds another Dockerfile of this context, without a name.
    #[track_caller]
    fn dockerfile_of<T>(&self, text: &str, look: impl Fn(&Output) -> T) -> T {
        look(&self.build(&["-f-"]).stdin(text).run().success())
    }

    /// Lets the grain of the clock of file times pass: what changed within it is looked at again by the next build.
    pub(crate) fn wait_for_the_clock(&self) {
        std::thread::sleep(Duration::from_millis(25));
    }

    /// Fails if a process of this project's store is left, or a mount below it.
    #[track_caller]
    pub(crate) fn nothing_runs(&self) {
        let place = self.sandbox.path().display().to_string();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = leftovers(&place);
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still there: {left:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Names below `folder` in an image, with `/` behind folders.
    #[track_caller]
    pub(crate) fn names(&self, image: &str, folder: &str) -> Vec<String> {
        let below = |path: &str| path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        let slash = |node: &Node| if node.kind == Kind::Directory { "/" } else { "" };
        let tree = self.image(image).tree;
        tree.iter().filter_map(|(path, node)| Some(below(path)? + slash(node))).collect()
    }
}

/// What the build said about each numbered step, in order: `[2/3] COPY app.js .` and `CACHED`, `DONE` or `ERROR`.
pub(crate) fn steps(plain: &str) -> Vec<(String, String)> {
    let mut steps = Vec::new();
    for line in plain.lines() {
        let Some((number, text)) = line.strip_prefix('#').and_then(|line| line.split_once(' ')) else { continue };
        let is_name = text.starts_with('[') && !text.starts_with("[internal]");
        if is_name && !steps.iter().any(|(known, _, _)| known == number) {
            steps.push((number.to_owned(), text.to_owned(), String::new()));
        }
        let word = text.split(' ').next().unwrap_or_default().trim_end_matches(':');
        if let Some(step) = steps.iter_mut().find(|(known, _, _)| known == number)
            && ["CACHED", "DONE", "ERROR", "CANCELED"].contains(&word)
        {
            step.2 = word.to_owned();
        }
    }
    steps.into_iter().map(|(_, name, outcome)| (name, outcome)).collect()
}

/// The outcomes alone.
pub(crate) fn outcomes(output: &Output) -> Vec<String> {
    steps(&output.stderr).into_iter().map(|(_, outcome)| outcome).collect()
}

/// A regular file with this content.
pub(crate) fn file_digest(content: impl AsRef<[u8]>) -> Kind {
    let content = content.as_ref();
    Kind::File { size: content.len() as u64, digest: checker::digest(content) }
}

/// Processes whose folder, environment or command line is of the sandbox, and mounts below it.
fn leftovers(place: &str) -> Vec<String> {
    let mut left: Vec<String> = fs::read_to_string("/proc/mounts")
        .unwrap()
        .lines()
        .filter(|line| line.contains(place))
        .map(|line| format!("mount {line}"))
        .collect();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let folder = process.path();
        let names = |file: &str| fs::read(folder.join(file)).is_ok_and(|text| contains(&text, place.as_bytes()));
        let is_in = fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd.starts_with(place));
        let is_over = fs::read_to_string(folder.join("stat")).is_ok_and(|stat| stat.contains(") Z "));
        if !is_over && (is_in || names("environ") || names("cmdline")) {
            let command = fs::read(folder.join("cmdline")).unwrap_or_default();
            left.push(format!("process {} {}", folder.display(), String::from_utf8_lossy(&command)));
        }
    }
    left
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A store that holds `busybox` and nothing else; made again when the binary has changed.
fn base_store() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (store, stamp) = (cache.join("busybox-store"), cache.join("busybox-store.stamp"));
    let binary = fs::metadata(testkit::binary()).unwrap();
    let now = format!("{:?} {}", binary.modified().unwrap(), binary.len());
    let lock = fs::File::create(cache.join("busybox-store.lock")).unwrap();
    lock.lock().unwrap();
    if fs::read_to_string(&stamp).is_ok_and(|made| made == now) {
        return store;
    }
    if store.exists() {
        fs::remove_dir_all(&store).unwrap();
    }
    let project = Project::without_base();
    project.file("root.tar", testkit::busybox_root_tar());
    project.dockerfile("FROM scratch\nADD root.tar /\nCMD [\"sh\"]\n");
    project.build(&["-t", "busybox"]).run().success();
    // An image that was loaded would have brought no results of steps with it, and no log.
    for records in ["steps", "builds", "contexts", "logs"] {
        fs::remove_dir_all(project.sandbox.root().join(records)).unwrap();
        fs::create_dir(project.sandbox.root().join(records)).unwrap();
    }
    copy_folder(&project.sandbox.root(), &store);
    fs::write(&stamp, now).unwrap();
    store
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), &target).unwrap()),
        }
    }
}

/// Flags that choose each runtime of this machine: the built-in one, and runc where it is installed.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
pub(crate) fn runtimes(test: &str) -> Vec<&'static [&'static str]> {
    let mut flags: Vec<&[&str]> = vec![&[]];
    match ["/usr/sbin/runc", "/usr/bin/runc"].into_iter().any(|path| Path::new(path).exists()) {
        true => flags.push(&["--runtime", "runc"]),
        false => eprintln!("skipped: requires runc: {test}"),
    }
    flags
}

//! Operations in an order that chance chooses, some of them killed: after each, `system df` is what `du` says, and after
//! everything is removed nothing is left. The same on a file system that runs full.
//!
//! `ONGGI_RANDOM_OPERATIONS` says how many, `ONGGI_RANDOM_SEED` where chance begins; a failure names both.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use testkit::Registry;

use crate::build_project::Project;
use crate::disk::du;

/// In a run that says nothing else.
const FEW: u64 = 60;

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says how long")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Numbers by xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one<'a>(&mut self, words: &'a [String]) -> Option<&'a str> {
        let count = words.len() as u64;
        (count > 0).then(|| words[usize::try_from(self.below(count)).unwrap()].as_str())
    }
}

struct World {
    project: Project,
    random: Random,
    /// Whether operations may fail for want of room.
    is_small: bool,
    /// Where pushes go; none where docker-registry is not installed.
    registry: Option<Registry>,
}

impl World {
    fn lines(&self, words: &[&str]) -> Vec<String> {
        self.project.onggi(words).run().stdout.lines().map(str::to_owned).collect()
    }

    /// An operation that may be refused, but neither panics nor breaks anything.
    fn try_to(&self, words: &[&str]) {
        let output = self.project.onggi(words).run();
        assert_ne!(output.code, 101, "{words:?}\n{}", output.snapshot());
        assert!(!output.stderr.contains("panicked"), "{words:?}\n{}", output.snapshot());
    }

    /// An operation that must not be refused, whatever the room.
    fn must(&self, words: &[&str]) {
        self.project.onggi(words).run().success();
    }

    /// Begins an operation and kills it at some moment.
    fn kill(&mut self, words: &[&str]) {
        let mut command = self.project.onggi(words).to_std();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // How far it comes is different each time, which is what is wanted.
        std::thread::sleep(Duration::from_millis(self.random.below(30)));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn write_context(&mut self) {
        let size = self.random.below(200_000);
        let (kind, number) = (self.random.below(6), self.random.below(12));
        let more = match kind {
            0 => format!("RUN echo {number} >/made; ln /own /again\n"),
            1 => format!(
                "RUN --mount=type=cache,id=c{number},target=/c head -c {size} /dev/zero >/c/f; echo {number} >/n\n"
            ),
            2 => format!("RUN head -c {size} /dev/urandom >/random; false\n"),
            3 => "FROM busybox\nCOPY --from=0 /own /copied\n".to_owned(),
            _ => format!("ENV N={number}\nLABEL n={number}\n"),
        };
        self.project.file("own", vec![u8::try_from(number).unwrap(); usize::try_from(size).unwrap()]);
        self.project.dockerfile(&format!("FROM busybox\nCOPY own /own\n{more}"));
    }

    fn step(&mut self) -> String {
        let name = format!("app{}", self.random.below(8));
        let what = match self.random.below(24) {
            kind @ 0..=10 => self.with_images(kind, &name),
            kind @ 11..=14 => self.with_containers(kind, &name),
            kind @ 20.. => self.with_registry(kind),
            _ => self.prune(),
        };
        self.bring_base_back();
        what
    }

    fn with_images(&mut self, kind: u64, name: &str) -> String {
        let images = self.lines(&["images", "-q"]);
        if kind < 6 {
            self.write_context();
        }
        let Some(image) = self.random.one(&images).map(str::to_owned) else { return "nothing".to_owned() };
        match kind {
            0..=3 => self.try_to(&["build", "-t", name, "."]),
            4 => self.try_to(&["build", "."]),
            5 => self.kill(&["build", "-t", name, "."]),
            6 => {
                let archive = self.project.sandbox.path().join("saved.tar").display().to_string();
                self.try_to(&["save", "-o", &archive, &image]);
                self.try_to(&["rmi", &image]);
                match self.random.below(2) {
                    0 => self.kill(&["load", "-i", &archive]),
                    _ => self.try_to(&["load", "-i", &archive]),
                }
            }
            7 => self.try_to(&["tag", &image, name]),
            8 => {
                let word = if self.random.below(2) == 0 { "pin" } else { "unpin" };
                self.try_to(&["image", word, &image]);
            }
            _ => self.try_to(&["rmi", "-f", &image]),
        }
        format!("{kind} {name} {image}")
    }

    fn with_containers(&mut self, kind: u64, name: &str) -> String {
        let (images, containers) = (self.lines(&["images", "-q"]), self.lines(&["ps", "-aq"]));
        let volume = format!("vol{}:/vol", self.random.below(8));
        let script = format!("head -c {} /dev/urandom >/vol/f; echo x >/y; mkdir /z", self.random.below(100_000));
        let image = self.random.one(&images).unwrap_or("busybox").to_owned();
        let run = ["run", "--network", "none", "-v", &volume, "-v", "/anonymous", &image, "sh", "-c", &script];
        match (kind, self.random.one(&containers).map(str::to_owned)) {
            (13, Some(container)) => self.try_to(&["commit", &container, name]),
            (14, Some(container)) => self.must(&["rm", "-f", &container]),
            (11, _) => self.kill(&run),
            _ => self.try_to(&run),
        }
        format!("{kind} {name} {image}")
    }

    /// Each name is pushed and pulled in turns, so that a pull finds what is known, what has changed, and nothing.
    fn with_registry(&mut self, kind: u64) -> String {
        let Some(host) = self.registry.as_ref().map(Registry::host) else { return "no registry".to_owned() };
        let name = format!("{host}/app{}", self.random.below(4));
        let images = self.lines(&["images", "-q"]);
        match (kind, self.random.one(&images).map(str::to_owned)) {
            (20, Some(image)) => {
                self.try_to(&["tag", &image, &name]);
                self.try_to(&["push", &name]);
            }
            (21, Some(image)) => {
                self.try_to(&["tag", &image, &name]);
                self.kill(&["push", &name]);
            }
            (22, _) => self.kill(&["pull", &name]),
            _ => self.try_to(&["pull", &name]),
        }
        format!("{kind} {name}")
    }

    fn prune(&mut self) -> String {
        let prunes: [&[&str]; 8] = [
            &["image", "prune", "-f"],
            &["image", "prune", "-af"],
            &["builder", "prune", "-f"],
            &["builder", "prune", "-af"],
            &["builder", "prune", "-f", "--max-used-space", "300k"],
            &["container", "prune", "-f"],
            &["system", "prune", "-f"],
            &["volume", "prune", "-af"],
        ];
        let prune = prunes[usize::try_from(self.random.below(8)).unwrap()];
        match self.random.below(4) {
            0 => self.kill(prune),
            _ => self.must(prune),
        }
        format!("{prune:?}")
    }

    /// Most operations need the base.
    fn bring_base_back(&self) {
        if self.project.onggi(["image", "inspect", "busybox"]).run().code != 0 {
            let tar = self.project.sandbox.path().join("busybox.tar").display().to_string();
            self.try_to(&["import", &tar, "busybox"]);
        }
    }

    fn go_on(mut self) {
        let count = variable("ONGGI_RANDOM_OPERATIONS").and_then(|text| text.parse().ok()).unwrap_or(FEW);
        let seed = self.random.0;
        for number in 0..count {
            let what = self.step();
            let said = format!("operation {number} of seed {seed}: {what}");
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.project.df_adds_up()));
            assert!(checked.is_ok(), "{said}");
            if number % 10 == 0 && !self.is_small {
                self.project.sandbox.check();
            }
        }
        for image in self.lines(&["images", "-aq"]) {
            self.try_to(&["image", "unpin", &image]);
        }
        for container in self.lines(&["ps", "-aq"]) {
            self.must(&["rm", "-f", &container]);
        }
        self.must(&["volume", "prune", "-af"]);
        self.must(&["system", "prune", "-af", "--volumes"]);
        let left = du(&self.project.sandbox.root());
        assert!(left < 1_000_000, "{left} bytes are left, seed {seed}");
        for kind in ["Images", "Containers", "Local Volumes", "Build Cache"] {
            assert_eq!(self.project.df(kind)["TotalCount"], "0", "{kind}, seed {seed}");
        }
        let check = self.project.onggi(["system", "check"]).run();
        assert!(check.stdout.ends_with(": nothing wrong\n"), "seed {seed}\n{}", check.snapshot());
    }
}

fn seed() -> u64 {
    let given = variable("ONGGI_RANDOM_SEED").and_then(|text| text.parse().ok());
    given.unwrap_or(0x9e37_79b9_7f4a_7c15)
}

#[test]
#[ignore = "requires root"]
fn n035_n039_accounting_holds_whatever_happens_requires_root() {
    let project = Project::new();
    fs::write(project.sandbox.path().join("busybox.tar"), testkit::busybox_root_tar()).unwrap();
    World { project, random: Random(seed()), is_small: false, registry: Registry::start() }.go_on();
}

const INNER: &str = "ONGGI_RANDOM_INNER";

/// The same with 12 MB of disk, in a mount namespace of its own: this test starts itself again in there.
#[test]
#[ignore = "requires root"]
fn n035_n039_accounting_holds_on_a_full_disk_requires_root() {
    if variable(INNER).is_none() {
        let name = "random_operations::n035_n039_accounting_holds_on_a_full_disk_requires_root";
        let ended = std::process::Command::new("unshare")
            .args(["-m", "--propagation", "private"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--include-ignored", "--nocapture", name])
            .env(INNER, "1")
            .output()
            .unwrap();
        let (out, error) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success() && out.contains("1 passed"), "{out}\n{error}");
        return;
    }
    let project = Project::without_base();
    let root = project.sandbox.root();
    fs::create_dir(&root).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "none"]).arg(&root).status();
    assert!(mounted.unwrap().success());
    fs::write(project.sandbox.path().join("busybox.tar"), testkit::busybox_root_tar()).unwrap();
    let world = World { project, random: Random(seed()), is_small: true, registry: Registry::start() };
    world.bring_base_back();
    world.go_on();
    drop(std::process::Command::new("umount").arg("-l").arg(&root).status());
}

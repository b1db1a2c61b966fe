//! A user without subordinate IDs, who has only the own one: images come out as root would make them (N053; rootless.md, "One ID").

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use testkit::checker::{self, Node};
use testkit::{Command, Sandbox, TarWriter, TestUser};

const EPOCH: &str = "1700000000";

/// Each is the rest of a Dockerfile behind `FROM busybox`.
const DOCKERFILES: [(&str, &str); 14] = [
    ("copy_chown", "COPY --chown=node:daemon tree /srv/\nCOPY --chown=70000:80000 --chmod=4755 tool /usr/bin/tool\n"),
    ("add_tar", "ADD owned.tar /opt/\nRUN echo more >>/opt/deep/file && touch /opt/deep/new\n"),
    ("chown_recursively", "COPY tree /srv/\nRUN chown -R node:node /srv && echo x >>/srv/a/one\n"),
    (
        "chmod_after_chown",
        "RUN touch /a /b /c && chown node /a && chmod 6755 /a && chmod 4755 /b && chown 5:6 /b && chown 7:8 /c && mkdir -m 1777 /d && chown 1000:5 /d\n",
    ),
    (
        "chown_back",
        "COPY --chown=node:node tree /srv/\nRUN chown -R 0:0 /srv/a && chown 5:7 /srv/b && chown 8:0 /srv/b/two\n",
    ),
    (
        "user",
        "RUN mkdir /work && chown node:node /work\nUSER node\nWORKDIR /work\nRUN echo a >a && mkdir b && ln -s a c && mkfifo d && umask 077 && echo e >b/e\nRUN sed -i s/a/z/ a && rm c\n",
    ),
    (
        "user_by_number",
        "RUN mkdir -m 777 /work\nUSER 4444:5555\nRUN echo a >/work/a && echo b >/tmp/b\nUSER 0\nRUN echo c >/work/c\n",
    ),
    ("hard_links", "RUN echo a >/a && ln /a /b && mkdir /d && ln /a /d/c && chown 12:34 /d/c\nRUN ln /b /e\n"),
    (
        "setuid",
        "COPY --chmod=6755 --chown=node tool /tool\nRUN cat /tool >/copied && chmod 6755 /copied && mv /tool /moved\n",
    ),
    ("working_folder", "COPY --chown=node . /app\nWORKDIR /app/new/er\nRUN pwd >here && chown node:node . here\n"),
    (
        "stages",
        "RUN mkdir /out && echo a >/out/a && chown -R 33:44 /out\nFROM busybox\nCOPY --from=0 /out /in\nCOPY --from=0 --chown=node /out /node\nRUN touch /in/b\n",
    ),
    ("cache", "RUN --mount=type=cache,target=/c,uid=1000,gid=1000 echo a >/c/a && cp /c/a /a && chown 1000 /a\n"),
    (
        "links",
        "COPY --chown=node:node links /links\nRUN touch -h /links/up && ln -s x /new && chown -h 0:0 /new && mv /new /newer\n",
    ),
    (
        "removed",
        "COPY --chown=node:node tree /srv/\nRUN rm -r /srv/a && mkdir /srv/a && chown 9:9 /srv/a && rm /srv/b/two\n",
    ),
];

/// A sandbox of a user, with the base image and a context that is the same for all.
fn sandbox_of(user: Option<&'static TestUser>, base: &Path) -> Sandbox {
    let mut sandbox = Sandbox::new();
    // The store is another user's: it is checked here, as files.
    sandbox.without_check();
    for name in ["tree/a/one", "tree/b/two", "tree/three", "tool"] {
        sandbox.write(name, name);
    }
    fs::create_dir(sandbox.work().join("links")).unwrap();
    std::os::unix::fs::symlink("..", sandbox.work().join("links/up")).unwrap();
    let mut tar = TarWriter::default();
    tar.owner(1000, 1).folder("deep", 0o750).owner(70_000, 5).file("deep/file", 0o640, b"x");
    sandbox.write("owned.tar", tar.finish());
    let loaded = onggi(&sandbox, user, &["load", "-i", base.to_str().unwrap()]).run();
    loaded.success();
    sandbox
}

fn onggi(sandbox: &Sandbox, user: Option<&'static TestUser>, words: &[&str]) -> Command {
    sandbox.onggi(words).user(user, sandbox.path()).env("SOURCE_DATE_EPOCH", EPOCH)
}

fn saved_base() -> (Sandbox, std::path::PathBuf) {
    let base = Sandbox::new();
    base.import_busybox("busybox");
    let archive = base.path().join("base.tar");
    base.onggi(["save", "-o", archive.to_str().unwrap(), "busybox"]).run().success();
    // For all users, as the folder it is in.
    for path in [base.path(), &archive] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (base, archive)
}

/// The names of an image's files, with owner and mode.
fn owners(sandbox: &Sandbox, id: &str) -> BTreeMap<String, (u64, u64, u32)> {
    let images = checker::store_images(&sandbox.root()).unwrap();
    let image = images.into_iter().find(|image| image.id == id).unwrap();
    let seen = |node: &Node| (node.uid, node.gid, node.mode);
    image.tree.iter().map(|(path, node)| (path.clone(), seen(node))).collect()
}

/// N053: the same Dockerfile gives the same image to root, to a user with subordinate IDs and to one without.
#[test]
#[ignore = "requires root: makes users"]
fn n053_one_image_for_every_user_requires_root() {
    let (_base, archive) = saved_base();
    let users = [None, Some(TestUser::with_subordinate_ids()), Some(TestUser::without_subordinate_ids())];
    let sandboxes = users.map(|user| (user, sandbox_of(user, &archive)));
    for (name, rest) in DOCKERFILES {
        let dockerfile = format!("FROM busybox\n{rest}");
        let built = sandboxes.each_ref().map(|(user, sandbox)| {
            sandbox.write("Dockerfile", &dockerfile);
            let id = onggi(sandbox, *user, &["build", "-q", "--network", "none", "."])
                .run()
                .success()
                .stdout
                .trim_end()
                .to_owned();
            (owners(sandbox, &id), id)
        });
        for (other, (user, _)) in built.iter().zip(&sandboxes) {
            let differs = |(path, owner): &(&String, &(u64, u64, u32))| built[0].0.get(*path) != Some(*owner);
            let different: Vec<_> = other.0.iter().filter(differs).collect();
            assert_eq!(different, [], "{name} of {user:?}");
            assert_eq!(other.1, built[0].1, "{name} of {user:?}");
        }
    }
    for (_, sandbox) in &sandboxes {
        checker::check_store(&sandbox.root()).unwrap();
    }
}

/// A sandbox of the user with one ID, with the base image.
fn alone() -> Sandbox {
    let (_base, archive) = saved_base();
    sandbox_of(Some(TestUser::without_subordinate_ids()), &archive)
}

/// Runs a command as that user; it must succeed. Gives what it wrote.
#[track_caller]
fn ask(sandbox: &Sandbox, words: &[&str]) -> testkit::Output {
    onggi(sandbox, Some(TestUser::without_subordinate_ids()), words).run().success()
}

/// Runs a script in a container without network.
#[track_caller]
fn script(sandbox: &Sandbox, options: &[&str], text: &str) -> String {
    let words = [&["run", "--network", "none"], options, &["busybox", "sh", "-ec", text]].concat();
    ask(sandbox, &words).stdout
}

/// Owner and group of the first file of a tar (POSIX.1-1988, ustar).
fn owner_in_tar(tar: &str) -> (u32, u32) {
    let number = |from: usize| u32::from_str_radix(tar[from..from + 7].trim_matches(['\0', ' ']), 8).unwrap();
    (number(108), number(116))
}

/// S240, N053: what a container gives away keeps its owner in all that is made of it.
#[test]
#[ignore = "requires root: makes users"]
fn n053_s240_owners_reach_images_and_copies_requires_root() {
    let sandbox = alone();
    let text = "echo a >/a; chown 1000:5 /a; mkdir /d; chown 70000:80000 /d; chmod 2755 /d; ln /a /d/b; echo x >/mine";
    script(&sandbox, &["--name", "one"], text);
    let id = ask(&sandbox, &["commit", "one", "made"]).stdout.trim_end().to_owned();
    let owners = owners(&sandbox, &id);
    for (path, owner) in [("a", (1000, 5, 0o644)), ("d", (70_000, 80_000, 0o2755)), ("mine", (0, 0, 0o644))] {
        assert_eq!(owners[path], owner, "{path}");
    }
    assert_eq!(owner_in_tar(&ask(&sandbox, &["cp", "one:/a", "-"]).stdout), (1000, 5));
    assert_eq!(owner_in_tar(&ask(&sandbox, &["cp", "one:/d", "-"]).stdout), (70_000, 80_000));
    // A volume begins with the image's files, and their owners.
    let words = ["run", "--network", "none", "--name", "two", "-v", "kept:/d", "made", "chown", "6:7", "/d"];
    ask(&sandbox, &words);
    assert_eq!(owner_in_tar(&ask(&sandbox, &["cp", "two:/d/b", "-"]).stdout), (1000, 5));
    assert_eq!(owner_in_tar(&ask(&sandbox, &["cp", "two:/d", "-"]).stdout), (6, 7));
}

/// Field notes, section 2: nothing outside of the container is reached by what changes owners for it.
#[test]
#[ignore = "requires root: makes users"]
fn n053_no_owner_outside_is_changed_requires_root() {
    let sandbox = alone();
    let user = TestUser::without_subordinate_ids();
    let sentinel = sandbox.write("outside/sentinel", "s");
    let read_only = sandbox.write("read-only/file", "s");
    let writable = sandbox.write("writable/file", "s");
    let outside = sentinel.parent().unwrap().to_str().unwrap().trim_start_matches('/').to_owned();
    let up = "../".repeat(30);
    let text = format!(
        "mkdir /x /x/y; cd /x
         fails() {{ if \"$@\" 2>/dev/null; then echo \"changed: $*\"; fi; }}
         ln -s {up}{outside}/sentinel up; fails chown 5 up
         ln -s /{outside}/sentinel root; fails chown 5 root
         ln -s /proc/1/root/{outside}/sentinel proc; fails chown 5 proc
         fails chown 5 {up}{outside}/sentinel
         fails chown 5 /proc/self/root/{outside}/sentinel
         fails chown 5 /ro/file
         fails chown -R 5 /ro
         fails chown 5 /nowhere
         mkdir -p race/{outside}; echo mine >race/{outside}/sentinel
         (while :; do mv race a; ln -s {up} race; rm race; mv a race; done) 2>/dev/null &
         racer=$!
         n=0; while [ $n -lt 300 ]; do chown 5:6 race/{outside}/sentinel 2>/dev/null || :; n=$((n+1)); done
         kill $racer; wait $racer || :
         (chown 7:8 /rw/file); true"
    );
    let (ro, rw) = (sandbox.work().join("read-only"), sandbox.work().join("writable"));
    let ro = format!("{}:/ro:ro", ro.display());
    let rw = format!("{}:/rw", rw.display());
    assert_eq!(script(&sandbox, &["--rm", "-v", &ro, "-v", &rw], &text), "");
    let mark = |path: &Path| {
        let mut value = [0; 32];
        let length = rustix::fs::getxattr(path, "user.onggi.owner", &mut value[..]).ok()?;
        Some(String::from_utf8(value[..length].to_vec()).unwrap())
    };
    for (path, expected) in [(&sentinel, None), (&read_only, None), (&writable, Some("7:8".to_owned()))] {
        assert_eq!(mark(path), expected, "{}", path.display());
        assert_eq!(path.metadata().unwrap().uid(), user.uid, "{}", path.display());
    }
}

/// `chown(2)`: set-user-ID goes with the owner; who is stood for has no rights; the kernel's answers stay what they are.
#[test]
#[ignore = "requires root: makes users"]
fn n053_calls_answer_as_the_kernel_would_requires_root() {
    let sandbox = alone();
    let text = "echo a >/a; chmod 6755 /a; chown 5:6 /a; stat -c %a /a
        echo b >/b; chmod 6755 /b; chown 0:0 /b; stat -c %a /b
        mkdir /c; chmod 2755 /c; chown 5 /c; stat -c %a /c
        ln -s nowhere /l; chown -h 5 /l; chown 5 /l 2>&1 || :
        chown 5 /a/b 2>&1 || :; mkfifo /p; chown 5 /p; chown 5 /dev/null; cd /c; touch d; chown 9 ./d ../a";
    let said = script(&sandbox, &["--rm"], text);
    assert_eq!(said, "755\n755\n2755\nchown: /l: No such file or directory\nchown: /a/b: Not a directory\n");
    // A user who cannot be is root without any rights, and may give nothing away.
    let words = ["run", "--rm", "--network", "none", "-u", "node", "busybox", "sh", "-c"];
    let text = "grep CapEff /proc/self/status; grep CapBnd /proc/self/status; echo a >/tmp/a; chown 5 /tmp/a; chown node /tmp/a && echo own";
    let ran = ask(&sandbox, &[&words[..], &[text]].concat());
    assert_eq!(ran.stdout, "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nown\n");
    assert!(ran.stderr.contains("chown: /tmp/a: Operation not permitted"), "{}", ran.stderr);
}

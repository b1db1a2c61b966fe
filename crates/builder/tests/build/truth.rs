//! The cache's truth table: for each kind of change, which steps are found and which are made again.
//!
//! A row builds twice, with one change between. `docs/dev/cache.md` says the same in words. Of the second build each
//! numbered step but FROM is `hit` or `miss`; a step that makes the same layer as before leaves what follows a hit.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use builder::{BuildRequest, CacheMode, Output, RunNetwork};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags};

use crate::cache_folder::{from, to};
use crate::kitchen::{BASE, Kitchen};

/// What is different in the second build.
enum Change {
    /// Files of the context, in the kitchen's words.
    Files(&'static str),
    /// The Dockerfile, without its FROM.
    Dockerfile(&'static str),
    /// The Dockerfile, whole.
    Whole(&'static str),
    /// Something else.
    Kitchen(fn(&Kitchen)),
    /// The command line.
    Request(fn(&mut BuildRequest)),
}

use Change::{Dockerfile, Files, Request, Whole};

/// What changes, files, Dockerfile (without FROM unless it has one), the change, hits and misses.
type Row = (&'static str, &'static str, &'static str, Change, &'static str);

const ARGUED: &str = "ARG A=1\nRUN nothing";

fn files_of_the_context() -> Vec<Row> {
    let folder = "COPY d /x\nRUN nothing";
    vec![
        ("content", "d/a=1", folder, Files("d/a=2"), "miss miss"),
        ("content, size and time kept", "d/a=1", folder, Change::Kitchen(same_size_and_time), "miss miss"),
        ("two files exchange their content", "d/a=1 d/b=2", folder, Change::Kitchen(exchange), "miss miss"),
        ("touch", "d/a=1", folder, Change::Kitchen(touch), "hit hit"),
        ("another file with the same content", "d/a=1", folder, Files("-d/a d/a=1"), "hit hit"),
        ("mode", "d/a=1", folder, Files("d/a:755=1"), "miss miss"),
        ("mode, but --chmod", "d/a=1", "COPY --chmod=644 d /x", Files("d/a:755=1"), "hit"),
        ("mode, but --chmod asks for less than it", "d/a=1", "COPY --chmod=go-w d /x", Files("d/a:755=1"), "miss"),
        ("mode of the copied folder itself", "d/a=1", folder, Files("d/:700"), "hit hit"),
        ("mode of a folder below", "d/e/a=1", folder, Files("d/e/:700"), "miss miss"),
        ("extended attribute", "d/a=1", folder, Change::Kitchen(xattr), "miss miss"),
        ("target of a link", "d/a=1 d/l->a", folder, Files("-d/l d/l->b"), "miss miss"),
        ("a link becomes a file", "d/a=1 d/l->a", folder, Files("-d/l d/l=1"), "miss miss"),
        ("a hard link becomes a file", "d/a=1 d/b==d/a", folder, Files("-d/b d/b=1"), "miss miss"),
        ("rename", "d/a=1", folder, Files("-d/a d/b=1"), "miss miss"),
        ("rename of a file that is copied alone", "a=1", "COPY a* /x", Files("-a aa=1"), "miss"),
        ("new file", "d/a=1", folder, Files("d/b=1"), "miss miss"),
        ("file gone", "d/a=1 d/b=1", folder, Files("-d/b"), "miss miss"),
        ("new empty folder", "d/a=1", folder, Files("d/e/"), "miss miss"),
        ("a file becomes a folder", "d/a=1", folder, Files("-d/a d/a/"), "miss miss"),
        ("file that is not copied", "d/a=1 b=1", folder, Files("b=2"), "hit hit"),
        ("new match of a pattern", "a1=1", "COPY a* /x/", Files("a2=1"), "miss"),
        ("no match of a pattern", "a1=1", "COPY a* /x/", Files("b2=1"), "hit"),
        ("ignored file", ".dockerignore=**/*.log d/a=1 d/b.log=1", folder, Files("d/b.log=2"), "hit hit"),
        ("new ignored file", ".dockerignore=**/*.log d/a=1", folder, Files("d/b.log=2"), "hit hit"),
        ("a file becomes ignored", "d/a=1 d/b=1", folder, Files(".dockerignore=d/b"), "miss miss"),
        ("comment of the ignore file", ".dockerignore=x d/a=1", folder, Files(".dockerignore=#y\\nx"), "hit hit"),
        ("the context is another folder", "d/a=1", folder, Change::Kitchen(another_folder), "hit hit"),
    ]
}

fn words_of_the_dockerfile() -> Vec<Row> {
    vec![
        ("comment", "", "RUN nothing", Dockerfile("# why\nRUN nothing"), "hit"),
        ("empty lines", "", "RUN nothing", Dockerfile("\n\nRUN nothing\n\n"), "hit"),
        ("lower case, line broken", "a=1", "COPY a /", Dockerfile("copy \\\n  a \\\n  /"), "hit"),
        (
            "comment within a command",
            "",
            "RUN nothing \\\n&& nothing",
            Dockerfile("RUN nothing \\\n# why\n&& nothing"),
            "hit",
        ),
        ("command", "", "RUN write /a 1\nRUN nothing", Dockerfile("RUN write /a 2\nRUN nothing"), "miss miss"),
        (
            "command with the same result",
            "",
            "RUN write /a 1\nRUN nothing",
            Dockerfile("RUN write /a 2 && write /a 1\nRUN nothing"),
            "miss hit",
        ),
        (
            "two commands change places",
            "",
            "RUN write /a 1\nRUN write /b 2",
            Dockerfile("RUN write /b 2\nRUN write /a 1"),
            "miss miss",
        ),
        ("step put before", "", "RUN nothing", Dockerfile("RUN write /a 1\nRUN nothing"), "miss miss"),
        ("step behind", "", "RUN nothing", Dockerfile("RUN nothing\nRUN write /a 1"), "hit miss"),
        ("exec form", "", "RUN nothing", Dockerfile("RUN [\"/bin/sh\", \"-c\", \"nothing\"]"), "hit"),
        ("SHELL", "", "RUN nothing", Dockerfile("SHELL [\"/bin/bash\", \"-c\"]\nRUN nothing"), "miss"),
        ("USER, for RUN", "", "RUN nothing", Dockerfile("USER app\nRUN nothing"), "miss"),
        ("USER, for COPY", "a=1", "COPY a /", Dockerfile("USER app\nCOPY a /"), "hit"),
        ("WORKDIR, for RUN", "", "RUN nothing", Dockerfile("WORKDIR /srv\nRUN nothing"), "miss miss"),
        ("network of RUN", "", "RUN nothing", Dockerfile("RUN --network=none nothing"), "miss"),
        ("destination", "a=1", "COPY a /x", Dockerfile("COPY a /y"), "miss"),
        ("--chown", "a=1", "COPY a /x", Dockerfile("COPY --chown=1 a /x"), "miss"),
        ("--chmod", "a=1", "COPY a /x", Dockerfile("COPY --chmod=600 a /x"), "miss"),
        ("ADD in place of COPY", "a=1", "COPY a /x", Dockerfile("ADD a /x"), "miss"),
        ("LABEL", "", "LABEL a=1\nRUN nothing", Dockerfile("LABEL a=2\nRUN nothing"), "hit"),
        ("CMD", "", "CMD a\nRUN nothing", Dockerfile("CMD b\nRUN nothing"), "hit"),
        ("ENTRYPOINT", "", "ENTRYPOINT a\nRUN nothing", Dockerfile("ENTRYPOINT b\nRUN nothing"), "hit"),
        ("EXPOSE", "", "EXPOSE 1\nRUN nothing", Dockerfile("EXPOSE 2\nRUN nothing"), "hit"),
        ("VOLUME", "", "VOLUME /a\nRUN nothing", Dockerfile("VOLUME /b\nRUN nothing"), "hit"),
        ("STOPSIGNAL", "", "STOPSIGNAL 1\nRUN nothing", Dockerfile("STOPSIGNAL 2\nRUN nothing"), "hit"),
        ("HEALTHCHECK", "", "HEALTHCHECK CMD a\nRUN nothing", Dockerfile("HEALTHCHECK CMD b\nRUN nothing"), "hit"),
        ("ONBUILD", "", "ONBUILD RUN a\nRUN nothing", Dockerfile("ONBUILD RUN b\nRUN nothing"), "hit"),
    ]
}

fn flags_of_copies() -> Vec<Row> {
    let parents = "COPY --parents d/e/a /";
    let without = "COPY --exclude=**/b --exclude=skip d /x";
    vec![
        ("--parents: a file that is not wanted", "d/e/a=1", parents, Files("d/e/b=2 d/c=3"), "hit"),
        ("--parents: the wanted file", "d/e/a=1", parents, Files("d/e/a=2"), "miss"),
        ("--parents: mode of a folder on the way", "d/e/a=1", parents, Files("d/:700"), "miss"),
        // A folder of the image takes it as it is, whatever `--chmod` says of new ones.
        ("the same with --chmod", "srv/a=1", "COPY --parents --chmod=755 srv/a /", Files("srv/:700"), "miss"),
        ("the pivot", "d/e/a=1", "COPY --parents d/./e/a /x/", Dockerfile("COPY --parents ./d/e/a /x/"), "miss"),
        ("the pivot's folder", "d/e/a=1", "COPY --parents d/./e/a /x/", Files("d/:700"), "hit"),
        ("--parents added", "d/a=1", "COPY d/a /x/", Dockerfile("COPY --parents d/a /x/"), "miss"),
        ("--exclude: a file that is left out", "d/a=1 d/b=2", without, Files("d/b=3 d/skip/c=4"), "hit"),
        ("--exclude: a file that is not", "d/a=1 d/b=2", without, Files("d/a=3"), "miss"),
        ("--exclude that leaves out no more", "d/a=1", without, Dockerfile("COPY d /x"), "hit"),
        ("--exclude that leaves out another file", "d/a=1 d/b=2", without, Dockerfile("COPY --exclude=a d /x"), "miss"),
        ("text of a here-document", "", "COPY <<E /x\n1\nE", Dockerfile("COPY <<E /x\n2\nE"), "miss"),
        ("marker of one for a file", "", "COPY <<E /x\n1\nE", Dockerfile("COPY <<F /x\n1\nF"), "miss"),
        ("value in one", "", "ARG A=1\nCOPY <<E /x\n$A\nE", Dockerfile("ARG A=2\nCOPY <<E /x\n$A\nE"), "miss"),
        ("the same value as text", "", "ARG A=1\nCOPY <<E /x\n$A\nE", Dockerfile("COPY <<E /x\n1\nE"), "hit"),
        (
            "layers below, but --link",
            "a=1",
            "RUN write /b 1\nCOPY --link a /x",
            Dockerfile("RUN write /b 2\nCOPY --link a /x"),
            "miss hit",
        ),
        ("--link added", "a=1", "COPY a /x", Dockerfile("COPY --link a /x"), "miss"),
        ("--unpack=false for ADD", "a=1", "ADD a /x", Dockerfile("ADD --unpack=false a /x"), "miss"),
        ("another way to write a mode", "a=1", "COPY --chmod=644 a /x", Dockerfile("COPY --chmod=0644 a /x"), "hit"),
    ]
}

fn variables() -> Vec<Row> {
    let other: fn(&mut BuildRequest) = |request| request.build_args = vec![("A".to_owned(), "2".to_owned())];
    let same: fn(&mut BuildRequest) = |request| request.build_args = vec![("A".to_owned(), "1".to_owned())];
    let proxy: fn(&mut BuildRequest) = |request| request.build_args = vec![("http_proxy".to_owned(), "p".to_owned())];
    vec![
        ("ENV, for RUN", "", "ENV A=1\nRUN nothing", Dockerfile("ENV A=2\nRUN nothing"), "miss"),
        ("ENV, for COPY", "a=1", "ENV A=1\nCOPY a /", Dockerfile("ENV A=2\nCOPY a /"), "hit"),
        ("ENV, used by COPY", "a=1", "ENV A=/1\nCOPY a $A", Dockerfile("ENV A=/2\nCOPY a $A"), "miss"),
        ("ENV behind the step", "", "RUN nothing\nENV A=1", Dockerfile("RUN nothing\nENV A=2"), "hit"),
        ("default of an ARG", "", ARGUED, Dockerfile("ARG A=2\nRUN nothing"), "miss"),
        ("--build-arg", "", ARGUED, Request(other), "miss"),
        ("--build-arg with the default's value", "", ARGUED, Request(same), "hit"),
        ("--build-arg that nothing declares", "", "RUN nothing", Request(other), "hit"),
        ("--build-arg declared behind the step", "", "RUN nothing\nARG A=1", Request(other), "hit"),
        ("--build-arg that ENV hides", "", "ARG A=1\nENV A=3\nRUN nothing", Request(other), "hit"),
        ("--build-arg, for COPY", "a=1", "ARG A=1\nCOPY a /", Request(other), "hit"),
        ("--build-arg, used by COPY", "a=1", "ARG A=1\nCOPY a /$A", Request(other), "miss"),
        ("proxy that nothing declares", "", "RUN nothing", Request(proxy), "hit"),
        ("proxy that is declared", "", "ARG http_proxy\nRUN nothing", Request(proxy), "miss"),
    ]
}

fn bases_and_stages() -> Vec<Row> {
    let two = "FROM base AS one\nRUN write /a 1\nFROM base\nCOPY --from=one /a /b";
    vec![
        ("content of the base", "", "RUN nothing", Change::Kitchen(other_content), "miss"),
        ("label of the base", "", "RUN nothing", Change::Kitchen(other_label), "hit"),
        ("environment of the base, for RUN", "", "RUN nothing", Change::Kitchen(other_environment), "miss"),
        ("environment of the base, for COPY", "a=1", "COPY a /", Change::Kitchen(other_environment), "hit"),
        ("another name of the base", "", "FROM base\nRUN nothing", Change::Whole("FROM same\nRUN nothing"), "hit"),
        (
            "a stage's result",
            "",
            two,
            Whole("FROM base AS one\nRUN write /a 2\nFROM base\nCOPY --from=one /a /b"),
            "miss miss",
        ),
        (
            "a stage ran again with the same result",
            "",
            two,
            Whole("FROM base AS one\nRUN write /a 2 && write /a 1\nFROM base\nCOPY --from=one /a /b"),
            "miss hit",
        ),
        (
            "a stage's other files",
            "",
            two,
            Whole("FROM base AS one\nRUN write /a 1 && write /c 1\nFROM base\nCOPY --from=one /a /b"),
            "miss hit",
        ),
        (
            "a stage's name",
            "",
            two,
            Whole("FROM base AS eno\nRUN write /a 1\nFROM base\nCOPY --from=eno /a /b"),
            "hit hit",
        ),
        (
            "a stage that is not needed",
            "",
            "FROM base AS one\nRUN write /a 1\nFROM base\nRUN nothing",
            Whole("FROM base AS one\nRUN write /a 2\nFROM base\nRUN nothing"),
            "hit",
        ),
        (
            "target",
            "",
            "FROM base AS one\nRUN nothing\nFROM one\nRUN write /a 1",
            Request(|request| request.target = Some("one".to_owned())),
            "hit",
        ),
    ]
}

fn mounts() -> Vec<Row> {
    let folder = "RUN --mount=source=d,target=/m nothing";
    let cache = "RUN --mount=type=cache,id=one,target=/c keep /c/a 1";
    let secret = "RUN --mount=type=secret,id=one,target=/s nothing";
    let value: fn(&mut BuildRequest) = |request| {
        let (name, value) = ("VARIABLE".to_owned(), builder::Secret::new("other"));
        request.run.secrets.insert("one".to_owned(), builder::SecretSource::Variable { name, value });
    };
    vec![
        ("content of a mounted folder", "d/a=1", folder, Files("d/a=2"), "miss"),
        ("mode of a mounted file", "d/a=1", folder, Files("d/a:755=1"), "miss"),
        ("time of a mounted file", "d/a=1", folder, Change::Kitchen(touch), "hit"),
        ("file that is not mounted", "d/a=1 b=1", folder, Files("b=2"), "hit"),
        ("ignored file of a mounted folder", ".dockerignore=d/b d/a=1 d/b=1", folder, Files("d/b=2"), "hit"),
        ("where a folder is mounted", "d/a=1", folder, Dockerfile("RUN --mount=source=d,target=/n nothing"), "miss"),
        ("content of a cache", "", cache, Dockerfile(cache), "hit"),
        ("another cache", "", cache, Dockerfile("RUN --mount=type=cache,id=two,target=/c keep /c/a 1"), "miss"),
        ("value of a secret", "", secret, Request(value), "hit"),
        ("where a secret is", "", secret, Dockerfile("RUN --mount=type=secret,id=one,target=/t nothing"), "miss"),
        ("no mount any more", "d/a=1", folder, Dockerfile("RUN nothing"), "miss"),
    ]
}

fn command_line() -> Vec<Row> {
    let steps = "COPY a /\nRUN nothing";
    vec![
        ("tag", "a=1", steps, Request(|request| request.tags = vec!["new:1".parse().unwrap()]), "hit hit"),
        (
            "--label",
            "a=1",
            steps,
            Request(|request| request.labels = vec![("a".to_owned(), "b".to_owned())]),
            "hit hit",
        ),
        ("--network", "a=1", steps, Request(|request| request.network = RunNetwork::None), "hit miss"),
        ("--no-cache", "a=1", steps, Request(|request| request.no_cache = true), "miss miss"),
        ("nothing", "a=1", steps, Request(|_| {}), "hit hit"),
        ("time", "a=1", steps, Change::Kitchen(|kitchen| kitchen.later(1_000_000)), "hit hit"),
    ]
}

#[test]
fn the_truth_table() {
    let groups = [
        files_of_the_context(),
        words_of_the_dockerfile(),
        flags_of_copies(),
        variables(),
        bases_and_stages(),
        mounts(),
        command_line(),
    ];
    let rows: Vec<Row> = groups.into_iter().flatten().collect();
    assert!(rows.len() >= 75, "{} rows", rows.len());
    let wrong: Vec<String> = rows.iter().flat_map(|row| [wrong(row, false), wrong(row, true)]).flatten().collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Builds twice; what is not as the row says. The second time either in the same store, or in one that has nothing but what
/// a cache gives that the first build wrote: the same must be found.
fn wrong((what, files, dockerfile, change, expected): &Row, is_elsewhere: bool) -> Option<String> {
    let kitchen = Kitchen::with(files);
    kitchen.image("same", BASE, r#"{"Env":["PATH=/bin"],"Cmd":["sh"]}"#);
    kitchen.let_files_age();
    let whole = |text: &str| if text.starts_with("FROM") { text.to_owned() } else { format!("FROM base\n{text}") };
    // The image itself does not matter, and writing it is what takes time.
    let request_of = |text: &str| BuildRequest { outputs: vec![Output::CacheOnly], ..kitchen.request(&whole(text)) };
    let mut request = request_of(dockerfile);
    if is_elsewhere {
        let folder = kitchen.folder().join("cache");
        request.cache_to = vec![to(&folder, CacheMode::Max)];
        kitchen.run(&request).id();
        kitchen.forget_results();
    } else {
        kitchen.run(&request).id();
    }
    match change {
        Change::Files(words) => kitchen.files(words),
        Change::Dockerfile(text) | Change::Whole(text) => request = request_of(text),
        Change::Kitchen(act) => {
            act(&kitchen);
            request.context = Some(current_context(&kitchen).into());
        }
        Change::Request(act) => act(&mut request),
    }
    if is_elsewhere {
        request.cache_to.clear();
        request.cache_from = vec![from(&kitchen.folder().join("cache"))];
    }
    let outcome = kitchen.run(&request);
    if let (true, Err(error)) = (is_elsewhere, &outcome.result) {
        return Some(format!("{what}: {error}"));
    }
    let steps = outcome.steps();
    // Stages run side by side; their names are in the order in which the file has them.
    let mut own: Vec<&str> = steps.lines().filter(|line| !line.contains("FROM ")).collect();
    own.sort_by_key(|line| line.split_once('[').map(|(_, name)| name));
    let found: Vec<&str> = own.iter().map(|line| if line.starts_with("CACHED") { "hit" } else { "miss" }).collect();
    (found.join(" ") != *expected).then(|| format!("{what} (elsewhere: {is_elsewhere}): expected {expected}\n{steps}"))
}

fn current_context(kitchen: &Kitchen) -> std::path::PathBuf {
    let other = kitchen.folder().join("other");
    if other.exists() { other } else { kitchen.context() }
}

/// Writes within the file, with its length, and puts the modification time back.
fn rewrite(path: &Path, text: &str) {
    let before = fs::metadata(path).unwrap();
    assert_eq!(before.len(), text.len() as u64);
    std::io::Write::write_all(&mut fs::OpenOptions::new().write(true).open(path).unwrap(), text.as_bytes()).unwrap();
    set_time(path, before.mtime(), before.mtime_nsec());
}

fn set_time(path: &Path, tv_sec: i64, tv_nsec: i64) {
    let time = Timespec { tv_sec, tv_nsec };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

fn same_size_and_time(kitchen: &Kitchen) {
    rewrite(&kitchen.context().join("d/a"), "2");
}

fn exchange(kitchen: &Kitchen) {
    let (a, b) = (kitchen.context().join("d/a"), kitchen.context().join("d/b"));
    let time = fs::metadata(&a).unwrap();
    rewrite(&a, "2");
    rewrite(&b, "1");
    set_time(&b, time.mtime(), time.mtime_nsec());
}

fn touch(kitchen: &Kitchen) {
    set_time(&kitchen.context().join("d/a"), 1_600_000_000, 0);
}

fn xattr(kitchen: &Kitchen) {
    rustix::fs::setxattr(kitchen.context().join("d/a"), "user.new", b"1", XattrFlags::empty()).unwrap();
}

fn another_folder(kitchen: &Kitchen) {
    let other = kitchen.folder().join("other");
    fs::create_dir_all(other.join("d")).unwrap();
    fs::write(other.join("d/a"), "1").unwrap();
    fs::set_permissions(other.join("d/a"), fs::Permissions::from_mode(0o644)).unwrap();
}

fn other_content(kitchen: &Kitchen) {
    kitchen.image("base", &format!("{BASE} new=1"), r#"{"Env":["PATH=/bin"],"Cmd":["sh"]}"#);
}

fn other_label(kitchen: &Kitchen) {
    kitchen.image("base", BASE, r#"{"Env":["PATH=/bin"],"Cmd":["sh"],"Labels":{"a":"b"}}"#);
}

fn other_environment(kitchen: &Kitchen) {
    kitchen.image("base", BASE, r#"{"Env":["PATH=/bin","A=1"],"Cmd":["sh"]}"#);
}

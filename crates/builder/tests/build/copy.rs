//! COPY and ADD: what lands where, with which metadata, and what is refused.

use std::fs;
use std::process::Command;

use crate::kitchen::{Kitchen, check};

#[test]
fn s152_d074_d094_one_file() {
    check(&[
        ("a=1", "COPY a .", "/a 644 \"1\""),
        ("a=1", "COPY a /b", "/b 644 \"1\""),
        ("a=1", "COPY a /d/", "/d/ 755\n/d/a 644 \"1\""),
        ("a=1", "COPY a /d/e/f", "/d/ 755\n/d/e/ 755\n/d/e/f 644 \"1\""),
        ("a=1", "WORKDIR /w\nCOPY a .", "/w/ 755\n/w/a 644 \"1\""),
        ("a=1", "WORKDIR /w\nCOPY a x/y", "/w/ 755\n/w/x/ 755\n/w/x/y 644 \"1\""),
        ("a=1", "ENV S=a D=/d\nCOPY $S ${D}/", "/d/ 755\n/d/a 644 \"1\""),
        // To a folder that is there, whether the slash is written or not; it keeps its owner and mode.
        ("a=1", "COPY a /srv", "/srv/a 644 \"1\""),
        ("a=1", "COPY a /srv/", "/srv/a 644 \"1\""),
        ("a:600=1", "COPY a /srv/old", "/srv/old 600 \"1\""),
        ("a:4755=1", "COPY a /", "/a 4755 \"1\""),
        ("d/a=1", "COPY d/a /", "/a 644 \"1\""),
        ("a\\sb=1", "COPY [\"a b\", \"/c d\"]", "/c d 644 \"1\""),
    ]);
}

#[test]
fn s153_d072_folders_give_their_content() {
    check(&[
        (
            "d/:700 d/a=1 d/e/:711 d/e/b=2",
            "COPY d /new",
            "/new/ 755\n/new/a 644 \"1\"\n/new/e/ 711\n/new/e/b 644 \"2\"",
        ),
        ("d/a=1", "COPY d/ /new/", "/new/ 755\n/new/a 644 \"1\""),
        ("a=1 d/b=2", "COPY . .", "/a 644 \"1\"\n/d/ 755\n/d/b 644 \"2\""),
        ("a=1", "COPY . /x/y", "/x/ 755\n/x/y/ 755\n/x/y/a 644 \"1\""),
        ("d/a=1", "COPY d /srv", "/srv/a 644 \"1\""),
        ("empty/", "COPY empty /new", "/new/ 755"),
        ("empty/", "COPY . /", "/empty/ 755"),
        // A folder that is there takes the mode of the one that is copied over it, but not at the top.
        ("c/srv/:711 c/srv/a=1", "COPY c /", "/srv/ 711\n/srv/a 644 \"1\""),
        ("srv/:711 srv/a=1", "COPY srv /srv", "/srv/a 644 \"1\""),
        ("d/a=1 d/b==d/a", "COPY d /d", "/d/ 755\n/d/a 644 \"1\"\n/d/b = /d/a"),
        ("d/a=1 d/l->a d/m->/nowhere", "COPY d /d", "/d/ 755\n/d/a 644 \"1\"\n/d/l -> a\n/d/m -> /nowhere"),
    ]);
}

#[test]
fn d070_several_sources() {
    check(&[
        ("a=1 b=2 d/c=3", "COPY a b d /x/", "/x/ 755\n/x/a 644 \"1\"\n/x/b 644 \"2\"\n/x/c 644 \"3\""),
        ("a=1 b=2", "COPY a b .", "/a 644 \"1\"\n/b 644 \"2\""),
        // The later source wins.
        ("one/f=1 two/f=2", "COPY one two /x/", "/x/ 755\n/x/f 644 \"2\""),
        ("one/f=1 two/f=2", "COPY two one /x/", "/x/ 755\n/x/f 644 \"1\""),
        ("one/f=1 two/f->z", "COPY one two /x/", "/x/ 755\n/x/f -> z"),
        // Two names of one file are only one file within a source.
        ("a=1 b==a", "COPY a b /x/", "/x/ 755\n/x/a 644 \"1\"\n/x/b 644 \"1\""),
        // A hard link whose first name is replaced keeps its content.
        ("one/a=1 one/b==one/a two/a=2", "COPY one two /x/", "/x/ 755\n/x/a 644 \"2\"\n/x/b 644 \"1\""),
    ]);
}

#[test]
fn sources_that_are_in_each_others_way_are_refused() {
    check(&[
        (
            "one/f/g=1 two/f=2",
            "COPY one two /x/",
            "line 2: `/x/f` in the image is a folder\n  help: give the file another name, or remove the folder with \
             RUN first",
        ),
        (
            "one/f=1 two/f/g=2",
            "COPY one two /x/",
            "line 2: `/x/f` in the image is not a folder\n  help: take another path, or remove what is there with RUN \
             first",
        ),
    ]);
}

#[test]
fn s154_d071_wildcards() {
    check(&[
        (
            "package.json=1 package-lock.json=2 x=3",
            "COPY package*.json ./",
            "/package-lock.json 644 \"2\"\n/package.json 644 \"1\"",
        ),
        ("a1=1 a2=2 b1=3", "COPY a? /x/", "/x/ 755\n/x/a1 644 \"1\"\n/x/a2 644 \"2\""),
        ("a1=1 a2=2 a3=3", "COPY a[13] /x/", "/x/ 755\n/x/a1 644 \"1\"\n/x/a3 644 \"3\""),
        ("a[0].txt=1", "COPY a[[]0].txt /", "/a[0].txt 644 \"1\""),
        ("d1/f=1 d2/f=2 d3/g=3", "COPY d*/f /", "/f 644 \"2\""),
        ("d1/f=1 d2/g=2", "COPY d?/* /x/", "/x/ 755\n/x/f 644 \"1\"\n/x/g 644 \"2\""),
        ("d1/f=1 d2/g=2", "COPY d* /x/", "/x/ 755\n/x/f 644 \"1\"\n/x/g 644 \"2\""),
        (
            "a=1",
            "COPY *.none /",
            "line 2: no source files match `*.none`\n  help: check the pattern, and that .dockerignore does not leave \
             the files out",
        ),
    ]);
}

#[test]
fn s157_s190_d073_sources_stay_inside_the_context() {
    check(&[
        ("a=1", "COPY ../../a /", "/a 644 \"1\""),
        ("a=1", "COPY /a /", "/a 644 \"1\""),
        ("l->../../../etc/passwd etc/passwd=mine", "COPY l /x", "/x 644 \"mine\""),
        ("l->/etc/passwd etc/passwd=mine", "COPY l /x", "/x 644 \"mine\""),
        ("l->d d/a=1", "COPY l/a /", "/a 644 \"1\""),
        ("l->d d/a=1", "COPY l /x", "/x/ 755\n/x/a 644 \"1\""),
        (
            "nothere=1 -nothere app.js=2",
            "COPY app.jx /",
            "line 2: `app.jx` is not in the build context [no such file or folder in the context]\n  help: a similar \
             name is there: `app.js`",
        ),
        (
            "l->nowhere",
            "COPY l /",
            "line 2: `l` is not in the build context [a symbolic link that leads to nothing in the context]\n  help: links \
             are followed within the context only: put there what it leads to",
        ),
        (
            "l->l",
            "COPY l /",
            "line 2: too many symbolic links in `l`\n  help: copy what the link should lead to; links are followed within the \
             context only",
        ),
    ]);
}

#[test]
fn d075_links_in_the_destination_are_followed_inside_the_root() {
    check(&[
        ("a=1", "COPY a /link/", "/srv/a 644 \"1\""),
        ("a=1", "COPY a /link", "/srv/a 644 \"1\""),
        ("a=1", "COPY a /link/new/", "/srv/new/ 755\n/srv/new/a 644 \"1\""),
        ("d/a=1", "COPY d /link", "/srv/a 644 \"1\""),
        // A link within what is copied over replaces, and is not followed.
        ("d/link=1", "COPY d /", "/link 644 \"1\""),
        (
            "a=1",
            "COPY a /loop/x",
            "line 2: too many symbolic links in `/loop/x`\n  help: take another path, or remove the link with RUN first",
        ),
    ]);
    let kitchen = Kitchen::with("a=1");
    kitchen.image("linked", "etc/ out->../../../tmp file->/real", "{}");
    assert_eq!(
        kitchen.build("FROM linked\nCOPY a /out/\nCOPY a /file").tree(),
        "/etc/ 755\n/file -> /real\n/out -> ../../../tmp\n/real 644 \"1\"\n/tmp/ 755\n/tmp/a 644 \"1\""
    );
}

#[test]
fn what_is_in_the_way_is_named() {
    let not_folder = |path: &str| {
        format!(
            "line 2: `{path}` in the image is not a folder\n  help: take another path, or remove what is there with \
             RUN first"
        )
    };
    let folder = |path: &str| {
        format!(
            "line 2: `{path}` in the image is a folder\n  help: give the file another name, or remove the folder with \
             RUN first"
        )
    };
    check(&[
        ("a=1", "COPY a /srv/old/", &not_folder("/srv/old")),
        ("a=1", "COPY a /srv/old/x", &not_folder("/srv/old")),
        ("d/a=1", "COPY d /srv/old", &not_folder("/srv/old")),
        ("c/link/a=1", "COPY c /", &not_folder("/link")),
        ("c/srv/old/a=1", "COPY c /", &not_folder("/srv/old")),
        ("c/srv=1", "COPY c /", &folder("/srv")),
        ("srv=1", "COPY srv /", &folder("/srv")),
    ]);
}

#[test]
fn d076_d079_d080_d095_owner_and_mode() {
    check(&[
        // USER does not matter.
        ("a=1", "USER app\nCOPY a /", "/a 644 \"1\""),
        ("a=1", "COPY --chown=app:staff a /d/", "/d/ 755 1000:50\n/d/a 644 \"1\" 1000:50"),
        ("a=1", "COPY --chown=app a /", "/a 644 \"1\" 1000:1001"),
        ("a=1", "COPY --chown=5:6 a /srv/", "/srv/a 644 \"1\" 5:6"),
        ("a=1", "COPY --chown=5 a /", "/a 644 \"1\" 5:5"),
        ("d/a=1 d/l->a", "COPY --chown=5:6 d /d", "/d/ 755 5:6\n/d/a 644 \"1\" 5:6\n/d/l -> a 5:6"),
        ("a=1", "ARG WHO=5:6\nCOPY --chown=$WHO a /", "/a 644 \"1\" 5:6"),
        ("a=1", "ENV U=app G=staff\nADD --chown=$U:${G} a /", "/a 644 \"1\" 1000:50"),
        ("a=1", "COPY --chown=5:staff a /", "/a 644 \"1\" 5:50"),
        ("a=1", "COPY --chown=app:7 a /", "/a 644 \"1\" 1000:7"),
        ("a=1", "ARG WHO\nCOPY --chown=$WHO a /", "/a 644 \"1\""),
        ("a=1", "ARG G=staff\nCOPY --chown=:$G a /", "/a 644 \"1\" 0:50"),
        ("a=1", "COPY --link --chown=:7 a /", "/a 644 \"1\" 0:7"),
        (
            "a=1",
            "COPY --chown=app:nobody a /",
            "line 2: unable to find group nobody: no matching entries in /etc/group\n  help: use a number, or add the \
             group with RUN first",
        ),
        (
            "a=1",
            "COPY --chown=5000000000 a /",
            "line 2: `5000000000` is not a valid user or group ID (0 to 4294967294)\n  help: give a smaller number, or a \
             name that the image knows",
        ),
        ("a=1", "COPY --chmod=750 a /d/", "/d/ 755\n/d/a 750 \"1\""),
        ("d/e/a=1 d/l->e", "COPY --chmod=0700 d /d", "/d/ 755\n/d/e/ 700\n/d/e/a 700 \"1\"\n/d/l -> e"),
        (
            "a=1",
            "ADD --chown=nobody:50 a /",
            "line 2: unable to find user nobody: no matching entries in /etc/passwd\n  help: use a number, or add the \
             user with RUN first",
        ),
        (
            "a=1",
            "COPY --chown=nobody a /",
            "line 2: unable to find user nobody: no matching entries in /etc/passwd\n  help: use a number, or add the \
             user with RUN first",
        ),
    ]);
}

#[test]
fn d079_root_needs_no_row() {
    let kitchen = Kitchen::with("a=1");
    assert_eq!(kitchen.build("FROM scratch\nCOPY --chown=root:root a /").tree(), "/a 644 \"1\"");
    assert_eq!(
        kitchen.build("FROM scratch\nCOPY --chown=app a /").error(),
        "line 2: unable to find user app: no matching entries in /etc/passwd\n  help: use a number, or add the user with \
         RUN first"
    );
    // A row that a RUN of the same stage added counts.
    let own = kitchen.build(
        "FROM base\nRUN write /etc/passwd new:x:7:8::/:/bin/sh\nCOPY --chown=new a /\nCOPY --chown=new:new a /b",
    );
    assert!(own.error().starts_with("line 4: unable to find group new"), "{}", own.error());
    let own = kitchen.build("FROM base\nRUN write /etc/passwd new:x:7:8::/:/bin/sh\nCOPY --chown=new a /");
    assert!(own.changes().starts_with("/a 644 \"1\" 7:8\n"), "{}", own.changes());
}

#[test]
fn d060_d081_symbolic_modes() {
    let files = "d/:700 d/a:640=1 d/run:755=2 d/e/:750 d/e/b:600=3 d/l->a";
    check(&[
        (
            files,
            "COPY --chmod=u=rwX,go=rX d /d",
            "/d/ 755\n/d/a 644 \"1\"\n/d/e/ 755\n/d/e/b 644 \"3\"\n/d/l -> a\n/d/run 755 \"2\"",
        ),
        (
            files,
            "COPY --chmod=go-rwx d /d",
            "/d/ 755\n/d/a 600 \"1\"\n/d/e/ 700\n/d/e/b 600 \"3\"\n/d/l -> a\n/d/run 700 \"2\"",
        ),
        ("a=1", "COPY --chmod=+x a /", "/a 755 \"1\""),
        ("a=1", "COPY --chmod=a-w a /", "/a 444 \"1\""),
        ("a:755=1", "COPY --chmod=u+s,g=u-w,o= a /", "/a 4750 \"1\""),
        ("d/e/a=1", "COPY --chmod=+t d /d", "/d/ 755\n/d/e/ 1755\n/d/e/a 1644 \"1\""),
        ("a=1", "ADD --chmod=g+w,o-r a /", "/a 660 \"1\""),
        ("a=1", "ARG M=u+x\nCOPY --chmod=$M,go= a /", "/a 700 \"1\""),
        ("a=1", "ENV M=7\nCOPY --chmod=${M}55 a /", "/a 755 \"1\""),
        (
            "a=1",
            "ARG M=rwxr-x---\nCOPY --chmod=$M a /",
            "line 3: `r` in `rwxr-x---` is none of `u`, `g`, `o`, `a`\n  help: write it in digits, as in `--chmod=750`",
        ),
        ("a=1", "ARG M\nCOPY --chmod=$M a /", "/a 644 \"1\""),
    ]);
    let kitchen = Kitchen::with("a=1");
    let built = kitchen.build("FROM base\nCOPY --chmod=u=rw,go=r --chown=1:2 a /x");
    assert_eq!(built.history(), "COPY --chown=1:2 --chmod=u=rw,go=r a /x # buildkit");
    assert!(kitchen.build("FROM base\nCOPY --chmod=0644 a /x").steps().contains("DONE [2/2] COPY"));
    assert!(kitchen.build("FROM base\nCOPY --chmod=644 a /x").steps().contains("CACHED [2/2] COPY"));
}

#[test]
fn d077_metadata_is_kept() {
    let kitchen = Kitchen::with("f=1");
    kitchen.set_mtime("f", 1_000_000_000);
    let outcome = kitchen.build("FROM base\nCOPY f /d/f");
    assert_eq!(outcome.mtime("d/f"), 1_000_000_000);
    assert_eq!(outcome.mtime("srv"), 1_700_000_000);
}

#[test]
fn d077_extended_attributes_are_kept_of_folders_too() {
    let kitchen = Kitchen::with("top/ top/d/ top/d/e/ top/d/a=1 top/d/b==top/d/a top/plain=2");
    let set = |path: &str, name: &str, value: &str| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(kitchen.context().join(path), name, value.as_bytes(), flags).unwrap();
    };
    for (path, name, value) in
        [("top", "user.top", "0"), ("top/d", "user.d", "1"), ("top/d/a", "user.z", "3"), ("top/d/a", "user.a", "2")]
    {
        set(path, name, value);
    }
    let file = "FROM base AS one\nCOPY top /x\nFROM base\nCOPY --from=one /x /y\n";
    let expected = "/y/ 755\n/y/d/ 755 user.d=1\n/y/d/a 644 \"1\" user.a=2 user.z=3\n/y/d/b = /y/d/a\n/y/d/e/ 755\n\
                    /y/plain 644 \"2\"";
    assert_eq!(kitchen.build(file).changes(), expected);
    kitchen.let_files_age();
    kitchen.build(file);
    let before = kitchen.snapshot();
    let again = kitchen.build(file);
    assert!(!again.steps().contains("DONE"), "{}", again.steps());
    assert_eq!(kitchen.snapshot(), before, "a build that finds everything writes nothing");
    // As a change of a file's content does, a change of attributes shows.
    set("top/d/e", "user.new", "4");
    let changed = kitchen.build(file);
    assert!(changed.changes().contains("/y/d/e/ 755 user.new=4\n"), "{}", changed.changes());
    set("top", "user.top", "5");
    let outside = kitchen.build(file);
    assert!(!outside.steps().contains("DONE"), "the folder itself gives nothing: {}", outside.steps());
}

#[test]
fn d071_wildcards_take_names_that_begin_with_a_dot_and_do_not_cross_folders() {
    check(&[
        (".env=1 a=2 d/.x=3", "COPY * /x/", "/x/ 755\n/x/.env 644 \"1\"\n/x/.x 644 \"3\"\n/x/a 644 \"2\""),
        (
            "a=1 d/b=2 d/e/c=3",
            "COPY **/c /x/",
            "line 2: no source files match `**/c`\n  help: `**` stands for any folders only with `--parents`; without it \
             each `*` is one name",
        ),
        ("d/e/c=3", "COPY **/*/c /x/", "/x/ 755\n/x/c 644 \"3\""),
        ("a1=1 b1=2 c1=3", "COPY [^b]? /x/", "/x/ 755\n/x/a1 644 \"1\"\n/x/c1 644 \"3\""),
        ("a*=1 ab=2", "COPY a[*] /x/", "/x/ 755\n/x/a* 644 \"1\""),
        ("a?=1 ab=2", "COPY [\"a[?]\", \"/x/\"]", "/x/ 755\n/x/a? 644 \"1\""),
        // A link to a folder is none for a wildcard.
        ("d/f=1 l->d", "COPY */f /x/", "/x/ 755\n/x/f 644 \"1\""),
        ("d/f=1 l->d", "COPY l* /x/", "/x/ 755\n/x/f 644 \"1\""),
        // Without a slash each match takes the place of the one before.
        ("a1=1 a2=2", "COPY a? /x", "/x 644 \"2\""),
    ]);
}

#[test]
fn d077_hard_links_are_kept_within_a_source() {
    check(&[
        ("d/a=1 d/b==d/a e/c==d/a", "COPY d /x", "/x/ 755\n/x/a 644 \"1\"\n/x/b = /x/a"),
        ("d/a=1 d/b==d/a", "COPY --exclude=a d /x", "/x/ 755\n/x/b 644 \"1\""),
        ("d/a=1 d/b==d/a", "COPY --parents d/? /x", "/x/ 755\n/x/d/ 755\n/x/d/a 644 \"1\"\n/x/d/b = /x/d/a"),
        ("d/a=1 e/b==d/a", "COPY d e /x/", "/x/ 755\n/x/a 644 \"1\"\n/x/b 644 \"1\""),
        ("d/a=1 d/b==d/a", "COPY --chmod=600 --chown=1:2 d /x", "/x/ 755 1:2\n/x/a 600 \"1\" 1:2\n/x/b = /x/a"),
    ]);
}

#[test]
fn b096_n006_new_folders_have_the_time_of_what_is_copied() {
    let kitchen = Kitchen::with("old=1 new=2 empty/ tree/file=3");
    for (path, seconds) in [("old", 100), ("new", 200), ("empty", 300), ("tree/file", 500), ("tree", 400)] {
        kitchen.set_mtime(path, seconds);
    }
    let outcome = kitchen.build(
        "FROM base\nWORKDIR /made/here\nWORKDIR /srv/below\nCOPY old new /copied/\nCOPY empty /hollow\nCOPY tree /d/e/f\n\
         COPY tree/file /srv/below/more/",
    );
    assert_eq!(outcome.mtime("copied"), 200, "the newest file's");
    assert_eq!(outcome.mtime("copied/old"), 100);
    assert_eq!(outcome.mtime("hollow"), 300, "nothing in it: its own");
    assert_eq!(outcome.mtime("d"), 500, "the folder that is copied gives only its content");
    assert_eq!(outcome.mtime("d/e/f"), 500);
    assert_eq!(outcome.mtime("srv/below/more"), 500);
    assert_eq!(outcome.mtime("srv/below"), 1_700_000_000, "WORKDIR: as the folder above it");
    assert_eq!(outcome.mtime("srv"), 1_700_000_000);
    assert_eq!(outcome.mtime("made/here"), outcome.mtime("made"));
    let scratch = kitchen.build("FROM scratch\nWORKDIR /a/b\nCOPY old /c/");
    assert_eq!((scratch.mtime("a"), scratch.mtime("a/b"), scratch.mtime("c")), (0, 0, 100));
}

#[test]
fn b096_n006_two_machines_agree_on_layers_without_commands() {
    let layers = |days: i64| {
        let kitchen = Kitchen::with("a=1 d/b=2");
        kitchen.later(days * 86_400);
        for path in ["a", "d/b", "d"] {
            kitchen.set_mtime(path, 1_000_000_000);
        }
        kitchen.build("FROM base\nWORKDIR /w/x\nCOPY . /new/folder/\nADD d srv/d").layers()
    };
    assert_eq!(layers(0), layers(400));
}

#[test]
fn special_files_of_the_context() {
    let kitchen = Kitchen::with("a=1");
    let _socket = std::os::unix::net::UnixListener::bind(kitchen.context().join("socket")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        kitchen.context().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let changes = kitchen.build("FROM base\nCOPY . /").changes();
    assert_eq!(changes, "/a 644 \"1\"\n/pipe 644 Fifo");
}

#[test]
fn s155_s156_d086_add_unpacks_archives_by_their_content() {
    let kitchen = Kitchen::with("in/sub/f=1 in/link->sub plain.tar=no\\sarchive");
    let context = kitchen.context();
    for (flag, name) in [("-cf", "a.bin"), ("-czf", "b.tar.gz")] {
        let done = Command::new("tar")
            .args(["--owner=3", "--group=4", "-C", "in", flag, name, "sub", "link"])
            .current_dir(&context)
            .status();
        assert!(done.unwrap().success());
    }
    let unpacked = "/x/ 755\n/x/link -> sub 3:4\n/x/sub/ 755 3:4\n/x/sub/f 644 \"1\" 3:4";
    for archive in ["a.bin", "b.tar.gz"] {
        assert_eq!(kitchen.build(&format!("FROM base\nADD {archive} /x")).changes(), unpacked);
        assert_eq!(kitchen.build(&format!("FROM base\nADD {archive} /x/")).changes(), unpacked);
    }
    assert_eq!(kitchen.build("FROM base\nADD plain.tar /x").changes(), "/x 644 \"no archive\"");
    assert!(kitchen.build("FROM base\nCOPY b.tar.gz /").top_layer().starts_with("/b.tar.gz 644"));
    // What is unpacked wins over what is there, file by file.
    assert_eq!(
        kitchen.build("FROM base\nRUN mkdir /x/link && write /x/sub old\nADD a.bin /x").changes(),
        "/x/ 755\n/x/link -> sub 3:4\n/x/sub/ 755 3:4\n/x/sub/f 644 \"1\" 3:4"
    );
    let owned = kitchen.build("FROM base\nADD --chown=5:6 a.bin /x").changes();
    assert_eq!(owned, "/x/ 755 5:6\n/x/link -> sub 5:6\n/x/sub/ 755 5:6\n/x/sub/f 644 \"1\" 5:6");
    // A broken archive is an error and not a file.
    let whole = fs::read(context.join("b.tar.gz")).unwrap();
    fs::write(context.join("torn.tgz"), &whole[..whole.len() - 30]).unwrap();
    let error = kitchen.build("FROM base\nADD torn.tgz /x").error();
    assert!(error.starts_with("line 2: cannot unpack `torn.tgz`\n  help: check the archive;"), "{error}");
    assert!(error.contains("\n  cause: "), "{error}");
}

#[test]
fn d005_the_same_files_give_the_same_layer_in_any_order_of_making() {
    let mut layers = Vec::new();
    for files in ["z=1 d/a=2 d/b==d/a m=3", "m=3 d/b=2 d/a==d/b z=1"] {
        let kitchen = Kitchen::with(files);
        for path in ["z", "d/a", "d/b", "d", "m"] {
            kitchen.set_mtime(path, 1_000_000_000);
        }
        layers.push(kitchen.build("FROM base\nCOPY . /x/").layers());
    }
    assert_eq!(layers[0], layers[1]);
}

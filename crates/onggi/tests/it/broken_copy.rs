//! COPY and ADD that cannot work, as in `broken`: flags, owners and modes, here-documents, patterns, destinations.

use std::os::unix::fs::symlink;

use crate::broken::said_of;
use crate::build_project::Project;

/// A context with something of everything, and `busybox` in the store.
fn project() -> Project {
    let project = Project::new();
    project.file("app.js", "1").file("package.json", "{}").file("src/main.c", "1").file("src/lib/a.c", "1");
    project.file("secret.txt", "1").file("build/out/app", "1").file(".dockerignore", "secret.txt\nbuild\n");
    project.file("torn.tar.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03torn".as_slice());
    symlink("src", project.sandbox.work().join("sources")).unwrap();
    symlink("loop", project.sandbox.work().join("loop")).unwrap();
    symlink("/nowhere", project.sandbox.work().join("dangling")).unwrap();
    project
}

#[test]
fn d080_d081_modes() {
    let said = said_of(
        &project(),
        &[
            "FROM busybox\nCOPY --chmod=888 app.js /\n",
            "FROM busybox\nCOPY --chmod=77777 app.js /\n",
            "FROM busybox\nCOPY --chmod= app.js /\n",
            "FROM busybox\nCOPY --chmod app.js /\n",
            "FROM busybox\nCOPY --chmod=rwxr-xr-x app.js /\nADD --chmod=rx app.js /\n",
            "FROM busybox\nCOPY --chmod=u+q app.js /\nCOPY --chmod=q+x app.js /\nCOPY --chmod=u=rw,g app.js /\n",
            "FROM busybox\nCOPY --chmod=g=ux app.js /\n",
            "FROM busybox\nCOPY --chmod=\"u=rw, g=r\" app.js /\n",
            "FROM busybox\nARG MODE=0o755\nCOPY --chmod=$MODE app.js /\n",
            "FROM busybox\nCOPY --chmod=755 --chmod=644 app.js /\n",
            "FROM busybox\nCOPY --chmod=${MODE app.js /\n",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn d079_owners() {
    let said = said_of(
        &project(),
        &[
            "FROM busybox\nCOPY --chown=nobody-such app.js /\n",
            "FROM busybox\nCOPY --chown=node:nobody-such app.js /\n",
            "FROM busybox\nCOPY --chown=:nobody-such app.js /\n",
            "FROM busybox\nCOPY --chown=4294967295 app.js /\n",
            "FROM busybox\nCOPY --chown=-1:0 app.js /\n",
            "FROM busybox\nADD --chown node:node app.js /\n",
            "FROM busybox\nCOPY --chown=node app.js /\nCOPY --chown=1 --chown=2 app.js /\n",
            "FROM scratch\nADD --chown=node app.js /\n",
            "FROM scratch\nCOPY --link --chown=node:node app.js /\n",
            "FROM busybox\nARG WHO=nobody-such\nCOPY --chown=$WHO app.js /\n",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn d122_here_documents() {
    let said = said_of(
        &project(),
        &[
            "FROM busybox\nCOPY <<EOF\nhi\nEOF\n",
            "FROM busybox\nCOPY <<EOF /x\nhi\n",
            "FROM busybox\nCOPY <<EOF /x\nhi\n  EOF\nCMD x\n",
            "FROM busybox\nCOPY app.js <<EOF\nhi\nEOF\n",
            "FROM busybox\nCOPY <<one <<two /x\n1\none\n2\ntwo\n",
            "FROM busybox AS one\nFROM busybox\nCOPY --from=one <<EOF /x\nhi\nEOF\n",
            "FROM busybox\nCOPY <<../EOF /x/\nhi\n../EOF\n",
            "FROM busybox\nCOPY <<EOF /x\nport=${PORT:?the port is missing}\nEOF\n",
            "FROM busybox\nCOPY <<EOF /x\nfine\n${PORT!} $ ${}\nEOF\n",
            "FROM busybox\nCOPY <<EOF /bin\nhi\nEOF\nCOPY <<EOF /etc/passwd/x\nhi\nEOF\n",
            "FROM busybox\nCOPY --chmod=999 <<EOF /x\nhi\nEOF\n",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn d071_d083_d084_patterns() {
    let said = said_of(
        &project(),
        &[
            "FROM busybox\nCOPY [a-.js /\n",
            "FROM busybox\nCOPY src/[]x /\n",
            "FROM busybox\nCOPY src/**/*.h /\n",
            "FROM busybox\nCOPY --parents src/**/*.h /x/\n",
            "FROM busybox\nCOPY --parents src/man.c /x/\n",
            "FROM busybox\nCOPY --parents sources/main.c /x/\n",
            "FROM busybox\nCOPY --parents secret.txt /x/\n",
            "FROM busybox\nCOPY --parents srcs/./main.c /x/\n",
            "FROM busybox\nCOPY --parents app.js src/main.c /x\n",
            "FROM busybox\nADD --parents src/main.c /x/\n",
            "FROM busybox\nCOPY --parent src/main.c /x/\n",
            "FROM busybox\nCOPY --parents=yes src/main.c /x/\n",
            "FROM busybox\nCOPY --exclude=[a . /x/\n",
            "FROM busybox\nCOPY --exclude=! . /x/\n",
            "FROM busybox\nCOPY --exclude . /x/\n",
            "FROM busybox\nCOPY --exclude=*.md nothere /x/\n",
            "FROM busybox\nCOPY --excludes=*.md . /x/\n",
            "FROM busybox AS one\nFROM busybox\nCOPY --from=one --parents /bin/**/*.exe /x/\n",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn d072_to_d078_sources_and_destinations() {
    let said = said_of(
        &project(),
        &[
            "FROM busybox\nCOPY loop /\n",
            "FROM busybox\nCOPY dangling /x\n",
            "FROM busybox\nCOPY build/out/app /\nCOPY build /\n",
            "FROM busybox\nCOPY app.js/x /\n",
            "FROM busybox\nCOPY App.js /\n",
            "FROM busybox\nCOPY src /bin/busybox\n",
            "FROM busybox\nCOPY app.js /bin/busybox/\n",
            "FROM busybox\nRUN true\nCOPY src/lib src/nothere /x/\n",
            "FROM scratch\nCOPY app.js /x/lib\nCOPY src /x\n",
            "FROM busybox\nCOPY src src/lib/a.c app.js/ /x/\nCOPY src /x/\nCOPY app.js /x/lib\nCOPY --parents src /x/main.c\n",
            "FROM busybox\nADD torn.tar.gz app.js /x\n",
            "FROM busybox\nCOPY \"app.js /x\n",
            "FROM busybox\nCOPY\nADD\n",
            "FROM busybox\nCOPY [\"app.js\"]\nADD [\"app.js\", 1]\n",
        ],
    );
    insta::assert_snapshot!(said);
}

#[test]
fn d061_d078_d082_d087_other_flags() {
    let said = said_of(
        &project(),
        &[
            "FROM busybox\nARG STAGE\nCOPY --from=$STAGE /bin/sh /x\n",
            "FROM busybox\nARG STAGE=7\nCOPY --from=$STAGE /bin/sh /x\n",
            "FROM busybox\nARG STAGE=later\nCOPY --from=$STAGE /bin/sh /x\nFROM busybox AS later\nCOPY --from=0 /x /x\n",
            "FROM busybox\nARG STAGE=busyboxx\nCOPY --from=$STAGE /bin/sh /x\n",
            "FROM busybox\nCOPY --from=${STAGE /bin/sh /x\n",
            "FROM busybox\nADD --from=busybox /bin/sh /x\n",
            "FROM busybox\nCOPY --from busybox /bin/sh /x\n",
            "FROM busybox\nCOPY --link=yes app.js /\n",
            "FROM busybox\nCOPY --link --link app.js /\n",
            "FROM busybox\nCOPY --lnik app.js /\nADD --unpak app.js /\n",
            "FROM busybox\nCOPY --unpack app.js /\nCOPY --checksum=sha256:1 app.js /\nCOPY --keep-git-dir app.js /\n",
            "FROM busybox\nADD --unpack=sometimes app.js /\n",
            "FROM busybox\nCOPY -chown=1 app.js /\n",
        ],
    );
    insta::assert_snapshot!(said);
}

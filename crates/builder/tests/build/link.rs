//! `--link`: layers that do not depend on those below (D082).

use crate::kitchen::{BASE, Kitchen};

/// The base with another file, another mode of `/srv` and other users.
const OTHER: &str = "bin/ bin/sh:755=sh etc/ etc/passwd=root:x:0:0::/:/bin/sh\\napp:x:2000:2001::/:/bin/sh\\n \
    srv/:700 new=1 link->new";

#[test]
fn d082_the_destination_is_made_anew() {
    for (files, instruction, top, changes) in [
        ("a=1", "COPY --link a /srv/", "/srv/ 755\n/srv/a 644 \"1\"", "/srv/ 755\n/srv/a 644 \"1\""),
        ("a=1", "ADD --link a /srv/", "/srv/ 755\n/srv/a 644 \"1\"", "/srv/ 755\n/srv/a 644 \"1\""),
        ("a=1", "COPY --link a /x", "/x 644 \"1\"", "/x 644 \"1\""),
        ("a=1", "COPY --link a /", "/a 644 \"1\"", "/a 644 \"1\""),
        // Without looking nobody knows that this is a folder.
        ("a=1", "COPY --link a /etc", "/etc 644 \"1\"", "/etc 644 \"1\"\n-/etc/group\n-/etc/passwd"),
        // Links in the destination are replaced, not followed.
        (
            "a=1",
            "COPY --link a /link/x/",
            "/link/ 755\n/link/x/ 755\n/link/x/a 644 \"1\"",
            "/link/ 755\n/link/x/ 755\n/link/x/a 644 \"1\"",
        ),
        ("a=1", "COPY --link a /link", "/link 644 \"1\"", "/link 644 \"1\""),
        ("a=1", "COPY --link a /loop/x", "/loop/ 755\n/loop/x 644 \"1\"", "/loop/ 755\n/loop/x 644 \"1\""),
        (
            "d/e/:711 d/e/a=1",
            "COPY --link d /srv",
            "/srv/ 755\n/srv/e/ 711\n/srv/e/a 644 \"1\"",
            "/srv/ 755\n/srv/e/ 711\n/srv/e/a 644 \"1\"",
        ),
        (
            "a=1",
            "COPY --link --chown=5:6 --chmod=600 a /srv/",
            "/srv/ 755 5:6\n/srv/a 600 \"1\" 5:6",
            "/srv/ 755 5:6\n/srv/a 600 \"1\" 5:6",
        ),
        ("a=1", "COPY --link --chown=app:staff a /x", "/x 644 \"1\" 1000:50", "/x 644 \"1\" 1000:50"),
        ("", "COPY --link <<EOF /d/f\nhi\nEOF", "/d/ 755\n/d/f 644 \"hi\\n\"", "/d/ 755\n/d/f 644 \"hi\\n\""),
        ("", "COPY --link --from=base /srv/old /x/", "/x/ 755\n/x/old 644 \"old\"", "/x/ 755\n/x/old 644 \"old\""),
        ("a=1", "WORKDIR /w\nCOPY --link a .", "/w/ 755\n/w/a 644 \"1\"", "/w/ 755\n/w/a 644 \"1\""),
    ] {
        let kitchen = Kitchen::with(files);
        let outcome = kitchen.build(&format!("FROM base\n{instruction}"));
        assert_eq!(outcome.top_layer(), top, "{instruction}");
        assert_eq!(outcome.changes(), changes, "{instruction}");
    }
    let kitchen = Kitchen::with("a=1");
    let plain = kitchen.build("FROM base\nCOPY --link=false a /srv/").changes();
    assert_eq!(plain, "/srv/a 644 \"1\"");
}

#[test]
fn d082_the_layer_is_used_again_on_another_base() {
    let kitchen = Kitchen::with("a=1");
    kitchen.image("other", OTHER, r#"{"Env":["PATH=/bin"]}"#);
    let file = |base: &str| {
        format!(
            "FROM {base}\nRUN write /{base} x\nCOPY --link a /srv/deep/\nADD --link --chown=7:8 a /link/\n\
             COPY --link <<EOF /x\nhi\nEOF\nRUN write /y z"
        )
    };
    let first = kitchen.build(&file("base"));
    let second = kitchen.build(&file("other"));
    assert_eq!(
        second.steps(),
        "CACHED [1/6] FROM docker.io/library/other@sha256:…\n\
         DONE [2/6] RUN write /other x (because the base image changed: was `docker.io/library/base@sha256:…`, \
         is `docker.io/library/other@sha256:…`) (because command changed: was `write /base x`, is `write /other x`)\n\
         CACHED [3/6] COPY --link a /srv/deep/\nCACHED [4/6] ADD --link --chown=7:8 a /link/\n\
         CACHED [5/6] COPY --link <<EOF /x\nDONE [6/6] RUN write /y z (because the base image changed: \
         was `docker.io/library/base@sha256:…`, is `docker.io/library/other@sha256:…`)"
    );
    assert_eq!(second.calls(), "/bin/sh -c write /other x\n/bin/sh -c write /y z");
    assert_eq!(first.layers()[2..5], second.layers()[2..5]);
    assert_eq!(
        second.tree(),
        "/bin/ 755\n/bin/sh 755 \"sh\"\n/etc/ 755\n/etc/passwd 644 \"root:x:0:0::/:/bin/sh\\napp:x:2000:2001::/:/bin/sh\\n\"\n\
         /link/ 755 7:8\n/link/a 644 \"1\" 7:8\n/new 644 \"1\"\n/other 644 \"x\"\n/srv/ 755\n/srv/deep/ 755\n\
         /srv/deep/a 644 \"1\"\n/x 644 \"hi\\n\"\n/y 644 \"z\""
    );
    // Without layers below it is the layer of a usual COPY.
    let scratch = kitchen.build("FROM scratch\nCOPY a /srv/deep/");
    assert!(scratch.steps().starts_with("CACHED"), "{}", scratch.steps());
    assert_eq!(scratch.layers()[0], first.layers()[2]);
}

#[test]
fn d082_what_is_not_the_same_is_made_anew() {
    let kitchen = Kitchen::with("a=1 d/b=1");
    let outcome = |line: &str| {
        let steps = kitchen.build(&format!("FROM base\n{line}")).steps();
        steps.lines().last().unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!(outcome("COPY --link a /x/"), "DONE");
    assert_eq!(outcome("COPY --link a /x/"), "CACHED");
    assert_eq!(outcome("COPY a /x/"), "DONE", "which looks at the base");
    for line in [
        "COPY --link a /y/",
        "COPY --link a /x",
        "COPY --link --chmod=600 a /x/",
        "COPY --link --chown=1 a /x/",
        "COPY --link d /x/",
    ] {
        assert_eq!(outcome(line), "DONE", "{line}");
        assert_eq!(outcome(line), "CACHED", "{line}");
    }
    kitchen.files("a=2");
    assert_eq!(outcome("COPY --link a /x/"), "DONE");
}

#[test]
fn d082_d079_names_of_owners_are_those_of_the_base() {
    let kitchen = Kitchen::with("a=1");
    kitchen.image("other", OTHER, "{}");
    kitchen.image("same", &format!("{BASE} more=1"), "{}");
    let build = |base: &str| kitchen.build(&format!("FROM {base}\nCOPY --link --chown=app a /x"));
    assert!(
        build("base").steps().ends_with(
            "DONE [2/2] COPY --link --chown=app a /x (because no earlier build of this context had this step)"
        )
    );
    assert!(build("base").steps().ends_with("CACHED [2/2] COPY --link --chown=app a /x"));
    assert!(build("same").steps().ends_with("CACHED [2/2] COPY --link --chown=app a /x"), "the same numbers");
    let other = build("other");
    assert!(other.steps().ends_with("(because owner changed: was `1000:1001`, is `2000:2001`)"), "{}", other.steps());
    assert!(other.tree().contains("/x 644 \"1\" 2000:2001"));
    // The same numbers, written as such.
    let numbers = kitchen.build("FROM base\nCOPY --link --chown=1000:1001 a /x");
    assert!(numbers.steps().ends_with("CACHED [2/2] COPY --link --chown=1000:1001 a /x"), "{}", numbers.steps());
    assert_eq!(
        kitchen.build("FROM base\nADD --link --chown=nobody a /x").error(),
        "line 2: unable to find user nobody: no matching entries in /etc/passwd\n  help: use a number, or add the user \
         with RUN first"
    );
    assert_eq!(kitchen.build("FROM scratch\nCOPY --link --chown=root a /x").tree(), "/x 644 \"1\"");
}

#[test]
fn d082_history_does_not_tell_of_it() {
    let kitchen = Kitchen::with("a=1");
    assert_eq!(kitchen.build("FROM base\nCOPY --link a /x/").history(), "COPY a /x/ # buildkit");
}

#[test]
fn d082_a_build_that_finds_everything_writes_nothing() {
    let kitchen = Kitchen::with("a=1");
    let file = "FROM base\nCOPY --link --chown=app:staff a /x/\nADD --link a /srv/\nCOPY --link <<EOF /y\n1\nEOF";
    kitchen.let_files_age();
    kitchen.build(file);
    kitchen.build(file);
    let before = kitchen.snapshot();
    let outcome = kitchen.build(file);
    assert!(outcome.steps().lines().all(|line| line.starts_with("CACHED")), "{}", outcome.steps());
    assert_eq!(kitchen.snapshot(), before);
}

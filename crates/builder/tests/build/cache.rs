//! What is taken from the cache, what is not, and which reason is given.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::kitchen::Kitchen;

/// Files, Dockerfile, changed files, changed Dockerfile, steps of the second build without FROM.
type Case<'c> = (&'c str, &'c str, &'c str, &'c str, &'c str);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (files, dockerfile, changed_files, changed, expected) in cases {
        let kitchen = Kitchen::with(files);
        kitchen.let_files_age();
        kitchen.build(&format!("FROM base\n{dockerfile}")).id();
        kitchen.files(changed_files);
        let changed = if changed.is_empty() { dockerfile } else { changed };
        let steps = kitchen.build(&format!("FROM base\n{changed}")).steps();
        let (_, own) = steps.split_once('\n').unwrap_or_default();
        assert_eq!(own, *expected, "for\n{dockerfile}\nthen\n{changed_files}\n{changed}");
    }
}

#[test]
fn s180_s183_what_follows_a_change_runs_again() {
    check(&[
        (
            "app.js=1",
            "RUN nothing\nCOPY app.js .\nRUN say",
            "app.js=2",
            "",
            "CACHED [2/4] RUN nothing\nDONE [3/4] COPY app.js . (because a file changed: app.js)\nDONE [4/4] RUN say \
             (because the layers below changed)",
        ),
        (
            "",
            "RUN write /a 1\nRUN write /b 2",
            "",
            "RUN write /a 3\nRUN write /b 2",
            "DONE [2/3] RUN write /a 3 (because command changed: was `write /a 1`, is `write /a 3`)\n\
             DONE [3/3] RUN write /b 2 (because the layers below changed)",
        ),
    ]);
}

#[test]
fn s181_s182_s184_what_does_not_matter() {
    check(&[
        ("a=1", "COPY a /\nRUN nothing", "", "", "CACHED [2/3] COPY a /\nCACHED [3/3] RUN nothing"),
        // Only metadata changed.
        ("a=1", "COPY a /\nCMD x", "", "COPY a /\nCMD y\nEXPOSE 1", "CACHED [2/2] COPY a /"),
        // Written again with the same content: a new time, a new inode.
        ("a=1", "COPY a /", "-a a=1", "", "CACHED [2/2] COPY a /"),
        // Files that are not copied.
        ("a=1 b=1", "COPY a /", "b=2 c=3", "", "CACHED [2/2] COPY a /"),
        // Another way of writing the same.
        ("a=1", "copy a /", "", "COPY \\\na /", "CACHED [2/2] COPY a /"),
        ("a=1", "ENV X=1\nCOPY a /", "", "ENV X=2\nCOPY a /", "CACHED [2/2] COPY a /"),
        ("a=1", "USER app\nCOPY a /", "", "COPY a /", "CACHED [2/2] COPY a /"),
    ]);
}

#[test]
fn s185_what_is_in_the_key_of_run() {
    let run = |line: &str| format!("{line}\nRUN nothing");
    let because = |reason: &str| format!("DONE [2/2] RUN nothing (because {reason})");
    check(&[
        ("", &run("ENV A=1"), "", &run("ENV A=2"), &because("environment changed: was `A=1`, is `A=2`")),
        ("", &run("ARG A=1"), "", &run("ARG A=2"), &because("environment changed: was `A=1`, is `A=2`")),
        ("", "RUN nothing", "", &run("ENV A=1"), &because("environment changed: new is `A=1`")),
        ("", &run("ENV A=1"), "", "RUN nothing", &because("environment changed: `A=1` is gone")),
        ("", "RUN nothing", "", &run("USER app"), &because("user changed: was ``, is `app`")),
        (
            "",
            "RUN nothing",
            "",
            "RUN --network=none nothing",
            "DONE [2/2] RUN --network=none nothing (because network changed: was `default`, is `none`)",
        ),
        ("", &run("LABEL a=b"), "", "RUN nothing", "CACHED [2/2] RUN nothing"),
    ]);
}

#[test]
fn what_is_in_the_key_of_copy() {
    check(&[
        ("a=1", "COPY a /x", "", "COPY a /y", "DONE [2/2] COPY a /y (because destination changed: was `/x`, is `/y`)"),
        ("a=1 b=1", "COPY a /x/", "", "COPY b /x/", "DONE [2/2] COPY b /x/ (because sources changed: was `a`, is `b`)"),
        (
            "a=1",
            "COPY a /x",
            "",
            "COPY --chmod=600 a /x",
            "DONE [2/2] COPY --chmod=600 a /x (because mode changed: new is `600`)",
        ),
        (
            "a=1",
            "COPY a /",
            "a:755=1",
            "",
            "DONE [2/2] COPY a / (because a file changed: a (mode, owner or attributes))",
        ),
        ("d/a=1 d/b=2", "COPY d /x", "-d/b", "", "DONE [2/2] COPY d /x (because a file changed: d/b (gone))"),
        ("d/a=1", "COPY d /x", "d/b=2", "", "DONE [2/2] COPY d /x (because a file changed: d/b (new))"),
        (
            "d/1=1 d/2=1 d/3=1 d/4=1",
            "COPY d /x",
            "d/1=2 d/2=2 d/3=2 d/4=2",
            "",
            "DONE [2/2] COPY d /x (because files changed: d/1, d/2, d/3, d/4)",
        ),
        (
            "d/a=1 d/b=1",
            "COPY d /x",
            "-d/b d/b==d/a",
            "",
            "DONE [2/2] COPY d /x (because files changed (names, modes, owners or content))",
        ),
        ("l->a", "COPY . /x", "-l l->b", "", "DONE [2/2] COPY . /x (because a file changed: l)"),
    ]);
}

#[test]
fn a_miss_names_the_step_that_was_there_before() {
    check(&[
        // Of several commands that look alike, the one that was replaced.
        (
            "",
            "RUN say one && say x\nRUN say two && say x\nRUN say three && say x",
            "",
            "RUN say one && say x\nRUN say two && say y\nRUN say three && say x",
            "CACHED [2/4] RUN say one && say x\n\
             DONE [3/4] RUN say two && say y (because command changed: was `say two && say x`, is `say two && say y`)\n\
             CACHED [4/4] RUN say three && say x",
        ),
        (
            "",
            "RUN write /1 x\nRUN write /2 x\nRUN write /3 x",
            "",
            "RUN write /1 y\nRUN write /2 y\nRUN write /3 y",
            "DONE [2/4] RUN write /1 y (because command changed: was `write /1 x`, is `write /1 y`)\n\
             DONE [3/4] RUN write /2 y (because command changed: was `write /2 x`, is `write /2 y`)\n\
             DONE [4/4] RUN write /3 y (because command changed: was `write /3 x`, is `write /3 y`)",
        ),
        // One that is put in between has no earlier self.
        (
            "",
            "RUN write /1 x\nRUN write /2 x",
            "",
            "RUN write /1 x\nRUN write /9 x\nRUN write /2 x",
            "CACHED [2/4] RUN write /1 x\n\
             DONE [3/4] RUN write /9 x (because no earlier build of this context had this step)\n\
             DONE [4/4] RUN write /2 x (because the layers below changed)",
        ),
        (
            "",
            "ENV A=1\nRUN write /1 x\nENV B=1\nRUN write /2 x",
            "",
            "ENV A=1\nRUN write /1 x\nENV B=2\nRUN write /2 x",
            "CACHED [2/3] RUN write /1 x\n\
             DONE [3/3] RUN write /2 x (because environment changed: was `B=1`, is `B=2`)",
        ),
        (
            "a=1 b=1",
            "COPY a /x/\nCOPY b /x/",
            "b=2",
            "",
            "CACHED [2/3] COPY a /x/\nDONE [3/3] COPY b /x/ (because a file changed: b)",
        ),
    ]);
}

#[test]
fn s186_a_hit_reuses_the_layer() {
    let kitchen = Kitchen::new();
    let one = kitchen.build("FROM base\nRUN write /a b\nCMD 1").layers();
    let two = kitchen.build("FROM base\nRUN write /a b\nCMD 2").layers();
    assert_eq!(one, two);
}

#[test]
fn s181_the_same_build_gives_the_same_image_and_writes_nothing() {
    let kitchen = Kitchen::with("a=1 d/b=2");
    kitchen.let_files_age();
    let request = |request: &mut builder::BuildRequest| request.tags = vec!["app:v1".parse().unwrap()];
    let file = "FROM base AS one\nRUN write /x y\nFROM base\nCOPY --from=one /x /\nCOPY . /app/\nWORKDIR /w\nCMD z";
    let first = kitchen.build_as(file, request).id();
    kitchen.later(1000);
    let before = kitchen.snapshot();
    let second = kitchen.build_as(file, request);
    assert_eq!(second.id(), first);
    assert_eq!(second.calls(), "");
    assert_eq!(kitchen.snapshot(), before, "nothing in the store was touched");
}

#[test]
fn s090_s091_another_name_for_the_same_build() {
    let kitchen = Kitchen::new();
    let tagged =
        |name: &str| kitchen.build_as("FROM base\nRUN write /a b", |r| r.tags = vec![name.parse().unwrap()]).id();
    assert_eq!(tagged("app:v1"), tagged("app:v2"));
    for name in ["app:v1", "app:v2"] {
        assert!(kitchen.store.reference(&name.parse().unwrap()).unwrap().is_some(), "{name}");
    }
    let moved = kitchen.build_as("FROM base\nCMD 2", |r| r.tags = vec!["app:v1".parse().unwrap()]).id();
    assert_eq!(kitchen.store.reference(&"app:v1".parse().unwrap()).unwrap(), Some(moved));
    assert!(kitchen.store.has_image(tagged("app:v2")).unwrap());
}

#[test]
fn b005_no_cache_runs_everything_again() {
    let kitchen = Kitchen::with("a=1");
    let file = "FROM base\nRUN write /a b\nCOPY a /x";
    let first = kitchen.build(file).id();
    kitchen.later(5);
    let second = kitchen.build_as(file, |request| request.no_cache = true);
    assert_eq!(second.calls(), "/bin/sh -c write /a b");
    assert!(second.steps().contains("(because the cache is switched off by --no-cache)"), "{}", second.steps());
    assert_ne!(second.id(), first, "its times are new");
}

#[test]
fn times_of_the_history_are_those_of_the_steps() {
    let kitchen = Kitchen::new();
    let times = |file: &str| {
        let image = kitchen.build(file).image();
        let rows: Vec<String> = image.history.iter().map(|row| row.created.clone().unwrap()[..19].to_owned()).collect();
        (rows, image.created.unwrap()[..19].to_owned())
    };
    let first = times("FROM base\nENV A=1\nRUN write /a b\nCMD x");
    let base = "2025-01-01T00:00:00".to_owned();
    let zero = "2026-01-01T00:00:00".to_owned();
    assert_eq!(first, (vec![base.clone(), zero.clone(), zero.clone(), zero.clone()], zero.clone()));
    kitchen.later(60);
    let minute = "2026-01-01T00:01:00".to_owned();
    assert_eq!(times("FROM base\nENV A=1\nRUN write /a b\nCMD y").0, [base, zero.clone(), zero, minute.clone()]);
    // Rows of a base without times stay as they are.
    let mut old = oci::ImageConfig::scratch(&oci::Platform::host());
    let created_by = Some("old".to_owned());
    old.history.push(oci::History { created_by, empty_layer: true, ..oci::History::default() });
    let id = kitchen.store.publish_image(&old.to_bytes(), None).unwrap();
    kitchen.store.set_reference(&"old:latest".parse().unwrap(), id).unwrap();
    let image = kitchen.build("FROM old\nENV A=1\nRUN write /a b").image();
    assert_eq!(image.history[0].created, None);
    assert!(image.history[1..].iter().all(|row| row.created.as_deref() == Some("2026-01-01T00:01:00Z")));
}

#[test]
fn a_removed_layer_is_made_again() {
    let kitchen = Kitchen::new();
    let file = "FROM base\nRUN write /a b\nRUN write /c d";
    let outcome = kitchen.build(file);
    let (id, layers) = (outcome.id(), outcome.layers());
    kitchen.remove_layer(layers[1]);
    let again = kitchen.build(file);
    assert_eq!(again.id(), id);
    assert_eq!(again.calls(), "/bin/sh -c write /a b");
    assert!(again.steps().contains("(because the result of the same step has been removed)"), "{}", again.steps());
    assert_eq!(again.changes(), "/a 644 \"b\"\n/c 644 \"d\"");
}

#[test]
fn a_record_that_cannot_be_read_costs_a_repetition() {
    let kitchen = Kitchen::new();
    let file = "FROM base\nRUN write /a b";
    let id = kitchen.build(file).id();
    for folder in ["steps", "builds", "contexts"] {
        for entry in fs::read_dir(kitchen.store.path().join(folder)).unwrap() {
            fs::write(entry.unwrap().path(), b"{\"torn").unwrap();
        }
    }
    let again = kitchen.build(file);
    assert_eq!(again.calls(), "/bin/sh -c write /a b");
    assert_eq!(again.layers(), kitchen.store.image(id).unwrap().rootfs.diff_ids);
}

#[test]
fn s301_s302_a_change_low_in_the_stack_changes_the_chain_above() {
    let kitchen = Kitchen::new();
    let chain =
        |text: &str| kitchen.build(&format!("FROM base\nRUN write /a {text}\nRUN write /c d")).image().chain_id();
    assert_ne!(chain("1"), chain("2"));
    let layers = kitchen.build("FROM base\nRUN write /a 1\nRUN write /c d").layers();
    let expected = layers[1..].iter().fold(layers[0].0.to_string(), |chain, layer| {
        oci::Digest::of(format!("{chain} {}", layer.0).as_bytes()).to_string()
    });
    assert_eq!(chain("1").unwrap().to_string(), expected);
}

#[test]
fn s300_the_layers_digest_is_that_of_its_tar() {
    let kitchen = Kitchen::with("a=1");
    for layer in kitchen.build("FROM base\nCOPY a /\nRUN write /b 2").layers() {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut kitchen.store.layer_tar(layer).unwrap().unwrap(), &mut bytes).unwrap();
        assert_eq!(oci::Digest::of(&bytes), layer.0);
    }
}

#[test]
fn a_folder_that_appears_or_changes_its_mode_counts() {
    let kitchen = Kitchen::with("d/a=1");
    let file = "FROM base\nCOPY d /x";
    kitchen.build(file).id();
    kitchen.files("d/empty/");
    assert!(kitchen.build(file).steps().contains("DONE [2/2]"));
    fs::set_permissions(kitchen.context().join("d/empty"), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(kitchen.build(file).steps().contains("DONE [2/2]"));
    // The copied folder's own mode does not reach the image.
    fs::set_permissions(kitchen.context().join("d"), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(kitchen.build(file).steps().contains("CACHED [2/2]"));
}

#[test]
fn b006_the_cache_is_switched_off_for_some_stages() {
    let kitchen = Kitchen::with("a=1");
    let dockerfile = "FROM base AS Deps\nRUN write /deps 1\nFROM base AS tools\nRUN write /tools 1\n\
         FROM base\nCOPY --from=Deps /deps /\nCOPY --from=tools /tools /\nRUN write /end 1\n";
    let first = kitchen.build(dockerfile);
    let only = |filter: &[&str]| {
        let filter: Vec<String> = filter.iter().map(|name| (*name).to_owned()).collect();
        kitchen.build_as(dockerfile, |request| request.no_cache_filter = filter)
    };
    for name in ["Deps", "deps", "0"] {
        let built = only(&[name]);
        assert_eq!(built.calls(), "/bin/sh -c write /deps 1", "{name}");
        let reason = "RUN write /deps 1 (because the cache is switched off for this stage by --no-cache-filter)";
        assert!(built.steps().contains(reason), "{}", built.steps());
        assert_eq!(built.layers(), first.layers(), "the same files again");
    }
    assert_eq!(only(&["tools", "2"]).calls(), "/bin/sh -c write /tools 1\n/bin/sh -c write /end 1");
    let unknown = only(&["tolls", "9"]);
    assert_eq!(unknown.calls(), "");
    let text = unknown.text();
    for name in ["tolls", "9"] {
        assert!(text.contains(&format!("warning: `--no-cache-filter {name}` names no stage of this build")), "{text}");
    }
}

//! `--squash`: what the build adds becomes one layer, the base's stay (B022, N012).

use builder::BuildRequest;

use crate::kitchen::Kitchen;

fn squash(request: &mut BuildRequest) {
    request.squash = true;
}

const DOCKERFILE: &str = "FROM base\nCOPY a /new/a\nENV A=b\nRUN write /new/b two && remove /srv/old && write /gone x\n\
     RUN remove /gone && write /new/a changed\nCMD [\"x\"]\n";

#[test]
fn n012_the_builds_layers_become_one_and_the_bases_stay() {
    let kitchen = Kitchen::with("a=one");
    let plain = kitchen.build(DOCKERFILE);
    let squashed = kitchen.build_as(DOCKERFILE, squash);
    assert_eq!((plain.layers().len(), squashed.layers().len()), (4, 2));
    assert_eq!(squashed.layers()[0], plain.layers()[0]);
    assert_eq!(squashed.tree(), plain.tree());
    assert_eq!(squashed.config(), plain.config());
    // Nothing of what came and went is left.
    assert_eq!(squashed.top_layer(), "/new/ 755\n/new/a 644 \"changed\"\n/new/b 644 \"two\"\n/srv/ 755");
    assert!(squashed.text().contains("squashing 3 layers\n  DONE"), "{}", squashed.text());
}

#[test]
fn b022_rows_of_history_stay_without_their_layers() {
    let kitchen = Kitchen::with("a=one");
    let base = image::find(&kitchen.store, "base").unwrap().unwrap();
    let plain = kitchen.build(DOCKERFILE).image();
    let image = kitchen.build_as(DOCKERFILE, squash).image();
    let (last, rows) = image.history.split_last().unwrap();
    assert_eq!(rows.len(), plain.history.len());
    for (row, plain) in rows.iter().zip(&plain.history).skip(1) {
        assert_eq!((&row.created_by, &row.created), (&plain.created_by, &plain.created));
        assert!(row.empty_layer);
    }
    assert_eq!(rows[0], plain.history[0], "the base's own");
    assert_eq!(last.comment, Some(format!("merge 3 layers to {base}")));
    assert!(!last.empty_layer && last.created.is_some());
    let with_layers = image.history.iter().filter(|row| !row.empty_layer).count();
    assert_eq!(with_layers, image.rootfs.diff_ids.len());
}

#[test]
fn n012_all_stages_that_the_target_is_built_on_are_its_own() {
    let kitchen = Kitchen::with("a=one");
    let dockerfile =
        "FROM base AS first\nRUN write /first 1\nFROM first AS second\nRUN write /second 2\nFROM second\nCOPY a /\n";
    let squashed = kitchen.build_as(dockerfile, squash);
    assert_eq!(squashed.layers().len(), 2);
    assert_eq!(squashed.tree(), kitchen.build(dockerfile).tree());
    let scratch = "FROM scratch\nCOPY a /\nCOPY a /b\n";
    let alone = kitchen.build_as(scratch, squash);
    assert_eq!((alone.layers().len(), alone.tree()), (1, kitchen.build(scratch).tree()));
    let comment = alone.image().history.last().unwrap().comment.clone();
    assert_eq!(comment.as_deref(), Some("create new from 2 layers"));
}

#[test]
fn n012_one_layer_or_none_needs_no_squashing() {
    let kitchen = Kitchen::with("a=one");
    for dockerfile in ["FROM base\nCOPY a /\nENV A=b\n", "FROM base\nENV A=b\n"] {
        assert_eq!(kitchen.build_as(dockerfile, squash).id(), kitchen.build(dockerfile).id());
    }
}

#[test]
fn b022_a_squashed_build_is_cached_like_others() {
    let kitchen = Kitchen::with("a=one");
    kitchen.let_files_age();
    let first = kitchen.build_as(DOCKERFILE, squash);
    let before = kitchen.snapshot();
    let again = kitchen.build_as(DOCKERFILE, squash);
    assert_eq!((again.id(), again.calls()), (first.id(), String::new()));
    assert!(again.text().contains("squashing 3 layers\n  CACHED"), "{}", again.text());
    assert_eq!(kitchen.snapshot(), before);
    kitchen.remove_layer(first.layers()[1]);
    assert_eq!(kitchen.build_as(DOCKERFILE, squash).id(), first.id());
    // In another store, with the same moment, it is the same.
    let other = Kitchen::with("a=one");
    other.later(1000);
    let at = |request: &mut BuildRequest| {
        squash(request);
        request.times.is_reproducible = true;
    };
    assert_eq!(kitchen.build_as(DOCKERFILE, at).id(), other.build_as(DOCKERFILE, at).id());
}

#[test]
fn b022_a_classic_build_is_squashed_as_well() {
    let kitchen = Kitchen::with("a=one");
    let squashed = kitchen.build_as(DOCKERFILE, squash);
    let classic = kitchen.build_as(DOCKERFILE, |request| {
        squash(request);
        request.classic = Some(builder::ClassicRequest { dockerfile_path: Some("Dockerfile".to_owned()) });
    });
    assert_eq!(classic.layers(), squashed.layers());
    assert_eq!(classic.id(), squashed.id());
}

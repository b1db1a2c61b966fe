//! `rmi`: which lines, in which order, and what is refused (S280-S288).

use engine::{Engine, Removal, RemoveOptions, remove_images};
use oci::{ChainId, DiffId, Digest, ImageId};

use crate::forge::{Image, container, engine, family, layer, words};

const PLAIN: RemoveOptions = RemoveOptions { force: false, no_prune: false, platforms: &[] };
const FORCE: RemoveOptions = RemoveOptions { force: true, no_prune: false, platforms: &[] };

fn removed(engine: &Engine, names: &[&str], options: RemoveOptions<'_>) -> (Vec<String>, Vec<String>) {
    let removed = remove_images(engine, &words(names), options).unwrap();
    let line = |removal: Removal| match removal {
        Removal::Untagged(name) => format!("Untagged: {name}"),
        Removal::Deleted(id) => format!("Deleted: {id}"),
    };
    (removed.removals.into_iter().map(line).collect(), removed.errors.into_iter().map(|error| error.message).collect())
}

fn deleted(id: impl ToString) -> String {
    format!("Deleted: {}", id.to_string())
}

/// Chain IDs of the family's layers, bottom first.
fn chains() -> Vec<ChainId> {
    let layers = [layer("a", 1000), layer("b", 200), layer("c", 30)].map(|tar| DiffId(Digest::of(&tar)));
    (1..=3).map(|height| ChainId::of(&layers[..height]).unwrap()).collect()
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_name_with_children_is_only_untagged() {
    let (_folder, engine) = engine();
    let [base, ..] = family(&engine);
    assert_eq!(removed(&engine, &["base:v1"], PLAIN), (vec!["Untagged: base:v1".to_owned()], none()));
    assert!(engine.store().has_image(base).unwrap());
}

#[test]
fn the_last_name_takes_image_layers_and_parents_with_it() {
    let (_folder, engine) = engine();
    let [base, middle, top] = family(&engine);
    removed(&engine, &["base:v1"], PLAIN);
    let [a, b, c] = chains()[..] else { unreachable!("three layers") };
    let expected = vec![
        "Untagged: top:v1".to_owned(),
        deleted(top),
        deleted(c),
        deleted(middle),
        deleted(b),
        deleted(base),
        deleted(a),
    ];
    assert_eq!(removed(&engine, &["top:v1"], PLAIN), (expected, none()));
    assert_eq!(engine.store().image_ids().unwrap(), []);
}

#[test]
fn parents_with_a_name_stay_and_no_prune_keeps_all() {
    for (options, kept) in [(PLAIN, 1), (RemoveOptions { no_prune: true, ..PLAIN }, 2)] {
        let (_folder, engine) = engine();
        let [_, _, top] = family(&engine);
        let (lines, errors) = removed(&engine, &["top:v1"], options);
        assert_eq!(lines[..3], ["Untagged: top:v1".to_owned(), deleted(top), deleted(chains()[2])]);
        assert_eq!(errors, none());
        assert_eq!(engine.store().image_ids().unwrap().len(), kept);
    }
}

#[test]
fn other_names_keep_the_image() {
    let (_folder, engine) = engine();
    let tar = [layer("a", 10)];
    let id = Image { layers: &tar, names: &["one:1", "two:1"], ..Image::default() }.put(&engine);
    assert_eq!(removed(&engine, &["one:1"], PLAIN), (vec!["Untagged: one:1".to_owned()], none()));
    let all = vec!["Untagged: two:1".to_owned(), deleted(id), deleted(Digest::of(&tar[0]))];
    assert_eq!(removed(&engine, &[&id.0.short()], PLAIN), (all, none()));
}

#[test]
fn an_id_with_several_names_must_be_forced() {
    let (_folder, engine) = engine();
    let id = Image { names: &["one:1", "two:1"], ..Image::default() }.put(&engine);
    let short = id.0.short();
    let refusal =
        format!("conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories");
    assert_eq!(removed(&engine, &[&short], PLAIN), (none(), vec![refusal]));
    let all = vec!["Untagged: one:1".to_owned(), "Untagged: two:1".to_owned(), deleted(id)];
    assert_eq!(removed(&engine, &[&id.to_string()], FORCE), (all, none()));
}

#[test]
fn containers_keep_their_image() {
    struct Case {
        is_running: bool,
        by_id: bool,
        options: RemoveOptions<'static>,
        lines: fn(ImageId) -> Vec<String>,
        error: &'static str,
    }
    let case = |is_running, by_id, options, lines, error| Case { is_running, by_id, options, lines, error };
    let cases = [
        case(
            true,
            false,
            PLAIN,
            |_| none(),
            "conflict: unable to remove repository reference \"used:1\" (must force) - container 777777777777 is using its referenced image ID",
        ),
        case(
            false,
            false,
            PLAIN,
            |_| none(),
            "conflict: unable to remove repository reference \"used:1\" (must force) - container 777777777777 is using its referenced image ID",
        ),
        case(true, false, FORCE, |_| vec!["Untagged: used:1".to_owned()], ""),
        case(
            true,
            true,
            FORCE,
            |_| none(),
            "conflict: unable to delete ID (cannot be forced) - image is being used by running container 777777777777",
        ),
        case(
            true,
            true,
            PLAIN,
            |_| none(),
            "conflict: unable to delete ID (cannot be forced) - image is being used by running container 777777777777",
        ),
        case(
            false,
            true,
            PLAIN,
            |_| none(),
            "conflict: unable to delete ID (must be forced) - image is being used by stopped container 777777777777",
        ),
        case(false, true, FORCE, |id| vec!["Untagged: used:1".to_owned(), deleted(id)], ""),
        case(false, false, FORCE, |id| vec!["Untagged: used:1".to_owned(), deleted(id)], ""),
    ];
    for (number, case) in cases.iter().enumerate() {
        let (_folder, engine) = engine();
        let id = Image { names: &["used:1"], ..Image::default() }.put(&engine);
        container(&engine, id, '7', case.is_running);
        let name = if case.by_id { id.0.hex() } else { "used:1".to_owned() };
        let (lines, errors) = removed(&engine, &[&name], case.options);
        assert_eq!(lines, (case.lines)(id), "case {number}");
        assert_eq!(errors.concat(), case.error.replace("ID", &id.0.short()), "case {number}");
    }
}

#[test]
fn shared_layers_stay() {
    let (_folder, engine) = engine();
    let tars = [layer("a", 10), layer("b", 10)];
    let one = Image { layers: &tars[..1], names: &["one:1"], ..Image::default() }.put(&engine);
    let two = Image { layers: &tars, names: &["two:1"], ..Image::default() }.put(&engine);
    assert_eq!(removed(&engine, &["one:1"], PLAIN).0, ["Untagged: one:1".to_owned(), deleted(one)]);
    let config = engine.store().image(two).unwrap();
    assert!(image::Stack::open(engine.store(), &config.rootfs.diff_ids).is_ok());
}

#[test]
fn what_is_missing_does_not_keep_the_rest() {
    let (_folder, engine) = engine();
    let id = Image { names: &["one:1"], ..Image::default() }.put(&engine);
    let (lines, errors) = removed(&engine, &["nothing", "one:1"], PLAIN);
    assert_eq!(lines, ["Untagged: one:1".to_owned(), deleted(id)]);
    assert_eq!(errors, ["no such image: nothing"]);
    assert_eq!(removed(&engine, &["nothing"], FORCE), (none(), none()));
}

//! `save`, `load` and `import` with names and errors.

use std::io::Seek;

use engine::{Engine, ErrorKind, ImportOptions, import, load, save};
use serde_json::json;

use crate::forge::{Image, engine, file, layer, words};

fn saved(engine: &Engine, names: &[&str]) -> std::fs::File {
    let mut out = tempfile::tempfile().unwrap();
    save(engine, &words(names), &[], &out).unwrap();
    out.rewind().unwrap();
    out
}

fn names(engine: &Engine, archive: std::fs::File) -> Vec<Vec<String>> {
    let loaded = load(engine, archive, None).unwrap();
    loaded.iter().map(|loaded| loaded.references.iter().map(oci::Reference::familiar).collect()).collect()
}

#[test]
fn the_names_that_were_asked_for_are_saved() {
    let (_folder, one) = engine();
    let tar = [layer("a", 10)];
    let id = Image { layers: &tar, names: &["app:1", "app:2", "other:1"], ..Image::default() }.put(&one);
    Image { names: &["app:3"], ..Image::default() }.put(&one);
    let short = id.0.short();
    let cases: [(&[&str], &[&[&str]]); 6] = [
        (&["app:1"], &[&["app:1"]]),
        (&["app:1", "other:1"], &[&["app:1", "other:1"]]),
        (&["app:1", "app:1", &short], &[&["app:1"]]),
        (&[&short], &[&[]]),
        (&["app:3", "app:2"], &[&["app:3"], &["app:2"]]),
        // All tags of the repository, as with Docker.
        (&["app"], &[&["app:1", "app:2"], &["app:3"]]),
    ];
    for (asked, expected) in cases {
        let (_folder, two) = engine();
        assert_eq!(names(&two, saved(&one, asked)), expected, "{asked:?}");
    }
    let error = save(&one, &words(&["app:1", "nothing"]), &[], &tempfile::tempfile().unwrap()).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::NotFound, "no such image: nothing"));
}

#[test]
fn load_says_what_is_wrong() {
    let (_folder, engine) = engine();
    let cases: [(&[u8], ErrorKind, &str); 3] = [
        (b"hello", ErrorKind::InvalidInput, "not a tar archive"),
        (&layer("a", 10), ErrorKind::InvalidInput, "neither `manifest.json` nor `index.json`"),
        (&layer("a/layer.tar", 10), ErrorKind::Unsupported, "Docker before 1.10"),
    ];
    for (bytes, kind, message) in cases {
        let error = load(&engine, file(bytes), None).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(message) && error.hint.is_some(), "{error:?}");
    }
}

fn import_with(engine: &Engine, changes: &[&str]) -> Result<oci::ImageConfig, engine::Error> {
    let options = ImportOptions {
        source: "-".to_owned(),
        name: Some("imported".to_owned()),
        changes: words(changes),
        message: None,
        platform: None,
    };
    let id = import(engine, file(&layer("a", 10)), &options)?;
    assert_eq!(image::find(engine.store(), "imported:latest").unwrap(), Some(id));
    Ok(engine.store().image(id).unwrap())
}

#[test]
fn import_applies_changes() {
    let (_folder, engine) = engine();
    let config = import_with(
        &engine,
        &[
            "ENV A=1 B=\"two words\"",
            "env A=$A$B",
            "WORKDIR /srv",
            "WORKDIR app",
            "CMD [\"sh\", \"-c\", \"true\"]",
            "ENTRYPOINT exec run",
            "EXPOSE 80 53/udp",
            "LABEL who=me",
            "USER node",
            "VOLUME /data /logs",
            "STOPSIGNAL SIGINT",
            "HEALTHCHECK --interval=5s CMD true",
            "ONBUILD RUN make",
        ],
    )
    .unwrap();
    let found = serde_json::to_value(&config.config).unwrap();
    let expected = json!({
        "User": "node",
        "ExposedPorts": { "80/tcp": {}, "53/udp": {} },
        "Env": ["A=1two words", "B=two words"],
        "Entrypoint": ["/bin/sh", "-c", "exec run"],
        "Cmd": ["sh", "-c", "true"],
        "Healthcheck": { "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_i64 },
        "Volumes": { "/data": {}, "/logs": {} },
        "WorkingDir": "/srv/app",
        "OnBuild": ["RUN make"],
        "Labels": { "who": "me" },
        "StopSignal": "SIGINT",
    });
    assert_eq!(found, expected);
    assert_eq!(config.created.as_deref(), Some("2026-11-21T07:00:00Z"));
}

#[test]
fn import_refuses_other_changes_and_names_the_place() {
    for wrong in [
        "RUN make",
        "COPY a b",
        "FROM x",
        "NONSENSE",
        "",
        "EXPOSE many",
        "STOPSIGNAL SIGNOTHING",
        "ONBUILD",
        "ONBUILD FROM x",
    ] {
        let (_folder, engine) = engine();
        let error = import_with(&engine, &[wrong]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{wrong}");
        assert!(error.message.contains(&format!("`{wrong}`")), "{error:?}");
        assert!(engine.store().image_ids().unwrap().is_empty(), "{wrong}");
        let length = wrong.len();
        assert!(error.problems.iter().all(|problem| problem.span.end <= length), "{wrong}: {:?}", error.problems);
    }
}

//! `image inspect` and `info`.

use engine::{ErrorKind, info, inspect_images, version};

use crate::forge::{container, engine, family, words};

#[test]
fn an_image_in_the_order_of_docker() {
    let (_folder, engine) = engine();
    let [_, middle, top] = family(&engine);
    let found = inspect_images(&engine, &words(&["top:v1"]), None).unwrap();
    let object = found.objects[0].as_object().unwrap();
    let fields: Vec<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "Id",
            "RepoTags",
            "RepoDigests",
            "Parent",
            "Comment",
            "Created",
            "DockerVersion",
            "Author",
            "Config",
            "Architecture",
            "Os",
            "Size",
            "GraphDriver",
            "RootFS",
            "Metadata",
        ]
    );
    assert_eq!(object["Id"], top.to_string());
    assert_eq!(object["RepoTags"], serde_json::json!(["top:v1"]));
    assert_eq!(object["Parent"], middle.to_string());
    assert_eq!(object["Size"], 1230);
    assert_eq!(object["RootFS"]["Layers"].as_array().unwrap().len(), 3);
    assert_eq!(object["Config"]["Cmd"], serde_json::json!(["sh"]));
    assert_eq!(object["Config"]["Entrypoint"], serde_json::Value::Null);
}

#[test]
fn what_is_missing_does_not_hide_the_rest() {
    let (_folder, engine) = engine();
    family(&engine);
    let found = inspect_images(&engine, &words(&["base:v1", "nothing", "top:v1"]), None).unwrap();
    assert_eq!(found.objects.len(), 2);
    assert_eq!(found.errors.len(), 1);
    assert_eq!(found.errors[0].kind, ErrorKind::NotFound);
    assert_eq!(found.errors[0].message, "no such image: nothing");
}

#[test]
fn info_counts_what_is_there() {
    let (_folder, engine) = engine();
    let [base, ..] = family(&engine);
    container(&engine, base, '1', true);
    container(&engine, base, '2', false);
    let info = info(&engine).unwrap();
    assert_eq!((info.images, info.containers, info.containers_running, info.containers_stopped), (3, 2, 1, 1));
    assert_eq!(info.version, version().version);
    assert!(info.memory > 0 && !info.kernel.is_empty());
}

//! Tarballs of files.

use image::{ImportOptions, import};
use oci::{ContainerConfig, Platform};

use super::forge::{bzip2, files, gzip, lower, store, xz, zstd};

fn options(message: Option<&str>) -> ImportOptions {
    ImportOptions {
        created: "2026-01-02T03:04:05Z".to_owned(),
        message: message.map(str::to_owned),
        source: "-".to_owned(),
        platform: Platform::host(),
        config: ContainerConfig { user: "node".to_owned(), ..ContainerConfig::default() },
    }
}

#[test]
fn a_tarball_becomes_an_image_of_one_layer() {
    let shapes = [lower(), gzip(&lower()), bzip2(&lower()), xz(&lower()), zstd(&lower())];
    for (number, tarball) in shapes.iter().enumerate() {
        let (_folder, store) = store();
        let id = import(&store, &tarball[..], options(None)).unwrap();
        let config = store.image(id).unwrap();
        assert_eq!(config.rootfs.diff_ids, [oci::DiffId(oci::Digest::of(&lower()))], "{number}");
        assert_eq!(config.config.user, "node");
        assert_eq!(config.os, "linux");
        assert_eq!(config.history[0].comment.as_deref(), Some("Imported from -"));
        assert_eq!(config.extra["comment"], "Imported from -");
        assert_eq!(config.created.as_deref(), Some("2026-01-02T03:04:05Z"));
        let names: Vec<String> = files(&store, id).into_iter().map(|(path, ..)| path).collect();
        assert_eq!(names, ["etc", "etc/name", "large"]);
    }
}

#[test]
fn a_message_takes_the_place_of_the_source() {
    let (_folder, store) = store();
    let id = import(&store, &lower()[..], options(Some("by hand"))).unwrap();
    assert_eq!(store.image(id).unwrap().history[0].comment.as_deref(), Some("by hand"));
}

#[test]
fn what_is_no_tarball_is_refused() {
    let cases: [(&str, Vec<u8>); 4] = [
        ("text", b"no tar at all, but long enough to be a block of one ".repeat(20)),
        ("cut", lower()[..20_000].to_vec()),
        ("cut gzip", {
            let whole = gzip(&lower());
            whole[..whole.len() / 2].to_vec()
        }),
        ("short", b"x".to_vec()),
    ];
    for (name, bytes) in cases {
        let (_folder, store) = store();
        assert!(import(&store, &bytes[..], options(None)).is_err(), "{name}");
        assert!(store.image_ids().unwrap().is_empty(), "{name}");
    }
}

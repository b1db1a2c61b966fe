use std::collections::BTreeMap;

use super::bind_text;
use super::tmpfs;
use super::{MountKind, MountRequest, MountSettings, Recursion};

#[test]
fn c202_texts_of_volume() {
    for (text, kind, name, source, target, mode, read_only) in [
        ("web:/x", MountKind::Volume, "web", "", "/x", "z", false),
        ("web:/x:ro", MountKind::Volume, "web", "", "/x", "ro", true),
        ("web:/x/../y/:nocopy,z", MountKind::Volume, "web", "", "/y", "nocopy,z", false),
        ("/x", MountKind::Volume, "", "", "/x", "", false),
        ("/a//b/../c/:/x", MountKind::Bind, "", "/a/c", "/x", "", false),
        ("/a:/x:ro,Z,rslave,cached", MountKind::Bind, "", "/a", "/x", "ro,Z,rslave,cached", true),
        ("/:/host:ro", MountKind::Bind, "", "/", "/host", "ro", true),
    ] {
        let parsed = bind_text::parse(text).unwrap().point;
        assert_eq!(
            (parsed.kind, &*parsed.name, &*parsed.source, &*parsed.target, &*parsed.mode, parsed.read_only),
            (kind, name, source, target, mode, read_only),
            "{text}"
        );
    }
    assert!(bind_text::parse("web:/x:nocopy").unwrap().no_copy);
    assert_eq!(bind_text::parse("/a:/x").unwrap().point.propagation, "rprivate");
    let here = std::env::current_dir().unwrap();
    assert_eq!(bind_text::parse("./a:/x").unwrap().point.source, here.join("a").display().to_string());
}

#[test]
fn c202_wrong_texts_of_volume_have_dockers_words() {
    for (text, message) in [
        ("", "invalid empty volume spec"),
        (":/x", "invalid spec: :/x: empty section between colons"),
        ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        ("web:ro", "invalid volume specification: 'web:ro'"),
        ("/x:/vol/y:foo", "invalid mode: foo"),
        ("v1:/x:ro,rw", "invalid mode: ro,rw"),
        ("v1:/x:z,Z", "invalid mode: z,Z"),
        ("/a:/x:nocopy", "invalid mode: nocopy"),
        (
            "/x:y",
            "invalid volume specification: '/x:y': invalid mount config for type \"bind\": invalid mount path: 'y' mount \
             path must be absolute",
        ),
        (
            "/x:/..",
            "invalid volume specification: '/x:/..': invalid mount config for type \"bind\": invalid specification: \
             destination can't be '/'",
        ),
        (
            "v1:/x:rshared",
            "invalid volume specification: 'v1:/x:rshared': invalid mount config for type \"volume\": field BindOptions \
             must not be specified",
        ),
        (
            "a/b:/x",
            "create a/b: \"a/b\" includes invalid characters for a local volume name, only \
             \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
        ),
    ] {
        assert_eq!(bind_text::parse(text).unwrap_err().message, message, "{text}");
    }
}

#[test]
fn c202_wrong_mounts_and_duplicates() {
    let request = |kind, source: &str, target: &str| MountRequest {
        kind,
        source: source.to_owned(),
        target: target.to_owned(),
        ..MountRequest::default()
    };
    let of = |mounts: Vec<MountRequest>| MountSettings { mounts, ..MountSettings::default() };
    let with = |binds: &[&str], tmpfs: &[&str]| MountSettings {
        binds: binds.iter().map(|bind| (*bind).to_owned()).collect(),
        tmpfs: tmpfs.iter().map(|target| ((*target).to_owned(), String::new())).collect::<BTreeMap<_, _>>(),
        ..MountSettings::default()
    };
    let prefix = |kind: &str, reason: &str| format!("invalid mount config for type \"{kind}\": {reason}");
    let forced = MountRequest { recursion: Recursion::Readonly, ..request(MountKind::Bind, "/tmp", "/x") };
    let spread = MountRequest { propagation: "foo".to_owned(), ..request(MountKind::Bind, "/tmp", "/x") };
    for (settings, message) in [
        (of(vec![request(MountKind::Bind, "", "/x")]), prefix("bind", "field Source must not be empty")),
        (
            of(vec![request(MountKind::Bind, "rel", "/x")]),
            prefix("bind", "invalid mount path: 'rel' mount path must be absolute"),
        ),
        (
            of(vec![request(MountKind::Bind, "/no/such", "/x")]),
            prefix("bind", "bind source path does not exist: /no/such"),
        ),
        (of(vec![request(MountKind::Tmpfs, "/y", "/x")]), prefix("tmpfs", "field Source must not be specified")),
        (
            of(vec![request(MountKind::Volume, "", "/")]),
            prefix("volume", "invalid specification: destination can't be '/'"),
        ),
        (
            of(vec![request(MountKind::Volume, "", "x")]),
            prefix("volume", "invalid mount path: 'x' mount path must be absolute"),
        ),
        (of(vec![forced]), prefix("bind", "mount must be set \"ReadOnly\" when using \"ReadOnlyForceRecursive\"")),
        (of(vec![spread]), prefix("bind", "invalid propagation mode: foo")),
        (with(&["v1:/x", "v2:/x/"], &[]), "Duplicate mount point: /x".to_owned()),
        (with(&["v1:/x"], &["/x/"]), "Duplicate mount point: /x".to_owned()),
        (
            MountSettings { mounts: vec![request(MountKind::Volume, "", "/x")], ..with(&["v1:/x"], &[]) },
            "Duplicate mount point: /x".to_owned(),
        ),
        (with(&[], &["x"]), "invalid mount path: 'x' mount path must be absolute".to_owned()),
        (
            MountSettings { volumes_from: vec!["web:foo".to_owned()], ..MountSettings::default() },
            "invalid mode: foo".to_owned(),
        ),
    ] {
        assert_eq!(settings.check().unwrap_err().message, message, "{settings:?}");
    }
    for fine in [with(&["v1:/x", "v1:/x"], &[]), with(&["/x", "v1:/x"], &["/y"])] {
        fine.check().unwrap();
    }
}

#[test]
fn c202_options_of_tmpfs() {
    let parsed = tmpfs::parse("size=1m,mode=0750,exec,size=2m").unwrap();
    let pairs: Vec<_> = parsed.options.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    assert_eq!(pairs, [("mode", Some("0750")), ("size", Some("2m"))]);
    assert!(!parsed.no_exec && !parsed.suid && !parsed.devices && !parsed.read_only);
    let default = tmpfs::parse("").unwrap();
    assert!(default.no_exec && default.options.is_empty());
    assert!(
        tmpfs::parse("ro,suid,dev,noatime").is_ok_and(|all| all.read_only && all.suid && all.devices && all.no_atime)
    );
    for wrong in ["foo", "size", "size=", "source=/etc", "mode=1,x"] {
        assert!(tmpfs::parse(wrong).unwrap_err().message.starts_with("invalid tmpfs option \""), "{wrong}");
    }
}

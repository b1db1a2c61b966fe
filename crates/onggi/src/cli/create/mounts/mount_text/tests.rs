use engine::{MountKind, MountRequest, Recursion};

use super::parse;

#[test]
fn c202_every_key_of_mount() {
    let request =
        parse("type=bind,source=/a,target=/x,readonly,bind-propagation=rprivate,bind-recursive=readonly").unwrap();
    assert_eq!((request.kind, &*request.source, &*request.target), (MountKind::Bind, "/a", "/x"));
    assert!(request.read_only && request.recursion == Recursion::Readonly && request.propagation == "rprivate");
    let request = parse(
        "src=web,dst=/x,ro=false,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=type=tmpfs,volume-subpath=p",
    );
    let request = request.unwrap();
    assert_eq!((request.kind, request.read_only, request.no_copy), (MountKind::Volume, false, true));
    assert_eq!((&*request.labels["a"], &*request.options["type"], &*request.subpath), ("b", "tmpfs", "p"));
    let request = parse("TYPE=tmpfs,destination=/x,tmpfs-size=1m,tmpfs-mode=1770").unwrap();
    assert_eq!((request.tmpfs_size, request.tmpfs_mode), (Some(1 << 20), Some(0o1770)));
    let request = parse("type=image,source=busybox,target=/x,image-subpath=bin").unwrap();
    assert_eq!((request.kind, &*request.subpath), (MountKind::Image, "bin"));
    let quoted = parse("type=bind,\"source=/a,b\",target=/x,consistency=cached").unwrap();
    assert_eq!(quoted.source, "/a,b");
    let here = std::env::current_dir().unwrap();
    assert_eq!(parse("type=bind,source=./a,target=/x").unwrap().source, here.join("a").display().to_string());
    assert_eq!(parse("target=/x").unwrap(), MountRequest { target: "/x".to_owned(), ..MountRequest::default() });
}

#[test]
fn c202_wrong_mounts_have_dockers_words() {
    for (text, reason) in [
        ("type=bind,source=/tmp", "target is required"),
        ("type=volume,target=/x,foo=1", "unexpected key 'foo' in 'foo=1'"),
        ("type=volume,target=/x,ro=maybe", "invalid value for ro: maybe"),
        ("type=volume,target=/x,ro,foo", "invalid field 'foo' must be a key=value pair"),
        ("type=foo,target=/x", "invalid mount config for type \"foo\": mount type unknown"),
        ("type=tmpfs,target=/x,tmpfs-mode=xx", "invalid value for tmpfs-mode: xx"),
        ("type=tmpfs,target=/x,tmpfs-size=xx", "invalid value for tmpfs-size: xx"),
        ("type=tmpfs,target=/x,bind-propagation=rslave", "cannot mix 'bind-*' options with mount type 'tmpfs'"),
        ("type=bind,source=/tmp,volume-nocopy,target=/x", "cannot mix 'volume-*' options with mount type 'bind'"),
        (
            "type=bind,source=/tmp,target=/x,bind-recursive=foo",
            "invalid value for bind-recursive: foo (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
        ),
        (
            "type=bind,source=/tmp,target=/x,bind-recursive=readonly",
            "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction",
        ),
        (
            "type=bind,source=/tmp,target=/x,ro,bind-recursive=readonly",
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
        ),
    ] {
        assert_eq!(parse(text), Err(reason.to_owned()), "{text}");
    }
}

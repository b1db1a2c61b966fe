use super::{Found, Kind, Typed, check};

#[test]
fn c230_paths_are_taken_apart_as_docker_does() {
    for (text, clean, base, folder, content) in [
        ("/w/d", "/w/d", "d", false, false),
        ("/w/d/", "/w/d", "d", true, false),
        ("/w/d/.", "/w/d", "d", true, true),
        ("w/rel", "/w/rel", "rel", false, false),
        ("/", "/", ".", true, true),
        ("", "/", ".", true, true),
        ("/../../etc/x", "/etc/x", "x", false, false),
        ("/a/../b//c", "/b/c", "c", false, false),
        (".", "/", ".", true, true),
        ("..", "/", ".", true, true),
        ("a/b/..", "/a", "a", false, false),
    ] {
        let typed = Typed::new(text.as_bytes());
        assert_eq!((typed.clean(), typed.base()), (clean.as_bytes(), base.as_bytes()), "{text}");
        assert_eq!((typed.must_be_folder(), typed.is_content_only()), (folder, content), "{text}");
    }
    let link = Typed::new(b"/w/d/link/");
    assert_eq!(link.followed(b"../x").clean(), b"/w/x");
    assert_eq!(link.followed(b"/abs").clean(), b"/abs");
    assert_eq!(link.followed(b"../../../../../x").clean(), b"/x");
    assert!(link.followed(b"x").must_be_folder());
}

#[test]
fn c230_what_cannot_be_has_dockers_words() {
    let (file, folder) = (Typed::new(b"/x"), Typed::new(b"/x/"));
    for (found, source, target, expected) in [
        (Found::Other, Kind::Folder, &file, Err("cannot copy directory")),
        (Found::Other, Kind::Other, &folder, Err("no such directory")),
        (Found::Nothing, Kind::Other, &folder, Err("no such directory")),
        (Found::Nothing, Kind::Folder, &folder, Ok(())),
        (Found::Folder, Kind::Other, &folder, Ok(())),
        (Found::Other, Kind::Other, &file, Ok(())),
        (Found::Nothing, Kind::Other, &file, Ok(())),
    ] {
        assert_eq!(check(found, source, target), expected, "{found:?} {source:?}");
    }
}

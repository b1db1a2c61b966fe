//! ADD of local archives (D086, D087).
//!
//! The archives beside this file hold the same tar of a folder `sub` with a file `f`, and a link to it, all of them
//! owned by 3:4 and from 2001-09-09.

use std::fs;

use crate::kitchen::Kitchen;

const ARCHIVES: [(&str, &[u8]); 4] = [
    ("gz", include_bytes!("archives/a.tar.gz")),
    ("bz2", include_bytes!("archives/a.tar.bz2")),
    ("xz", include_bytes!("archives/a.tar.xz")),
    ("zst", include_bytes!("archives/a.tar.zst")),
];

const UNPACKED: &str = "/x/ 755\n/x/link -> sub 3:4\n/x/sub/ 755 3:4\n/x/sub/f 640 \"1\" 3:4";

fn kitchen() -> Kitchen {
    let kitchen = Kitchen::with("plain=text");
    for (name, content) in ARCHIVES {
        fs::write(kitchen.context().join(format!("a.{name}")), content).unwrap();
        // The name says nothing.
        fs::write(kitchen.context().join(format!("{name}.txt")), content).unwrap();
    }
    kitchen
}

#[test]
fn d086_every_compression_by_content() {
    let kitchen = kitchen();
    for (name, _) in ARCHIVES {
        for line in [
            format!("ADD a.{name} /x"),
            format!("ADD a.{name} /x/"),
            format!("ADD {name}.txt /x/"),
            format!("ADD --unpack a.{name} /x"),
            format!("ADD --unpack=true a.{name} /x"),
        ] {
            let outcome = kitchen.build(&format!("FROM base\n{line}"));
            assert_eq!(outcome.changes(), UNPACKED, "{line}");
            assert_eq!((outcome.mtime("x/sub/f"), outcome.mtime("x")), (1_000_000_000, 1_000_000_000), "{line}");
        }
    }
}

#[test]
fn d087_unpacking_can_be_switched_off() {
    let kitchen = kitchen();
    let outcome = kitchen.build("FROM base\nADD --unpack=false a.gz /x/");
    assert!(outcome.top_layer().starts_with("/x/ 755\n/x/a.gz 644 "), "{}", outcome.top_layer());
    // Which is what COPY does, so its result is used.
    assert!(kitchen.build("FROM base\nCOPY a.gz /x/").steps().contains("CACHED [2/2] COPY a.gz /x/"));
    assert!(kitchen.build("FROM base\nADD --unpack=true a.gz /x/").steps().contains("DONE [2/2] ADD"));
    assert!(kitchen.build("FROM base\nADD a.gz /x/").steps().contains("CACHED [2/2] ADD"));
    assert_eq!(kitchen.build("FROM base\nADD --unpack=true plain /x").changes(), "/x 644 \"text\"");
    assert_eq!(outcome.history(), "ADD a.gz /x/ # buildkit");
    let error = kitchen.build("FROM base\nADD --unpack=maybe a.gz /x/").error();
    assert_eq!(
        error,
        "line 2: `--unpack` is `true` or `false`, not `maybe`\n  help: write `--unpack` or `--unpack=false`"
    );
    assert_eq!(
        kitchen.build("FROM base\nCOPY --unpack a.gz /x/").error(),
        "line 2: COPY has no flag `--unpack`\n  help: `--unpack` belongs to ADD"
    );
}

#[test]
fn d086_what_is_unpacked_joins_what_is_there() {
    let kitchen = kitchen();
    for (instructions, changes) in [
        (
            "RUN mkdir /x/sub && write /x/sub/other 2\nADD a.xz plain /x/",
            "/x/ 755\n/x/link -> sub 3:4\n/x/plain 644 \"text\"\n/x/sub/ 755 3:4\n/x/sub/f 640 \"1\" 3:4\n\
             /x/sub/other 644 \"2\"",
        ),
        // A file that is in the way of a folder goes, and the other way round.
        ("RUN write /x/sub 1 && mkdir /x/link\nADD a.xz /x", UNPACKED),
        (
            "ADD --chown=app --chmod=600 a.xz /x",
            "/x/ 755 1000:1001\n/x/link -> sub 1000:1001\n/x/sub/ 755 1000:1001\n/x/sub/f 640 \"1\" 1000:1001",
        ),
        ("ADD --link a.xz /x", UNPACKED),
        ("ADD a.xz a.zst /x/", UNPACKED),
        (
            "ADD a.xz <<f /x/sub/\nhi\nf",
            "/x/ 755\n/x/sub/ 755\n/x/sub/f 644 \"hi\\n\"\n/x/sub/link -> sub 3:4\n/x/sub/sub/ 755 3:4\n/x/sub/sub/f 640 \"1\" 3:4",
        ),
    ] {
        let outcome = kitchen.build(&format!("FROM base\n{instructions}"));
        assert_eq!(outcome.changes(), changes, "{instructions}");
    }
}

#[test]
fn d086_a_torn_archive_is_an_error() {
    let kitchen = kitchen();
    let tar = {
        let mut tar = Vec::new();
        let file = kitchen.context().join("a.gz");
        std::io::Read::read_to_end(&mut layer::Decoder::new(fs::File::open(file).unwrap()).unwrap(), &mut tar).unwrap();
        tar
    };
    fs::write(kitchen.context().join("torn.tar"), &tar[..1300]).unwrap();
    let error = kitchen.build("FROM base\nADD torn.tar /x").error();
    assert!(error.starts_with("line 2: cannot unpack `torn.tar`\n  help: "), "{error}");
    assert!(error.contains("`ADD --unpack=false"), "{error}");
    let kept = kitchen.build("FROM base\nADD --unpack=false torn.tar /x").top_layer();
    assert!(kept.starts_with("/x 644 "), "{kept}");
}

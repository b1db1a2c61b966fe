//! `images` and `tag`.

use engine::{ErrorKind, ImageFilter, ImagesOptions, images, tag};

use crate::forge::{Image, engine, family, layer};

fn rows(engine: &engine::Engine, options: &ImagesOptions) -> Vec<String> {
    let row = |row: engine::ImageSummary| {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "<none>".to_owned());
        format!("{}:{} {}", or_none(row.repository), or_none(row.tag), row.size)
    };
    images(engine, options).unwrap().into_iter().map(row).collect()
}

fn filtered(engine: &engine::Engine, filters: &[&str]) -> Vec<String> {
    let filters = filters.iter().map(|filter| filter.parse::<ImageFilter>().unwrap()).collect();
    rows(engine, &ImagesOptions { filters, ..ImagesOptions::default() })
}

fn sample() -> (tempfile::TempDir, engine::Engine) {
    let (folder, engine) = engine();
    let one = [layer("a", 1000), layer("b", 24)];
    let day = |day: u8| format!("2026-11-{day:02}T00:00:00Z");
    let put = |layers: &[Vec<u8>], created: &str, labels: &[(&str, &str)], names: &[&str]| {
        Image { layers, created, labels, names, ..Image::default() }.put(&engine);
    };
    put(&one, &day(10), &[("a", "1"), ("b", "2")], &["mysql:8", "mysql:latest"]);
    put(&one[..1], &day(12), &[("a", "2")], &["moby/buildkit:v1"]);
    put(&one[1..], &day(11), &[], &["localhost:5000/team/web:latest"]);
    put(&[], &day(9), &[("only", "dangling")], &[]);
    put(&[], "0001-01-01T00:00:00Z", &[], &["timeless:1"]);
    (folder, engine)
}

#[test]
fn newest_first_one_row_a_name() {
    let (_folder, engine) = sample();
    let expected = [
        "moby/buildkit:v1 1000",
        "localhost:5000/team/web:latest 24",
        "mysql:8 1024",
        "mysql:latest 1024",
        "<none>:<none> 0",
        "timeless:1 0",
    ];
    assert_eq!(rows(&engine, &ImagesOptions::default()), expected);
    let all = images(&engine, &ImagesOptions::default()).unwrap();
    assert_eq!(all[0].created, Some("2026-11-12T00:00:00Z".parse().unwrap()));
    assert_eq!(all[5].created, None);
    assert_eq!(all[2].id, all[3].id);
    assert_eq!(all[2].labels, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
}

#[test]
fn names_and_patterns() {
    let (_folder, engine) = sample();
    let cases: [(&str, &[&str]); 12] = [
        ("m*", &["mysql:8 1024", "mysql:latest 1024"]),
        ("*", &["mysql:8 1024", "mysql:latest 1024", "timeless:1 0"]),
        ("*/*", &["moby/buildkit:v1 1000"]),
        ("mysql", &["mysql:8 1024", "mysql:latest 1024"]),
        ("mysql:8", &["mysql:8 1024"]),
        ("mysql:*t", &["mysql:latest 1024"]),
        ("my?ql:[0-9]", &["mysql:8 1024"]),
        ("docker.io/library/mysql:8", &["mysql:8 1024"]),
        ("localhost:5000/team/web", &["localhost:5000/team/web:latest 24"]),
        ("localhost:5000/*/*", &["localhost:5000/team/web:latest 24"]),
        ("w*", &[]),
        ("none", &[]),
    ];
    for (name, expected) in cases {
        let options = ImagesOptions { name: Some(name.to_owned()), ..ImagesOptions::default() };
        assert_eq!(rows(&engine, &options), expected, "{name}");
    }
    let broken = ImagesOptions { name: Some("[".to_owned()), ..ImagesOptions::default() };
    assert_eq!(images(&engine, &broken).unwrap_err().kind, ErrorKind::InvalidInput);
}

#[test]
fn filters() {
    let (_folder, engine) = sample();
    let cases: [(&[&str], &[&str]); 13] = [
        (&["dangling=true"], &["<none>:<none> 0"]),
        (&["dangling=false", "label=a"], &["moby/buildkit:v1 1000", "mysql:8 1024", "mysql:latest 1024"]),
        (&["label=a=2"], &["moby/buildkit:v1 1000"]),
        (&["label=a", "label=b"], &["mysql:8 1024", "mysql:latest 1024"]),
        (&["label=c"], &[]),
        (&["before=mysql:8"], &["<none>:<none> 0", "timeless:1 0"]),
        (&["since=localhost:5000/team/web"], &["moby/buildkit:v1 1000"]),
        (
            &["since=timeless:1", "before=localhost:5000/team/web", "dangling=false"],
            &["mysql:8 1024", "mysql:latest 1024"],
        ),
        (&["until=2026-11-10", "label=only"], &["<none>:<none> 0"]),
        // Nine days and a bit before the clock's 21 November.
        (&["until=230h", "since=mysql:8"], &["localhost:5000/team/web:latest 24"]),
        (&["until=1763337600"], &["timeless:1 0"]),
        (&["reference=moby/*", "reference=mysql:8"], &["moby/buildkit:v1 1000", "mysql:8 1024"]),
        (&["reference=*:8", "label=a=2"], &[]),
    ];
    for (given, expected) in cases {
        assert_eq!(filtered(&engine, given), expected, "{given:?}");
    }
    for wrong in ["dangling", "dangling=maybe", "colour=red"] {
        assert_eq!(wrong.parse::<ImageFilter>().unwrap_err().kind, ErrorKind::InvalidInput, "{wrong}");
    }
    let options = |filter: &str| ImagesOptions { filters: vec![filter.parse().unwrap()], ..ImagesOptions::default() };
    assert_eq!(images(&engine, &options("before=nothing")).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(images(&engine, &options("until=yesterday")).unwrap_err().kind, ErrorKind::InvalidInput);
}

#[test]
fn parents_without_a_name_are_shown_only_with_all() {
    let (_folder, engine) = engine();
    family(&engine);
    assert_eq!(rows(&engine, &ImagesOptions::default()), ["base:v1 1000", "top:v1 1230"]);
    let all = ImagesOptions { all: true, ..ImagesOptions::default() };
    assert_eq!(rows(&engine, &all), ["<none>:<none> 1200", "base:v1 1000", "top:v1 1230"]);
    assert_eq!(filtered(&engine, &["dangling=true"]), [""; 0]);
}

#[test]
fn tags_are_names_for_the_same_image() {
    let (_folder, engine) = sample();
    tag(&engine, "mysql:8", "voyagerwoo/mysql").unwrap();
    let options = ImagesOptions { name: Some("*/mysql".to_owned()), ..ImagesOptions::default() };
    let rows = images(&engine, &options).unwrap();
    assert_eq!(rows[0].tag.as_deref(), Some("latest"));
    assert_eq!(Some(rows[0].id), image::find(engine.store(), "mysql:latest").unwrap());
    let short = rows[0].id.0.hex()[..6].to_owned();
    tag(&engine, &short, "by-id:1").unwrap();
    tag(&engine, "moby/buildkit:v1", "by-id:1").unwrap();
    let moved = ImagesOptions { name: Some("by-id".to_owned()), ..ImagesOptions::default() };
    assert_eq!(images(&engine, &moved).unwrap()[0].size, 1000);
    assert_eq!(tag(&engine, "nothing", "x").unwrap_err().kind, ErrorKind::NotFound);
    for wrong in ["Upper", "", "a//b", &format!("a@{}", rows[0].id)] {
        assert_eq!(tag(&engine, "mysql:8", wrong).unwrap_err().kind, ErrorKind::InvalidInput, "{wrong}");
    }
}

//! `images` as it is asked: filters, formats, order (C001 to C003, N037).

use serde_json::{Value, json};
use testkit::TarWriter;

use crate::build_project::Project;
use crate::forge::forge;

/// Images with the dates, labels and names that filters look at; the newest last.
fn family() -> Project {
    let project = Project::without_base();
    for (name, created, labels) in [
        ("old:1", "2020-01-01T00:00:00Z", json!({"stage": "dev"})),
        ("team/middle:1", "2021-01-01T00:00:00Z", json!({"stage": "prod", "team": "a b"})),
        ("here:5000/new:1", "2022-01-01T00:00:00Z", json!({})),
    ] {
        let mut layer = TarWriter::default();
        layer.file("file", 0o644, name.as_bytes());
        let archive = forge(&project, name, layer, &json!({"created": created, "config": {"Labels": labels}}));
        project.ask(&["load", "-q", "-i", &archive]);
    }
    project
}

fn shown(project: &Project, words: &[&str]) -> String {
    let format = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
    project.ask(&[&format[..], words].concat()).trim_end().replace('\n', " ")
}

#[test]
fn c001_three_names_of_one_command() {
    let project = family();
    let expected = project.ask(&["images"]);
    assert_eq!(expected.lines().count(), 4);
    for words in [["image", "ls"], ["image", "list"]] {
        assert_eq!(project.ask(&words), expected);
        assert_eq!(shown(&project, &["team/*"]), "team/middle:1");
    }
}

#[test]
fn c002_filters_choose_and_repeat() {
    let project = family();
    project.ask(&["tag", "old:1", "old:2"]);
    let id = project.ask(&["images", "-q", "team/middle"]);
    for (filters, expected) in [
        (&["label=stage"][..], "team/middle:1 old:1 old:2"),
        (&["label=stage=prod"], "team/middle:1"),
        (&["label=stage", "label=team=a b"], "team/middle:1"),
        (&["label=nothing"], ""),
        (&["before=team/middle:1"], "old:1 old:2"),
        (&["since=team/middle:1"], "here:5000/new:1"),
        (&["since=old:2", "before=here:5000/new:1"], "team/middle:1"),
        (&[&format!("before={}", id.trim_end())], "old:1 old:2"),
        (&["until=2021-01-01T00:00:01Z"], "team/middle:1 old:1 old:2"),
        (&["until=2020-06-01"], "old:1 old:2"),
        (&["until=1600000000"], "old:1 old:2"),
        (&["until=24h"], "here:5000/new:1 team/middle:1 old:1 old:2"),
        // Several patterns are alternatives; everything else narrows.
        (&["reference=old", "reference=team/*"], "team/middle:1 old:1 old:2"),
        (&["reference=*:2"], "old:2"),
        (&["reference=old", "label=stage=dev", "reference=nothing"], "old:1 old:2"),
        (&["dangling=false"], "here:5000/new:1 team/middle:1 old:1 old:2"),
        (&["dangling=true"], ""),
    ] {
        let words: Vec<&str> = filters.iter().flat_map(|filter| ["-f", *filter]).collect();
        assert_eq!(shown(&project, &words), expected, "{filters:?}");
    }
    for (filter, problem) in [
        ("colour=red", "invalid filter `colour`"),
        ("dangling", "invalid filter `dangling`"),
        ("dangling=maybe", "invalid filter `dangling=maybe`"),
        ("before=nothing", "no such image: nothing"),
        ("until=soon", "invalid time `soon`"),
    ] {
        let refused = project.onggi(["images", "--filter", filter]).run().exits(1);
        assert!(refused.stderr.starts_with(&format!("error: {problem}")), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: ") && refused.stdout.is_empty());
    }
}

#[test]
fn c002_formats_are_dockers() {
    let project = family();
    let full = project.inspect("old:1")["Id"].as_str().unwrap().to_owned();
    let id = &full["sha256:".len()..][..12];
    let one = |words: &[&str]| project.ask(&[&["images"], words, &["old:1"]].concat());
    for (words, expected) in [
        (&["-q"][..], format!("{id}\n")),
        (&["-q", "--no-trunc"], format!("{full}\n")),
        (&["--format", "{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}} {{.Size}}"], format!("{id} old 1 <none> 5B\n")),
        (&["--format", "{{.CreatedAt}}"], "2020-01-01 00:00:00 +0000 UTC\n".to_owned()),
        (
            &["--format", "table {{.ID}}\t{{.Repository}}\t{{.CreatedAt}}"],
            format!("IMAGE ID       REPOSITORY   CREATED AT\n{id}   old          2020-01-01 00:00:00 +0000 UTC\n"),
        ),
        (
            &["--digests", "--format", "table"],
            format!(
                "REPOSITORY   TAG       DIGEST    IMAGE ID       CREATED       SIZE\nold          1         <none>    {id}   {:11}   5B\n",
                one(&["--format", "{{.CreatedSince}}"]).trim_end()
            ),
        ),
        // A template is what was asked for, also by those who ask for IDs.
        (&["-q", "--format", "{{.Tag}}"], "1\n".to_owned()),
        (&["-q", "--format", "table"], format!("{id}\n")),
        (
            &["--format", "raw"],
            format!(
                "repository: old\ntag: 1\nimage_id: {id}\ncreated_at: 2020-01-01 00:00:00 +0000 UTC\nvirtual_size: 5B\n\n"
            ),
        ),
        (&["-q", "--format", "raw"], format!("image_id: {id}\n")),
    ] {
        let shown = one(words);
        // How long ago that was is a matter of today.
        assert_eq!(shown.trim_end(), expected.trim_end(), "{words:?}");
    }
    let row: Value = serde_json::from_str(&one(&["--format", "json"])).unwrap();
    let keys: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "Containers CreatedAt CreatedSince Digest ID Repository SharedSize Size Tag UniqueSize VirtualSize";
    assert_eq!(keys.join(" "), expected);
    let refused = project.onggi(["images", "--format", "{{.Nope}}"]).run().exits(1);
    assert!(refused.stderr.contains("there is no field `.Nope`"), "{}", refused.stderr);
}

/// `imagesFormat` and `psFormat` of Docker's configuration hold where nothing else was asked for.
#[test]
fn c003_c303_the_configured_format() {
    let project = family();
    let config = project.sandbox.home().join(".docker/config.json");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, r#"{"imagesFormat": "{{.Repository}}!", "psFormat": "table {{.Names}}"}"#).unwrap();
    assert_eq!(project.ask(&["images"]), "here:5000/new!\nteam/middle!\nold!\n");
    assert_eq!(project.ask(&["images", "--format", "{{.Tag}}", "old"]), "1\n");
    assert_eq!(project.ask(&["images", "-q", "old"]).trim_end().len(), 12);
    assert!(project.ask(&["images", "--format", "table", "old"]).starts_with("REPOSITORY "));
    assert_eq!(project.ask(&["ps", "-a"]), "NAMES\n");
    let refused = project.onggi(["images", "--tree"]).run().exits(125);
    assert!(refused.stderr.contains("`--tree` of `onggi images` is not there yet"), "{}", refused.stderr);
}

#[test]
fn n037_images_are_sorted_by_what_is_asked_for() {
    let project = family();
    project.ask(&["tag", "old:1", "alone"]);
    for (words, expected) in [
        (&[][..], "here:5000/new:1 team/middle:1 alone:latest old:1"),
        (&["--sort", "created"], "here:5000/new:1 team/middle:1 alone:latest old:1"),
        (&["--sort", "created:asc"], "alone:latest old:1 team/middle:1 here:5000/new:1"),
        (&["--sort", "name"], "alone:latest here:5000/new:1 old:1 team/middle:1"),
        (&["--sort=name:desc"], "team/middle:1 old:1 here:5000/new:1 alone:latest"),
        (&["--sort", "size"], "here:5000/new:1 team/middle:1 alone:latest old:1"),
        (&["--sort", "size:desc"], "here:5000/new:1 team/middle:1 alone:latest old:1"),
        (&["--sort", "size:asc"], "alone:latest old:1 team/middle:1 here:5000/new:1"),
    ] {
        assert_eq!(shown(&project, words), expected, "{words:?}");
    }
    for wrong in ["colour", "size:up", ""] {
        let refused = project.onggi(["images", "--sort", wrong]).run().exits(1);
        assert!(refused.stderr.contains("use `created`, `size` or `name`"), "{}", refused.stderr);
    }
}

//! `images`: exact layouts and what is listed (S200 to S209).

use serde_json::json;
use testkit::TarWriter;

use crate::build_project::Project;
use crate::forge::forge;

impl Project {
    /// An image of one file of this size.
    #[track_caller]
    pub(crate) fn import(&self, size: usize, name: &str) {
        let mut tar = TarWriter::default();
        tar.file("file", 0o644, &vec![b'x'; size]);
        let file = self.sandbox.write("import.tar", tar.finish());
        self.onggi(["import", file.to_str().unwrap(), name]).run().success();
    }
}

#[test]
fn s200_s202_s209_header_gaps_and_short_ids() {
    let project = Project::new();
    for words in [&["images"][..], &["image", "ls"], &["image", "list"]] {
        let output = project.onggi(words).run().success();
        let lines: Vec<_> = output.stdout.lines().collect();
        let full = project.inspect("busybox")["Id"].as_str().unwrap().to_owned();
        let id = &full["sha256:".len()..][..12];
        let age = lines[1].split(id).nth(1).unwrap().trim().rsplit_once("   ").unwrap().0.trim().to_owned();
        let size = lines[1].rsplit(' ').next().unwrap();
        let wide = age.len().max("CREATED".len());
        assert_eq!(lines[0], format!("REPOSITORY   TAG       IMAGE ID       {:wide$}   SIZE", "CREATED"));
        assert_eq!(lines[1], format!("busybox      latest    {id}   {age:wide$}   {size}"));
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn s200_newest_first() {
    let project = Project::new();
    for name in ["zebra", "apple", "mango"] {
        project.dockerfile(&format!("FROM busybox\nLABEL name={name}\n")).build(&["-q", "-t", name]).run().success();
    }
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "mango\napple\nzebra\nbusybox\n");
}

#[test]
fn s201_patterns_do_not_cross_slashes() {
    let project = Project::without_base();
    project.import(1, "mysql");
    for name in ["moby/buildkit", "mongo:7", "web-ping", "web-ping:v2", "here:5000/mine"] {
        project.ask(&["tag", "mysql", name]);
    }
    for (pattern, found) in [
        ("m*", "mongo:7\nmysql:latest\n"),
        ("w*", "web-ping:latest\nweb-ping:v2\n"),
        ("moby/*", "moby/buildkit:latest\n"),
        ("*/*", "here:5000/mine:latest\nmoby/buildkit:latest\n"),
        ("web-ping", "web-ping:latest\nweb-ping:v2\n"),
        ("web-ping:v*", "web-ping:v2\n"),
        ("my?ql", "mysql:latest\n"),
        ("[mw]*:latest", "mysql:latest\nweb-ping:latest\n"),
        ("nothing*", ""),
    ] {
        let text = project.ask(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", pattern]);
        let mut lines: Vec<_> = text.lines().map(|line| format!("{line}\n")).collect();
        lines.sort();
        assert_eq!(lines.concat(), found, "{pattern}");
    }
    assert_eq!(project.ask(&["image", "ls", "x*"]), "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
}

#[test]
fn s203_ages_of_images() {
    let project = Project::without_base();
    let now = std::process::Command::new("date").arg("+%s").output().unwrap();
    let now: i64 = String::from_utf8(now.stdout).unwrap().trim().parse().unwrap();
    let (hour, day) = (3600, 24 * 3600);
    for (seconds, shown) in [
        (70, "About a minute ago"),
        (9 * 60 + 5, "9 minutes ago"),
        (65 * 60, "About an hour ago"),
        (23 * hour + 60, "23 hours ago"),
        (47 * hour + 60, "47 hours ago"),
        (49 * hour, "2 days ago"),
        (13 * day + 60, "13 days ago"),
        (15 * day, "2 weeks ago"),
        (43 * day, "6 weeks ago"),
        (61 * day, "2 months ago"),
        (3 * 365 * day, "3 years ago"),
    ] {
        let date =
            std::process::Command::new("date").args(["-u", "+%FT%TZ", "-d", &format!("@{}", now - seconds)]).output();
        let created = String::from_utf8(date.unwrap().stdout).unwrap().trim().to_owned();
        project.ask(&["load", "-i", &forge(&project, "app", TarWriter::default(), &json!({"created": created}))]);
        let shown_now = project.ask(&["images", "--format", "{{.CreatedSince}}", "app"]);
        assert_eq!(shown_now.trim_end(), shown, "{seconds}");
    }
}

#[test]
fn s204_s205_sizes_are_logical_with_three_digits() {
    let project = Project::without_base();
    for (size, shown) in [
        (0, "0B"),
        (42, "42B"),
        (999, "999B"),
        (1000, "1kB"),
        (8940, "8.94kB"),
        (8944, "8.94kB"),
        (6_890_000, "6.89MB"),
    ] {
        project.import(size, "sized");
        assert_eq!(project.ask(&["images", "--format", "{{.Size}}", "sized"]).trim_end(), shown, "{size}");
    }
    // A layer that two images share counts in both rows.
    project.import(5_000_000, "base");
    project.dockerfile("FROM base\nCOPY more /more\n").file("more", vec![b'x'; 1_000_000]).build_app();
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}} {{.Size}}", "app"]), "app 6MB\n");
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}} {{.Size}}", "base"]), "base 5MB\n");
}

/// S308: the size of a result is that of its base and of what was added; a smaller base is only other data.
#[test]
fn s308_a_smaller_base_makes_a_smaller_image() {
    let project = Project::without_base();
    for (base, size, shown) in [("full", 9_900_000, "10MB"), ("alpine", 900_000, "1MB")] {
        project.import(size, base);
        project.dockerfile(&format!("FROM {base}\nCOPY app.js .\n")).file("app.js", vec![b'x'; 100_000]).build_app();
        assert_eq!(project.ask(&["images", "--format", "{{.Size}}", "app"]), format!("{shown}\n"), "{base}");
    }
}

#[test]
fn s207_an_image_without_a_name() {
    let project = Project::with("FROM busybox\nCMD [\"old\"]\n");
    project.build_app();
    project.dockerfile("FROM busybox\nCMD [\"new\"]\n").build_app();
    let rows = project.ask(&["images", "--format", "{{.Repository}} {{.Tag}}"]);
    assert_eq!(rows, "app latest\n<none> <none>\nbusybox latest\n");
    assert!(project.ask(&["images"]).contains("<none>       <none>    "));
    assert_eq!(project.ask(&["images", "-q", "--filter", "dangling=true"]).lines().count(), 1);
}

#[test]
fn s208_the_base_is_listed_too() {
    let project = Project::with("FROM node\nCOPY a /\n");
    project.ask(&["tag", "busybox", "node"]);
    project.file("a", "1").build_app();
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "app\nbusybox\nnode\n");
}

//! What is on the disk and what is shared there (`system df`: S270 to S275, C310, C311, N038), and images that stay
//! whatever is pruned (N036).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;
use testkit::RegistryOptions;

use crate::build_project::Project;
use crate::pull::{digest, noise, published, registry};

/// What `du` says: the blocks of everything, links counted once.
pub(crate) fn du(folder: &Path) -> u64 {
    fn walk(path: &Path, seen: &mut std::collections::HashSet<(u64, u64)>) -> u64 {
        let Ok(found) = std::fs::symlink_metadata(path) else { return 0 };
        if !found.is_dir() && found.nlink() > 1 && !seen.insert((found.dev(), found.ino())) {
            return 0;
        }
        let inner = if found.is_dir() { std::fs::read_dir(path).ok() } else { None };
        found.blocks() * 512 + inner.into_iter().flatten().flatten().map(|entry| walk(&entry.path(), seen)).sum::<u64>()
    }
    walk(folder, &mut std::collections::HashSet::new())
}

/// `1.169GB` in bytes, as exactly as it is written.
pub(crate) fn parse_size(text: &str) -> f64 {
    let end = text.find(|letter: char| letter.is_alphabetic()).unwrap();
    let unit = ["B", "kB", "MB", "GB"].iter().position(|unit| *unit == &text[end..]).unwrap();
    text[..end].parse::<f64>().unwrap() * 1000f64.powi(i32::try_from(unit).unwrap())
}

impl Project {
    /// A row of `system df`.
    #[track_caller]
    pub(crate) fn df(&self, kind: &str) -> Value {
        let text = self.ask(&["system", "df", "--format", "json"]);
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.into_iter().find(|row| row["Type"] == kind).unwrap()
    }

    /// All of `system df -v`.
    #[track_caller]
    pub(crate) fn df_in_full(&self) -> Value {
        serde_json::from_str(&self.ask(&["system", "df", "-v", "--format", "json"])).unwrap()
    }

    /// The rows and what belongs to none of them are what `du` says, within 1 %.
    #[track_caller]
    pub(crate) fn df_adds_up(&self) {
        let rows = self.ask(&["system", "df", "--format", "{{.Size}}"]);
        let other = self.df_in_full()["Overhead"].as_str().unwrap().to_owned();
        let sum: f64 = rows.lines().chain([other.as_str()]).map(parse_size).sum();
        let du = du(&self.sandbox.root()) as f64;
        assert!((sum - du).abs() <= du / 100.0, "df says {sum}, du {du}:\n{rows}{other}");
    }
}

#[test]
fn s270_s271_an_empty_store_has_four_rows() {
    let project = Project::without_base();
    let expected = "exit: 0\n--- stdout\n\
        TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\n\
        Images          0         0         0B        0B\n\
        Containers      0         0         0B        0B\n\
        Local Volumes   0         0         0B        0B\n\
        Build Cache     0         0         0B        0B\n";
    assert_eq!(project.onggi(["system", "df"]).run().snapshot(), expected);
    project.df_adds_up();
    let row = project.df("Images");
    let names: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["Active", "Reclaimable", "Size", "TotalCount", "Type"]);
    let format = "table {{.Type}}\t{{.Size}}";
    assert!(
        project.ask(&["system", "df", "--format", format]).starts_with("TYPE            SIZE\nImages          0B\n")
    );
    project.fails(&["system", "df", "--format", "{{.Nothing"], 1);
}

/// Three images of one base: it is counted once, however often it is listed.
#[test]
fn s273_s275_layers_that_images_share_are_counted_once() {
    let project = Project::with("FROM busybox\nCOPY own /own\n");
    let size = |name: &str| parse_size(project.df(name)["Size"].as_str().unwrap());
    let base = size("Images");
    for (name, content) in [("one", vec![1; 200_000]), ("two", vec![2; 300_000]), ("three", vec![3; 100_000])] {
        project.file("own", content);
        project.build(&["-t", name]).run().success();
    }
    let (all, row) = (size("Images"), project.df("Images"));
    assert_eq!(row["TotalCount"], "4");
    assert!(all > base + 600_000.0 && all < base + 720_000.0, "{base} and 600 kB are not {all}");
    let listed: f64 = project.ask(&["images", "--format", "{{.Size}}"]).lines().map(parse_size).sum();
    assert!(listed > all * 2.0, "{listed} {all}");
    project.df_adds_up();
    // What the layers share with the build cache is the images'.
    assert!(size("Build Cache") < 100_000.0);
    let images = project.df_in_full()["Images"].clone();
    for image in images.as_array().unwrap() {
        let bytes = |field: &str| parse_size(image[field].as_str().unwrap());
        let parts = bytes("SharedSize") + bytes("UniqueSize");
        assert!((parts - bytes("Size")).abs() <= bytes("Size") / 100.0, "{image}");
    }
    // The build cache still has the layer, so removing the image frees hardly more than its config.
    let one = images.as_array().unwrap().iter().find(|image| image["Repository"] == "one").unwrap();
    assert!(parse_size(one["UniqueSize"].as_str().unwrap()) > 200_000.0);
    assert!(parse_size(one["Freed"].as_str().unwrap()) < 30_000.0);
}

/// N038: what is said to be freed is what is freed.
#[test]
fn n038_the_true_cost_of_an_image_is_what_rmi_frees() {
    let project = Project::with("FROM busybox\nCOPY own /own\n");
    project.file("own", vec![7; 400_000]);
    project.build_app();
    project.onggi(["builder", "prune", "-af"]).run().success();
    let images = project.df_in_full()["Images"].clone();
    let app = images.as_array().unwrap().iter().find(|image| image["Repository"] == "app").unwrap();
    let said = parse_size(app["Freed"].as_str().unwrap());
    let before = du(&project.sandbox.root());
    project.ask(&["rmi", "app"]);
    let freed = (before - du(&project.sandbox.root())) as f64;
    assert!((freed - said).abs() <= said / 100.0, "{said} was said, {freed} was freed");
    assert!(said > 400_000.0, "{said}");
}

/// N038 for images that came from a registry: their compressed layers and manifests are kept, and go with them.
#[test]
fn n038_the_true_cost_of_pulled_images_has_their_blobs() {
    let test = "n038_the_true_cost_of_pulled_images_has_their_blobs";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let base = format!("{}/team/app", registry.host());
    let publisher = published(&registry, &[900_000, 300_000]);
    let name = |which: &str| format!("{}/team/{which}", registry.host());
    for (number, which) in ["one", "two"].iter().enumerate() {
        publisher.file("own", noise(70 + number as u64, 400_000));
        publisher.dockerfile(&format!("FROM {base}\nCOPY own /own\n"));
        publisher.build(&["-q", "-t", &name(which)]).run().success();
        publisher.ask(&["push", "-q", &name(which)]);
    }
    let project = Project::without_base();
    let of = |name: &str, field: &str| {
        let images = project.df_in_full()["Images"].clone();
        let row = images.as_array().unwrap().iter().find(|image| image["Repository"] == name).unwrap().clone();
        parse_size(row[field].as_str().unwrap())
    };
    let near = |one: f64, other: f64| (one - other).abs() <= one.max(other) / 100.0;
    let reclaimable = || {
        let text = project.df("Images")["Reclaimable"].as_str().unwrap().to_owned();
        parse_size(text.split_once(' ').unwrap().0)
    };
    project.ask(&["pull", "-q", &base]);
    // Alone, all of it is its own: each layer twice, as it is and as it came.
    assert!(of(&base, "Freed") > 2_400_000.0, "{}", of(&base, "Freed"));
    for field in ["UniqueSize", "Size"] {
        assert!(near(of(&base, field), of(&base, "Freed")), "{field} {}", of(&base, field));
    }
    assert!(near(reclaimable(), of(&base, "Freed")));
    project.ask(&["image", "pin", &base]);
    assert!(reclaimable() < 10_000.0, "blobs of what is in use cannot go: {}", reclaimable());
    for which in ["one", "two"] {
        project.ask(&["pull", "-q", &name(which)]);
    }
    assert!(of(&base, "UniqueSize") < 100_000.0 && of(&base, "SharedSize") > 2_400_000.0);
    assert!(near(of(&name("one"), "UniqueSize") + of(&name("one"), "SharedSize"), of(&name("one"), "Size")));
    assert!(near(reclaimable(), of(&name("one"), "Freed") + of(&name("two"), "Freed")), "{}", reclaimable());
    project.df_adds_up();
    project.ask(&["image", "unpin", &base]);
    // Each as it is when its turn comes: the last takes along what all had.
    for (name, least) in [(name("one"), 800_000.0), (base, 0.0), (name("two"), 3_200_000.0)] {
        let said = of(&name, "Freed");
        let before = du(&project.sandbox.root());
        project.ask(&["rmi", &name]);
        let freed = (before - du(&project.sandbox.root())) as f64;
        assert!(near(said, freed), "{name}: {said} was said, {freed} was freed");
        assert!(said > least, "{name}: {said}");
    }
}

#[test]
#[ignore = "requires root"]
fn s272_s274_c311_what_is_in_use_requires_root() {
    let project = Project::with("FROM busybox\nCOPY own /own\nCMD [\"sleep\", \"1000\"]\n");
    project.file("own", vec![1; 200_000]);
    project.build_app();
    project.ask(&["volume", "create", "spare"]);
    project.ask(&["run", "-d", "--network", "none", "--name", "up", "-v", "data:/data", "app"]);
    let fill =
        "dd if=/dev/zero of=/big bs=1000 count=300 2>/dev/null; dd if=/dev/zero of=/d/f bs=1000 count=90 2>/dev/null";
    project.ask(&["run", "--network", "none", "--name", "over", "-v", "data:/d", "busybox", "sh", "-c", fill]);
    let count = |kind: &str| {
        let row = project.df(kind);
        [row["TotalCount"].as_str().unwrap().to_owned(), row["Active"].as_str().unwrap().to_owned()]
    };
    assert_eq!(count("Images"), ["2", "2"]);
    assert_eq!(count("Containers"), ["2", "1"]);
    assert_eq!(count("Local Volumes"), ["2", "1"]);
    // What both images need stays as long as one container does.
    let images = project.df("Images")["Reclaimable"].as_str().unwrap().to_owned();
    assert!(images.ends_with("B (0%)"), "{images}");
    let containers = project.df("Containers")["Reclaimable"].as_str().unwrap().to_owned();
    let (bytes, percent) = containers.split_once(' ').unwrap();
    assert!(parse_size(bytes) > 300_000.0, "{containers}");
    let percent: u32 = percent.trim_matches(['(', ')', '%']).parse().unwrap();
    assert!((80..100).contains(&percent), "{containers}");
    assert!(!project.df("Build Cache")["Reclaimable"].as_str().unwrap().contains('%'));
    project.df_adds_up();
    let text = project.ask(&["system", "df", "-v"]);
    for title in [
        "Images space usage:\n\nREPOSITORY   TAG       IMAGE ID       CREATED",
        "\nContainers space usage:\n\nCONTAINER ID   IMAGE     COMMAND",
        "\nLocal Volumes space usage:\n\nVOLUME NAME   LINKS     SIZE\n",
        "\nBuild cache usage: ",
        "\n\nCACHE ID       CACHE TYPE     SIZE",
        "\nOther space usage: ",
    ] {
        assert!(text.contains(title), "{title}\n{text}");
    }
    let all = project.df_in_full();
    let volume = |name: &str| {
        let volumes = all["Volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["Name"] == name).unwrap().clone()
    };
    assert_eq!(volume("data")["Links"], "2");
    assert_eq!(volume("spare")["Links"], "0");
    assert!(parse_size(volume("data")["Size"].as_str().unwrap()) >= 90_000.0);
    let over = all["Containers"].as_array().unwrap().iter().find(|row| row["Names"] == "over").unwrap().clone();
    assert!(parse_size(over["Size"].as_str().unwrap()) > 300_000.0);
    let app = all["Images"].as_array().unwrap().iter().find(|row| row["Repository"] == "app").unwrap().clone();
    assert_eq!(app["Containers"], "1");
    project.ask(&["rm", "-f", "up"]);
    assert_eq!(count("Images"), ["2", "1"]);
    let images = project.df("Images")["Reclaimable"].as_str().unwrap().to_owned();
    assert!(parse_size(images.split_once(' ').unwrap().0) >= 200_000.0, "{images}");
}

/// Everything that builds leave is a row of the build cache.
#[test]
#[ignore = "requires root"]
fn c311_the_build_cache_is_listed_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY own /own\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/f bs=1000 count=300 2>/dev/null; echo x\nRUN false\n",
    );
    project.file("own", "content");
    project.build(&[]).run().exits(1);
    let all = project.df_in_full();
    let kinds: Vec<&str> =
        all["BuildCache"].as_array().unwrap().iter().map(|row| row["CacheType"].as_str().unwrap()).collect();
    for kind in ["regular", "exec.cachemount", "source.local", "internal"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    project.df_adds_up();
    let listed = project.ask(&["builder", "du"]);
    assert!(listed.starts_with("ID "), "{listed}");
    let total = listed.lines().last().unwrap().strip_prefix("Total:").unwrap().trim().to_owned();
    assert_eq!(total, project.df("Build Cache")["Size"]);
    let caches = project.ask(&["builder", "du", "--filter", "type=exec.cachemount", "--verbose"]);
    assert!(caches.contains("Mutable:        true\n"), "{caches}");
    assert!(parse_size(caches.lines().last().unwrap().strip_prefix("Total:").unwrap().trim()) > 300_000.0);
}

#[test]
fn n036_a_pinned_image_stays() {
    let project = Project::with("FROM busybox\nENV A=1\n");
    project.build_app();
    let id = project.inspect("app")["Id"].as_str().unwrap().to_owned();
    assert_eq!(project.ask(&["image", "pin", "app"]), "app\n");
    assert_eq!(project.ask(&["image", "pin", "app"]), "app\n", "a second time changes nothing");
    let names = |wanted: &str| project.ask(&["images", "--filter", wanted, "--format", "{{.Repository}}"]);
    assert_eq!((names("pinned=true"), names("pinned=false")), ("app\n".to_owned(), "busybox\n".to_owned()));
    project.ask(&["tag", "app", "other"]);
    project.ask(&["rmi", "other"]);
    for words in [&["rmi", "app"][..], &["rmi", "-f", "app"], &["rmi", "-f", &id]] {
        let refused = project.onggi(words).run().exits(1);
        assert!(
            refused.stderr.contains("image is pinned")
                && refused.stderr.contains("hint: let it go first: `onggi image unpin"),
            "{}",
            refused.stderr
        );
    }
    let kept = project.ask(&["image", "prune", "-a", "--dry-run"]);
    assert!(kept.contains("Would keep:\nimage app:latest: it is pinned: `onggi image unpin` lets it go\n"), "{kept}");
    project.ask(&["image", "prune", "-af"]);
    project.ask(&["system", "prune", "-af", "--volumes"]);
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "app\n");
    // Without a name it stays as well.
    project.dockerfile("FROM busybox\nENV A=2\n");
    assert_eq!(project.ask(&["image", "unpin", "app"]), "app\n");
    project.ask(&["rmi", "app"]);
    assert_eq!(project.ask(&["images", "-q"]), "");
    project.fails(&["images", "--filter", "pinned=perhaps"], 1);
    project.fails(&["image", "pin", "nothing"], 1);
    project.fails(&["image", "unpin", "nothing"], 1);
}

/// A repository's digest has no row where a tag of the repository has one, as in `images`.
#[test]
fn s276_a_digest_is_no_further_row() {
    let Some(registry) = registry("s276_a_digest_is_no_further_row", &RegistryOptions::default()) else { return };
    let project = published(&registry, &[1000]);
    let name = format!("{}/team/app", registry.host());
    let rows = |project: &Project| {
        let all = project.df_in_full();
        let text = |row: &Value| format!("{}:{}", row["Repository"].as_str().unwrap(), row["Tag"].as_str().unwrap());
        let mut rows: Vec<String> = all["Images"].as_array().unwrap().iter().map(text).collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&project), [format!("{name}:latest"), format!("{name}:v1")]);
    assert!(project.ask(&["system", "df", "-v"]).ends_with("B\n"));
    let other = Project::without_base();
    other.ask(&["pull", "-q", &format!("{name}@{}", digest(&project, &name))]);
    assert_eq!(rows(&other), [format!("{name}:<none>")]);
}

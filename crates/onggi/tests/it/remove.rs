//! `tag` and `rmi`: names come and go, and images with the last of them (S280 to S288, C060, C070, C071).

use crate::build_project::Project;

fn id(project: &Project, name: &str) -> String {
    project.inspect(name)["Id"].as_str().unwrap().to_owned()
}

/// Two images on one base, of which each has a layer of its own.
fn siblings() -> Project {
    let project = Project::new();
    for name in ["one", "two"] {
        project.dockerfile("FROM busybox\nARG NAME\nCOPY $NAME /own\n").file(name, name);
        project.build(&["-q", "-t", name, "--build-arg", &format!("NAME={name}")]).run().success();
    }
    project
}

#[test]
fn s262_s263_c060_a_tag_is_silent_and_moves() {
    let project = siblings();
    let (one, two) = (id(&project, "one"), id(&project, "two"));
    for words in [["tag", "one", "name:v1"], ["tag", &one, "name:v2"], ["tag", &one[7..15], "name:v3"]] {
        assert_eq!(project.onggi(words).run().success().snapshot(), "exit: 0\n");
        assert_eq!(id(&project, words[2]), one);
    }
    // A user's name at Docker Hub is one more row with the same ID.
    project.ask(&["tag", "name:v1", "voyagerwoo/simple-express:alpine"]);
    let rows = project.ask(&["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    assert!(rows.contains(&format!("voyagerwoo/simple-express:alpine {one}\n")), "{rows}");
    project.ask(&["image", "tag", "two", "name:v1"]);
    assert_eq!(id(&project, "name:v1"), two);
    for (words, problem) in [
        (["tag", "nothing", "name"], "no such image: nothing"),
        (["tag", "one", "Upper"], "invalid reference `Upper`"),
        (["tag", "one", &format!("name@{two}")], "cannot be given to an image"),
    ] {
        let refused = project.onggi(words).run().exits(1);
        assert!(refused.stderr.contains(problem), "{}", refused.stderr);
    }
}

#[test]
fn s284_the_layers_of_others_stay() {
    let project = siblings();
    let (own, shared) = (project.image("one").chain_ids, project.image("two"));
    let removed = project.ask(&["rmi", "one"]);
    assert!(removed.starts_with("Untagged: one:latest\nDeleted: sha256:"), "{removed}");
    assert!(!removed.contains(&own[0]), "the base's layer is not one's own: {removed}");
    let left = project.image("two");
    assert_eq!((&left.id, &left.diff_ids), (&shared.id, &shared.diff_ids));
    assert_eq!(left.tree, shared.tree);
    project.dockerfile("FROM two\nLABEL still=works\n").build_app();
    project.sandbox.check();
}

#[test]
#[ignore = "requires root"]
fn s284_a_container_runs_on_after_a_sibling_is_gone_requires_root() {
    let project = siblings();
    project.ask(&["run", "-d", "--name", "web", "two", "sleep", "1000"]);
    project.ask(&["rmi", "one"]);
    assert_eq!(project.ask(&["exec", "web", "cat", "/own"]), "two");
    assert_eq!(project.ask(&["run", "--rm", "two", "cat", "/own"]), "two");
    project.ask(&["rm", "-f", "web"]);
}

/// Docker's words for an image that a container uses.
#[test]
#[ignore = "requires root"]
fn s285_s286_the_image_of_a_running_container_requires_root() {
    let project = siblings();
    let container = project.ask(&["run", "-d", "--name", "web", "one", "sleep", "1000"]);
    let (container, image) = (&container[..12], &id(&project, "one")[7..19].to_owned());
    let refused = project.onggi(["rmi", "one"]).run().exits(1);
    let expected = format!(
        "error: conflict: unable to remove repository reference \"one\" (must force) - container {container} is using \
         its referenced image {image}\n"
    );
    assert!(refused.stderr.starts_with(&expected), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    // By ID not even force helps; by name it takes the name alone.
    let cannot = format!(
        "error: conflict: unable to delete {image} (cannot be forced) - image is being used by running container \
         {container}\n"
    );
    for words in [&["rmi", image][..], &["rmi", "-f", image]] {
        let refused = project.onggi(words).run().exits(1);
        assert!(refused.stderr.starts_with(&cannot), "{words:?}: {}", refused.stderr);
    }
    assert_eq!(project.ask(&["rmi", "-f", "one"]), "Untagged: one:latest\n");
    let rows = project.ask(&["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    assert!(rows.contains(&format!("<none>:<none> {image}")), "{rows}");
    assert_eq!(project.ask(&["exec", "web", "cat", "/own"]), "one");
    // A container that has stopped keeps its image until somebody insists.
    project.ask(&["stop", "-t", "0", "web"]);
    let refused = project.onggi(["rmi", image]).run().exits(1);
    assert!(
        refused.stderr.contains("(must be forced) - image is being used by stopped container"),
        "{}",
        refused.stderr
    );
    let removed = project.ask(&["rmi", "-f", image]);
    assert!(removed.starts_with(&format!("Deleted: {}", "sha256:")) && removed.contains(image.as_str()), "{removed}");
    project.ask(&["rm", "web"]);
}

#[test]
fn c070_c071_several_by_name_prefix_and_with_force() {
    let project = siblings();
    for name in ["a", "b", "c:1", "d"] {
        project.ask(&["tag", "one", name]);
    }
    let one = id(&project, "one");
    // Some names, of which one is wrong: the others go, and the failure is told.
    let some = project.onggi(["image", "rm", "a", "nothing", "b"]).run().exits(1);
    assert_eq!(some.stdout, "Untagged: a:latest\nUntagged: b:latest\n");
    assert!(some.stderr.starts_with("error: no such image: nothing"), "{}", some.stderr);
    assert_eq!(project.ask(&["rmi", "-f", "nothing"]), "");
    // An ID means the image, and all of its names only with force.
    let refused = project.onggi(["rmi", &one[7..19]]).run().exits(1);
    assert!(refused.stderr.contains("(must be forced) - image is referenced in multiple repositories"));
    let removed = project.ask(&["image", "remove", "--force", &one[7..15]]);
    let (names, deleted): (Vec<_>, Vec<_>) = removed.lines().partition(|line| line.starts_with("Untagged: "));
    assert_eq!(names, ["Untagged: c:1", "Untagged: d:latest", "Untagged: one:latest"]);
    assert_eq!(deleted[0], format!("Deleted: {one}"));
    // With one name left its ID is as good.
    let two = id(&project, "two");
    let removed = project.ask(&["rmi", &two]);
    assert!(removed.starts_with(&format!("Untagged: two:latest\nDeleted: {two}\n")), "{removed}");
    for words in [&["rmi"][..], &["image", "rm"]] {
        assert!(project.onggi(words).run().exits(1).stderr.starts_with("error: missing `IMAGE`"));
    }
}

#[test]
fn c071_parents_stay_where_nothing_is_pruned() {
    for (flags, kept) in [(&[][..], 0), (&["--no-prune"], 1)] {
        let project = Project::with("FROM busybox\nCMD [\"a\"]\n");
        let classic = |name: &str| project.build(&["--progress", "classic", "-t", name]).run().success();
        classic("child");
        project.ask(&[&["rmi"], flags, &["child"]].concat());
        let left = project.ask(&["images", "-aq", "--filter", "dangling=true"]).lines().count();
        assert_eq!(left, 0, "the base has a name");
        // An image of a step that has no name goes with the one that was made of it.
        project.dockerfile("FROM busybox\nLABEL step=1\nLABEL step=2\n");
        classic("chain");
        project.ask(&[&["rmi"], flags, &["chain"]].concat());
        assert_eq!(project.ask(&["images", "-aq"]).lines().count(), 1 + kept, "{flags:?}");
    }
}

/// The images of this store are for one platform each.
#[test]
fn c041_c051_c071_c091_another_platform_is_refused() {
    let project = siblings();
    let archive = project.sandbox.work().join("a.tar").display().to_string();
    let other = if cfg!(target_arch = "aarch64") { "linux/amd64" } else { "linux/arm64" };
    let host = if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" };
    let commands: [&[&str]; 4] =
        [&["history", "one"], &["image", "inspect", "one"], &["save", "-o", &archive, "one"], &["rmi", "one"]];
    for words in commands {
        let with = |platform| [words, &["--platform", platform]].concat();
        let refused = project.onggi(with(other)).run().exits(1);
        let expected = format!(
            "error: image with reference one was found but does not provide the specified platform ({other})\n\
             hint: it is for {host}\n"
        );
        assert_eq!(refused.stderr, expected, "{words:?}");
        let wrong = project.onggi(with("linux/nothing")).run().exits(1);
        assert!(wrong.stderr.contains("`nothing` is not a processor"), "{}", wrong.stderr);
        project.ask(&with(host));
    }
    assert!(project.ask(&["images", "one", "-q"]).is_empty());
}

/// A name by digest stands beside the tag that it came with, and goes with the last tag of its repository.
#[test]
fn s288_names_by_digest_go_with_the_last_tag() {
    let project = siblings();
    // No registry is asked here: the name is given as a pull gives it.
    let digest = project.image("one").id;
    let by_digest = format!("here:5000/one@{digest}");
    project.ask(&["tag", "one", "here:5000/one:v1"]);
    project.ask(&["tag", "one", "here:5000/one:v2"]);
    let reference = project.sandbox.root().join("references").join(by_digest.replace('/', "+"));
    std::fs::write(reference, id(&project, "one")).unwrap();
    project.ask(&["rmi", "one"]);
    assert_eq!(project.ask(&["rmi", "here:5000/one:v1"]), "Untagged: here:5000/one:v1\n");
    let removed = project.ask(&["rmi", "here:5000/one:v2"]);
    let expected = format!("Untagged: here:5000/one:v2\nUntagged: {by_digest}\nDeleted: sha256:");
    assert!(removed.starts_with(&expected), "{removed}");
    assert!(project.ask(&["images", "-q", "here:5000/*"]).is_empty());
}

/// The same with what a pull really brings, and by the digest itself.
#[test]
#[ignore = "requires docker-registry"]
fn s280_s288_c071_pulled_names_by_digest() {
    let registry = testkit::Registry::start().unwrap();
    let project = siblings();
    let name = format!("{}/me/one", registry.host());
    let (v1, v2) = (format!("{name}:v1"), format!("{name}:v2"));
    for tag in [&v1, &v2] {
        project.ask(&["tag", "one", tag]);
        project.ask(&["push", "-q", tag]);
    }
    project.ask(&["rmi", "-f", &id(&project, "one")]);
    for tag in [&v1, &v2] {
        project.ask(&["pull", "-q", tag]);
    }
    let digests = project.inspect(&v1)["RepoDigests"].clone();
    let by_digest = digests[0].as_str().unwrap();
    assert!(by_digest.starts_with(&format!("{name}@sha256:")), "{by_digest}");
    assert_eq!(project.ask(&["rmi", &v1]), format!("Untagged: {v1}\n"));
    let removed = project.ask(&["rmi", &v2]);
    let expected = format!("Untagged: {v2}\nUntagged: {by_digest}\nDeleted: sha256:");
    assert!(removed.starts_with(&expected), "{removed}");
    // A name by digest can be taken away by itself, and is the last one where nothing was tagged.
    project.ask(&["pull", "-q", &v1]);
    assert_eq!(project.ask(&["rmi", by_digest]), format!("Untagged: {by_digest}\n"));
    project.ask(&["rmi", &v1]);
    project.ask(&["pull", "-q", by_digest]);
    assert!(project.inspect(by_digest)["RepoTags"].as_array().unwrap().is_empty());
    let removed = project.ask(&["rmi", by_digest]);
    assert!(removed.starts_with(&format!("Untagged: {by_digest}\nDeleted: sha256:")), "{removed}");
}

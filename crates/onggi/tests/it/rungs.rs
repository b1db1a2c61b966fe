//! Machines that refuse what roots are made of (N050): no user namespaces, a store on overlayfs.
//!
//! The surroundings are made for one command: a namespace in which nothing may be made, a store seen through an overlay.

use std::path::PathBuf;

use testkit::Command;

use crate::build_project::Project;

/// A user namespace that allows no other one, and a root in it that may do nothing: what an ordinary user is where user
/// namespaces are forbidden.
fn powerless(project: &Project, words: &[&str]) -> Command {
    let script = "echo 0 >/proc/sys/user/max_user_namespaces && \
                  exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs \"$@\"";
    let shell = ["-U", "--map-root-user", "-m", "sh", "-c", script, "sh"];
    let binary = testkit::binary().display().to_string();
    project.sandbox.command("unshare").arguments([&shell[..], &[&binary], words].concat())
}

#[test]
#[ignore = "requires root"]
fn n050_steps_without_run_need_no_namespace_requires_root() {
    let dockerfile = "FROM busybox AS base\nWORKDIR /app\nCOPY --chown=1000:1000 one two/\nADD part.tar /unpacked/\nENV A=b\n\
                      FROM base\nCOPY --from=base /app/two /copied\nLABEL x=y\nCMD [\"sh\"]\n";
    let project = Project::with(dockerfile);
    project.file("one", "1");
    std::fs::write(project.sandbox.work().join("part.tar"), testkit::busybox_root_tar()).unwrap();
    let expected = project.build(&["-q", "--no-cache"]).env("SOURCE_DATE_EPOCH", "0").run().success().stdout;
    let build = ["build", "-q", "--no-cache", "-t", "app", "."];
    let built = powerless(&project, &build).env("SOURCE_DATE_EPOCH", "0").run().success().stdout;
    assert_eq!(built, expected, "the same image as with all rights");
    powerless(&project, &["save", "-o", "app.tar", "app"]).run().success();
    powerless(&project, &["rmi", "app"]).run().success();
    powerless(&project, &["load", "-i", "app.tar"]).run().success();
    powerless(&project, &["tag", "app", "other"]).run().success();
    assert!(powerless(&project, &["images"]).run().success().stdout.contains("other"));
    let layers = powerless(&project, &["info", "-f", "{{(index .DriverStatus 0)}} {{.LayersReason}}"]).run().success();
    assert!(layers.stdout.contains("none") && layers.stdout.contains("max_user_namespaces"), "{}", layers.stdout);
    project.dockerfile("FROM busybox\nRUN true\n");
    for words in [&["build", "."][..], &["run", "busybox", "true"], &["create", "busybox"]] {
        let refused = powerless(&project, words).run();
        assert!(refused.stderr.contains("max_user_namespaces"), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("\nhint: "), "{words:?}: {}", refused.stderr);
    }
}

/// A container hides parts of its procfs, and the kernel lets no user namespace mount a new one then: that of the
/// surroundings is shown, with its processes, and what a container leaves behind is ended all the same.
#[test]
#[ignore = "requires root"]
fn n050_a_hidden_procfs_is_shared_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN --network=none (sleep 4321 &); ls -d /proc/$$ && test -e /proc/keys && test ! -s /proc/keys\n",
    );
    let script = "mount --bind /dev/null /proc/keys; outer=$(readlink /proc/self/ns/pid)
        run() { setpriv --bounding-set=-sys_admin,-net_admin,-sys_ptrace --inh-caps=-all \"$@\"; }
        run $ONGGI run --rm --network none busybox sh -c '(sleep 4321 &); readlink /proc/self/ns/pid; cat /proc/keys; exit 7'; echo $? $outer
        run $ONGGI run -d --name one --network none busybox sh -c 'sleep 4321' >/dev/null
        run $ONGGI stop -t 0 one; run $ONGGI rm one
        run $ONGGI build -q . >/dev/null && echo built
        ps -eo args | grep -c '[s]leep 4321'";
    let command = project.sandbox.command("unshare").arguments(["-m", "--propagation", "private", "sh", "-c", script]);
    let output = command.env("ONGGI", testkit::binary()).run();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let namespace = namespace.display();
    let expected = format!("{namespace}\n7 {namespace}\none\none\nbuilt\n0\n");
    assert_eq!(output.stdout, expected, "{}", output.stderr);
}

/// The store of a project, seen through an overlay: where no overlay can have its upper folder.
fn on_overlay(project: &Project, script: &str) -> Command {
    let names: Vec<PathBuf> = ["upper", "work", "seen"].iter().map(|name| project.sandbox.path().join(name)).collect();
    names.iter().for_each(|name| std::fs::create_dir_all(name).unwrap());
    let [upper, work, seen] = &names[..] else { unreachable!("three names were given") };
    let lower = project.sandbox.root();
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let script = format!(
        "set -e; mount -t overlay overlay -o {options} {0}; export ONGGI_ROOT={0} SOURCE_DATE_EPOCH=1700000000\n{script}\n",
        seen.display()
    );
    let command = project.sandbox.command("unshare");
    command.arguments(["-m", "--propagation", "private", "sh", "-c", &script]).env("ONGGI", testkit::binary())
}

/// All that can happen to files, some of it in folders of the image, in steps that go on from one another.
const STEPS: &str = "FROM busybox\n\
    RUN mkdir -p /a/b && echo one >/a/b/one && echo two >/a/twin && ln /a/twin /a/two && ln -s two /a/link && chmod 4711 /a/b/one && mkfifo /a/pipe\n\
    RUN rm /etc/group && echo more >>/etc/passwd && mkdir /etc/group && touch /etc/group/in\n\
    RUN --mount=type=cache,target=/made/for/cache --mount=type=tmpfs,target=/tmp/in/memory echo x >/made/for/cache/x && mv /a/b /c\n\
    RUN test ! -e /made && rm -rf /c && mkdir /c && chown 12:34 /c && touch /c/later\n\
    COPY file /copied\n\
    RUN stat -c %Y /c/later /copied >/times && rm -r /a && mkdir /a && cp /copied /a/\n\
    RUN chmod 700 / && echo touched >/dev/null\n";

#[test]
#[ignore = "requires root"]
fn n050_layers_of_copied_roots_are_the_same_requires_root() {
    let project = Project::with(STEPS);
    project.file("file", "of the context");
    let ask = "id=$($ONGGI build -q --no-cache .); $ONGGI inspect -f '{{.Id}} {{.RootFS.Layers}}' $id";
    let expected = {
        let command = project.sandbox.command("sh").arguments(["-c", ask]).env("ONGGI", testkit::binary());
        command.env("SOURCE_DATE_EPOCH", "1700000000").run().success().stdout
    };
    let script = format!("$ONGGI info -f '{{{{(index (index .DriverStatus 0) 1)}}}}'\n{ask}");
    let found = on_overlay(&project, &script).run().success().stdout;
    assert_eq!(found, format!("copied\n{expected}"));
}

#[test]
#[ignore = "requires root"]
fn n050_containers_with_copied_roots_requires_root() {
    let project = Project::new();
    let script = "
        $ONGGI run --name one --network none -v vol:/data busybox sh -c 'echo x >/new; rm /etc/group; echo y >/data/kept; echo z >>/etc/passwd'
        $ONGGI diff one
        $ONGGI start -a one 2>&1
        $ONGGI cp one:/new - | tar -xO
        $ONGGI cp one:/data/kept - | tar -xO
        echo in >copied; $ONGGI cp copied one:/copied 2>&1
        $ONGGI commit one made >/dev/null
        $ONGGI run --rm --network none made sh -c 'cat /new /copied; ls -d /etc/group /data 2>&1; tail -n 1 /etc/passwd'
        $ONGGI export one | tar -t
        $ONGGI ps -a --size --format '{{.Size}}'
        $ONGGI rm -v one
        $ONGGI ps -aq
    ";
    let expected = project.sandbox.command("sh").arguments(["-c", script]).env("ONGGI", testkit::binary());
    let expected = expected.run().success().stdout;
    let changes = "C /etc\nD /etc/group\nC /etc/passwd\nA /new\n";
    assert!(expected.contains(changes), "{expected}");
    let found = on_overlay(&project, script).run().success().stdout;
    assert_eq!(found, expected, "with a copied root (left) as with an overlay");
}

#[test]
#[ignore = "requires root"]
fn n050_a_failed_step_in_a_copied_root_is_kept_requires_root() {
    let project =
        Project::with("FROM busybox\nRUN echo before >/before\nRUN echo x >/written; rm /etc/group; exit 3\n");
    let script = "$ONGGI build . || true; echo 'cat /before /written; ls /etc/group || echo gone' | $ONGGI build debug";
    let output = on_overlay(&project, script).run();
    assert_eq!(output.stdout, "before\nx\ngone\n", "{}", output.stderr);
}

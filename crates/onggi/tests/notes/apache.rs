//! Note 4's web server: packages from Debian's mirror in a build step, and everything that they set on files survives.

use testkit::checker::{CheckedImage, Node};

use crate::debian_store::project_with;
use crate::project::{Project, outcomes};

const DOCKERFILE: &str = "FROM ubuntu:18.04\nRUN apt-get update && apt-get install -y apache2 libcap2-bin\n\
                          ADD --chown=www-data:www-data index.html /var/www/html/\nWORKDIR /var/www/html\n\
                          RUN echo \"<h1>I-scream edu</h1>\" > eng.html && chown www-data eng.html\n\
                          RUN cp /bin/cat /usr/local/bin/reader && setcap cap_dac_override,cap_net_raw+ep \
                          /usr/local/bin/reader\nRUN getcap /usr/local/bin/reader > /seen-by-the-next-step\n\
                          EXPOSE 80\nCMD service apache2 start\n";

fn node<'a>(image: &'a CheckedImage, path: &str) -> &'a Node {
    image.tree.get(path).unwrap_or_else(|| panic!("{path} is not in the image"))
}

fn apache() -> Project {
    let project = project_with(DOCKERFILE);
    project.file("index.html", "<p>apache</p>\n");
    let built = project.build(&["-t", "ubuntu_apache"]).run().success();
    assert!(built.stderr.contains("Setting up apache2"), "{}", built.stderr);
    project
}

#[test]
#[ignore = "requires root, debootstrap, Debian's mirror"]
fn s056_s063_s112_s155_s166_apache_requires_root() {
    let project = apache();
    let version = project.ask(&["run", "--rm", "ubuntu_apache", "apache2", "-v"]);
    assert!(version.starts_with("Server version: Apache/2.4."), "{version}");

    // S056: nothing stays in the foreground, so the container ends although a server was started in it.
    let run = project.onggi(["run", "--name", "short", "ubuntu_apache"]).run().success();
    assert!(run.stdout.contains("Starting Apache httpd web server"), "{} {}", run.stdout, run.stderr);
    let status = project.ask(&["ps", "-a", "--format", "{{.Names}} {{.Status}}"]);
    assert!(status.starts_with("short Exited (0) "), "{status}");

    // The same server serves when it stays: asked from inside (`apache_story` asks by a published port).
    let ask = "fetch('http://localhost/').then((r) => r.text()).then((t) => process.stdout.write(t))";
    let script = format!("service apache2 start >/dev/null && node -e \"{ask}\"");
    assert_eq!(project.ask(&["run", "--rm", "ubuntu_apache", "sh", "-c", &script]), "<p>apache</p>\n");

    // A rebuild asks no mirror.
    assert!(outcomes(&project.build(&["-t", "again"]).run().success()).iter().all(|outcome| outcome == "CACHED"));

    what_is_set_on_files_survives(&project);
}

/// Owners, set-user-ID and file capabilities, in the layers and in a container.
fn what_is_set_on_files_survives(project: &Project) {
    let image = project.image("ubuntu_apache");
    // base-passwd: www-data is 33.
    let cache = node(&image, "var/cache/apache2/mod_cache_disk");
    assert_eq!((cache.uid, cache.gid), (33, 33));
    assert_eq!((node(&image, "var/www/html/index.html").uid, node(&image, "var/www/html/index.html").gid), (33, 33));
    assert_eq!((node(&image, "var/www/html/eng.html").uid, node(&image, "var/www/html/eng.html").gid), (33, 0));
    // shadow (group 42) may be read by set-group-ID programs alone.
    let modes = [("usr/bin/su", 0o4755, 0), ("usr/bin/passwd", 0o4755, 0), ("etc/shadow", 0o640, 42)];
    for (path, mode, gid) in modes {
        assert_eq!((node(&image, path).mode, node(&image, path).gid), (mode, gid), "{path}");
    }
    assert_eq!(node(&image, "usr/bin/chage").mode, 0o2755);
    // vfs_cap_data: version 2 with the effective bit, then the permitted set: CAP_DAC_OVERRIDE (1) and CAP_NET_RAW (13).
    let capability = &node(&image, "usr/local/bin/reader").xattrs["security.capability"];
    let mut expected = 0x0200_0001_u32.to_le_bytes().to_vec();
    expected.extend((1_u32 << 1 | 1 << 13).to_le_bytes());
    expected.extend([0; 12]);
    assert_eq!(capability, &expected);
    assert_eq!(
        project.ask(&["run", "--rm", "ubuntu_apache", "cat", "/seen-by-the-next-step"]),
        "/usr/local/bin/reader cap_dac_override,cap_net_raw=ep\n"
    );
    // The kernel honours it: any user may read root's file with this program, and with no other.
    let words = ["run", "--rm", "-u", "www-data", "ubuntu_apache"];
    let read = |program: &str| project.onggi([&words[..], &[program, "/etc/shadow"]].concat()).run();
    assert!(read("reader").success().stdout.starts_with("root:"));
    assert!(read("cat").exits(1).stderr.contains("Permission denied"));
    let who =
        project.ask(&[&words[..], &["stat", "-c", "%a %U:%G", "/usr/bin/su", "/var/www/html/index.html"]].concat());
    assert_eq!(who, "4755 root:root\n644 www-data:www-data\n");
}

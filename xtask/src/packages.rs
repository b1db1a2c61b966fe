//! Debian packages that the tests, the demo and the benchmarks use: looked for, and installed in one call as root.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, machine, process, say};

/// A package, how its presence is seen, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    pub(crate) purpose: &'static str,
}

/// What the rings of tests use.
pub(crate) const FOR_TESTS: &[Package] = &[
    Package { name: "busybox-static", program: "busybox", purpose: "the base image of most tests" },
    Package { name: "debootstrap", program: "debootstrap", purpose: "Debian base images, with and without nodejs" },
    Package { name: "runc", program: "runc", purpose: "the external runtime that must behave as the built-in one" },
    Package { name: "strace", program: "strace", purpose: "proof that a no-op rebuild writes nothing" },
    Package { name: "xz-utils", program: "xz", purpose: "compressed tars for ADD and load" },
    Package { name: "bzip2", program: "bzip2", purpose: "compressed tars for ADD and load" },
    Package { name: "nftables", program: "nft", purpose: "what published ports leave behind" },
    Package { name: "git", program: "git", purpose: "contexts and ADD of repositories" },
    Package { name: "zstd", program: "zstd", purpose: "compressed tars for ADD and load" },
    Package { name: "docker-registry", program: "docker-registry", purpose: "what is pulled from and pushed to" },
    Package { name: "apache2-utils", program: "htpasswd", purpose: "registries that want to know who asks" },
    Package { name: "uidmap", program: "newuidmap", purpose: "IDs of users without root" },
    Package { name: "passt", program: "pasta", purpose: "networks of users without root" },
    Package {
        name: "slirp4netns",
        program: "slirp4netns",
        purpose: "networks of users without root, where pasta is missing",
    },
    Package { name: "openssl", program: "openssl", purpose: "certificates of registries" },
];

/// What the ring that compares with other tools uses, and the benchmarks.
pub(crate) const PEERS: &[Package] = &[
    Package { name: "docker.io", program: "dockerd", purpose: "save and load both ways; benchmark" },
    Package { name: "podman", program: "podman", purpose: "save and load both ways; benchmark" },
    Package { name: "buildah", program: "buildah", purpose: "benchmark" },
    Package { name: "skopeo", program: "skopeo", purpose: "reads what save has written; benchmark" },
    Package { name: "iptables", program: "iptables", purpose: "dockerd does not start without it" },
];

/// What the demo uses.
pub(crate) const FOR_DEMO: &[Package] =
    &[Package { name: "busybox-static", program: "busybox", purpose: "the base image of the demo" }];

/// Names the packages that are missing, and installs them if that is possible here.
///
/// Returns those that are still missing afterwards: the caller decides whether it can do without.
pub(crate) fn ensure(lists: &[&[Package]]) -> Result<Vec<Package>> {
    let missing = missing(lists);
    if missing.is_empty() {
        return Ok(missing);
    }
    for package in &missing {
        say::line(&format!("    missing: {} ({})", package.name, package.purpose));
    }
    let Some(apt) = machine::find("apt-get") else {
        say::line("    this machine has no apt-get; install them by hand");
        return Ok(missing);
    };
    if !machine::is_root() {
        say::line(&format!("    not root; `sudo apt-get install -y {}` installs them", names(&missing)));
        return Ok(missing);
    }
    install(&apt, &missing)?;
    Ok(self::missing(lists))
}

/// The names, separated by spaces.
pub(crate) fn names(packages: &[Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}

fn missing(lists: &[&[Package]]) -> Vec<Package> {
    lists.iter().copied().flatten().copied().filter(|package| !is_present(package)).collect()
}

fn is_present(package: &Package) -> bool {
    // A dynamically linked busybox has the same name, and starts in no other root.
    if package.program == "busybox" {
        return testkit::busybox_binary().is_some();
    }
    machine::find(package.program).is_some()
}

fn install(apt: &Path, packages: &[Package]) -> Result<()> {
    say::line("    $ apt-get update");
    // An outdated list is no reason to stop: installing says what is really wrong.
    if let Err(problem) = process::output(&mut apt_command(apt, &["update", "-q"])) {
        say::line(&format!("    warning: {problem}"));
    }
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages.iter().map(|package| package.name));
    say::line(&format!("    $ apt-get {}", arguments.join(" ")));
    process::output(&mut apt_command(apt, &arguments)).map(drop)
}

fn apt_command(apt: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PathBuf::from(apt));
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("NEEDRESTART_MODE", "l");
    command
}

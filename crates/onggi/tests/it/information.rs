//! `info` and `version`, for people and for scripts that ask Docker (C314).

use serde_json::Value;

use crate::build_project::Project;

#[test]
fn c314_version_in_every_format() {
    let project = Project::without_base();
    let version = env!("CARGO_PKG_VERSION");
    let shown = project.ask(&["version"]);
    assert!(shown.starts_with(&format!("Onggi:\n Version:   {version}\n OS/Arch:   linux/")), "{shown}");
    for (format, expected) in [
        ("{{.Client.Version}} {{.Server.Version}}", format!("{version} {version}")),
        ("{{.Server.Os}} {{.Client.Context}}", "linux default".to_owned()),
        ("{{range .Server.Components}}{{.Name}} {{.Version}}{{end}}", format!("Engine {version}")),
    ] {
        assert_eq!(project.ask(&["version", "--format", format]).trim_end(), expected);
    }
    let data: Value = serde_json::from_str(&project.ask(&["version", "-f", "json"])).unwrap();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(data["Server"]["KernelVersion"], release.trim_end());
    let refused = project.onggi(["version", "-f", "{{.Server.Nope}}"]).run().exits(1);
    assert!(refused.stderr.contains("there is no field `.Nope`"), "{}", refused.stderr);
}

#[test]
fn c314_info_counts_and_names_fields_as_docker_does() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    project.build_app();
    let data: Value = serde_json::from_str(&project.ask(&["info", "--format", "json"])).unwrap();
    assert_eq!((&data["Images"], &data["Containers"]), (&2.into(), &0.into()));
    let root = project.sandbox.root().display().to_string();
    let field = |name: &str| project.ask(&["system", "info", "-f", &format!("{{{{.{name}}}}}")]).trim_end().to_owned();
    assert_eq!((field("DockerRootDir"), field("Store")), (root.clone(), root));
    for (name, expected) in [
        ("ServerVersion", env!("CARGO_PKG_VERSION")),
        ("Driver", "onggi"),
        ("OSType", "linux"),
        ("LoggingDriver", "json-file"),
        ("DefaultRuntime", "onggi"),
        ("Swarm.LocalNodeState", "inactive"),
        ("ClientInfo.Context", "default"),
        ("Images", "2"),
    ] {
        assert_eq!(field(name), expected, "{name}");
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    assert!(release.is_empty() || release.contains(&field("OperatingSystem")), "{release}");
    assert!(field("NCPU").parse::<usize>().unwrap() > 0 && field("MemTotal").parse::<u64>().unwrap() > 1 << 20);
    let shown = project.ask(&["info"]);
    for line in ["Images: 2\n", "Containers: 0\n Running: 0\n", "Server Version: ", "Storage Driver: onggi\n", "CPUs: "]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

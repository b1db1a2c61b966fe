//! Note 1's `web-ping`: HTTP HEAD requests in a loop, with all settings in the environment. The server is ours.

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{HttpServer, Request};

use crate::debian_store;
use crate::project::Project;

const LONG: Duration = Duration::from_secs(20);

/// The example of this repository, with a server of this machine in the place of the notes' web site.
fn web_ping(target: &str) -> Project {
    let project = debian_store::project();
    let dockerfile = include_str!("../../../../examples/web-ping/Dockerfile");
    let dockerfile = dockerfile.replace("FROM node:18", "FROM diamol/node").replace("localhost:8080", target);
    assert!(dockerfile.contains(&format!("ENV TARGET=\"{target}\"")), "{dockerfile}");
    project.dockerfile(&dockerfile).file("app.js", include_str!("../../../../examples/web-ping/app.js"));
    project.onggi(["image", "build", "--tag", "web-ping", "."]).run().success();
    project
}

/// This machine as a container on the bridge sees it: its default gateway (proc(5), /proc/net/route).
fn gateway(project: &Project) -> String {
    let routes = project.ask(&["run", "--rm", "diamol/node", "cat", "/proc/net/route"]);
    let default = routes.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1) == Some(&"00000000")).then(|| words[2].to_owned())
    });
    let bytes = u32::from_str_radix(&default.unwrap(), 16).unwrap().to_le_bytes();
    std::net::Ipv4Addr::from(bytes).to_string()
}

fn expect(server: &HttpServer, host: &str) {
    let seen = server.next(LONG).map(|Request { method, path, host, .. }| (method, path, host));
    assert_eq!(seen, Some(("HEAD".to_owned(), "/".to_owned(), host.to_owned())));
}

/// Asks again until it is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "requires root, debootstrap"]
fn s040_s042_s043_s044_s070_s071_s073_s149_web_ping_in_the_background_requires_root() {
    let (first, second) = (HttpServer::start(), HttpServer::start());
    let host = gateway(&debian_store::project());
    let target = format!("{host}:{}", first.port());
    let other = format!("{host}:{}", second.port());
    let project = web_ping(&target);
    assert_eq!(project.config("web-ping")["WorkingDir"], "/web-ping");

    let id = project.ask(&["container", "run", "-d", "--name", "web-ping", "web-ping"]);
    assert!(id.trim().len() == 64 && id.trim().bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    expect(&first, &target);

    let flags = ["--name", "web-ping-other", "--env", &format!("TARGET={other}"), "-e", "INTERVAL=50"];
    project.ask(&[&["container", "run", "--detach"][..], &flags, &["web-ping"]].concat());
    for _ in 0..3 {
        expect(&second, &other);
    }

    // Logs by name and by the beginning of the ID, without following.
    let line = format!("pinging {target}: HEAD every 3000 ms\n");
    eventually("the answer is in the log", || {
        project.ask(&["container", "logs", "web-ping"]).contains(&format!("{target}: 200 in "))
    });
    assert!(project.ask(&["logs", &id[..6]]).starts_with(&line));
    let names = project.ask(&["ps", "--format", "{{.Names}}"]);
    assert_eq!(names, "web-ping-other\nweb-ping\n");

    // The name is taken while the container is there, and free afterwards.
    let clash = project.onggi(["run", "-d", "--name", "web-ping", "web-ping"]).run().exits(125);
    assert!(clash.stderr.contains("web-ping") && clash.stderr.contains("in use"), "{}", clash.stderr);
    let start = Instant::now();
    assert_eq!(project.ask(&["stop", "web-ping", "web-ping-other"]), "web-ping\nweb-ping-other\n");
    assert!(start.elapsed() < Duration::from_secs(9), "SIGTERM did not arrive");
    assert_eq!(project.ask(&["wait", "web-ping"]), "0\n");
    // S073: what it has said stays until it is removed.
    assert!(project.ask(&["logs", "web-ping"]).starts_with(&line));
    project.ask(&["rm", "web-ping", "web-ping-other"]);
    project.onggi(["logs", "web-ping"]).run().exits(1);
}

/// Starts `run` in the foreground and reads its output until the server has been asked twice.
fn foreground(project: &Project, server: &HttpServer, target: &str, name: &str) -> std::process::Child {
    let words = ["container", "run", "--rm", "--name", name, "--env", &format!("TARGET={target}"), "-e", "INTERVAL=50"];
    let mut child = project.onggi([&words[..], &["web-ping"]].concat()).spawn();
    let expected = format!("pinging {target}: HEAD every 50 ms\n");
    let mut seen = vec![0; expected.len()];
    child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
    assert_eq!(String::from_utf8_lossy(&seen), expected);
    expect(server, target);
    expect(server, target);
    child
}

fn ends_with_zero(child: &mut std::process::Child) {
    eventually("the container has ended", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
#[ignore = "requires root, debootstrap"]
fn s045_web_ping_in_the_foreground_requires_root() {
    let server = HttpServer::start();
    let project = web_ping("localhost:9");
    let target = format!("{}:{}", gateway(&project), server.port());

    // Ctrl-C: the application hears SIGINT and ends itself with 0.
    let mut child = foreground(&project, &server, &target, "by-signal");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    ends_with_zero(&mut child);

    let mut child = foreground(&project, &server, &target, "by-stop");
    project.ask(&["stop", "by-stop"]);
    ends_with_zero(&mut child);
    assert_eq!(project.ask(&["ps", "-aq"]), "");
}

/// One image, many containers: each has its own name, address and files, and the image stays as it is.
#[test]
#[ignore = "requires root, debootstrap"]
fn s048_s060_s061_s303_containers_of_one_image_requires_root() {
    let project = web_ping("localhost:9");
    let before = project.inspect("web-ping");
    let layers = || std::fs::read_dir(project.sandbox.root().join("layers")).unwrap().count();
    let count = layers();
    for name in ["one", "two"] {
        let script = format!("echo {name} > /web-ping/{name} && ls && hostname -I 2>/dev/null || cat /etc/hosts");
        project.ask(&["run", "-d", "--name", name, "web-ping", "sh", "-c", &format!("{script}; exec sleep 60")]);
    }
    let mut hosts = Vec::new();
    for name in ["one", "two"] {
        eventually("the listing is in the log", || project.ask(&["logs", name]).contains("172."));
        let listed = project.ask(&["logs", name]);
        let files: Vec<&str> = listed.lines().take(2).collect();
        assert_eq!(files, ["app.js", name], "{listed}");
        let inspected: serde_json::Value = serde_json::from_str(&project.ask(&["inspect", name])).unwrap();
        hosts.push(inspected[0]["NetworkSettings"]["IPAddress"].as_str().unwrap().to_owned());
    }
    assert!(hosts[0] != hosts[1] && hosts.iter().all(|host| host.starts_with("172.")), "{hosts:?}");
    project.ask(&["kill", "one", "two"]);
    assert_eq!(project.inspect("web-ping"), before);
    assert_eq!(layers(), count);
    assert_eq!(project.ask(&["run", "--rm", "web-ping", "ls"]), "app.js\n");
}

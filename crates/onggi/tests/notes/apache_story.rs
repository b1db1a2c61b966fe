//! Note 4's first half, as it is typed there: a server installed by hand in a container, kept by `commit`, published,
//! changed and committed again; then what `history` shows of the three images, and how `rmi` takes them down.

use std::time::{Duration, Instant};

use testkit::{Terminal, checker};

use crate::debian_store::project;
use crate::http::get;
use crate::project::Project;

const PATIENCE: Duration = Duration::from_secs(300);
/// Ctrl-P Ctrl-Q.
const DETACH: &str = "\u{10}\u{11}";

/// `run -it` on a terminal, up to the first prompt.
fn shell(project: &Project, words: &[&str]) -> Terminal {
    let command = project.onggi([&["run", "-it", "--rm"], words].concat()).limit(PATIENCE);
    let mut terminal = Terminal::start(&command, 120, 30);
    terminal.wait_for("# ", PATIENCE);
    terminal
}

/// Types a line, and waits until it has been done.
fn type_line(terminal: &mut Terminal, line: &str, number: usize) {
    // In two parts: the line as it is echoed does not have the text that says that it was done.
    terminal.write(&format!("{line}; echo done-\"\"{number}\n"));
    terminal.wait_for(&format!("done-{number}"), PATIENCE);
}

/// Leaves the container running.
fn detach(mut terminal: Terminal) {
    terminal.write(DETACH);
    let (code, shown) = terminal.finish(PATIENCE);
    assert!(code == 0 && shown.trim_end().ends_with("read escape sequence"), "{code}: {shown}");
}

/// What a browser on this machine sees.
fn page(port: u16) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match get(("127.0.0.1", port)) {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < end, "port {port}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "requires root, debootstrap, Debian's mirror"]
fn s049_s050_s051_s052_s053_s063_s212_s218_s243_s244_s246_s280_s281_s282_s283_apache_by_hand_requires_root() {
    let project = project();
    let mut terminal = shell(&project, &["--name", "ubuntu_apache", "ubuntu:18.04", "bash"]);
    type_line(&mut terminal, "apt-get update && apt-get install -y apache2", 1);
    detach(terminal);
    // S051: it runs on, although it is to be removed when it ends.
    assert_eq!(project.ask(&["ps", "--format", "{{.Names}} {{.State}}"]), "ubuntu_apache running\n");
    let apache =
        project.ask(&["commit", "-a", "voyagerwoo", "-m", "install apache2", "ubuntu_apache", "ubuntu_apache"]);
    assert_eq!(
        project.ask(&["images", "--format", "{{.Repository}}:{{.Tag}}", "ubuntu_apache"]),
        "ubuntu_apache:latest\n"
    );
    project.ask(&["stop", "-t", "0", "ubuntu_apache"]);

    let port = free_port();
    let publish = format!("{port}:80");
    let words = ["-p", &publish, "--name", "iscreamedu_apache", "ubuntu_apache:latest"];
    let mut terminal = shell(&project, &words);
    type_line(&mut terminal, "service apache2 start", 1);
    assert!(page(port).contains("Apache2 Debian Default Page"));
    type_line(&mut terminal, "echo '<h1>I-scream edu</h1>' > /var/www/html/index.html", 2);
    assert!(page(port).ends_with("<h1>I-scream edu</h1>\n"));
    detach(terminal);
    let page_image = project.ask(&["commit", "-m", "add page", "iscreamedu_apache", "iscreamedu_apache"]);
    assert!(page(port).ends_with("<h1>I-scream edu</h1>\n"), "it goes on after the commit");
    project.ask(&["rm", "-f", "iscreamedu_apache"]);
    assert!(get(("127.0.0.1", port)).is_err(), "the port is given back");

    history(&project, apache.trim_end(), page_image.trim_end());
    take_down(&project, apache.trim_end(), page_image.trim_end());
}

/// S212, S218: the IDs of all three, what was run, how large it was, and what was said of it.
fn history(project: &Project, apache: &str, page: &str) {
    let base = project.ask(&["images", "--no-trunc", "-q", "ubuntu:18.04"]);
    let rows = |name: &str| {
        let text = project.ask(&["history", "--no-trunc", "--format", "{{.ID}}|{{.CreatedBy}}|{{.Comment}}", name]);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let base_rows = rows("ubuntu:18.04");
    let apache_row = format!("{apache}|bash|install apache2");
    assert_eq!(rows("ubuntu_apache"), [std::slice::from_ref(&apache_row), &base_rows[..]].concat());
    // Its command is that of the image before, which the commit kept.
    let expected = [&[format!("{page}|bash|add page"), apache_row], &base_rows[..]].concat();
    assert_eq!(rows("iscreamedu_apache"), expected);
    assert!(base_rows[0].starts_with(base.trim_end()), "{base_rows:?}");
    let size = project.ask(&["history", "--format", "{{.Size}}", "ubuntu_apache"]);
    assert!(size.lines().next().unwrap().ends_with("MB"), "{size}");
}

/// S280 to S284.
fn take_down(project: &Project, apache: &str, page: &str) {
    let chains = |name: &str| project.image(name).chain_ids;
    let (apache_chains, page_chains) = (chains("ubuntu_apache"), chains("iscreamedu_apache"));
    let last = |chains: &[String]| chains[chains.len() - 1].clone();
    for name in ["diamol/node", "node:lts-alpine", "ubuntu:20.04", "node:18"] {
        project.ask(&["rmi", name]);
    }
    for name in ["node:12-alpine", "maven:3.8-openjdk-11", "openjdk:11-jre-slim", "python:3.9-alpine"] {
        project.ask(&["rmi", name]);
    }
    let base = project.ask(&["images", "--no-trunc", "-q", "ubuntu:18.04"]);
    assert_eq!(project.ask(&["rmi", "ubuntu:18.04"]), "Untagged: ubuntu:18.04\n");
    let own = last(&page_chains);
    let expected = format!("Untagged: iscreamedu_apache:latest\nDeleted: {page}\nDeleted: {own}\n");
    assert_eq!(project.ask(&["rmi", "iscreamedu_apache"]), expected);
    let own = last(&apache_chains);
    let mut expected = format!("Untagged: ubuntu_apache:latest\nDeleted: {apache}\nDeleted: {own}\nDeleted: {base}");
    for chain in apache_chains[..apache_chains.len() - 1].iter().rev() {
        expected += &format!("Deleted: {chain}\n");
    }
    assert_eq!(project.ask(&["rmi", "ubuntu_apache"]), expected);
    assert_eq!(project.ask(&["images", "-aq"]), "");
    assert_eq!(checker::store_images(&project.sandbox.root()).unwrap().len(), 0);
}

/// A port that nobody listens on, so that the test can run beside others.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

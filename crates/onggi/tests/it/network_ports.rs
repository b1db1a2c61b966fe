//! Published ports, from this machine and from containers (S052, S053, C203, N052); nothing of them stays.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use crate::build_project::Project;
use crate::containers::wait_until;

/// A web server that says its own name.
const SERVER: &str = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www";

/// Any address of this machine but the loopback's; no packet is sent.
fn own_address() -> Ipv4Addr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    match socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr()) {
        Ok(SocketAddr::V4(address)) => *address.ip(),
        _ => Ipv4Addr::new(172, 17, 0, 1),
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

/// The body of `http://ADDRESS:PORT/`.
fn get(address: impl Into<IpAddr>, port: u16) -> std::io::Result<String> {
    let target = SocketAddr::new(address.into(), port);
    let mut stream = TcpStream::connect_timeout(&target, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().trim_end().to_owned())
}

impl Project {
    /// Starts a server that answers with `name`, and gives the host's port as `port` tells it.
    fn serve(&self, name: &str, flags: &[&str]) -> u16 {
        self.start(&[&["--name", name, "-h", name], flags, &["busybox", "sh", "-c", SERVER]].concat());
        let port = self.ask(&["port", name, "80"]);
        port.lines().next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
    }

    #[track_caller]
    fn answers(&self, name: &str, address: impl Into<IpAddr>, port: u16) {
        let address = address.into();
        wait_until(&format!("{name} answers at {address}:{port}"), || {
            get(address, port).is_ok_and(|body| body == name)
        });
    }
}

#[test]
#[ignore = "requires root"]
fn s052_s053_a_published_port_is_reached_from_everywhere_requires_root() {
    let project = Project::new();
    let wanted = free_port();
    // Nothing of it is EXPOSEd.
    let port = project.serve("web", &["-p", &format!("{wanted}:80")]);
    assert_eq!(port, wanted);
    project.answers("web", Ipv4Addr::LOCALHOST, port);
    project.answers("web", own_address(), port);
    let gateway: Ipv4Addr = project.container("web", "{{.NetworkSettings.Gateway}}").parse().unwrap();
    project.answers("web", gateway, port);
    // From another container by the host's address.
    let own_port = free_port();
    for address in [gateway, own_address()] {
        let url = format!("http://{address}:{port}/");
        assert_eq!(project.says(&["busybox", "wget", "-qO-", &url]), "web\n", "{url}");
        // And a container itself.
        let script = format!("httpd -p 80 -h /etc; wget -qO- http://{address}:{own_port}/hostname");
        let itself = project.says(&["-h", "itself", "-p", &format!("{own_port}:80"), "busybox", "sh", "-c", &script]);
        assert_eq!(itself, "itself\n", "{url}");
    }
    let unpublished = format!("http://{}/", project.container("web", "{{.NetworkSettings.IPAddress}}"));
    assert_eq!(project.says(&["busybox", "wget", "-qO-", &unpublished]), "web\n");
    // A container's 127.0.0.1 is its own, and it cannot get at the host's by the bridge.
    let own = project.run(&["busybox", "timeout", "3", "wget", "-qO-", &format!("http://127.0.0.1:{port}/")]);
    assert_ne!(own.code, 0, "{}", own.stdout);

    assert_eq!(project.ask(&["port", "web"]), format!("80/tcp -> 0.0.0.0:{port}\n"));
    assert_eq!(project.ask(&["container", "port", "web", "80/tcp"]), format!("0.0.0.0:{port}\n"));
    assert_eq!(project.ask(&["ps", "--format", "{{.Ports}}"]), format!("0.0.0.0:{port}->80/tcp\n"));
    let none = project.onggi(["port", "web", "81"]).run().exits(1);
    assert_eq!(none.stderr, "error: no public port '81/tcp' published for web\nhint: see all with `onggi port web`\n");
    let shown = |format: &str| project.container("web", format);
    assert_eq!(
        shown("{{json .NetworkSettings.Ports}}"),
        format!(r#"{{"80/tcp":[{{"HostIp":"0.0.0.0","HostPort":"{port}"}}]}}"#)
    );
    assert_eq!(
        shown("{{json .HostConfig.PortBindings}}"),
        format!(r#"{{"80/tcp":[{{"HostIp":"","HostPort":"{port}"}}]}}"#)
    );
    assert_eq!(shown("{{json .Config.ExposedPorts}}"), r#"{"80/tcp":{}}"#);

    project.onggi(["stop", "-t", "0", "web"]).run().success();
    assert_eq!(get(Ipv4Addr::LOCALHOST, port).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(shown("{{json .NetworkSettings.Ports}}"), "{}");
    assert_eq!(project.ask(&["port", "web"]), "");
    project.onggi(["rm", "web"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn c203_ports_random_ranges_addresses_and_protocols_requires_root() {
    let project = Project::with("FROM busybox\nEXPOSE 80 9000/udp\n");
    project.build_app();
    let port = project.serve("any", &["-p", "80"]);
    assert!(port >= 1024);
    project.answers("any", Ipv4Addr::LOCALHOST, port);
    // Only on this address.
    let port = project.serve("local", &["-p", "127.0.0.1::80"]);
    project.answers("local", Ipv4Addr::LOCALHOST, port);
    assert_eq!(get(own_address(), port).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(project.container("local", "{{(index .NetworkSettings.Ports \"80/tcp\" 0).HostIp}}"), "127.0.0.1");
    // The first free one of a range.
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let first = taken.local_addr().unwrap().port();
    let range = format!("{first}-{}:80", first.saturating_add(20));
    let port = project.serve("ranged", &["-p", &range]);
    assert!(port > first && port <= first + 20, "{port} of {range}");
    project.answers("ranged", Ipv4Addr::LOCALHOST, port);
    // All that the image exposes, and more.
    project.start(&["--name", "all", "-P", "--expose", "7000-7001", "app", "sleep", "1000"]);
    let all = project.ask(&["port", "all"]);
    let ports: Vec<_> = all.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ports, ["80/tcp", "7000/tcp", "7001/tcp", "9000/udp"]);
    // Exposed and nothing else.
    project.start(&["--name", "exposed", "--expose", "7000-7001", "app", "sleep", "1000"]);
    let rows = project.ask(&["ps", "--format", "{{.Names}}: {{.Ports}}"]);
    assert!(rows.contains("exposed: 80/tcp, 7000-7001/tcp, 9000/udp\n"), "{rows}");
    project.onggi(["rm", "-f", "any", "local", "ranged", "all", "exposed"]).run().success();
}

/// A socket in a container's network namespace.
fn socket_inside(pid: u32, port: u16) -> UdpSocket {
    let enter_and_bind = move || {
        let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(namespace.as_fd(), kind).unwrap();
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap()
    };
    std::thread::spawn(enter_and_bind).join().unwrap()
}

#[test]
#[ignore = "requires root"]
fn c203_datagrams_are_published_too_requires_root() {
    let project = Project::new();
    project.start(&["--name", "echo", "-p", "0:53/udp", "busybox", "sleep", "1000"]);
    let port: u16 = project.ask(&["port", "echo", "53/udp"]).trim().rsplit(':').next().unwrap().parse().unwrap();
    let server = socket_inside(project.container("echo", "{{.State.Pid}}").parse().unwrap(), 53);
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for address in [Ipv4Addr::LOCALHOST, own_address()] {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect((address, port)).unwrap();
        let mut buffer = [0; 16];
        socket.send(b"hello").unwrap();
        let (len, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"hello");
        server.send_to(b"answer", from).unwrap();
        let len = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"answer");
    }
    project.onggi(["rm", "-f", "echo"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn s052_a_clash_says_who_has_the_port_requires_root() {
    let project = Project::new();
    let port = project.serve("first", &["-p", "80"]);
    let publish = format!("{port}:80");
    let clash = project.onggi(["run", "--name", "second", "-p", &publish, "busybox", "true"]).run().exits(125);
    assert_eq!(
        clash.stderr,
        format!(
            "error: Bind for 0.0.0.0:{port} failed: port is already allocated\nhint: container first has it: \
             stop it with `onggi stop first`, or choose another port of the host\n"
        )
    );
    // It was made, as with Docker, and nothing of it is in the network.
    assert_eq!(project.container("second", "{{.NetworkSettings.IPAddress}}"), "");
    let local = format!("127.0.0.1:{port}:80");
    let clash = project.onggi(["run", "--rm", "-d", "-p", &local, "busybox", "true"]).run().exits(125);
    assert!(clash.stderr.contains(&format!("Bind for 127.0.0.1:{port} failed")), "{}", clash.stderr);
    project.answers("first", Ipv4Addr::LOCALHOST, port);

    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let clash = project.run(&["-p", &format!("{port}:80"), "busybox", "true"]).exits(125);
    assert_eq!(
        clash.stderr,
        format!(
            "error: failed to bind host port 0.0.0.0:{port}/tcp: address already in use\nhint: see which program has \
             it: `ss -ltnp sport = :{port}`\n"
        )
    );
    // And the other way round: what a container has is not for programs.
    let held = project.serve("third", &["-p", "80"]);
    TcpListener::bind((Ipv4Addr::LOCALHOST, held)).unwrap_err();
    let elsewhere = project.run(&["-p", "192.0.2.99:80:80", "busybox", "true"]).exits(125);
    assert!(elsewhere.stderr.contains("hint: choose an address of this machine"), "{}", elsewhere.stderr);
    project.onggi(["rm", "-f", "first", "second", "third"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn n052_ports_are_published_where_the_configuration_says_requires_root() {
    let project = Project::new();
    let config = project.sandbox.write("config.json", r#"{"ip": "127.0.0.1"}"#);
    let with_config = |words: &[&str]| project.onggi(words).env("ONGGI_CONFIG", &config).run();
    with_config(&["run", "-d", "--name", "web", "-h", "web", "-p", "80", "busybox", "sh", "-c", SERVER]).success();
    let shown = project.ask(&["port", "web", "80"]);
    let port = shown.trim().strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    project.answers("web", Ipv4Addr::LOCALHOST, port);
    assert_eq!(get(own_address(), port).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(with_config(&["info"]).success().stdout.contains("Published Ports: on 127.0.0.1\n"));
    assert!(project.ask(&["info"]).contains("Published Ports: on 0.0.0.0\n"));
    project.sandbox.write("config.json", r#"{"iptables": false}"#);
    let wrong = with_config(&["run", "--rm", "-p", "80", "busybox", "true"]).exits(125);
    assert!(wrong.stderr.contains("unknown field `iptables`"), "{}", wrong.stderr);
    project.onggi(["rm", "-f", "web"]).run().success();
}

/// What of this machine's network belongs to a container: the file of its address, entries of the packet filter.
fn traces(address: &str, id: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let file = format!("/run/onggi/network/onggi0/{address}");
    let is_ours = |path: &str| std::fs::read_to_string(path).is_ok_and(|text| text.contains(id));
    found.extend(is_ours(&file).then_some(file));
    // The program is only needed to look.
    if let Ok(listed) = Command::new("nft").args(["list", "ruleset"]).output() {
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        found.extend(text.lines().filter(|line| line.contains(id)).map(str::to_owned));
    }
    found
}

#[test]
#[ignore = "requires root"]
fn c203_nothing_of_a_published_port_stays_requires_root() {
    let project = Project::new();
    let port = project.serve("web", &["-p", "80", "-p", "127.0.0.1::80"]);
    project.answers("web", Ipv4Addr::LOCALHOST, port);
    let (address, id) =
        (project.container("web", "{{.NetworkSettings.IPAddress}}"), project.container("web", "{{.Id}}"));
    assert!(traces(&address, &id).len() >= 2, "what is looked for is there");
    project.onggi(["rm", "-f", "web"]).run().success();
    wait_until("all is gone", || traces(&address, &id).is_empty());

    // A killed owner cannot tidy up. Its ports are free at once, and the rest goes with the next command about it.
    let port = project.serve("lost", &["-p", "80"]);
    project.answers("lost", Ipv4Addr::LOCALHOST, port);
    let (address, id) =
        (project.container("lost", "{{.NetworkSettings.IPAddress}}"), project.container("lost", "{{.Id}}"));
    let monitors = crate::containers::processes_with(&format!("monitor {id}"));
    for monitor in &monitors {
        let pid = rustix::process::Pid::from_raw(*monitor as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    assert_eq!(monitors.len(), 1);
    wait_until("it is gone", || project.ask(&["ps", "-q"]).is_empty());
    let again = project.serve("again", &["-p", &format!("{port}:80")]);
    assert_eq!(again, port);
    project.answers("again", Ipv4Addr::LOCALHOST, port);
    project.onggi(["rm", "lost"]).run().success();
    let left: Vec<_> = traces(&address, &id).into_iter().collect();
    assert_eq!(left, [""; 0], "{left:?}");
    project.answers("again", Ipv4Addr::LOCALHOST, port);
    project.onggi(["rm", "-f", "again"]).run().success();

    // With `--rm` the next look at the list does it all.
    project.serve("brief", &["--rm", "-p", "80"]);
    let (address, id) =
        (project.container("brief", "{{.NetworkSettings.IPAddress}}"), project.container("brief", "{{.Id}}"));
    for monitor in crate::containers::processes_with(&format!("monitor {id}")) {
        let pid = rustix::process::Pid::from_raw(monitor as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    wait_until("it is gone", || project.ask(&["ps", "-aq"]).is_empty());
    assert!(traces(&address, &id).is_empty());
}

#[test]
#[ignore = "requires root"]
fn c203_a_thousand_ports_requires_root() {
    let project = Project::new();
    let words = ["--name", "many", "-p", "127.0.0.7:20000-20999:1-1000", "busybox", "sh", "-c", SERVER];
    project.start(&words);
    let all = project.ask(&["port", "many"]);
    assert_eq!(all.lines().count(), 1000);
    wait_until("it answers", || get(Ipv4Addr::new(127, 0, 0, 7), 20079).is_ok());
    assert_eq!(project.ask(&["ps", "--format", "{{.Ports}}"]).matches("->").count(), 1000);
    // The host's own sockets leave the container's limit on descriptors as it would be without them.
    let limit = "ulimit -n";
    let alone = project.shell(limit);
    let script = ["--rm", "-p", "127.0.0.8:20000-20999:1-1000", "busybox", "sh", "-c", limit];
    assert_eq!(project.says(&script[1..]), alone);
    project.onggi(["rm", "-f", "many"]).run().success();
}

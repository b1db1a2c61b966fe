//! Networks that users define: names, membership, what is inside and what is not (C320, C203).
//!
//! Each network is on this machine while its test runs, and goes with the value that made it.

use crate::build_project::Project;
use crate::containers::wait_until;

const SERVER: &str = "mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www";

/// Removes the networks of a project, and the containers in them, also when its test fails.
struct Networks<'a>(&'a Project);

impl Drop for Networks<'_> {
    fn drop(&mut self) {
        let all = self.0.onggi(["ps", "-aq"]).run().stdout;
        for container in all.lines() {
            drop(self.0.onggi(["rm", "-f", container]).run());
        }
        drop(self.0.onggi(["network", "prune", "-f"]).run());
    }
}

impl Project {
    fn network(&self, words: &[&str]) -> String {
        self.ask(&[&["network"], words].concat()).trim_end().to_owned()
    }

    fn start_server(&self, name: &str, flags: &[&str]) {
        self.start(&[&["--name", name, "-h", name], flags, &["busybox", "sh", "-c", SERVER]].concat());
        wait_until("it serves", || {
            self.onggi([
                "run",
                "--rm",
                "--network",
                &format!("container:{name}"),
                "busybox",
                "wget",
                "-qO-",
                "http://127.0.0.1/",
            ])
            .run()
            .code
                == 0
        });
    }

    /// What nobody here knows is asked of a server of this machine that does not exist.
    fn in_network(&self, network: &str, script: &str) -> String {
        let dns = if network.starts_with("container:") { &[][..] } else { &["--dns", "127.0.0.1"] };
        self.says(&[&["--network", network], dns, &["busybox", "sh", "-c", script]].concat())
    }
}

#[test]
#[ignore = "requires root"]
fn c320_containers_of_a_network_know_each_other_by_name_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    let id = project.network(&["create", "net1"]);
    assert_eq!(id.len(), 64);
    project.start_server("web", &["--network", "net1", "--network-alias", "www"]);
    let short = project.container("web", "{{.Id}}")[..12].to_owned();
    for name in ["web", "WWW", &short, "web.net1", "www.net1"] {
        let said = project.in_network("net1", &format!("wget -qO- http://{name}/"));
        assert_eq!(said, "web\n", "{name}");
    }
    let address = project.container("web", "{{.NetworkSettings.Networks.net1.IPAddress}}");
    let looked_up = project.in_network("net1", &format!("nslookup {address}; nslookup -type=aaaa web"));
    assert!(looked_up.contains("name = web.net1"), "{looked_up}");
    // The file says who is asked; a container's own name stands in its hosts.
    let files = project.in_network("net1", "cat /etc/resolv.conf; hostname -i");
    assert!(files.starts_with("nameserver 127.0.0.11\n") && files.contains("options ndots:0\n"), "{files}");
    // Who comes later is known at once, and who goes is not any more.
    let script = "until ping -c 1 late >/dev/null 2>&1; do sleep 0.05; done; echo here; \
                  while ping -c 1 late >/dev/null 2>&1; do sleep 0.05; done; echo gone";
    project.start(&["--name", "asking", "--network", "net1", "--dns", "127.0.0.1", "busybox", "sh", "-c", script]);
    project.start(&["--name", "late", "--network", "net1", "busybox", "sleep", "1000"]);
    project.wait_for_log("asking", "here");
    project.onggi(["rm", "-f", "late"]).run().success();
    project.wait_for_log("asking", "gone");
    // On the default bridge there are no names, and other networks do not know ours.
    project.network(&["create", "net2"]);
    for network in ["bridge", "net2"] {
        let lost = project.run(&["--network", network, "--dns", "127.0.0.1", "busybox", "wget", "-qO-", "http://web/"]);
        assert_ne!(lost.code, 0, "{network}");
        let script = format!("timeout 1 wget -qO- http://{address}/ || exit 3");
        let lost = project.run(&["--network", network, "busybox", "sh", "-c", &script]);
        assert_ne!(lost.code, 0, "networks are apart: {network}");
    }
    // A container may serve names itself.
    let own = "nc -ll -p 53 -e true & sleep 0.2; kill $! && echo served; wget -qO- http://web/";
    assert_eq!(project.in_network("net1", own), "served\nweb\n");
}

#[test]
#[ignore = "requires root"]
fn c320_several_of_one_alias_take_turns_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.network(&["create", "net1"]);
    for name in ["one", "two"] {
        project.start(&["--name", name, "--network", "name=net1,alias=both", "busybox", "sleep", "1000"]);
    }
    let said = project.in_network("net1", "nslookup both 2>/dev/null");
    for name in ["one", "two"] {
        let address = project.container(name, "{{.NetworkSettings.Networks.net1.IPAddress}}");
        assert!(said.contains(&format!("Address: {address}\n")), "{said}");
    }
}

#[test]
#[ignore = "requires root"]
fn c320_networks_are_made_listed_shown_and_removed_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    let id = project.network(&[
        "create",
        "--subnet",
        "10.213.0.0/24",
        "--gateway",
        "10.213.0.254",
        "--ip-range",
        "10.213.0.128/30",
        "--label",
        "team=web",
        "-o",
        "com.docker.network.bridge.name=ogtest0",
        "--attachable",
        "-d",
        "bridge",
        "mine",
    ]);
    assert_eq!(
        project.network(&["ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]),
        "bridge bridge local\nhost host local\nmine bridge local\nnone null local"
    );
    assert_eq!(project.network(&["ls", "-q", "--no-trunc", "-f", "type=custom"]), id);
    for filter in ["name=in", "driver=bridge", "label=team", "label=team=web", "dangling=true"] {
        let shown = project.network(&["ls", "--format", "{{.Name}}", "-f", filter, "-f", "type=custom"]);
        assert_eq!(shown, "mine", "{filter}");
    }
    let wrong = project.onggi(["network", "ls", "-f", "colour=red"]).run().exits(1);
    assert!(wrong.stderr.starts_with("error: invalid filter 'colour'"), "{}", wrong.stderr);
    let shown = |format: &str| project.network(&["inspect", "-f", format, &id[..12]]);
    assert_eq!(
        shown("{{json .IPAM.Config}}"),
        r#"[{"Subnet":"10.213.0.0/24","IPRange":"10.213.0.128/30","Gateway":"10.213.0.254"}]"#
    );
    assert_eq!(
        shown("{{.Name}} {{.Driver}} {{.Internal}} {{.Attachable}} {{.Labels.team}}"),
        "mine bridge false true web"
    );
    assert!(std::path::Path::new("/sys/class/net/ogtest0/bridge").exists());
    // Addresses of the range, or the one asked for.
    let said = project.in_network("mine", "ip -4 -o address show eth0; ip route | head -n 1");
    assert!(said.contains("10.213.0.128/24") && said.contains("default via 10.213.0.254"), "{said}");
    let said = project.says(&[
        "--network",
        "mine",
        "--ip",
        "10.213.0.7",
        "--mac-address",
        "02:00:00:00:00:07",
        "busybox",
        "ip",
        "address",
        "show",
        "eth0",
    ]);
    assert!(said.contains("10.213.0.7/24") && said.contains("02:00:00:00:00:07"), "{said}");
}

#[test]
#[ignore = "requires root"]
fn c320_a_network_in_use_stays_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.network(&["create", "mine"]);
    let shown = |format: &str| project.network(&["inspect", "-f", format, "mine"]);
    project.start(&["--name", "it", "--network", "mine", "busybox", "sleep", "1000"]);
    let container = project.container("it", "{{.Id}}");
    let address =
        project.container("it", "{{with .NetworkSettings.Networks.mine}}{{.IPAddress}}/{{.IPPrefixLen}}{{end}}");
    assert_eq!(
        shown("{{range $id, $one := .Containers}}{{$id}} {{$one.Name}} {{$one.IPv4Address}}{{end}}"),
        format!("{container} it {address}")
    );
    assert_eq!(project.ask(&["ps", "--format", "{{.Networks}}"]), "mine\n");
    let used = project.onggi(["network", "rm", "mine"]).run().exits(1);
    assert_eq!(
        used.stderr,
        format!(
            "error: error while removing network: network mine has active endpoints (name:\"it\" id:\"{}\")\n\
             hint: take it off first: `onggi network disconnect mine it`\n",
            &container[..12]
        )
    );
    assert_eq!(project.network(&["prune", "-f"]), "");
    project.onggi(["stop", "-t", "0", "it"]).run().success();
    let bridge = format!("/sys/class/net/br-{}", &shown("{{.Id}}")[..12]);
    assert!(std::path::Path::new(&bridge).exists());
    assert_eq!(project.network(&["rm", "mine"]), "mine");
    assert!(!std::path::Path::new(&bridge).exists());
    // What it was to be connected to is not there any more.
    for words in [&["network", "inspect", "mine"][..], &["network", "rm", "mine"]] {
        let gone = project.onggi(words).run().exits(1);
        assert!(gone.stderr.starts_with("error: network mine not found\n"), "{}", gone.stderr);
    }
    assert_eq!(project.network(&["rm", "-f", "mine"]), "");
}

#[test]
#[ignore = "requires root"]
fn c320_what_cannot_be_a_network_is_refused_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.network(&["create", "--subnet", "10.214.0.0/24", "taken"]);
    for (words, message) in [
        (&["create", "taken"][..], "network with name taken already exists"),
        (&["create", "bridge"], "operation is not permitted on predefined bridge network"),
        (&["create", "a/b"], "invalid network name \"a/b\""),
        (
            &["create", "--subnet", "10.214.0.128/25", "other"],
            "invalid pool request: Pool overlaps with other one on this address space",
        ),
        (&["create", "--subnet", "10.215.0.1/24", "other"], "invalid subnet 10.215.0.1/24: it should be 10.215.0.0/24"),
        (&["create", "--subnet", "nonsense", "other"], "invalid subnet nonsense"),
        (
            &["create", "--subnet", "10.215.0.0/24", "--gateway", "10.216.0.1", "other"],
            "no matching subnet for gateway 10.216.0.1",
        ),
        (&["create", "--gateway", "10.216.0.1", "other"], "no matching subnet for gateway or range"),
        (&["create", "-d", "overlay", "other"], "networks of driver overlay are not there yet"),
        (&["create", "-d", "nonsense", "other"], "plugin \"nonsense\" not found"),
        (&["create", "--ipv6", "other"], "IPv6 in networks of containers is not there yet"),
        (&["rm", "host"], "host is a pre-defined network and cannot be removed"),
        (&["connect", "taken", "nobody"], "no such container: nobody"),
    ] {
        let refused = project.onggi([&["network"], words].concat()).run().exits(1);
        assert!(refused.stderr.starts_with(&format!("error: {message}")), "{words:?}: {}", refused.stderr);
    }
    for (flags, message) in [
        (&["--network", "nosuch"][..], "network nosuch not found"),
        (&["--network-alias", "x"], "network-scoped aliases are only supported for user-defined networks"),
        (&["--ip", "172.17.0.9"], "user specified IP address is supported on user defined networks only"),
        (
            &["--network", "host", "--network", "taken"],
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
        ),
        (&["--network", "container:nobody"], "no such container: nobody"),
        (
            &["--network", "container:x", "-p", "80"],
            "conflicting options: port publishing and the container type network mode",
        ),
        (&["--network", "container:x", "-h", "x"], "conflicting options: hostname and the network mode"),
        (&["--network", "taken", "--ip", "10.215.0.9"], "cannot connect the container to the network"),
        (&["--mac-address", "nonsense"], "nonsense is not a valid mac address"),
        (&["--add-host", "nonsense"], "bad format for add-host: \"nonsense\""),
        (&["--add-host", "a:b"], "invalid IP address in add-host: \"b\""),
    ] {
        let refused = project.onggi([&["run", "--rm"], flags, &["busybox", "true"]].concat()).run().exits(125);
        assert!(refused.stderr.starts_with(&format!("error: {message}")), "{flags:?}: {}", refused.stderr);
    }
    // Nothing of what was refused is there.
    assert_eq!(project.network(&["ls", "--format", "{{.Name}}", "-f", "type=custom"]), "taken");
    project.has_no_containers();
}

#[test]
#[ignore = "requires root"]
fn c320_containers_join_and_leave_while_they_run_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    for name in ["net1", "net2"] {
        project.network(&["create", name]);
    }
    project.start_server("web", &["--network", "net1"]);
    project.network(&["connect", "--alias", "second", "net2", "web"]);
    assert_eq!(project.in_network("net2", "wget -qO- http://second/"), "web\n");
    let again = project.onggi(["network", "connect", "net2", "web"]).run().exits(1);
    assert_eq!(again.stderr, "error: endpoint with name web already exists in network net2\n");
    // It has a second interface, and asks for names in both.
    project.start(&["--name", "other", "--network", "net2", "busybox", "sleep", "1000"]);
    let inside = |script: &str| project.in_network("container:web", script);
    let said =
        inside("ip -o -4 address | grep -c eth; nslookup other >/dev/null && echo found; ip route | grep -c default");
    assert_eq!(said, "2\nfound\n1\n");
    let addresses = project.container("web", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}");
    let hosts = inside("cat /etc/hosts");
    for address in addresses.split_whitespace() {
        assert!(hosts.contains(&format!("{address}\tweb\n")), "{hosts}");
    }
    // It leaves the first: the way out is through the second now.
    project.network(&["disconnect", "net1", "web"]);
    let route = inside("ip route | grep default");
    assert!(route.contains("dev eth1"), "{route}");
    assert_ne!(
        project.run(&["--network", "net1", "--dns", "127.0.0.1", "busybox", "wget", "-qO-", "http://web/"]).code,
        0
    );
    let not_there = project.onggi(["network", "disconnect", "net1", "web"]).run().exits(1);
    assert!(not_there.stderr.contains("is not connected to network net1"), "{}", not_there.stderr);
    assert_eq!(project.network(&["rm", "net1"]), "net1");
    // A stopped one is connected when it starts.
    assert_eq!(project.container("web", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"), "net2");
    let host = project.onggi(["run", "-d", "--name", "hosted", "--network", "host", "busybox", "sleep", "1000"]).run();
    host.success();
    let refused = project.onggi(["network", "connect", "net2", "hosted"]).run().exits(1);
    assert!(refused.stderr.contains("sharing network namespace"), "{}", refused.stderr);
}

#[test]
#[ignore = "requires root"]
fn c203_several_networks_and_ports_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.network(&["create", "--internal", "inner"]);
    project.network(&["create", "outer"]);
    project.start_server("web", &["--network", "inner", "--network", "outer", "-p", "127.0.0.1::80"]);
    let port = project.ask(&["port", "web", "80"]).trim().rsplit(':').next().unwrap().to_owned();
    let body = project.says(&["--network", "host", "busybox", "wget", "-qO-", &format!("http://127.0.0.1:{port}/")]);
    assert_eq!(body, "web\n");
    // Inside, it is reached, and nothing else is.
    let script = "wget -qO- http://web/; ip route | grep -c default; ping -c 1 example.invalid 2>&1 | grep -c bad";
    let said = project.in_network("inner", script);
    assert_eq!(said.lines().take(2).collect::<Vec<_>>(), ["web", "0"], "{said}");
    assert!(said.lines().nth(2).is_some_and(|count| count != "0"), "{said}");
    assert_eq!(project.in_network("outer", "wget -qO- http://web/; ip route | grep -c default"), "web\n1\n");
}

#[test]
#[ignore = "requires root"]
fn c203_files_of_names_are_as_asked_for_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.start_server("web", &[]);
    let flags = [
        "--add-host",
        "one:10.0.0.1",
        "--add-host",
        "six=[2001:db8::1]",
        "--add-host",
        "host.docker.internal:host-gateway",
        "--dns",
        "192.0.2.53",
        "--dns-search",
        "example.com",
        "--dns-option",
        "timeout:1",
        "--link",
        "web:db",
        "-h",
        "box",
        "--domainname",
        "example.org",
    ];
    let script =
        "cat /etc/hosts; echo; cat /etc/resolv.conf; hostname; cat /proc/sys/kernel/domainname; wget -qO- http://db/";
    let said = project.says(&[&flags[..], &["busybox", "sh", "-c", script]].concat());
    let address = project.container("web", "{{.NetworkSettings.IPAddress}}");
    let gateway = project.container("web", "{{.NetworkSettings.Gateway}}");
    let id = project.container("web", "{{.Id}}");
    for line in [
        "10.0.0.1\tone\n".to_owned(),
        "2001:db8::1\tsix\n".to_owned(),
        format!("{gateway}\thost.docker.internal\n"),
        format!("{address}\tdb {} web\n", &id[..12]),
        "\tbox.example.org box\n".to_owned(),
        "\nnameserver 192.0.2.53\nsearch example.com\noptions timeout:1\n".to_owned(),
        "\nbox\nexample.org\nweb\n".to_owned(),
    ] {
        assert!(said.contains(&line), "{line:?} in {said}");
    }
    project.onggi(["stop", "-t", "0", "web"]).run().success();
    let dead = project.run(&["--name", "own", "--link", "web:db", "busybox", "true"]).exits(125);
    assert!(
        dead.stderr.starts_with("error: Cannot link to a non running container: /web AS /own/db\n"),
        "{}",
        dead.stderr
    );
    // The file of a network with names asks our server, which asks those.
    project.network(&["create", "net1"]);
    let said = project.says(&[
        "--network",
        "net1",
        "--dns",
        "192.0.2.53",
        "--dns-search",
        "a.b",
        "busybox",
        "cat",
        "/etc/resolv.conf",
    ]);
    assert_eq!(said, "nameserver 127.0.0.11\nsearch a.b\noptions ndots:0\n");
}

#[test]
#[ignore = "requires root"]
fn c203_another_containers_network_is_shared_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.start_server("web", &[]);
    let said = project.in_network(
        "container:web",
        "hostname; cat /etc/hostname; wget -qO- http://127.0.0.1/; ip -o -4 address show eth0",
    );
    assert!(said.starts_with("web\nweb\nweb\n"), "{said}");
    assert!(said.contains(&project.container("web", "{{.NetworkSettings.IPAddress}}")), "{said}");
    project.onggi(["stop", "-t", "0", "web"]).run().success();
    let stopped = project.run(&["--network", "container:web", "busybox", "true"]).exits(125);
    assert!(
        stopped.stderr.starts_with("error: cannot join network namespace of a non running container: web\n"),
        "{}",
        stopped.stderr
    );
}

#[test]
#[ignore = "requires root"]
fn c320_a_container_with_another_name_is_known_by_it_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    project.network(&["create", "net1"]);
    project.start_server("old", &["--network", "net1"]);
    project.onggi(["rename", "old", "new"]).run().success();
    assert_eq!(project.in_network("net1", "wget -qO- http://new/"), "old\n");
    let network = project.ask(&["inspect", "-f", "{{.Name}} {{.Driver}}", "net1"]);
    assert_eq!(network, "net1 bridge\n");
}

/// Nothing of fifty containers that come and go at once, one of them by a killed owner, stays on this machine.
#[test]
#[ignore = "requires root"]
fn c320_nothing_of_many_containers_stays_requires_root() {
    let project = Project::new();
    let _networks = Networks(&project);
    let id = project.network(&["create", "crowd"]);
    let folder = std::path::PathBuf::from(format!("/run/onggi/network/br-{}", &id[..12]));
    let members = format!("/sys/class/net/br-{}/brif", &id[..12]);
    std::thread::scope(|scope| {
        for worker in 0..5 {
            let project = &project;
            scope.spawn(move || {
                for number in 0..10 {
                    let name = format!("one-{worker}-{number}");
                    let words = ["--name", &name, "--network", "crowd", "-p", "127.0.0.9::80", "busybox", "true"];
                    project.run(&words).success();
                }
            });
        }
    });
    let lost = project.start(&["--name", "lost", "--network", "crowd", "-p", "80", "busybox", "sleep", "1000"]);
    let owners = crate::containers::processes_with(&lost);
    assert!(!owners.is_empty());
    for owner in owners {
        let pid = rustix::process::Pid::from_raw(i32::try_from(owner).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    wait_until("it is gone", || project.ask(&["ps", "-q"]).is_empty());
    project.onggi(["rm", "lost"]).run().success();
    wait_until("no interface is left", || std::fs::read_dir(&members).unwrap().count() == 0);
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [""; 0], "{left:?}");
    assert_eq!(project.network(&["rm", "crowd"]), "crowd");
    assert!(!folder.exists() && !std::path::Path::new(&members).exists());
}

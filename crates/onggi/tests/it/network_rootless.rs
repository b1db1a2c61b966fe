//! Networks without root: in a namespace that nobody owns, and of which nothing stays (S063, D10, D11).
//!
//! Whoever runs the tests is root and looks from outside; the commands are those of a user with subordinate IDs: the one that
//! `ONGGI_TEST_USER` names, or `ot`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Command, Sandbox, TestUser};

use crate::containers::{processes_with, wait_until};

fn user() -> &'static TestUser {
    static USER: OnceLock<TestUser> = OnceLock::new();
    TestUser::current().unwrap_or_else(|| {
        USER.get_or_init(|| {
            TestUser::named("ot")
                .expect("a user `ot` with subordinate IDs: `useradd ot`, or another in ONGGI_TEST_USER")
        })
    })
}

/// A user's store with `busybox` in it.
struct World(Sandbox);

impl World {
    fn new() -> Self {
        let world = Self(Sandbox::new());
        let tar = world.0.path().join("busybox.tar");
        fs::write(&tar, testkit::busybox_root_tar()).unwrap();
        world.onggi(&["import", tar.to_str().unwrap(), "busybox"]).run().success();
        world
    }

    fn onggi(&self, words: &[&str]) -> Command {
        self.0.onggi(words).user(Some(user()), self.0.path())
    }

    /// What a container with this script says.
    #[track_caller]
    fn says(&self, flags: &[&str], script: &str) -> String {
        let words = [&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat();
        self.onggi(&words).run().success().stdout
    }

    /// A container that runs until its `run` is killed or hears the end of its input; it is there when this returns.
    fn start(&self, flags: &[&str]) -> Child {
        let words = [&["run", "--rm", "-i"], flags, &["busybox", "sh", "-c", "echo ready; exec cat"]].concat();
        let mut command = self.onggi(&words).to_std();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut word = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
        assert_eq!(&word, b"ready\n");
        child
    }

    /// The process that keeps the network.
    fn holders(&self) -> Vec<u32> {
        processes_with(self.0.root().join("outer").to_str().unwrap()).into_iter().filter(|pid| is_alive(*pid)).collect()
    }

    /// And pasta.
    fn helpers(&self) -> Vec<u32> {
        self.holders().into_iter().flat_map(children).filter(|pid| is_alive(*pid)).collect()
    }
}

fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent)).collect()
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

/// Any address of this machine but the loopback's; no packet is sent.
fn own_address() -> Ipv4Addr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    match socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr()) {
        Ok(SocketAddr::V4(address)) => *address.ip(),
        other => panic!("this machine has no way out: {other:?}"),
    }
}

/// Somebody of the world, who says `hello` to so many.
fn server(address: Ipv4Addr, times: usize) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    let serve = move || {
        for _ in 0..times {
            let (mut client, _) = listener.accept().unwrap();
            // A request is one packet there.
            assert!(client.read(&mut [0; 4096]).unwrap() > 0);
            client.write_all(answer).unwrap();
        }
    };
    (port, std::thread::spawn(serve))
}

#[test]
#[ignore = "requires root: to be another user"]
fn s063_the_first_packet_gets_out_requires_root() {
    let world = World::new();
    let (port, server) = server(own_address(), 3);
    let ask = format!("wget -qO- http://{}:{port}/", own_address());
    assert_eq!(world.says(&[], &ask), "hello\n");
    assert_eq!(world.says(&["--add-host", "me:host-gateway"], &format!("wget -qO- http://me:{port}/")), "hello\n");
    world.0.write("Dockerfile", format!("FROM busybox\nRUN {ask} > /said && grep hello /said\n"));
    world.onggi(&["build", "-t", "app", "."]).run().success();
    server.join().unwrap();
    wait_until("nothing runs any more", || world.holders().is_empty());
    // Sockets of those who are gone are not there either.
    let left = fs::read_dir(world.0.root().join("outer")).unwrap().flatten();
    assert_eq!(left.filter(|entry| entry.file_name() != "networks").count(), 0);
}

#[test]
#[ignore = "requires root: to be another user"]
fn d010_what_only_the_host_may_reach_is_not_reached_requires_root() {
    let world = World::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for address in ["127.0.0.1", "169.254.77.1", "169.254.77.2", "172.17.0.1"] {
        let said = world.says(&[], &format!("nc -w 2 {address} {port} </dev/null || echo refused"));
        assert_eq!(said, "refused\n", "{address}");
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
#[ignore = "requires root: to be another user"]
fn d010_who_needs_no_network_starts_none_requires_root() {
    let world = World::new();
    for network in ["none", "host"] {
        world.says(&["--network", network], "true");
    }
    world.0.write("Dockerfile", "FROM busybox\nRUN --network=none true\n");
    world.onggi(&["build", "-t", "app", "."]).run().success();
    assert!(!world.0.root().join("outer").exists());
}

#[test]
#[ignore = "requires root: to be another user"]
fn s052_streams_are_relayed_both_ways_to_their_ends_requires_root() {
    let world = World::new();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let publish = format!("127.0.0.1:{port}:80");
    let words = ["run", "--rm", "-i", "-p", &publish, "busybox", "sh", "-c", "nc -ll -p 80 -e cat & cat"];
    let mut child = world.onggi(&words).to_std().stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // A port that nobody in the container listens at yet is closed at once.
    wait_until("it answers", || {
        let mut answer = String::new();
        let ask = |mut stream: TcpStream| {
            stream.write_all(b"here")?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_to_string(&mut answer)
        };
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(ask).is_ok() && answer == "here"
    });
    let sent: Vec<u8> = (0..4 << 20_u32).map(|number| (number % 251) as u8).collect();
    let both = |number: usize| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let part = sent[number..].to_vec();
        let writing = std::thread::spawn(move || {
            writer.write_all(&part).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == sent[number..], "{} bytes of {}", received.len(), sent.len() - number);
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|number| scope.spawn(move || both(number))).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap());
    });
    drop(child.stdin.take());
    child.wait().unwrap();
    let gone = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::ConnectionRefused);
    let low = world.onggi(&["run", "--rm", "-p", "1:80", "busybox", "true"]).run().exits(125);
    assert!(low.stderr.contains("hint: ports below "), "{}", low.stderr);
}

#[test]
#[ignore = "requires root: to be another user"]
fn d011_those_who_run_at_once_share_one_network_requires_root() {
    let world = World::new();
    let mut first = world.start(&["--name", "first"]);
    let address = world.onggi(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "first"]).run().success().stdout;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| world.says(&[], &format!("ping -c 1 -W 5 {}", address.trim())));
        }
    });
    assert_eq!((world.holders().len(), world.helpers().len()), (1, 1));
    drop(first.stdin.take());
    first.wait().unwrap();
    wait_until("nothing runs any more", || world.holders().is_empty());
}

#[test]
#[ignore = "requires root: to be another user"]
fn d011_whoever_is_killed_the_next_has_a_network_requires_root() {
    let world = World::new();
    let (port, server) = server(own_address(), 4);
    let ask = format!("wget -qO- http://{}:{port}/", own_address());
    // Who started it, who holds it, who carries its packets, all of them.
    for victims in [[true, false, false], [false, true, false], [false, false, true], [true, true, true]] {
        let mut run = world.start(&[]);
        let (holder, helper) = (world.holders()[0], world.helpers()[0]);
        for (pid, is_victim) in [run.id(), holder, helper].into_iter().zip(victims) {
            if is_victim {
                kill(pid);
                wait_until("it is dead", || !is_alive(pid));
            }
        }
        assert_eq!(world.says(&[], &ask), "hello\n", "{victims:?}");
        drop(run.stdin.take());
        run.wait().unwrap();
        wait_until("nothing runs any more", || !is_alive(holder) && !is_alive(helper) && world.holders().is_empty());
    }
    server.join().unwrap();
}

#[test]
#[ignore = "requires root: to be another user"]
fn d011_what_was_before_a_reboot_does_no_harm_requires_root() {
    let world = World::new();
    let addresses = world.0.root().join("outer/networks/onggi0");
    fs::create_dir_all(&addresses).unwrap();
    // Nobody listens there, and process 1 of another boot has the address.
    drop(UnixListener::bind(world.0.root().join("outer/holder-1")).unwrap());
    fs::write(addresses.join("172.17.0.2"), "00000000-0000-0000-0000-000000000000 1 1 lost\n").unwrap();
    user().own(&world.0.root().join("outer"), &world.0.root().join("nothing"));
    let (port, server) = server(own_address(), 1);
    let said = world.says(&[], &format!("wget -qO- http://{}:{port}/", own_address()));
    assert_eq!(said, "hello\n");
    server.join().unwrap();
    assert!(!world.0.root().join("outer/holder-1").exists());
}

#[test]
#[ignore = "requires root: to be another user"]
fn d011_without_the_program_it_says_so_requires_root() {
    let world = World::new();
    let path = world.0.work().join("bin");
    fs::create_dir(&path).unwrap();
    for program in ["newuidmap", "newgidmap"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), path.join(program)).unwrap();
    }
    let without = |words: &[&str]| world.onggi(words).env("PATH", &path).run();
    let refused = without(&["run", "--rm", "busybox", "true"]).exits(125);
    assert!(refused.stderr.contains("caused by: the network has no way out: pasta: "), "{}", refused.stderr);
    assert!(refused.stderr.contains("installs pasta, which connects"), "{}", refused.stderr);
    without(&["run", "--rm", "--network", "none", "busybox", "true"]).success();
    without(&["run", "--rm", "--network", "host", "busybox", "true"]).success();
    wait_until("nothing runs any more", || world.holders().is_empty());
}

#[test]
#[ignore = "requires root: to be another user"]
fn d010_slirp4netns_does_where_pasta_is_missing_requires_root() {
    let world = World::new();
    let path = world.0.work().join("bin");
    fs::create_dir(&path).unwrap();
    for program in ["newuidmap", "newgidmap", "slirp4netns"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{program}"), path.join(program)).unwrap();
    }
    let (port, server) = server(own_address(), 1);
    let ask = format!("wget -qO- http://{}:{port}/", own_address());
    let said = world.onggi(&["run", "--rm", "busybox", "sh", "-c", &ask]).env("PATH", &path).run().success().stdout;
    assert_eq!(said, "hello\n");
    server.join().unwrap();
    wait_until("nothing runs any more", || world.holders().is_empty());
}

use super::*;

fn parsed(text: &str) -> Vec<String> {
    let show = |binding: &PortBinding| {
        let address = binding.host_address.map(|address| address.to_string()).unwrap_or_default();
        format!("{address}|{}|{}", binding.host_port(), binding.container)
    };
    text.parse::<PortSpec>().unwrap().0.iter().map(show).collect()
}

#[test]
fn c203_ports_are_written_as_with_docker() {
    for (text, bindings) in [
        ("80", &["||80/tcp"][..]),
        ("8080:80", &["|8080|80/tcp"]),
        ("0:80", &["||80/tcp"]),
        ("53:53/UDP", &["|53|53/udp"]),
        ("36412:36412/sctp", &["|36412|36412/sctp"]),
        ("127.0.0.1:8080:80", &["127.0.0.1|8080|80/tcp"]),
        ("127.0.0.1::80", &["127.0.0.1||80/tcp"]),
        ("[::1]:8080:80", &["::1|8080|80/tcp"]),
        ("::1:8080:80", &["::1|8080|80/tcp"]),
        ("8000-8001:9000-9001", &["|8000|9000/tcp", "|8001|9001/tcp"]),
        ("8000-8010:80", &["|8000-8010|80/tcp"]),
        ("9000-9001", &["||9000/tcp", "||9001/tcp"]),
        ("published=8080,target=80,protocol=udp", &["|8080|80/udp"]),
    ] {
        assert_eq!(parsed(text), bindings, "{text}");
    }
}

#[test]
fn c203_what_is_no_port_is_refused_with_dockers_words() {
    for (text, message) in [
        ("", "no port specified: <empty>"),
        ("8080:", "no port specified: 8080:<empty>"),
        ("abc:80", "invalid hostPort: abc"),
        ("8080:abc", "invalid containerPort: abc"),
        ("8080:0", "invalid containerPort: 0"),
        ("65536:80", "invalid hostPort: 65536"),
        ("8010-8000:80", "invalid hostPort: 8010-8000"),
        ("80/foo", "invalid proto: foo"),
        ("127.0.0:80:80", "invalid IP address: 127.0.0"),
        ("[::1:80:80", "invalid IP address: [::1"),
        ("1-3:1-2", "invalid ranges specified for container and host Ports: 1-2 and 1-3"),
        ("published=1,nonsense", "invalid publish opts format (should be name=value but got 'nonsense')"),
    ] {
        let error = text.parse::<PortSpec>().unwrap_err();
        assert_eq!((error.message.as_str(), error.exit_code), (message, Some(125)), "{text}");
    }
    let error = "80:80".parse::<ExposeSpec>().unwrap_err();
    assert_eq!(error.message, "invalid port format for --expose: 80:80");
    assert_eq!("7-8/udp".parse::<ExposeSpec>().unwrap().0.len(), 2);
}

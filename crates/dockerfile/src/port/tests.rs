use super::*;

#[test]
fn d134_ports() {
    for (word, expected) in [
        ("80", "80-80/tcp"),
        ("443/tcp", "443-443/tcp"),
        ("53/udp", "53-53/udp"),
        ("53/UDP", "53-53/udp"),
        ("9/sctp", "9-9/sctp"),
        ("80/", "80-80/tcp"),
        ("8000-8010", "8000-8010/tcp"),
        ("8000-8000/udp", "8000-8000/udp"),
        ("0", "0-0/tcp"),
        ("65535", "65535-65535/tcp"),
        ("8080:80", "80-80/tcp"),
        ("127.0.0.1:8080:80/udp", "80-80/udp"),
        ("http", "invalid port `http`"),
        ("", "invalid port ``"),
        ("65536", "invalid port `65536`"),
        ("-1", "invalid port `-1`"),
        ("+1", "invalid port `+1`"),
        ("80-", "invalid port `80-`"),
        ("90-80", "port range `90-80` ends before it begins"),
        ("80/http", "invalid protocol `http`"),
        ("80/tcp/udp", "invalid protocol `tcp/udp`"),
    ] {
        let found = match ExposedPort::parse(word) {
            Ok(port) => format!("{}-{}/{}", port.first, port.last, port.protocol),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{word}");
    }
}

#[test]
fn ranges_become_one_key_for_each_port() {
    let port = ExposedPort::parse("8000-8002/udp").expect("a range");
    assert_eq!(port.config_keys().collect::<Vec<_>>(), ["8000/udp", "8001/udp", "8002/udp"]);
    assert_eq!(ExposedPort::parse("0-65535").expect("a range").config_keys().count(), 65536);
}

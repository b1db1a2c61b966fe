use super::*;

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message
}

#[test]
fn a_question_is_read_and_answered() {
    let asked = query("Web.Example", TYPE_A);
    let question = Question::parse(&asked).unwrap();
    assert_eq!((question.name.as_str(), question.kind), ("web.example", TYPE_A));
    let answer = addresses(&asked, &question, &[Ipv4Addr::new(172, 18, 0, 2)]);
    assert_eq!(answer[..8], [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 1]);
    assert_eq!(answer[asked.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 172, 18, 0, 2]);
    assert_eq!(failure(&asked, &question)[3], 0x82);
}

#[test]
fn an_address_is_asked_for_by_its_digits_backwards() {
    let asked = query("2.0.18.172.in-addr.arpa", TYPE_PTR);
    let question = Question::parse(&asked).unwrap();
    assert_eq!(question.reverse_address(), Some(Ipv4Addr::new(172, 18, 0, 2)));
    let answer = name(&asked, &question, "web.net1");
    assert!(answer.ends_with(b"\x03web\x04net1\x00"));
    for other in ["web", "0.18.172.in-addr.arpa", "1.2.0.18.172.in-addr.arpa", "256.0.0.1.in-addr.arpa"] {
        let other = query(other, TYPE_PTR);
        assert_eq!(Question::parse(&other).unwrap().reverse_address(), None);
    }
}

#[test]
fn what_is_no_question_is_none() {
    let good = query("web", TYPE_A);
    for len in 0..good.len() {
        assert_eq!(Question::parse(&good[..len]), None, "{len} bytes");
    }
    let changed = |at: usize, byte: u8| {
        let mut message = good.clone();
        message[at] = byte;
        message
    };
    // An answer, two questions, a compressed name, another class.
    for (at, byte) in [(2, 0x80), (5, 2), (12, 0xc0), (good.len() - 1, 3)] {
        assert_eq!(Question::parse(&changed(at, byte)), None, "{at}");
    }
}

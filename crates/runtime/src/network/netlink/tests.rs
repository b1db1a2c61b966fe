use super::*;

fn request(kind: u16, flags: u16) -> Request {
    Request::new(kind, flags, "test", "thing")
}

/// Bytes of a little-endian machine, in hexadecimal with spaces where the reader likes them.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_request_has_header_length_flags_and_number() {
    let sealed = request(18, FLAG_ACK).sealed(7);
    assert_eq!(sealed, bytes("10000000 1200 0500 07000000 00000000"));
}

#[test]
fn attributes_are_padded_but_their_length_is_not() {
    let mut built = request(18, 0);
    built.string(3, "lo").attribute(1, &[1, 2, 3, 4, 5]).u32(4, 1400).u32_be(2, 1);
    let expected = "
        34000000 1200 0100 01000000 00000000
        0700 0300 6c6f00 00
        0900 0100 0102030405 000000
        0800 0400 78050000
        0800 0200 00000001";
    assert_eq!(built.sealed(1), bytes(expected));
}

#[test]
fn a_nested_attribute_spans_what_it_holds() {
    let mut built = request(16, 0);
    built.nested(18, |info| {
        info.attribute(1, b"veth").nested(2, |data| {
            data.raw(&[9]);
        });
    });
    let expected = "
        24000000 1000 0100 01000000 00000000
        1400 1200 0800 0100 76657468 0800 0200 09000000";
    assert_eq!(built.sealed(1), bytes(expected));
}

#[test]
fn attributes_are_read_back_without_their_flag_bits() {
    let read = |hex: &str| {
        let data = bytes(hex);
        Attributes(&data).map(|(kind, value)| (kind, value.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(read("0500 0300 61000000 0400 0180"), [(3, vec![0x61]), (1, vec![])]);
    // Hostile or cut off: read up to the damage, no panic, no endless loop.
    for (damaged, whole) in
        [("", 0), ("05", 0), ("0500 0100", 0), ("0000 0100", 0), ("0300 0100 00000000", 0), ("0400 0100 ffff 0200", 1)]
    {
        assert_eq!(read(damaged).len(), whole, "{damaged}");
    }
}

#[test]
fn answers_tell_how_a_request_ended() {
    let outcome = |hex: &str| {
        let data = bytes(hex);
        Messages(&data).map(|message| (message.sequence, message.outcome())).collect::<Vec<_>>()
    };
    let acknowledged = "14000000 0200 0000 05000000 00000000 00000000";
    let refused = "14000000 0200 0000 06000000 00000000 efffffff";
    let done = "10000000 0300 0200 07000000 00000000";
    let data = "10000000 1000 0000 08000000 00000000";
    assert_eq!(
        outcome(&[acknowledged, refused, done, data].concat()),
        [(5, Some(Ok(()))), (6, Some(Err(Errno::EXIST))), (7, Some(Ok(()))), (8, None)]
    );
    for damaged in ["", "10000000", "0f000000 0200 0000 05000000 00000000", "ffffffff 0200 0000 05000000 00000000"] {
        assert_eq!(outcome(damaged), [], "{damaged}");
    }
}

#[test]
fn the_kernel_answers_each_request_and_refuses_by_name() {
    let mut socket = Socket::open(None).unwrap();
    let link = |name: &str| {
        let mut request = Request::new(18, FLAG_ACK, "look up interface", name);
        request.raw(&[0; 16]).string(3, name);
        request
    };
    let mut answers = 0;
    let refusal =
        socket.transact(&mut [link("lo"), link("absent0"), link("lo")], &mut |_, _| answers += 1).unwrap_err();
    assert_eq!(refusal.to_string(), "the kernel refused to look up interface `absent0`");
    assert_eq!((refusal.source, answers), (Errno::NODEV, 2));
    // Nothing of the refused exchange is left in the socket.
    socket.execute(&mut [link("lo")]).unwrap();
}

use super::*;

/// Bytes of a little-endian machine, in hexadecimal with spaces where the reader likes them.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

impl FilterSocket {
    /// Makes a base chain as Docker and ufw have it.
    pub(in super::super) fn drop_by_default(&mut self, table: &str, chain: &str) {
        let mut request = message(NEW_CHAIN, FLAG_ACK, "change chain", chain);
        request.string(CHAIN_TABLE, table).string(CHAIN_NAME, chain).u32_be(CHAIN_POLICY, VERDICT_DROP);
        self.commit(vec![request]).unwrap();
    }
}

/// One expression's bytes, without the message round it.
fn encoded(expression: &Expression) -> Vec<u8> {
    let mut request = Request::new(0, 0, "test", "test");
    encode(&mut request, expression);
    request.sealed(0).split_off(16)
}

#[test]
fn chains_hang_in_a_hook_with_the_policy_to_accept() {
    assert_eq!(
        new_chain("onggi0", "forward", FORWARD).sealed(1),
        bytes(
            "54000000 030a 0504 01000000 00000000
             02000000
             0b00 0100 6f6e6767693000 00
             0c00 0300 666f727761726400
             1400 0480 0800 0100 00000002 0800 0200 00000000
             0800 0500 00000001
             0b00 0700 66696c74657200 00"
        )
    );
}

#[test]
fn an_interface_is_compared_with_its_terminating_zero() {
    let expected = "
        2400 0180 0900 0100 6d65746100 000000
            1400 0280 0800 0200 00000006 0800 0100 00000001
        2c00 0180 0800 0100 636d7000
            2000 0280 0800 0100 00000001 0800 0200 00000001 0c00 0380 0700 0100 6c6f00 00";
    assert_eq!(encoded(&Expression::InputIsNot("lo".to_owned())), bytes(expected));
}

#[test]
fn verdicts_are_written_to_the_verdict_register() {
    let expected = |code: &str| {
        format!(
            "3000 0180 0e00 0100 696d6d65646961746500 0000
             1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 {code}"
        )
    };
    assert_eq!(encoded(&Expression::Accept), bytes(&expected("00000001")));
    assert_eq!(encoded(&Expression::Drop), bytes(&expected("00000000")));
}

#[test]
fn connection_states_are_a_mask_in_host_order() {
    let data = encoded(&Expression::ConnectionState(STATE_ESTABLISHED_RELATED));
    let mask = bytes("0c00 0480 0800 0100 06000000 0c00 0580 0800 0100 00000000");
    assert!(data.windows(mask.len()).any(|window| window == mask), "{data:02x?}");
}

#[test]
fn comments_survive_the_rules_user_data() {
    for comment in ["", "onggi: 172.17.0.0/16", &"x".repeat(300)] {
        let data = comment_userdata(comment);
        assert_eq!(parse_comment(&data), Some(&comment[..comment.len().min(254)]));
    }
    // Other kinds of user data before it are skipped; damage is no comment.
    assert_eq!(parse_comment(&[1, 2, 9, 9, 0, 2, b'x', 0]), Some("x"));
    for damaged in [&[][..], &[0], &[0, 5, b'x'], &[1, 0]] {
        assert_eq!(parse_comment(damaged), None);
    }
}

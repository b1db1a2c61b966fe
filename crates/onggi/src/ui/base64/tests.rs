use super::base64;

#[test]
fn base64_is_rfc_4648s() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{ff}?", "w78/")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

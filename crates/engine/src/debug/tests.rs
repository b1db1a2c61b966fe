use super::quoted;

/// Read back by a real shell.
#[test]
fn n007_a_command_is_quoted_for_any_shell() {
    let words = ["/bin/sh", "-c", "echo 'it''s' \"$A\" && \\\nls", "", "a=b"].map(str::to_owned);
    let quoted = quoted(&words);
    assert!(quoted.starts_with("/bin/sh -c 'echo '"), "{quoted}");
    let script = format!("for word in {quoted}; do printf '%s\\0' \"$word\"; done");
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let read: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
    let expected: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).chain([&b""[..]]).collect();
    assert_eq!(read, expected);
}

use super::*;

#[test]
fn b013_platforms_have_one_spelling() {
    for (typed, expected) in [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("Linux/ARM64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("i386", "linux/386"),
        ("riscv64", "linux/riscv64"),
        ("windows/amd64", "windows/amd64"),
        ("macos/arm64", "darwin/arm64"),
    ] {
        let platform: Platform = typed.parse().unwrap();
        assert_eq!(platform.to_string(), expected, "{typed}");
        assert_eq!(expected.parse(), Ok(platform), "{typed}");
    }
    assert_eq!("linux".parse(), Ok(Platform::host()));
}

#[test]
fn b013_what_is_none_is_told_by_its_wrong_word() {
    for (typed, word) in [
        ("", ""),
        ("linux/", "linux/"),
        ("linux/amd64/v1/x", "linux/amd64/v1/x"),
        ("linux amd64", "linux amd64"),
        ("amd46", "amd46"),
        ("linux/amd46", "amd46"),
        ("linus/amd64", "linus"),
    ] {
        let error = typed.parse::<Platform>().unwrap_err();
        assert_eq!(error.word(), word, "{typed}");
        assert!(!error.candidates().is_empty());
    }
    let error = "linux/amd46".parse::<Platform>().unwrap_err();
    assert!(error.candidates().contains(&"amd64") && !error.candidates().contains(&"linux"));
}

#[test]
fn variants_do_not_matter_for_what_runs() {
    let platform = |text: &str| text.parse::<Platform>().unwrap();
    assert!(platform("linux/arm/v6").is_like(&platform("linux/arm")));
    assert!(!platform("linux/arm").is_like(&platform("linux/arm64")));
    assert!(!platform("linux/arm64").is_like(&platform("darwin/arm64")));
}

//! Names of platforms, as far as checks compare them.

use super::View;

/// `os/architecture[/variant]`, in the usual spelling.
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
    variant: String,
}

impl Platform {
    /// Reads `linux/arm64/v8`, `amd64` or `linux`; what is left out is that of the build. `None` for what is none.
    pub(super) fn parse(text: &str, view: &View<'_>) -> Option<Platform> {
        let good =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 3 || !parts.iter().all(|part| good(part)) {
            return None;
        }
        let (target_os, target) = view.input.target_platform.split_once('/').unwrap_or(("linux", ""));
        let target_architecture = target.split('/').next().unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [one] if is_os(one) => (*one, target_architecture, ""),
            [one] if is_architecture(one) => (target_os, *one, ""),
            [os, architecture] => (*os, *architecture, ""),
            [os, architecture, variant] => (*os, *architecture, *variant),
            _ => return None,
        };
        let (architecture, variant) = usual(architecture, variant);
        let os = if os == "macos" { "darwin" } else { os };
        Some(Platform { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.to_owned() })
    }

    /// With the variant where there is one.
    pub(super) fn shown(&self) -> String {
        let variant = if self.variant.is_empty() { String::new() } else { format!("/{}", self.variant) };
        format!("{}/{}{variant}", self.os, self.architecture)
    }
}

/// The spelling that images have (containerd's `platforms` normalises likewise).
fn usual<'p>(architecture: &'p str, variant: &'p str) -> (&'p str, &'p str) {
    match (architecture, variant) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        other => other,
    }
}

fn is_os(word: &str) -> bool {
    matches!(
        word,
        "linux"
            | "windows"
            | "darwin"
            | "macos"
            | "freebsd"
            | "netbsd"
            | "openbsd"
            | "dragonfly"
            | "solaris"
            | "wasip1"
            | "js"
            | "aix"
            | "illumos"
            | "plan9"
            | "android"
            | "ios"
    )
}

fn is_architecture(word: &str) -> bool {
    matches!(
        usual(word, "").0,
        "386"
            | "amd64"
            | "arm"
            | "arm64"
            | "loong64"
            | "mips"
            | "mips64"
            | "mips64le"
            | "mipsle"
            | "ppc64"
            | "ppc64le"
            | "riscv64"
            | "s390x"
            | "wasm"
    )
}

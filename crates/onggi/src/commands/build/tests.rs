use std::ffi::OsString;
use std::path::Path;

use engine::{BuildOptions, ContextSource, DockerfileSource, NetworkMode, Runtime};

use super::options;
use crate::cli::{Command, parse};
use crate::failure::Failure;

fn build(line: &str) -> Result<BuildOptions, Failure> {
    let words: Vec<OsString> = ["onggi", "build"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
    let Command::Build(args) = parse(&words).unwrap().command else { panic!("{line}") };
    let lookup = |name: &str| (name == "HTTP_PROXY").then(|| "http://proxy".to_owned());
    options(&args, &lookup, &|| Ok(b"FROM scratch".to_vec()), &|| Ok(None)).map(|(options, _)| options)
}

/// The folder that is the context.
fn folder(options: &BuildOptions) -> &Path {
    let ContextSource::Folder(folder) = &options.context else { panic!("{:?}", options.context) };
    folder
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// B001 to B005, B011, B017; S146.
#[test]
fn options_are_those_that_were_typed() {
    let options = build(
        "-t a -t b:v1 --build-arg A=1 --build-arg HTTP_PROXY --build-arg UNSET --label x=y --label z --target t \
         --no-cache --explain --network=host --runtime crun ctx",
    )
    .unwrap();
    assert_eq!(options.tags, ["a", "b:v1"]);
    assert_eq!(options.build_args, [pair("A", "1"), pair("HTTP_PROXY", "http://proxy")]);
    assert_eq!(options.labels, [pair("x", "y"), pair("z", "")]);
    assert_eq!(options.target.as_deref(), Some("t"));
    assert!(options.no_cache && options.explain);
    assert_eq!(options.network, NetworkMode::Host);
    assert_eq!(options.runtime, Runtime::External("crun".into()));
    assert_eq!(folder(&options), Path::new("ctx"));
    assert!(matches!(options.dockerfile, DockerfileSource::Default));
}

/// S081 to S085, S089, X6.
#[test]
fn dockerfile_and_context_are_found() {
    let plain = build("-t x").unwrap();
    assert_eq!(folder(&plain), Path::new("."), "X6");
    let file = build("-f example/MyDockerfile ./").unwrap();
    assert!(matches!(file.dockerfile, DockerfileSource::File(path) if path == Path::new("example/MyDockerfile")));
    for line in ["-f- .", "-f - .", "--file=- ."] {
        let stdin = build(line).unwrap();
        assert!(matches!(&stdin.dockerfile, DockerfileSource::Bytes(bytes) if bytes == b"FROM scratch"), "{line}");
        assert_eq!(folder(&stdin), Path::new("."));
    }
    let stream = build("-").unwrap();
    assert!(matches!((stream.context, stream.dockerfile), (ContextSource::Stdin(_), DockerfileSource::Default)));
    for context in ["https://example.com/x.git#a:b", "git@example.com:x", "github.com/a/b"] {
        let remote = build(context).unwrap();
        assert!(matches!(&remote.context, ContextSource::Remote(text) if text == context), "{context}");
    }
    let url = build("-f https://example.com/Dockerfile .").unwrap();
    assert!(matches!(url.dockerfile, DockerfileSource::Url(_)), "D012");
    let inside = build("-f x -").unwrap();
    assert!(matches!((inside.context, inside.dockerfile), (ContextSource::Stdin(_), DockerfileSource::File(_))));
    for line in ["-f - -", "--build-arg =1 .", "--label = ."] {
        assert!(build(line).is_err(), "{line}");
    }
}

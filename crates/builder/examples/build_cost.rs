//! What a build costs besides its commands: `build_cost FILES [ROUNDS]` copies that many small files, first into an
//! empty store, then again with nothing changed. Under `strace -f -c` or `perf stat` it shows where the time goes;
//! with ROUNDS 0 the folder of an earlier run is used, for a single build without the making of files.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use builder::{BuildRequest, BuildTools, ExecutorError, RunNetwork, RunRequest, StepExecutor, Stream};
use store::Store;

/// Commands that succeed without being run.
#[derive(Debug)]
struct Nothing;

impl StepExecutor for Nothing {
    fn run(&self, _: &RunRequest<'_>, _: &mut dyn FnMut(Stream, &[u8])) -> Result<u8, ExecutorError> {
        Ok(0)
    }
}

impl builder::Fetch for Nothing {
    fn image(&self, _request: &builder::ImageRequest<'_>) -> Result<bool, builder::FetchError> {
        Ok(false)
    }

    fn http(
        &self,
        _: &builder::HttpRequest<'_>,
        _: &mut dyn std::io::Write,
    ) -> Result<Option<builder::HttpHead>, builder::FetchError> {
        Err(unreachable_server())
    }

    fn git_commit(
        &self,
        _: &builder::GitRequest<'_>,
        _: &dyn Fn() -> Result<PathBuf, builder::FetchError>,
    ) -> Result<builder::GitCommit, builder::FetchError> {
        Err(unreachable_server())
    }

    fn git_tree(
        &self,
        _: &builder::GitRequest<'_>,
        _: &builder::GitCommit,
        _: bool,
        _: &Path,
    ) -> Result<builder::GitTree, builder::FetchError> {
        Err(unreachable_server())
    }
}

fn unreachable_server() -> builder::FetchError {
    builder::FetchError::new("nothing is fetched here", None)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize, default: usize| arguments.get(place).map_or(Ok(default), |text| text.parse());
    let (files, rounds) = (number(1, 10_000)?, number(2, 10)?);
    let folder = std::env::temp_dir().join(format!("onggi-build-cost-{files}"));
    let store = Store::open(&folder.join("store"))?;
    if rounds == 0 {
        return build(&store, &folder, false);
    }
    make_files(&folder.join("context"), files)?;
    for (name, no_cache, rounds) in [("first", false, 1), ("nothing changed", false, rounds), ("no cache", true, 3)] {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let began = Instant::now();
            build(&store, &folder, no_cache)?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        println!("{name}: {:.2} ms", times[times.len() / 2].as_secs_f64() * 1000.0);
    }
    Ok(())
}

/// A tree like a project's: folders of 50 files, half a kilobyte each on average.
fn make_files(context: &Path, files: usize) -> std::io::Result<()> {
    for number in 0..files {
        let path = context.join(format!("d{}/s{}/file{number}.js", number / 1000, number / 50));
        if path.exists() {
            continue;
        }
        std::fs::create_dir_all(path.parent().unwrap_or(context))?;
        std::fs::write(path, vec![b'x'; number % 1024])?;
    }
    Ok(())
}

fn build(store: &Store, folder: &Path, no_cache: bool) -> Result<(), Box<dyn std::error::Error>> {
    let context: PathBuf = folder.join("context");
    let dockerfile = "FROM scratch\nWORKDIR /app\nCOPY . .\nRUN [\"make\"]\nCOPY d0/s0 /more/\nCMD [\"/app/run\"]\n";
    let request = BuildRequest {
        dockerfile_name: "Dockerfile".to_owned(),
        dockerfile: dockerfile.as_bytes().to_vec(),
        context: Some(context.into()),
        named_contexts: Vec::new(),
        ignore_file: None,
        tags: vec!["cost".parse()?],
        target: None,
        build_args: Vec::new(),
        labels: Vec::new(),
        outputs: Vec::new(),
        platforms: Vec::new(),
        no_cache,
        cache_from: Vec::new(),
        cache_to: Vec::new(),
        no_cache_filter: Vec::new(),
        squash: false,
        times: builder::TimeOptions::default(),
        network: RunNetwork::Default,
        classic: None,
        run: builder::StepOptions::default(),
        explain: false,
        pull: false,
    };
    let cancelled = AtomicBool::new(false);
    let tools = BuildTools {
        store,
        executor: &Nothing,
        fetch: &Nothing,
        secrets: &|_| Ok(None),
        progress: &builder::Reporter::new(&|_| {}),
        clock: &jiff::Timestamp::now,
        cancelled: &cancelled,
    };
    builder::build(&request, &tools)?;
    Ok(())
}

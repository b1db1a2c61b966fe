//! Checks a store or an archive from outside: `cargo run -p testkit --example check -- /var/lib/onggi`.

use std::path::PathBuf;
use std::process::ExitCode;

use testkit::checker;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]
fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: check STORE|ARCHIVE");
        return ExitCode::FAILURE;
    };
    let images = if path.is_dir() { checker::store_images(&path) } else { checker::check_archive(&path) };
    match images {
        Ok(images) => {
            for image in images {
                let (layers, paths) = (image.diff_ids.len(), image.tree.len());
                println!("{} {layers} layers, {paths} paths, names {:?}", image.id, image.names);
            }
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

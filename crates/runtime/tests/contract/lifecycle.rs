//! Exit codes, signals, start errors, processes left behind, many at once.

use runtime::{ExitStatus, Stdio};

use super::harness::*;

contract! {
    fn exit_codes_are_passed_on(executor) {
        let bed = Bed::new();
        for (text, code) in [("exit 0", 0), ("exit 1", 1), ("exit 42", 42), ("exit 255", 255)] {
            assert_eq!(script(executor, &bed, text).status, ExitStatus::Exited(code), "{text}");
        }
    }

    fn a_signal_is_told_as_docker_tells_it(executor) {
        let bed = Bed::new();
        for (signal, code) in [(9, 137), (15, 143)] {
            // PID 1 dies of SIGTERM only if it handles it, so the shell's child is the one that is killed.
            let output = script(executor, &bed, &format!("sh -c 'kill -{signal} $$'; exit $?"));
            assert_eq!(output.status.docker_code(), code, "{output:?}");
        }
        let (process, _streams) = start(executor, bed.spec(&["sleep", "1000"]));
        process.signal(9).unwrap();
        assert_eq!(process.wait().unwrap().docker_code(), 137);
        assert_eq!(process.wait().unwrap().docker_code(), 137, "asked twice");
    }

    fn signals_reach_the_program(executor) {
        let bed = Bed::new();
        let (process, [_stdin, mut stdout, _stderr]) =
            start(executor, bed.spec(&["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"]));
        let mut ready = [0; 6];
        std::io::Read::read_exact(&mut stdout, &mut ready).unwrap();
        assert_eq!(process.try_wait().unwrap(), None);
        process.signal(15).unwrap();
        assert_eq!(process.wait().unwrap(), ExitStatus::Exited(7));
        assert!(process.signal(15).is_err(), "it has ended");
    }

    fn start_errors_have_dockers_codes_and_words(executor) {
        let bed = Bed::new();
        std::fs::write(bed.root().join("etc/plain"), "x").unwrap();
        let table = [
            ("nosuch", 127, r#"exec: "nosuch": executable file not found in $PATH"#),
            ("", 127, "executable file not found in $PATH"),
            ("/no/such", 127, "no such file or directory"),
            ("/etc/plain", 126, "permission denied"),
        ];
        for (program, code, words) in table {
            let error = start_error(executor, bed.spec(&[program]));
            assert_eq!(error.docker_code(), code, "{program}: {}", chain(&error));
            assert!(error.to_string().contains(words), "{program}: {}", chain(&error));
        }
        let error = start_error(executor, bed.spec(&["/etc"]));
        assert_eq!(error.docker_code(), 126, "{}", chain(&error));
    }

    fn a_spec_without_program_is_refused(executor) {
        let bed = Bed::new();
        let error = start_error(executor, bed.spec(&[]));
        assert_eq!((error.docker_code(), error.to_string().contains("args")), (125, true));
    }

    fn grandchildren_end_with_the_container(executor) {
        let bed = Bed::new();
        // Holds the write end of stdout; the reader sees its end only when all are gone.
        let text = "setsid sleep 4711 & sleep 4711 & echo started";
        let output = script(executor, &bed, text);
        assert_eq!(output.good(), "started\n");
        eventually("no sleep 4711 is left", || {
            !std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
                std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x004711\x00")
            })
        });
    }

    fn a_dropped_process_is_killed(executor) {
        let bed = Bed::new();
        let (process, streams) = start(executor, bed.spec(&["sleep", "1000"]));
        let pid = process.pid();
        drop((process, streams));
        eventually("the container is gone", || {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line != b"sleep\x001000\x00"
        });
    }

    fn twenty_run_at_once(executor) {
        let bed = Bed::new();
        std::thread::scope(|scope| {
            for number in 0..20 {
                let bed = &bed;
                scope.spawn(move || {
                    let output = script(executor, bed, &format!("hostname >/dev/null; echo $$; exit {number}"));
                    assert_eq!((output.status, output.stdout.as_str()), (ExitStatus::Exited(number), "1\n"));
                });
            }
        });
    }

    fn nothing_is_left_on_the_host(executor) {
        let bed = Bed::new();
        let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
        let before = mounts();
        script(executor, &bed, "true").good();
        assert_eq!(mounts(), before);
        let names: Vec<_> = std::fs::read_dir(bed.root().join("dev")).unwrap().collect();
        assert!(names.is_empty(), "{names:?}");
    }

    fn closed_stdin_is_end_of_file_and_streams_stay_apart(executor) {
        let bed = Bed::new();
        let output = run_with_input(executor, bed.spec(&["sh", "-c", "cat; echo error >&2; cat"]), b"input\n").unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("input\n", "error\n"));
        let process = executor.start(bed.spec(&["sh", "-c", "read x; test -z \"$x\""]), Stdio::null()).unwrap();
        assert_eq!(process.wait().unwrap(), ExitStatus::Exited(0));
    }
}

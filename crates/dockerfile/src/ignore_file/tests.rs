use super::*;
use crate::source::SourceMap;

fn file(lines: &str) -> IgnoreFile {
    IgnoreFile::parse(lines.as_bytes()).unwrap_or_else(|problems| panic!("{lines:?}: {problems:?}"))
}

/// Ignore file, then paths: with `-` in front for those left out, `+` for those that belong to the context.
const CASES: &[(&str, &str)] = &[
    // names
    ("node_modules", "-node_modules -node_modules/a -node_modules/a/b +src/node_modules +node_modules2 +src"),
    ("npm-debug.log", "-npm-debug.log +npm-debug.log.1 +a/npm-debug.log"),
    (".git", "-.git -.git/HEAD +.gitignore +a/.git"),
    ("README.md", "-README.md +readme.md +docs/README.md"),
    ("src/app.js", "-src/app.js +app.js +src/app.jsx"),
    ("이미지", "-이미지 -이미지/a +이미"),
    // forms of the same name
    ("/build", "-build -build/x +a/build"),
    ("build/", "-build -build/x"),
    ("./build", "-build -build/x"),
    ("/build/", "-build"),
    ("build//out", "-build/out +build"),
    ("build/./out", "-build/out"),
    ("build/../out", "-out +build"),
    ("../out", "+out"),
    ("/../out", "-out"),
    ("  build  ", "-build"),
    ("\tbuild\t", "-build"),
    ("build\r", "-build"),
    ("", "+a"),
    (".", "+a +b/c"),
    ("/", "+a +b/c"),
    // comments
    ("# build\nout", "+build -out +#"),
    ("#build", "+build +#build"),
    (" #build", "-#build"),
    ("\\#build", "-#build"),
    ("a#b", "-a#b"),
    // one star
    ("*", "-a -a/b -.hidden"),
    ("*.log", "-a.log -.log +a.log2 +x/a.log"),
    ("*/temp*", "-a/temporary.txt -a/temp +temp +a/b/temp"),
    ("*/*/temp*", "-a/b/temporary.txt +a/temp"),
    ("temp*", "-temp -tempa -tempa/x +a/temp"),
    ("a*/b", "-a/b -ax/b -ax/b/c +a/c/b"),
    ("a/*", "-a/b -a/b/c +a"),
    ("a/*/c", "-a/b/c -a/b/c/d +a/c +a/b/b/c"),
    ("*a*b*", "-ab -xaybz +ba"),
    ("*.*", "-a.b -. +a"),
    // question mark
    ("temp?", "-tempa -temp1 +temp +tempab"),
    ("?", "-a -옹 +ab +옹기 -a/b"),
    ("a?b", "-axb +a/b +ab"),
    ("a??", "-axy +ax"),
    // classes
    ("[ab]", "-a -b +c +ab"),
    ("[a-c].txt", "-b.txt +d.txt"),
    ("[^a-c].txt", "-d.txt +b.txt"),
    ("[!a]x", "-!x -ax +bx"),
    ("file[0-9][0-9]", "-file01 +file1"),
    ("[가-나]", "-각 +다"),
    ("[[]", "-[ +a"),
    ("a[.]b", "-a.b +axb"),
    ("[\\]]", "-]"),
    ("[a\\-c]", "-a -- +b"),
    // backslash
    ("\\*", "-* +a"),
    ("a\\?b", "-a?b +axb"),
    ("a\\\\b", "-a\\b"),
    ("\\!a", "-!a +a"),
    ("\\a", "-a"),
    // no meaning in Go
    ("{a,b}", "-{a,b} +a"),
    ("a.c", "-a.c +abc"),
    ("a+", "-a+ +aa"),
    ("(a|b)", "-(a|b) +a"),
    ("$x^", "-$x^"),
    // two stars at the beginning
    ("**/node_modules", "-node_modules -a/node_modules -a/b/node_modules/c +node_modules2 +xnode_modules"),
    ("**/*.go", "-a.go -x/a.go -x/y/a.go +a.gox"),
    ("**/.git", "-.git -a/.git +a.git"),
    ("**/a/b", "-a/b -x/a/b -x/a/b/c +a/x/b +xa/b"),
    ("**/temp?", "-temp1 -a/temp2 +a/temp"),
    ("**file", "-file -a/file -myfile -a/myfile +files"),
    ("**.txt", "-a.txt -x/a.txt"),
    ("**/a*b/c", "-ab/c -x/axb/c +x/ab"),
    ("**/", "-a -a/b"),
    ("**", "-a -a/b -.hidden"),
    ("**/**", "-a -a/b"),
    ("**/*", "-a -a/b"),
    ("**/[ab]", "-a -x/b +x/c"),
    // two stars at the end
    ("dir/**", "+dir -dir/a -dir/a/b +dir2 +x/dir/a"),
    ("dir**", "-dir -dir2 -dir/a -dirx/y"),
    ("a/b/**", "-a/b/c +a/b +a/c"),
    ("**/dir/**", "-dir/a -x/dir/a/b +dir +x/dir"),
    ("*/**", "-a/b +a"),
    ("a?/**", "-ab/c +ab +a/c"),
    // two stars in the middle
    ("a/**/b", "-a/b -a/x/b -a/x/y/b -a/x/b/c +a/xb +b"),
    ("a/**/*.txt", "-a/b.txt -a/x/b.txt +b.txt +a/b.md"),
    ("a**/*.txt", "-a/b.txt -a/x/y/b.txt -a.txt +b.txt"),
    ("a**b", "-ab -a/b -ax/b -axy/z/b +axb"),
    ("a/**/b/**/c", "-a/b/c -a/x/b/y/z/c +a/c"),
    ("**/**/a", "-a -x/a -x/y/a"),
    ("a***b", "-ab -axb +a-c"),
    ("a/**/**/b", "-a/b -a/x/b"),
    // exceptions: the last match decides
    ("*.md\n!README.md", "-a.md +README.md"),
    ("!README.md\n*.md", "-README.md -a.md"),
    ("*.md\n!README*.md\nREADME-secret.md", "-a.md +README.md +README-x.md -README-secret.md"),
    ("*.md\nREADME-secret.md\n!README*.md", "+README-secret.md -a.md"),
    ("*\n!src", "-a +src +src/a +src/a/b"),
    ("*\n!src\nsrc/tmp", "+src/a -src/tmp -src/tmp/x"),
    ("**\n!src/app", "-src -src/b +src/app +src/app/x"),
    ("**\n!**/*.js", "-a.md +a.js +x/y/a.js -x/y"),
    ("docs\n!docs/README.md", "-docs -docs/a +docs/README.md"),
    ("docs/\n!docs/README.md", "-docs/a +docs/README.md"),
    ("docs/*\n!docs/README.md", "+docs -docs/a +docs/README.md"),
    ("docs/**\n!docs/api/**", "-docs/a -docs/api +docs/api/x"),
    ("a\n!a/b\na/b/c", "-a -a/x +a/b +a/b/x -a/b/c"),
    ("a/b\n!a", "+a +a/b"),
    ("!a", "+a +b"),
    ("! a\na", "-a"),
    ("a\n! a", "+a"),
    ("a\n!/a", "+a"),
    ("a\n!./a/", "+a"),
    ("a\n  !a  ", "+a"),
    ("*\n!*/", "+a +a/b"),
    ("*\n!!a", "-a +!a"),
    ("*\n!package*.json\n!src/**", "+package.json -src +src/a -other"),
    (".*\n!.env", "-.git +.env +a"),
    ("*\n!.", "-a"),
    ("**/*\n!**/keep", "-a +keep +a/keep +a/keep/x"),
    ("**/bin\n!vendor/bin", "-bin -x/bin/y +vendor/bin +vendor/bin/y"),
    // the examples of the reference
    (
        "# comment\n*/temp*\n*/*/temp*\ntemp?",
        "-a/temporary.txt -a/temp -a/b/temporary.txt -tempa -tempb +temp +comment",
    ),
    (
        "node_modules\nnpm-debug.log\npackage-lock.json\n.git\nREADME.md",
        "+app.js +package.json -package-lock.json -.git/x",
    ),
    ("build\n\n\n  \nout", "-build -out +other"),
];

#[test]
fn paths_against_files() {
    let mut paths = 0;
    let mut wrong = Vec::new();
    for (lines, marked) in CASES {
        let file = file(lines);
        for path in marked.split(' ') {
            let (mark, path) = path.split_at(1);
            paths += 1;
            if file.ignores(path.as_bytes()) != (mark == "-") {
                wrong.push(format!("{lines:?} {mark}{path}"));
            }
            assert_eq!(walked(&file, path.as_bytes()), file.ignores(path.as_bytes()), "walk of {lines:?} {path}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(paths >= 300, "{} files, {paths} paths", CASES.len());
}

/// The same as a walker sees it, which never enters folders that may be skipped.
fn walked(file: &IgnoreFile, path: &[u8]) -> bool {
    let mut folder = file.root();
    for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        if file.check(&folder, &path[..at], true) == Verdict::Skipped {
            return true;
        }
        folder = file.enter(&folder, &path[..at]);
    }
    file.check(&folder, path, false) != Verdict::Included
}

/// At the beginning of the file, and nowhere else.
#[test]
fn d166_a_byte_order_mark_is_skipped() {
    let file = file("\u{feff}build\n\u{feff}out");
    assert!(file.ignores(b"build"));
    assert!(!file.ignores(b"out"));
    assert!(file.ignores("\u{feff}out".as_bytes()));
    assert!(file_of_comment().ignores(b"b"));
}

fn file_of_comment() -> IgnoreFile {
    file("\u{feff}# comment\nb")
}

#[test]
fn folders_that_need_not_be_entered() {
    use Verdict::{Ignored, Included, Skipped};
    for (lines, folder, expected) in [
        ("node_modules", "node_modules", Skipped),
        ("node_modules", "src", Included),
        ("**/node_modules\n!README.md", "a/node_modules", Skipped),
        ("**/node_modules\n!**/README.md", "a/node_modules", Ignored),
        ("*\n!src", "other", Skipped),
        ("*\n!src", "src", Included),
        ("*\n!src/app", "src", Ignored),
        ("*\n!src/app", "srcs", Skipped),
        ("*\n!src/app", "src/app", Included),
        ("*\n!src/app", "src/other", Skipped),
        ("*\n!src/**", "src", Ignored),
        ("*\n!src/**/a", "src/x/y", Ignored),
        ("*\n!src*/**", "srcs", Ignored),
        ("*\n!s*/a", "src", Ignored),
        ("*\n!s*/a", "other", Skipped),
        ("*\n!s*/a", "src/x", Skipped),
        ("*\n!*.md", "src", Skipped),
        ("*\n!**.md", "src", Ignored),
        ("*\n!a/b\na", "a", Skipped),
        ("!a/b\n*", "a", Skipped),
        ("**\n!x/**/y/z", "x", Ignored),
        ("**\n!x/**/y/z", "w", Skipped),
    ] {
        assert_eq!(file(lines).matches(folder.as_bytes(), true), expected, "{lines:?} {folder}");
    }
}

#[test]
fn malformed_lines_are_all_told() {
    for (lines, expected) in [
        ("[", "1:1 malformed pattern `[`: `[` is never closed"),
        ("a\n!\nb", "2:1 malformed pattern `!`: an exception needs a pattern behind `!`"),
        ("! ", "1:1 malformed pattern `!`: an exception needs a pattern behind `!`"),
        ("a\\", "1:1 malformed pattern `a\\`: a backslash at the end protects nothing"),
        ("[]a]", "1:1 malformed pattern `[]a]`: the class is empty, or a range in it has no end"),
        ("[a-]", "1:1 malformed pattern `[a-]`: the class is empty, or a range in it has no end"),
        ("[-a]", "1:1 malformed pattern `[-a]`: a range in the class has no beginning"),
        ("[z-a]", "1:1 malformed pattern `[z-a]`: a range in the class ends before it begins"),
        (
            "ok\n[a\nok\n!b[",
            "2:1 malformed pattern `[a`: `[` is never closed; 4:1 malformed pattern `!b[`: `[` is never closed",
        ),
    ] {
        let problems = IgnoreFile::parse(lines.as_bytes()).expect_err(lines);
        let map = SourceMap::new(lines.as_bytes());
        let told: Vec<String> = problems
            .iter()
            .map(|problem| {
                let at = map.line_column(problem.span.start);
                assert!(problem.help.is_some());
                format!("{}:{} {}", at.line, at.column, problem.message)
            })
            .collect();
        assert_eq!(told.join("; "), expected, "{lines:?}");
    }
    assert!(IgnoreFile::parse(b"caf\xe9").is_err());
    assert!(IgnoreFile::parse(&vec![b'a'; MAX_LENGTH + 1]).is_err());
}

#[test]
fn the_deciding_line_is_known() {
    let file = file("# all\n*\n\n!docs\ndocs/*.tmp\n");
    let explain =
        |path: &str| file.explain(path.as_bytes()).map(|rule| (rule.line, rule.exception, rule.pattern.as_str()));
    assert_eq!(explain("a"), Some((2, false, "*")));
    assert_eq!(explain("docs/x"), Some((4, true, "docs")));
    assert_eq!(explain("docs/x.tmp"), Some((5, false, "docs/*.tmp")));
    assert_eq!(IgnoreFile::default().explain(b"a"), None);
}

#[test]
fn names_of_any_bytes() {
    assert!(file("a?b").ignores(b"a\xffb"));
    assert!(file("*.c").ignores(b"\xe9.c"));
    assert!(!file("a?b").ignores(b"a\xff\xfeb"));
    assert!(file("a b").ignores(b"a b"));
    assert!(file("**/x").ignores(b"\xff\xfe/x"));
}

#[test]
fn patterns_from_flags() {
    let excludes = IgnoreFile::from_patterns(["*.md", "!README.md"]).expect("good");
    assert!(excludes.ignores(b"a.md") && !excludes.ignores(b"README.md"));
    assert_eq!(excludes.rules().count(), 2);
    assert!(IgnoreFile::from_patterns(["["]).is_err());
    assert!(IgnoreFile::from_patterns([]).expect("good").is_empty());
}

#[test]
fn cleaned_paths() {
    for (path, expected) in [
        ("", "."),
        (".", "."),
        ("a", "a"),
        ("a/", "a"),
        ("a//b", "a/b"),
        ("./a/./b", "a/b"),
        ("a/..", "."),
        ("a/../..", ".."),
        ("../../a", "../../a"),
        ("/", "/"),
        ("/..", "/"),
        ("/../a", "/a"),
        ("/a/b/..", "/a"),
    ] {
        assert_eq!(clean(path), expected, "{path}");
    }
}

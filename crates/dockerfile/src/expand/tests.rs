use super::*;

fn value(name: &str) -> Option<&'static str> {
    Some(match name {
        "v" => "value",
        "empty" => "",
        "path" => "/usr/local/lib.tar.gz",
        "abab" => "abab",
        "two" => "one two",
        "star" => "a*b",
        "한" => "글",
        "slash" => "a/b/c",
        "quoted" => "\"q\"",
        "dollar" => "$v",
        "brace" => "a}b",
        "uni" => "옹기옹기",
        _ => return None,
    })
}

fn expand(word: &str, escape: char) -> String {
    match Expander::new(escape).expand(word, &value) {
        Ok(expanded) => expanded.text,
        Err(error) => format!("error at {}: {error}", error.offset),
    }
}

/// Word and result, by operator (D050 to D057).
const CASES: &[(&str, &str)] = &[
    // plain
    ("", ""),
    ("plain", "plain"),
    ("$v", "value"),
    ("${v}", "value"),
    ("a$v-b", "avalue-b"),
    ("$v$v", "valuevalue"),
    ("$vx", ""),
    ("${v}x", "valuex"),
    ("$unset", ""),
    ("${unset}", ""),
    ("$", "$"),
    ("a$", "a$"),
    ("$ v", "$ v"),
    ("$/x", "$/x"),
    ("$1abc", "abc"),
    ("$$", ""),
    ("$v.$v", "value.value"),
    ("$한", "글"),
    ("$dollar", "$v"),
    ("$quoted", "\"q\""),
    // defaults
    ("${v:-x}", "value"),
    ("${v-x}", "value"),
    ("${empty:-x}", "x"),
    ("${empty-x}", ""),
    ("${unset:-x}", "x"),
    ("${unset-x}", "x"),
    ("${unset:-}", ""),
    ("${unset:-a b}", "a b"),
    // alternatives
    ("${v:+x}", "x"),
    ("${v+x}", "x"),
    ("${empty:+x}", ""),
    ("${empty+x}", "x"),
    ("${unset:+x}", ""),
    ("${unset+x}", ""),
    // required
    ("${v:?x}", "value"),
    ("${v?x}", "value"),
    ("${empty?x}", ""),
    ("${empty:?give one}", "error at 0: empty: give one"),
    ("a${unset?give one}", "error at 1: unset: give one"),
    ("${unset:?give one}", "error at 0: unset: give one"),
    ("${unset?}", "error at 0: unset: is not allowed to be unset"),
    ("${empty:?}", "error at 0: empty: is not allowed to be unset or empty"),
    // nesting
    ("${unset:-${v}}", "value"),
    ("${unset:-$v}", "value"),
    ("${unset:-${unset:-${v}}}", "value"),
    ("${unset:-a${v}b}", "avalueb"),
    ("${v:+${path}}", "/usr/local/lib.tar.gz"),
    ("${unset:-'}'}", "}"),
    ("${unset:-\"}\"}", "}"),
    ("${unset:-\\}}", "}"),
    // prefixes
    ("${path#*/}", "usr/local/lib.tar.gz"),
    ("${path##*/}", "lib.tar.gz"),
    ("${path#/usr}", "/local/lib.tar.gz"),
    ("${path#usr}", "/usr/local/lib.tar.gz"),
    ("${path#}", "/usr/local/lib.tar.gz"),
    ("${v#?}", "alue"),
    ("${v##*}", ""),
    ("${v#*}", "value"),
    ("${v#$v}", ""),
    ("${unset#x}", ""),
    ("${star#a\\*}", "b"),
    ("${star#a\\?}", "a*b"),
    ("${uni#?}", "기옹기"),
    ("${brace#a\\}}", "b"),
    ("${v#\\x}", "error at 0: invalid escape in the pattern `\\x`"),
    // suffixes
    ("${path%.*}", "/usr/local/lib.tar"),
    ("${path%%.*}", "/usr/local/lib"),
    ("${path%.gz}", "/usr/local/lib.tar"),
    ("${path%tar}", "/usr/local/lib.tar.gz"),
    ("${v%?}", "valu"),
    ("${v%%*}", ""),
    ("${star%\\*b}", "a"),
    ("${uni%기}", "옹기옹"),
    ("${uni%%옹*}", ""),
    ("${uni%옹*}", "옹기"),
    ("${abab%b*}", "aba"),
    ("${abab%%b*}", "a"),
    // replacement
    ("${abab/a/x}", "xbab"),
    ("${abab//a/x}", "xbxb"),
    ("${abab/a/}", "bab"),
    ("${abab//a/}", "bb"),
    ("${abab/z/x}", "abab"),
    ("${abab/a*/x}", "x"),
    ("${abab//?/x}", "xxxx"),
    ("${slash//\\//-}", "a-b-c"),
    ("${slash/\\//-}", "a-b/c"),
    ("${v/$v/$path}", "/usr/local/lib.tar.gz"),
    ("${unset/a/b}", ""),
    ("${uni//기/$v}", "옹value옹value"),
    ("${star/\\*/x}", "axb"),
    // escapes
    ("\\$v", "$v"),
    ("\\${v}", "${v}"),
    ("\\\\$v", "\\value"),
    ("a\\b", "ab"),
    ("\\", ""),
    ("a\\", "a"),
    ("\\\"", "\""),
    ("\\'", "'"),
    // quotes
    ("'$v'", "$v"),
    ("\"$v\"", "value"),
    ("'a'\"b\"c", "abc"),
    ("''", ""),
    ("\"\"", ""),
    ("\"a'b\"", "a'b"),
    ("'a\"b'", "a\"b"),
    ("\"a\\\"b\"", "a\"b"),
    ("\"a\\$v\"", "a$v"),
    ("\"a\\\\b\"", "a\\b"),
    ("\"a\\nb\"", "a\\nb"),
    ("'a\\'", "a\\"),
    ("\"${unset:-a b}\"", "a b"),
    ("\"${v:+\"x\"}\"", "x"),
    ("John\\ Doe", "John Doe"),
    ("\"John Doe\"", "John Doe"),
    // mistakes
    ("'a", "error at 0: the closing quote `'` is missing"),
    ("x\"a", "error at 1: the closing quote `\"` is missing"),
    ("\"a\\\"", "error at 0: the closing quote `\"` is missing"),
    ("${", "error at 0: the closing `}` is missing"),
    ("${v", "error at 0: the closing `}` is missing"),
    ("a${v:-x", "error at 1: the closing `}` is missing"),
    ("${v:", "error at 0: the closing `}` is missing"),
    ("${v#x", "error at 0: the closing `}` is missing"),
    ("${v/x}", "error at 0: the second `/` is missing"),
    ("${v/x/y", "error at 0: the closing `}` is missing"),
    ("${}", "error at 0: the variable's name is missing"),
    ("${:-x}", "error at 0: the variable's name is missing"),
    ("${{v}", "error at 0: the variable's name is missing"),
    ("${v^^}", "error at 3: unsupported modifier `^`"),
    ("${v:=x}", "error at 3: unsupported modifier `:=`"),
    ("${v:0:1}", "error at 3: unsupported modifier `:0`"),
    ("${v:#x}", "error at 3: unsupported modifier `:#`"),
    ("${v:}", "error at 3: unsupported modifier `:}`"),
    ("${v!}", "error at 3: unsupported modifier `!`"),
];

#[test]
fn d050_to_d057_every_operator() {
    for (word, expected) in CASES {
        assert_eq!(expand(word, '\\'), *expected, "{word}");
    }
}

#[test]
fn d002_backtick_as_escape_character() {
    for (word, expected) in [
        ("`$v", "$v"),
        ("c:\\$v", "c:\\value"),
        ("\"a`\"b\"", "a\"b"),
        ("``", "`"),
        ("\\$v", "\\value"),
        ("${unset:-`}}", "}"),
    ] {
        assert_eq!(expand(word, '`'), expected, "{word}");
    }
}

#[test]
fn words_split_at_unquoted_blanks() {
    let cases: &[(&str, &[&str])] = &[
        ("a b", &["a", "b"]),
        ("$two", &["one", "two"]),
        ("\"$two\"", &["one two"]),
        ("x$two", &["xone", "two"]),
        ("'a b' c", &["a b", "c"]),
        ("a\\ b", &["a b"]),
        ("$empty", &[]),
        ("  a   b  ", &["a", "b"]),
        ("$unset x", &["x"]),
        ("80 $v/tcp", &["80", "value/tcp"]),
    ];
    for (word, expected) in cases {
        let (words, _) = Expander::new('\\').expand_words(word, &value).expect(word);
        assert_eq!(words, *expected, "{word}");
    }
}

#[test]
fn d059_unset_and_used_variables_are_reported() {
    let report = |word: &str| {
        let expanded = Expander::new('\\').expand(word, &value).expect(word);
        (expanded.unset.join(","), expanded.used.join(","))
    };
    assert_eq!(report("$a $v ${b} $a"), ("a,b".to_owned(), "v".to_owned()));
    assert_eq!(report("${a:-x} ${b+x} ${v:-x}"), (String::new(), "v".to_owned()));
    assert_eq!(report("'$a' \\$b plain"), (String::new(), String::new()));
    assert_eq!(report("${a#x} ${b/x/y}"), ("a,b".to_owned(), String::new()));
}

#[test]
fn d058_one_instruction_sees_one_state() {
    // D058: `ENV a=bye b=$a` with a closure over the state before the line.
    let before = |name: &str| (name == "a").then_some("hello");
    let values: Vec<String> =
        ["bye", "$a"].iter().map(|word| Expander::new('\\').expand(word, &before).expect("good").text).collect();
    assert_eq!(values, ["bye", "hello"]);
}

#[test]
fn names_of_steps_keep_quotes_and_unset_variables() {
    for (text, expected) in [
        ("COPY $v /app", "COPY value /app"),
        ("RUN echo \"$v\" '$v'", "RUN echo \"value\" '$v'"),
        ("RUN echo $HOME ${HOME} ${HOME:-x}", "RUN echo $HOME ${HOME} ${HOME:-x}"),
        ("RUN echo ${x##y} ${x/a/b} ${x//a/b}", "RUN echo ${x##y} ${x/a/b} ${x//a/b}"),
    ] {
        let expanded = Expander::for_display('\\').expand(text, &value).expect(text);
        assert_eq!(expanded.text, expected);
    }
    assert!(Expander::for_display('\\').expand("RUN echo it's", &value).is_err());
}

#[test]
fn d124_quotes_in_heredocs_are_text() {
    let expanded = Expander::for_heredoc('\\').expand("it's \"$v\" \\$v", &value).expect("good");
    assert_eq!(expanded.text, "it's \"value\" $v");
}

#[test]
fn checking_needs_no_values() {
    let expander = Expander::new('\\');
    assert_eq!(expander.check("${a:?needed} ${b?}"), Ok(()));
    assert!(expander.check("${a").is_err());
    assert!(expander.check("'").is_err());
}

#[test]
fn hostile_words_are_refused_in_time() {
    let nested = "${a:-".repeat(100_000);
    let error = Expander::new('\\').expand(&nested, &value).expect_err("too deep");
    assert_eq!(error.kind, ExpandErrorKind::Depth);
    let long = "x".repeat(1 << 20);
    let lookup = |_: &str| Some(long.as_str());
    let error = Expander::new('\\').expand(&"$a".repeat(1000), &lookup).expect_err("too long");
    assert_eq!(error.kind, ExpandErrorKind::Length);
    let error = Expander::new('\\').expand("${a//x/$a}", &lookup).expect_err("too long");
    assert_eq!(error.kind, ExpandErrorKind::Length);
    let searched = Expander::new('\\').expand("${a//*y/z}", &lookup).expect("no match");
    assert_eq!(searched.text.len(), long.len());
    assert!(Expander::new('\\').expand("${a%%*x*x*x*y}", &lookup).is_ok());
}

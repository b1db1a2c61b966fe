use serde_json::{Value, json};

use super::{Mode, Template};

fn data() -> Value {
    json!({
        "Repository": "hello-name", "Tag": "v2", "ID": "e3b6a0b0d1f2", "Size": "351MB", "Count": 3, "Zero": 0,
        "Ratio": 1.5, "Yes": true, "Empty": "", "Nothing": null, "Created": "2026-11-21T04:30:17Z",
        "Id": "sha256:e3b6",
        "Config": {
            "Env": ["PATH=/bin", "NAME=dojin"], "Cmd": ["node", "./app.js"], "Entrypoint": null, "Nothing": null,
            "Labels": {"b.c": "2", "a": "1"}, "User": ""
        },
        "RootFS": {"Type": "layers", "Layers": ["sha256:aa", "sha256:bb"]}
    })
}

fn render(template: &str) -> Result<String, String> {
    let data = data();
    Template::parse(template)
        .and_then(|parsed| parsed.render(&data, Mode::Data))
        .map_err(|error| format!("{}: {}", template.get(error.span.clone()).unwrap_or("?"), error.message))
}

#[test]
fn templates_of_every_form_render() {
    for (template, expected) in [
        ("plain", "plain"),
        ("{{.Repository}}:{{.Tag}}", "hello-name:v2"),
        ("{{ .Repository }}", "hello-name"),
        ("{{.Config.Env}}", "[PATH=/bin NAME=dojin]"),
        ("{{.Config.Labels}}", "map[a:1 b.c:2]"),
        ("{{.Config.Nothing}}", "<no value>"),
        ("{{.Nothing.Deeper}}", "<no value>"),
        ("{{.Count}} {{.Ratio}} {{.Yes}}", "3 1.5 true"),
        ("{{.id}}", "e3b6a0b0d1f2"),
        ("{{.Id}}", "sha256:e3b6"),
        ("{{json .Config.Cmd}}", r#"["node","./app.js"]"#),
        ("{{.Config.Cmd | json}}", r#"["node","./app.js"]"#),
        ("{{json .Config.User}}{{json .Nothing}}", "\"\"null"),
        (r#"{{join .Config.Cmd " "}}"#, "node ./app.js"),
        (r#"{{join .Config.Entrypoint ","}}"#, ""),
        (r#"{{split .Created "T"}}"#, "[2026-11-21 04:30:17Z]"),
        (r#"{{index (split .Created "T") 0}}"#, "2026-11-21"),
        ("{{upper .Tag}} {{.Size | lower}} {{title \"a bc d_e\"}}", "V2 351mb A Bc D_e"),
        ("{{truncate .ID 4}}|{{pad .Tag 1 2}}|{{pad .Empty 1 2}}|", "e3b6| v2  ||"),
        ("{{len .RootFS.Layers}} {{len .Repository}} {{len .Config.Labels}}", "2 10 2"),
        ("{{index .RootFS.Layers 0}}", "sha256:aa"),
        (r#"{{index .Config.Labels "b.c"}}{{index .Config.Labels "none"}}"#, "2"),
        ("{{slice .ID 0 4}} {{slice .Config.Env 1}}", "e3b6 [NAME=dojin]"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "PATH=/bin\nNAME=dojin\n"),
        ("{{range $i, $e := .Config.Cmd}}{{$i}}={{$e}} {{end}}", "0=node 1=./app.js "),
        ("{{range $e := .Config.Cmd}}{{$e}}{{$.Tag}} {{end}}", "nodev2 ./app.jsv2 "),
        ("{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}};{{end}}", "a:1;b.c:2;"),
        ("{{range .Config.Entrypoint}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{if .Yes}}a{{else}}b{{end}}{{if .Zero}}c{{else if .Count}}d{{else}}e{{end}}", "ad"),
        ("{{if and .Yes .Count}}both{{end}}{{or .Empty .Tag}}", "bothv2"),
        ("{{if not .Empty}}empty{{end}}", "empty"),
        ("{{with .Config}}{{.Cmd}}{{end}}{{with .Nothing}}x{{else}}y{{end}}", "[node ./app.js]y"),
        ("{{with $x := .Tag}}{{$x}}{{end}}", "v2"),
        ("{{$x := 1}}{{range .Config.Cmd}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{if eq .Tag \"v1\" \"v2\"}}eq{{end}}{{if ne .Count 4}}ne{{end}}", "eqne"),
        ("{{if lt .Count 4}}lt{{end}}{{if ge .Ratio 1}}ge{{end}}{{if gt \"b\" \"a\"}}gt{{end}}", "ltgegt"),
        (
            "{{printf \"%-6s|%5s|%03d|%q|%.1f|%%|%x|%t|%v\" .Tag .Tag .Count .Tag .Ratio 255 true .Config.Cmd}}",
            "v2    |   v2|003|\"v2\"|1.5|%|ff|true|[node ./app.js]",
        ),
        ("{{print 1 2 \"a\" 3}}{{println}}", "1 2a3\n"),
        ("{{ (index .Config.Cmd 0) | upper }}", "NODE"),
        ("{{(.Config).User}}{{(.Config).Cmd}}", "[node ./app.js]"),
        ("a {{- .Tag -}} b", "av2b"),
        ("a{{/* comment */}}b {{- /* c */ -}} d", "abd"),
        ("{{`raw \\n`}}{{\"esc\\t\\\"\"}}", "raw \\nesc\t\""),
        ("{{urlquery \"a b/c\"}}", "a+b%2Fc"),
        ("{{html \"<a href='x'>&\\\"\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"),
        ("{{js \"it's <b>=\\n\"}}", "it\\'s \\u003Cb\\u003E\\u003D\\u000A"),
        ("{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}.", "02."),
        ("{{range 2}}{{range 3}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}};{{end}}", "0;0;"),
        // What Docker's structures have and its JSON leaves out.
        ("{{.Config.ExposedPorts}} {{.Config.Volumes}} {{.Config.StopSignal}} {{.Config.Shell}}", "map[] map[]  []"),
        ("{{json .Config.ExposedPorts}}{{if .Config.Healthcheck}}x{{end}}{{range .Config.Volumes}}x{{end}}", "null"),
        ("{{.Variant}}|{{.Config.Healthcheck}}|{{.Config.Entrypoint}}", "|<nil>|[]"),
        ("{{-1}}{{0x10}}{{1.5}}{{true}}", "-1161.5true"),
        ("}} and { {", "}} and { {"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn mistakes_name_the_place() {
    let deep = format!("{{{{{}1{}}}}}", "(".repeat(100), ")".repeat(100));
    for (template, expected) in [
        ("{{.Foo}}", ".Foo: there is no field `.Foo`"),
        ("{{.Config.Foo}}", ".Foo: there is no field `.Foo`"),
        ("{{.Tag.Foo}}", ".Foo: a text has no field `.Foo`"),
        ("{{foo}}", "foo: there is no function `foo`"),
        ("{{ID}}", "ID: there is no function `ID`"),
        ("{{$x}}", "$x: there is no variable `$x`"),
        ("{{$x = 1}}", "1: there is no variable `$x`"),
        ("{{.ID", "{{: `{{` is never closed by `}}`"),
        ("{{if .ID}}x", "if: `{{if}}` is never closed by `{{end}}`"),
        ("{{if .ID}}x{{else}}y{{else}}z{{end}}", "else: second `{{else}}`"),
        ("{{end}}", "end: `{{end}}` without `if`, `with` or `range` before it"),
        ("{{else}}", "else: `{{else}}` without `if`, `with` or `range` before it"),
        ("{{}}", "{{: nothing to print"),
        ("{{.ID | }}", "{{: nothing on one side of `|`"),
        ("{{.ID | .Tag}}", ".Tag: only a function can stand behind `|`"),
        ("{{.ID .Tag}}", ".Tag: only a function can have arguments"),
        ("{{join .Tag \",\"}}", "join: `join` needs a list and got a text"),
        ("{{join .Tag}}", "join: function `join` does not take 1 argument"),
        ("{{index .Config.Cmd 7}}", "index: index 7 is out of range: the list has 2 elements"),
        ("{{index .Tag 0}}", "index: `index` cannot look up a number in a text"),
        ("{{slice .ID 5 2}}", "slice: `slice` from 5 to 2 is out of range: the length is 12"),
        ("{{range .Tag}}{{end}}", ".Tag: `range` cannot go over a text"),
        ("{{upper .Count}}", "upper: `upper` needs a text and got a number"),
        ("{{lt .Count .Tag}}", "lt: `lt` compares two numbers or two texts"),
        ("{{printf \"%d\" .Tag}}", "printf: `%d` of `printf` does not fit a text"),
        ("{{printf \"%s\"}}", "printf: `printf` has no value for `%s`"),
        ("{{printf \"x\" 1}}", "printf: `printf` has 1 more value than its format"),
        ("{{printf \"%9999s\" .Tag}}", "printf: `printf` has a width over 1000"),
        ("{{printf \"%\"}}", "printf: `%` at the end of the format of `printf`"),
        ("{{printf \"%y\" 1}}", "printf: `printf` does not know `%y`"),
        ("{{\"open}}", "\": text is never closed by a quote"),
        ("{{`open}}", "`: text is never closed by a quote"),
        ("{{\"\\z\"}}", "\\: unknown escape in a quoted text"),
        ("{{12ab}}", "12ab: `12ab` is not a number"),
        ("{{.ID ! }}", "!: unexpected character `!`"),
        ("{{(.ID}}", "(: `(` is never closed"),
        ("{{.ID)}}", "): this does not belong here"),
        ("{{:= 1}}", ":=: this does not belong here"),
        ("{{$a, $b}}", "}}: this does not belong here"),
        ("{{/* open}}", "{{: comment is never closed by `*/}}`"),
        ("{{template \"x\"}}", "template: `{{template}}` is not supported"),
        ("{{break}}", "break: `{{break}}` outside of `range`"),
        ("{{range .Config.Cmd}}{{end}}{{continue}}", "continue: `{{continue}}` outside of `range`"),
        (&deep, "(: template is nested too deeply"),
        ("{{and}}", "and: `and` needs arguments"),
    ] {
        assert_eq!(render(template), Err(expected.to_owned()), "{template}");
    }
}

#[test]
fn hints_name_what_there_is() {
    let template = Template::parse("{{.Foo}}").unwrap();
    let error = template.render(&json!({"ID": "x", "Tag": "y"}), Mode::Data).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("use one of `.ID`, `.Tag`"));
}

/// Docker makes a table's header by filling in the titles; its functions leave them alone.
#[test]
fn headers_are_not_changed_by_functions() {
    let titles = json!({"ID": "IMAGE ID", "CreatedSince": "CREATED"});
    for (template, expected) in [
        ("{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}", "IMAGE ID\tCREATED"),
        ("{{lower .ID}} {{truncate .ID 3}} {{json .CreatedSince}}", "IMAGE ID IMAGE ID CREATED"),
        ("{{join .ID \",\"}}", "IMAGE ID"),
    ] {
        assert_eq!(Template::parse(template).unwrap().render(&titles, Mode::Header).as_deref(), Ok(expected));
    }
}

/// Nothing that is typed may bring the program down.
#[test]
fn no_beginning_of_a_template_panics() {
    let whole =
        "a{{- range $i, $e := .Config.Env -}}{{printf \"%-5s\" $e | json}}{{else if (eq 1 -2.5)}}한글{{`x`}}{{end}}";
    for (end, _) in whole.char_indices() {
        drop(render(&whole[..end]));
        drop(render(&whole[end..]));
    }
}

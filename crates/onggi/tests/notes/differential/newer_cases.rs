//! Dockerfiles for BuildKit as it is now: what the tools of Debian 12 do not understand yet. Its built-in grammar has
//! no `--parents`, which comes with a front end from a registry only.
//!
//! `@HTTP@` stands for a web server on this machine, `@WORK@` for the folder around the context.

/// A Dockerfile with the words that both command lines get, and files that its context has besides the usual ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) dockerfile: &'static str,
    pub(super) flags: &'static [&'static str],
    pub(super) files: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str, dockerfile: &'static str) -> Case {
    Case { name, dockerfile, flags: &[], files: &[] }
}

impl Case {
    const fn flags(self, flags: &'static [&'static str]) -> Self {
        Self { flags, ..self }
    }

    const fn files(self, files: &'static [(&'static str, &'static str)]) -> Self {
        Self { files, ..self }
    }
}

pub(super) const MOUNTS: &[Case] = &[
    case(
        "bind",
        "FROM busybox AS one\nRUN mkdir -p /out/d && echo 1 > /out/d/f\nFROM busybox\nWORKDIR /w\n\
         RUN --mount=target=/c find /c | sort > /list; touch /c/new || echo refused > /r\n\
         RUN --mount=target=/c,rw touch /c/new && ls /c > /names\n\
         RUN --mount=type=bind,from=one,source=/out,target=rel cat rel/d/f > /seen; pwd > /pwd\n\
         RUN --mount=from=busybox,dst=/b ls /b/bin | head -n 3 > /applets\n\
         RUN --mount=from=one,src=/out/d/f,destination=/file cat /file > /file-seen; stat -c '%a %u %F' /file >> /file-seen\n\
         RUN --mount=target=/a.txt,source=a.txt --mount=type=tmpfs,target=/t cp /a.txt /t/b && cat /t/b > /both\n",
    ),
    case(
        "mount traces",
        "FROM busybox\nRUN --mount=target=/deep/er/c true\nRUN --mount=type=cache,target=/cache/deep touch /cache/deep/x /cache/y\n\
         RUN --mount=type=tmpfs,target=/tmpfs touch /tmpfs/x\nRUN --mount=type=secret,id=s,target=/s/e/c test -f /s/e/c || true\n\
         RUN --mount=target=/etc/c mkdir /etc/d\nRUN --mount=type=tmpfs,target=/home/node rmdir /home/node || echo busy > /busy\n",
    )
    .flags(&["--secret", "id=s,src=@WORK@/secret"]),
    case(
        "cache",
        "FROM busybox\nRUN --mount=type=cache,target=/c echo 1 >> /c/n && stat -c '%a %u:%g' /c > /first\n\
         RUN --mount=type=cache,target=/c echo 2 >> /c/n && cat /c/n > /second\n\
         RUN --mount=type=cache,id=other,target=/c,uid=1000,gid=5,mode=0700 ls /c > /third; stat -c '%a %u:%g' /c >> /third\n\
         RUN --mount=type=cache,id=/c,target=/d,ro cat /d/n > /fourth; touch /d/x || echo refused >> /fourth\n\
         RUN --mount=type=cache,target=/e,from=busybox,source=/etc ls /e > /fifth\n\
         ENV WHERE=/f\nRUN --mount=type=cache,target=$WHERE,sharing=locked touch $WHERE/x; ls $WHERE > /sixth\n",
    ),
    case(
        "tmpfs",
        "FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=64k stat -f -c '%b %S' /t > /size; stat -c '%a %u:%g' /t >> /size; \
         dd if=/dev/zero of=/t/x bs=1k count=100 2>/dev/null; stat -c %s /t/x >> /size\n",
    ),
    case(
        "secret",
        "FROM busybox\nRUN --mount=type=secret,id=s stat -c '%a %u:%g %s' /run/secrets/s > /one\n\
         RUN --mount=type=secret,id=s,mode=0440,uid=1000,gid=5,target=/here cat /here > /two; stat -c '%a %u:%g' /here >> /two\n\
         RUN --mount=type=secret,id=s,env=VALUE echo \"$VALUE\" > /three; ls /run >> /three 2>&1 || true\n\
         RUN --mount=type=secret,id=missing ls /run/secrets/missing 2>&1 | tail -n 1 > /four\n\
         RUN --mount=type=secret,id=s,target=rel cat rel > /five\n\
         WORKDIR /w\nRUN --mount=type=secret,id=s,target=rel cat /w/rel > /six\n\
         RUN --mount=type=secret,id=e,env=E --mount=type=secret,id=s,required=true echo $E > /seven\nUSER node\n\
         RUN --mount=type=secret,id=s cat /run/secrets/s 2>/tmp/err; wc -l < /tmp/err > /tmp/eight; rm /tmp/err\n",
    )
    .flags(&["--secret", "id=s,src=@WORK@/secret", "--secret", "id=e,env=HOME"]),
    case(
        "ssh",
        "FROM busybox\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK && stat -c '%a %u:%g' $SSH_AUTH_SOCK > /one\n\
         RUN --mount=type=ssh,mode=0666,uid=1000,gid=5,target=/agent stat -c '%a %u:%g' /agent > /two; echo $SSH_AUTH_SOCK >> /two\n\
         RUN --mount=type=ssh,id=none true\n",
    )
    .flags(&["--ssh", "default=@WORK@/agent"]),
];

pub(super) const DOCUMENTS: &[Case] = &[
    case(
        "run documents",
        "FROM busybox\nENV N=env\nARG A=arg\nRUN <<EOF\necho $N $A > /one\nset -- a b; echo $# >> /one\nEOF\n\
         RUN <<'EOF'\necho \"$N\" '\\n' > /two\nEOF\nRUN <<-EOF\n\techo tabs > /three\n\t\tcat <<-END >> /three\n\t\tin\n\t\tEND\n\tEOF\n\
         RUN <<EOF sh\necho \"$0\" > /four\nEOF\nRUN <<EOF cat > /five\n$N \\$N\nEOF\n\
         RUN <<A cat > /f1 && <<\"B\" cat > /f2\n$N\nA\n$N\nB\nRUN cat <<one - <<two > /six; cat /dev/fd/3 >> /six || true\n1\none\n2\ntwo\n\
         SHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN <<EOF\necho shell $- > /seven\nEOF\n",
    ),
    case(
        "interpreters",
        "FROM busybox\nRUN <<EOF\n#!/bin/sh -e\necho \"$0\" > /one\nEOF\nRUN <<EOF\n#!/bin/busybox cat\nseen\nEOF\n",
    ),
    case(
        "copied documents",
        "FROM busybox\nARG A=arg\nENV N=env\nWORKDIR /w\nCOPY <<EOF one\n$N ${A} \\$N ${A:-x} ${M:-none}\n\\\\ \"q\" 'q'\nEOF\n\
         COPY <<'EOF' two\n$N\nEOF\nCOPY <<-EOF /three\n\ttab\n\t  $A\n\tEOF\nCOPY --chmod=755 --chown=node a.txt <<x <<\"y\" /many/\n1 $A\nx\n2 $A\ny\n\
         ADD <<EOF /four\nadded\nEOF\nCOPY <<EOF /five/\nname\nEOF\nCOPY <<EOF /empty\nEOF\nCOPY --link <<EOF /six/seven\n8\nEOF\n",
    ),
    case(
        "trigger documents",
        "FROM busybox AS base\nONBUILD COPY <<EOF /t\n$HOME-$X\nEOF\nONBUILD RUN <<EOF\necho run > /r\nEOF\nFROM base\nENV X=1\n",
    ),
];

pub(super) const COPIES: &[Case] = &[
    case(
        "link",
        "FROM busybox\nRUN mkdir -m 700 /real && ln -s /real /linked && echo old > /real/old\n\
         COPY --link a.txt /real/\nCOPY --link folder /linked/\nCOPY --link --chown=7:8 folder /owned/deep\nCOPY --link a.txt b.txt /etc/\n\
         ADD --link archive.tar /unpacked/\nCOPY --link --chmod=640 folder /modes/\n",
    ),
    case(
        "exclude",
        "FROM busybox\nCOPY --exclude=inner folder /a\nCOPY --exclude=inner/file --exclude=top folder /b\nCOPY --exclude=**/file . /c\n\
         COPY --exclude=*.txt --exclude=odd . /d\nCOPY --exclude=folder/** --exclude=!folder/top . /e\n",
    ),
    case(
        "attributes",
        "FROM busybox AS one\nADD attributes.tar /a/\nRUN cp -a /a/d/server /b && mv /a/d/noted /c\nFROM busybox\n\
         COPY --from=one /a /a\nCOPY --from=one --chown=5:6 --chmod=755 /a/d/server /d\nCOPY --from=one --link /b /c /e/\n\
         ADD --chown=7:8 attributes.tar /f/\nRUN chmod 700 /a/d/server && chown 5 /f/d/server && mv /e/c /g && touch /a/d\n",
    ),
    case(
        "symbolic modes",
        "FROM busybox\nCOPY --chmod=u+x a.txt /a\nCOPY --chmod=go-r,u=rw folder /b\nCOPY --chmod=a+rX folder /c\n\
         COPY --chmod=+x b.txt /d\nCOPY --chmod=g=u,o= odd /e\nCOPY --chmod=u+s,g+s,+t script.sh /f\nCOPY --chmod=ug=rwx,o=rX odd /g\n\
         ADD --chmod=a= a.txt /h\nCOPY --chmod=u-w,+r folder /i\n",
    ),
    case(
        "owners",
        "FROM busybox\nRUN echo 'late:x:77:88::/:/bin/sh' >> /etc/passwd && echo 'staff:x:99:' >> /etc/group\n\
         COPY --chown=late a.txt /a\nCOPY --chown=late:staff folder /b\nCOPY --chown=:staff a.txt /c\nCOPY --chown=12 a.txt /d\n\
         COPY --chown=late:5 --from=busybox /etc /e\nADD --chown=node:node archive.tar a.txt /f/\nUSER late\nCOPY a.txt /g\nWORKDIR /h/i\n",
    ),
    case(
        "symlinked destinations",
        "FROM busybox\nRUN mkdir /real && ln -s real /rel && ln -s /real /abs && ln -s ../../../real /up && ln -s /not-there /dangling && \
         ln -s /real/file /to-file && echo old > /real/file\nCOPY a.txt /rel/1\nCOPY a.txt /abs/2\nCOPY a.txt /up/3\n\
         COPY a.txt /dangling/4\nCOPY a.txt /to-file\nCOPY folder /rel/\nCOPY folder /abs\nADD archive.tar /up/\nWORKDIR /rel/w\nCOPY b.txt .\n",
    ),
    case(
        "named contexts",
        "FROM busybox\nCOPY --from=other . /a\nCOPY --from=other o.txt /b/\nRUN --mount=from=other,target=/o cat /o/o.txt > /c\n\
         COPY --from=image /bin/true /d\nFROM stage\nRUN true\nFROM busybox AS stage\nRUN echo not me > /wrong\nFROM busybox\n\
         COPY --from=0 /a /a\nCOPY --from=stage /etc/passwd /e\n",
    )
    .flags(&[
        "--build-context", "other=@WORK@/other", "--build-context", "image=docker-image://busybox", "--build-context",
        "stage=docker-image://localhost/busybox",
    ]),
    case(
        "ignore patterns",
        "FROM busybox\nCOPY . /all\nCOPY folder /folder\n",
    )
    .files(&[(
        ".dockerignore",
        "\u{feff}# comment\n  b.txt  \n/with space.txt\n*.gz\narchive.*\n!archive.tar\n**/inner\n!folder/inner/file\nodd/*\n!odd/s*\n\
         odd/sub/../X\nlogs/?.log\n#odd\n\n./script.sh\nignored/\n!ignored/x\n[a-c].txt\n!a.txt\n",
    )]),
    case("own ignore file", "FROM busybox\nCOPY . /all\n").files(&[("Dockerfile.dockerignore", "*\n!a.txt\n!logs\n")]),
    case("ignored Dockerfile", "FROM busybox\nCOPY . /all\n").files(&[(".dockerignore", "Dockerfile\n.dockerignore\n**/f*\n")]),
    case("ignore all but", "FROM busybox\nCOPY . /all\n").files(&[(".dockerignore", "**\n!folder/**\nfolder/top\n!odd/links/one\n")]),
];

pub(super) const SOURCES: &[Case] = &[
    case(
        "http",
        "FROM busybox\nADD @HTTP@/plain.txt /a\nADD @HTTP@/plain.txt /b/\nADD --chmod=755 --chown=node @HTTP@/plain.txt /c\n\
         ADD @HTTP@/archive.tar /d/\nADD --unpack=true @HTTP@/archive.tar /e/\nADD --unpack=false archive.tar /f/\n\
         ADD --checksum=sha256:dacf36547c7774a0a170806363b5d412991fbc0d6260b2c00b1d3a80a816c23f @HTTP@/x/y/plain.txt?q=1 /g/\n\
         ADD @HTTP@/named /h/\nADD --link @HTTP@/plain.txt /i/j\nADD --unpack=true archive.tar /k\n",
    ),
    case(
        "git",
        "FROM busybox\nADD @HTTP@/repo.git#main /a\nADD --keep-git-dir=false @HTTP@/repo.git#v1:sub /b\n\
         ADD @HTTP@/repo.git?tag=v1&subdir=sub /c\nADD --chown=5:6 --exclude=*.md @HTTP@/repo.git /d\n\
         ADD @HTTP@/repo.git?branch=main /e/\n",
    ),
    case(
        "keep git dir",
        "FROM busybox\nADD --keep-git-dir=true @HTTP@/repo.git#main /src\nRUN ls -a /src > /list && cat /src/.git/HEAD > /head && rm -r /src/.git\n",
    ),
];

pub(super) const LANGUAGE: &[Case] = &[
    case(
        "operators",
        "FROM busybox\nARG A=abc.tar.gz\nARG EMPTY=\nENV U=/usr/local/lib\n\
         ENV A1=${A:-x} A2=${EMPTY:-x} A3=${NONE:-x} A4=${EMPTY-x} A5=${NONE-x} A6=${A:+y} A7=${EMPTY:+y} A8=${EMPTY+y} A9=${NONE+y}\n\
         ENV B1=${A#*.} B2=${A##*.} B3=${A%.*} B4=${A%%.*} B5=${U#/*/} B6=${U##*/} B7=${U%/*} B8=${A%\\?} B9=${A#a?c}\n\
         ENV C1=${A/a/X} C2=${A//a/X} C3=${U/\\//_} C4=${U//\\//_} C5=${A/./} C6=${A/[ab]/Z} C7=${A//?/q} C8=${U/lo*l/}\n\
         ENV D1=${NONE:-${A}} D2=${NONE:-${EMPTY:-${U}}} D3=\\$A D4='$A' D5=\"$A\" D6=\"\\$A\" D7=$A$U D8=${A}b D9=\\\\$A\n\
         ENV E1=$ E2=\"a $ b\" E3=a\\ b E4=\"a\\\"b\" E5='a\"b' E6=${A:-\"q u\"} E7=$NONE.x\n\
         LABEL l=${A%%.*} \"$A\"=key\nWORKDIR /w/${A%.gz}\nEXPOSE ${NONE:-80}\nUSER ${EMPTY:-node}\nSTOPSIGNAL ${NONE:-9}\nVOLUME /v/$A\n\
         COPY ${NONE:-a.txt} /x/${A##*.}/\n",
    ),
    case(
        "scopes",
        "ARG G=global\nARG BASE=busy\nARG TARGETPLATFORM\nFROM ${BASE}box AS one\nARG G\nARG LOCAL=${G}-1\nENV ONE=$LOCAL NONE=$TARGETOS\nFROM one\n\
         ARG G=again\nENV TWO=$G-$LOCAL-$BASE\nARG TARGETOS\nARG TARGETARCH=mine\nARG BUILDPLATFORM\nENV P=$TARGETOS/$TARGETARCH/$BUILDPLATFORM\n\
         ARG B C=3\nENV BC=$B$C\nENV D=env\nARG C=4\nRUN echo $C $D $B $G > /seen\nARG HTTP_PROXY\nRUN echo \"$HTTP_PROXY\" > /proxy\nARG UNSET\nRUN env | grep -c UNSET > /unset || true\n",
    )
    .flags(&["--build-arg", "B=given", "--build-arg", "BASE=busy", "--build-arg", "NOT_USED=1", "--build-arg", "HTTP_PROXY=http://p:1"]),
    case(
        "sandbox name",
        "FROM busybox\nRUN hostname > /one; grep -c -w box /etc/hosts >> /one\nARG BUILDKIT_SANDBOX_HOSTNAME\nRUN echo $BUILDKIT_SANDBOX_HOSTNAME > /two\n",
    )
    .flags(&["--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=box"]),
    case("env and arg", "FROM busybox\nENV C=env\nARG C=arg\nENV D=$C\nRUN echo $C > /seen\nENV C=again\nRUN echo $C $D >> /seen\n"),
    case("unclean workdir", "FROM busybox\nWORKDIR /a/b/../c\nRUN pwd > /seen\n"),
    case(
        "proxies",
        "FROM busybox\nRUN echo $HTTP_PROXY $no_proxy > /seen\nARG VERSION=1\nRUN echo $VERSION > /v\n",
    )
    .flags(&["--build-arg", "HTTP_PROXY=http://p:1", "--build-arg", "no_proxy=x"]),
    case(
        "target",
        "FROM busybox AS first\nRUN echo 1 > /1\nFROM first AS Second\nENV S=2\nFROM busybox\nRUN false\n",
    )
    .flags(&["--target", "second"]),
    case(
        "fallbacks",
        "FROM busybox\nRUN [\"sh\", \"-c\", \"echo $HOME > /one\"]\nRUN ['sh', 'single'] 2>/dev/null || echo fell > /two\nRUN [ -d /etc ] && echo test > /three\n\
         CMD ['a', 'b']\nENTRYPOINT [\"a\", b]\n",
    ),
    case("exec forms", "FROM busybox\nENV X=1\nRUN [\"/bin/busybox\", \"touch\", \"/a b\", \"/$X\"]\nENTRYPOINT [\"$X\", \"\\u0041\", \"a\\\\b\"]\nCMD []\n"),
    case("cleared", "FROM busybox AS base\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\nFROM base\nENTRYPOINT []\n"),
    case("cleared shell", "FROM busybox AS base\nCMD [\"b\"]\nFROM base\nENTRYPOINT top\n"),
    case(
        "shells",
        "FROM busybox AS base\nSHELL [\"/bin/busybox\", \"ash\", \"-x\", \"-c\"]\nRUN echo \"$0\" > /a\nFROM base\nRUN echo again > /b\nCMD top\n\
         ENTRYPOINT run it\nHEALTHCHECK CMD check it\nONBUILD RUN echo $0\n",
    ),
    case(
        "health checks",
        "FROM busybox AS base\nHEALTHCHECK --interval=1m30s --timeout=1500ms --start-period=2h --start-interval=7s --retries=5 CMD [\"a\", \"b\"]\n\
         FROM base\nRUN true\n",
    ),
    case(
        "users",
        "FROM busybox\nUSER 1000\nRUN id > /tmp/a; echo $HOME >> /tmp/a\nUSER node:daemon\nRUN id > /tmp/b\nUSER 5:6\nRUN id > /tmp/c; echo $HOME >> /tmp/c\nUSER root\n\
         RUN id > /tmp/d\nUSER :5\n",
    ),
    case(
        "volumes",
        "FROM busybox\nVOLUME /a /b\nRUN mkdir /a && echo 1 > /a/1\nCOPY a.txt /b/\nVOLUME [\"/c d\", \"/e\"]\nVOLUME $NONE/f\nWORKDIR /a\nRUN touch in\nUSER node\nVOLUME /g\n",
    ),
    case(
        "workdirs",
        "FROM busybox\nRUN ln -s /tmp /link && mkdir -m 700 /mine\nWORKDIR /link/x\nWORKDIR ../y\nWORKDIR /mine/deep/er\nUSER 1000:5\nWORKDIR /u/v\nWORKDIR \"/with space\"\n\
         WORKDIR 'quoted'\nWORKDIR /a/./c//d/\nRUN pwd > /tmp/pwd\nENV D=/e\nWORKDIR ${D}\nWORKDIR $NONE/f\n",
    ),
    case(
        "exposed",
        "FROM busybox\nENV P=70\nEXPOSE 80 443/tcp 53/udp 9000-9003 7/sctp 8/TCP $P-72\n",
    ),
    case(
        "onbuild",
        "FROM busybox AS base\nONBUILD ARG V=1\nONBUILD ENV E=$V\nONBUILD WORKDIR /w\nONBUILD COPY --chown=node a.txt .\nONBUILD RUN --mount=target=/c ls /c > names\nONBUILD USER node\n\
         ONBUILD LABEL l=\"a b\"\nONBUILD CMD [\"x\"]\nFROM base AS child\nRUN id -un > /tmp/me\nFROM child\nRUN true\n",
    ),
    case("trailing", "FROM busybox\nRUN echo a \\\n# comment\n  # indented\n\n  && echo b > /x\nENV A=1 \\\n    B=2\nLABEL x=\"a\\\n b\"\n"),
    case("escape", "# escape=`\nFROM busybox\nENV A=`$HOME B=C:\\x C=a` b\nRUN echo \\\\ `\n  > /x\nCOPY a.txt `\n  /y/\n"),
    case("cases", "from busybox\nrun echo 1 > /1\nenv a=b\nLaBeL x=y\n"),
    case("legacy", "FROM busybox\nENV A b c  d\nENV Q \"x y\"\nLABEL old form of it\nMAINTAINER some body <x@y>\nENV LAST=\"${A} ${Q}\"\n"),
    case("labels", "FROM busybox\nLABEL a=1\nLABEL b=2\n").flags(&["--label", "b=3", "--label", "c=", "--label", "d=x=y"]),
];

/// Times are not compared, but for those of the config where all have one moment.
pub(super) const MOMENTS: &[Case] = &[
    case("moment", "FROM busybox\nRUN echo 1 > /1\nENV A=1\nCOPY a.txt /\n")
        .flags(&["--build-arg", "SOURCE_DATE_EPOCH=1700000000"]),
    case(
        "seen moment",
        "FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH > /1\nENV A=$SOURCE_DATE_EPOCH\n",
    )
    .flags(&["--build-arg", "SOURCE_DATE_EPOCH=1700000000"]),
];

pub(super) const TREES: &[Case] = &[
    case(
        "renames",
        "FROM busybox\nRUN mkdir -p /d/e && echo 1 > /d/e/f && ln /d/e/f /d/g && ln -s e/f /d/h && mkdir /d/empty\nRUN mv /d /moved\nRUN mv /moved/e /moved/e2 && mkdir /d && touch /d/new\n\
         RUN ln /moved/g /third && rm /moved/g && echo more >> /third\nRUN rm -rf /moved/e2 && mkdir -p /moved/e2 && rm /bin/vi /bin/ar && mv /bin/cut /cut\n\
         RUN mkdir /bin/vi && rmdir /home/node && touch /home/node && chmod 751 /bin\n",
    ),
    case(
        "whiteouts",
        "FROM busybox AS base\nCOPY folder /f\nCOPY odd /o\nFROM base\nRUN rm /f/top && rm -r /o\nCOPY folder/top /o/\nRUN rm -r /f && mkdir /f && echo x > /f/x\nCOPY folder /f\n\
         RUN rm -rf /f/inner && ln -s /o /f/inner\nRUN touch /.whatever /f/.wh && rm -rf /var /home\n",
    ),
    case(
        "times and modes",
        "FROM busybox\nRUN touch -d '2001-01-01 00:00:00' /old && mkdir -m 1777 /sticky && mkdir -m 2755 /setgid && chmod 6755 /old && mkfifo /pipe && chmod 000 /tmp\nRUN chmod 700 /etc/passwd && chown 5:6 /etc\n\
         RUN chown -h 3:4 /bin/vi && chmod u+s /bin/busybox\n",
    ),
    case(
        "hard links",
        "FROM busybox AS one\nRUN mkdir /l && echo 1 > /l/a && ln /l/a /l/b && ln /l/a /outside\nFROM busybox\nCOPY --from=one /l /copied\nCOPY odd/links /context\nCOPY --from=one /l/a /l/b /outside /apart/\n\
         RUN cp -a /copied /again && ln /context/one /context/three\nRUN rm /copied/a\n",
    ),
];

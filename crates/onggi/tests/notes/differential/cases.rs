//! Dockerfiles that every tool builds, old ones too, in the context that `write_context` makes.

/// What a case is called, and its Dockerfile.
pub(super) const CASES: &[(&str, &str)] = &[
    (
        "metadata",
        "FROM busybox\nMAINTAINER somebody\nENV NAME=dojin\nLABEL maintainer=\"your-email@example.com\"\nEXPOSE 80 53/udp\n\
         VOLUME /data /logs\nVOLUME [\"/more\"]\nUSER node:node\nWORKDIR /srv\nSTOPSIGNAL SIGQUIT\n\
         ENTRYPOINT [\"sh\", \"-c\"]\nCMD [\"echo a\", \"b\"]\n",
    ),
    ("shell forms", "FROM busybox\nENTRYPOINT exec top -b\nCMD echo \"a b\" > /x\n"),
    ("shell", "FROM busybox\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN echo \"$0\" > /x\nCMD echo hi\n"),
    (
        "health",
        "FROM busybox\nHEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=3 CMD wget -q localhost\n",
    ),
    ("no health", "FROM busybox\nHEALTHCHECK CMD [\"true\"]\nHEALTHCHECK NONE\n"),
    ("onbuild", "FROM busybox\nONBUILD RUN echo x > /x\nONBUILD COPY . /src\n"),
    (
        "copy",
        "FROM busybox\nCOPY a.txt /one/two\nCOPY a.txt script.sh /many/\nCOPY *.txt /wild/\nCOPY folder /folder\n\
         COPY folder/ /tmp/\nCOPY link /linked\nCOPY --chown=1000:1000 folder /owned/deep\nCOPY --chown=node a.txt /by-name\n\
         COPY --chmod=640 script.sh /chmod\nCOPY . /all\n",
    ),
    (
        "copy over",
        "FROM busybox\nRUN mkdir -p /real /target && chmod 700 /real && ln -s real /link && echo old > /target/a.txt\n\
         COPY a.txt /link/\nCOPY folder /link\nCOPY folder /target\nCOPY a.txt /target\nCOPY a.txt /bin/../up\n",
    ),
    (
        "add",
        "FROM busybox\nADD a.txt /plain/\nADD archive.tar /unpacked/\nCOPY archive.tar /kept\nADD archive.tar.gz /zipped\n",
    ),
    (
        "run",
        "FROM busybox\nRUN mkdir -p /w/sub && echo a > /w/a && ln /w/a /w/hard && ln -s a /w/soft && mkfifo /w/pipe\n\
         RUN chmod 4750 /w/a && chown 1000:1 /w/sub && rm /etc/passwd && rm -r /home\n\
         RUN rm -r /w/sub && mkdir /w/sub && echo again > /w/sub/file\n\
         RUN mkdir /home && true | cat && echo done\n",
    ),
    (
        "workdir",
        "FROM busybox\nWORKDIR /a\nWORKDIR b\nUSER node\nWORKDIR c/../d\nRUN pwd > /tmp/pwd\nENV D=/var\nWORKDIR $D/x\n\
         WORKDIR .\nCOPY a.txt .\n",
    ),
    (
        "arg and env",
        "ARG TAG=latest\nFROM busybox:$TAG\nARG VERSION=1.0\nARG EMPTY\nENV NAME=${VERSION:-x} ALT=${EMPTY:-alt} \
         SET=${VERSION:+set} ESCAPED=\\$VERSION\nRUN echo $VERSION $NAME > /x\nLABEL v=$VERSION single='$VERSION'\nENV VERSION=2\n\
         RUN echo $VERSION >> /x\n",
    ),
    (
        "quotes",
        "FROM busybox\nENV A=\"b c\" D=e\\ f G='h \"i\"' J=\"\"\nENV OLD form of it\nENV A=${A}x\nLABEL a=\"1 2\" \"b c\"=3 \\\n  d=4\n\
         CMD [ \"echo\", \"a\\\"b\", \"\\u00e9\" ]\n",
    ),
    (
        "stages",
        "FROM busybox AS one\nRUN mkdir /out && echo 1 > /out/1 && chown 1000 /out/1 && ln -s 1 /out/s\nENV LOST=yes\n\
         FROM one AS two\nRUN echo 2 > /out/2\nFROM busybox\nCOPY --from=two /out /out\nCOPY --from=0 /out/1 /single\n\
         COPY --from=one /out/s /followed\n",
    ),
    (
        "user",
        "FROM busybox\nUSER node\nRUN id -un > /tmp/id && echo \"$HOME\" > /tmp/home\nCOPY a.txt /tmp/a\nRUN touch /tmp/x\n",
    ),
    ("volume", "FROM busybox\nRUN mkdir /v\nVOLUME /v\nRUN echo kept > /v/x\n"),
    ("entrypoint", "FROM busybox\nENTRYPOINT [\"top\"]\n"),
    ("scratch", "FROM scratch\nCOPY a.txt /\nCMD [\"/a.txt\"]\n"),
    (
        "sources",
        "FROM busybox\nENV D=/from-env\nCOPY folder-link /a/\nCOPY folder-link/ /b/\nCOPY link folder /c/\n\
         COPY [\"with space.txt\", \"/dest dir/\"]\nCOPY [ab].txt /d/\nCOPY folder/* /e/\nCOPY folder/../a.txt /f\n\
         COPY /a.txt /g\nCOPY ./folder/. $D/h\nCOPY ?.txt script.sh ${D}/i/\nCOPY folder/inner /j/\nCOPY logs /k\n",
    ),
    (
        "from",
        "FROM busybox AS one\nWORKDIR /out\nRUN mkdir -p d/e && echo x > d/e/x && ln -s d dl && ln -s /out/d/e/x abs && \
         echo h > h1 && ln h1 h2 && chmod 2770 d && mkfifo p\nFROM busybox\nCOPY --from=one /out/. /dot/\n\
         COPY --from=one /out/dl /dl\nCOPY --from=one /out/dl/ /dl2/\nCOPY --from=one /out/abs /abs\n\
         COPY --from=one /out/*/e /wild/\nCOPY --from=busybox /bin/true /copied/\n\
         COPY --from=one --chown=1000 /out /owned\n",
    ),
    (
        "wildcards",
        "FROM busybox\nWORKDIR /w\nCOPY odd/? three/\nCOPY fold*r/top four/\n\
         COPY odd/.* five/\nCOPY odd/s*/* six/\nCOPY [ab].txt seven/\nCOPY odd/[^a-z]* eight/\nCOPY folder/inn?r/f* nine\n",
    ),
    (
        "modes",
        "FROM busybox\nARG M=64\nENV U=1234\nCOPY --chmod=${M}0 odd /odd\nCOPY --chmod=4755 script.sh /setuid\n\
         COPY --chown=${U}:$U odd /owned/\nCOPY --chown=node:1 a.txt /by-name\nCOPY --chown=0:node a.txt /by-group\n\
         COPY --chown=root a.txt /roots\nCOPY odd/links /links\nADD odd/links/one odd/links/two /apart/\n",
    ),
    (
        "archives",
        "FROM busybox\nADD archive.tar.bz2 /bz2\nADD archive.tar.xz /xz/\nADD torn.gz /torn/\nADD named.tar /named/\n\
         RUN mkdir -p /over/in && echo old > /over/in/file && ln -s / /over/in/soft && chmod 700 /over\nADD archive.tar /over\n\
         ADD archive.tar a.txt folder /several/\n",
    ),
    (
        "add owned",
        "FROM busybox\nADD --chown=1000:1000 archive.tar /owned/\nADD --chown=1000:1000 a.txt folder /plain/\n\
         RUN mkdir -p /in-place/in && chmod 700 /in-place /in-place/in\nADD archive.tar /in-place\n",
    ),
    (
        "replaced",
        "FROM busybox\nRUN mkdir -p /a/b /c && echo 1 > /a/b/f && echo 2 > /d && echo 3 > /c/g && ln -s /c /l\n\
         RUN rm -r /a && echo now-a-file > /a && rm /d && mkdir /d && rm /l && mkdir /l && mv /c /moved\n\
         RUN chmod 700 /root && chown 1000 /tmp && touch /bin/busybox && chmod 4755 /moved/g && rm -rf /var\n\
         RUN mkdir -m 2775 /setgid && mkdir -m 1777 /sticky && touch \"/tmp/$(printf 'n%.0s' $(seq 200))\" /tmp/\u{e9}\n",
    ),
    ("nothing", "FROM busybox\nRUN true\nRUN rm -f /not-there\nWORKDIR /\nRUN touch /x && rm /x\n"),
    (
        "triggers",
        "FROM busybox AS base\nONBUILD COPY a.txt /from-trigger\nONBUILD ENV SET=by-trigger\nFROM base\n\
         RUN echo $SET > /seen\n",
    ),
    (
        "inherited",
        "FROM busybox AS base\nENV A=1 B=2\nLABEL l=1\nEXPOSE 80\nVOLUME /v\nWORKDIR /base\nUSER node\n\
         HEALTHCHECK CMD true\nSTOPSIGNAL 9\nENTRYPOINT [\"base\"]\nCMD [\"base\"]\nFROM base\nENV B=3 C=4\n\
         LABEL m=2\nEXPOSE 81/tcp 80\nENTRYPOINT [\"derived\"]\n",
    ),
];

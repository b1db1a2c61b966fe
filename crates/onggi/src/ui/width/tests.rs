use super::{clip, columns, ellipsis};

/// S216: 45 columns in all, the cut mark included.
#[test]
fn long_text_ends_in_a_cut_mark() {
    let exact = "x".repeat(45);
    assert_eq!(ellipsis(&exact, 45), exact);
    let long = "RUN /bin/sh -c groupadd --gid 1000 node   && useradd node # buildkit";
    assert_eq!(ellipsis(long, 45), "RUN /bin/sh -c groupadd --gid 1000 node   &&…");
    assert_eq!(columns(&ellipsis(long, 45)), 45);
}

#[test]
fn wide_characters_count_twice() {
    assert_eq!(columns("도커"), 4);
    assert_eq!(ellipsis("도커 이미지 만들기", 9), "도커 이…");
    assert_eq!(clip("도커", 3), "도");
    assert_eq!(clip("abc", 0), "");
    assert_eq!(ellipsis("abc", 1), "…");
}

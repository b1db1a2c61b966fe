use super::align;

/// S200: least width 10, gap of three, last column not padded.
#[test]
fn columns_are_dockers() {
    let text = "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\n\
                hello-name\tv2\te3b6a0b0d1f2\t4 seconds ago\t351MB\n\
                diamol/ch03-web-ping\tlatest\ta5b350fa1a90\t2 years ago\t75.5MB\n";
    insta::assert_snapshot!(align(text), @r"
    REPOSITORY             TAG       IMAGE ID       CREATED         SIZE
    hello-name             v2        e3b6a0b0d1f2   4 seconds ago   351MB
    diamol/ch03-web-ping   latest    a5b350fa1a90   2 years ago     75.5MB
    ");
}

#[test]
fn header_alone_is_aligned_by_itself() {
    assert_eq!(
        align("REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\n"),
        "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n"
    );
}

#[test]
fn a_column_ends_where_a_line_has_it_not() {
    assert_eq!(align("long first cell\tb\nplain\nc\td\n"), "long first cell   b\nplain\nc         d\n");
    assert_eq!(align(""), "");
    assert_eq!(align("a\t\tb"), "a                   b");
}

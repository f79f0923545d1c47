use super::*;

fn shown(forest: &Forest) -> String {
    let mut out = Vec::new();
    forest.print(&mut out);
    String::from_utf8(out).unwrap()
}

fn member<'a>(number: u32, id: u64, references: &'a [u64]) -> Member<'a> {
    Member {
        number,
        date: i64::from(number),
        id,
        references,
        ..Member::default()
    }
}

fn about(number: u32, subject: u64, is_reply: bool) -> Member<'static> {
    Member {
        subject,
        is_reply,
        ..member(number, u64::from(number), &[])
    }
}

/// RFC 5256 §4, the THREAD response of the example.
#[test]
fn printed_as_in_the_rfc() {
    let members = [
        member(2, 2, &[]),
        member(3, 3, &[]),
        member(4, 4, &[3, 6]),
        member(6, 6, &[3]),
        member(7, 7, &[3, 6, 44]),
        member(23, 23, &[3, 6, 4]),
        member(44, 44, &[3, 6]),
        member(96, 96, &[44, 7]),
    ];
    assert_eq!(shown(&references(&members)), "(2)(3 6 (4 23)(44 7 96))");
    // Siblings of a parent that is not there.
    let members = [member(3, 3, &[9]), member(5, 5, &[9])];
    assert_eq!(shown(&references(&members)), "((3)(5))");
    assert_eq!(shown(&references(&[])), "");
}

#[test]
fn dummies_go_unless_they_hold_a_root_together() {
    // 8 and 9 are not there; 9 has one child only.
    let members = [member(1, 1, &[8, 9]), member(2, 2, &[8, 7])];
    assert_eq!(shown(&references(&members)), "((1)(2))");
    let members = [member(1, 1, &[8, 9]), member(2, 2, &[1])];
    assert_eq!(shown(&references(&members)), "(1 2)");
}

#[test]
fn loops_are_not_made() {
    let members = [member(1, 1, &[2]), member(2, 2, &[1]), member(3, 3, &[3])];
    assert_eq!(shown(&references(&members)), "(2 1)(3)");
    let members = [
        member(1, 1, &[2, 3, 2]),
        member(2, 2, &[3]),
        member(3, 3, &[1]),
    ];
    // Every message is shown once, whatever its references say.
    let forest = shown(&references(&members));
    for number in ["1", "2", "3"] {
        assert_eq!(forest.matches(number).count(), 1, "{forest}");
    }
}

#[test]
fn the_last_reference_is_the_parent_whatever_others_said() {
    // 3 says that 1 is the parent of 2; 2 says that it has none.
    let members = [member(1, 1, &[]), member(3, 3, &[1, 2]), member(4, 2, &[])];
    assert_eq!(shown(&references(&members)), "(1)(4 3)");
}

#[test]
fn of_one_id_only_the_first_has_children() {
    let members = [member(1, 5, &[]), member(2, 5, &[]), member(3, 6, &[5])];
    assert_eq!(shown(&references(&members)), "(1 3)(2)");
}

#[test]
fn subjects_bring_threads_together() {
    // A reply without references goes below the original, wherever it stands.
    let members = [about(1, 7, true), about(2, 7, false), about(3, 7, true)];
    assert_eq!(shown(&references(&members)), "(2 (1)(3))");
    // Two that are no replies are siblings.
    let members = [about(1, 7, false), about(2, 7, false), about(3, 8, false)];
    assert_eq!(shown(&references(&members)), "((1)(2))(3)");
    // Both are replies: siblings too.
    let members = [about(1, 7, true), about(2, 7, true)];
    assert_eq!(shown(&references(&members)), "((1)(2))");
    // An empty subject is none.
    let members = [about(1, 0, true), about(2, 0, false)];
    assert_eq!(shown(&references(&members)), "(1)(2)");
}

#[test]
fn refs_leave_subjects_alone_and_put_the_newest_last() {
    let members = [
        about(1, 7, false),
        about(2, 7, true),
        Member {
            subject: 7,
            ..member(3, 3, &[1])
        },
    ];
    assert_eq!(shown(&refs(&members)), "(2)(1 3)");
}

#[test]
fn ordered_subject_has_no_grandchildren() {
    let mut members = [
        about(1, 7, false),
        about(2, 8, false),
        about(3, 7, true),
        about(4, 7, true),
    ];
    assert_eq!(shown(&ordered_subject(&members)), "(1 (3)(4))(2)");
    members[0].date = 10;
    assert_eq!(shown(&ordered_subject(&members)), "(2)(3 (4)(1))");
}

/// A chain as deep as a mailbox is large, in an order that makes looking for loops dear.
#[test]
fn depth_has_no_limit_and_time_has() {
    let ids: Vec<u64> = (1..=20_000).collect();
    let chain: Vec<Member<'_>> = (1..20_000usize)
        .map(|at| member(at as u32, ids[at], &ids[at - 1..at]))
        .collect();
    let forest = shown(&references(&chain));
    assert!(forest.starts_with("(1 2 3 ") && forest.ends_with(" 19999)"));
    let reversed: Vec<Member<'_>> = (1..20_000usize)
        .map(|at| {
            member(
                at as u32,
                ids[20_000 - at],
                &ids[20_000 - at - 1..20_000 - at],
            )
        })
        .collect();
    assert!(shown(&references(&reversed)).starts_with("(19999 19998 "));
}

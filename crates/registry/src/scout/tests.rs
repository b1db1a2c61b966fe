//! Threads that wait are seen by what they report when they go on; none of them is waited for by time.

use std::sync::mpsc;

use super::{ENOUGH, PIECE, Scouting};
use crate::wire::Halt;

#[test]
fn one_goes_first_and_the_others_follow_when_it_has_got_far_enough() {
    let (scouting, halt) = (Scouting::default(), Halt::default());
    let scout = scouting.wait(PIECE + 1, &halt).expect("nothing is known");
    let (report, reports) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let report = report.clone();
            scope.spawn(|| {
                let is_scout = scouting.wait(PIECE + 1, &halt).is_some();
                report.send(is_scout).expect("the test listens");
                drop(report);
            });
        }
        scout.sent(ENOUGH - 1);
        assert!(reports.try_recv().is_err(), "that is not enough");
        scout.sent(ENOUGH);
        let told: Vec<bool> = (0..4).map(|_| reports.recv().expect("all go on")).collect();
        assert_eq!(told, [false; 4]);
    });
    drop(scout);
    assert!(scouting.wait(PIECE + 1, &halt).is_none(), "what is known stays known");
}

#[test]
fn one_that_learned_nothing_leaves_it_to_another() {
    let (scouting, halt) = (Scouting::default(), Halt::default());
    let first = scouting.wait(PIECE + 1, &halt).expect("nothing is known");
    std::thread::scope(|scope| {
        let next = scope.spawn(|| scouting.wait(PIECE + 1, &halt).map(|scout| scout.learned()).is_some());
        drop(first);
        assert!(next.join().expect("it does not panic"));
    });
    assert!(scouting.wait(PIECE + 1, &halt).is_none());
}

#[test]
fn what_came_through_is_tried_by_nobody_and_more_by_one() {
    let (scouting, halt) = (Scouting::default(), Halt::default());
    assert!(scouting.wait(PIECE, &halt).is_none());
    scouting.wait(2 * PIECE, &halt).expect("nobody has sent as much").carried(2 * PIECE);
    assert!(scouting.wait(2 * PIECE, &halt).is_none());
    let scout = scouting.wait(2 * PIECE + 1, &halt).expect("nobody has sent as much");
    assert!(scouting.wait(2 * PIECE, &halt).is_none(), "what is known to go through does not wait");
    scout.learned();
    assert!(scouting.wait(u64::MAX, &halt).is_none());
}

#[test]
fn a_loss_is_a_lesson_for_all() {
    let (scouting, halt) = (Scouting::default(), Halt::default());
    let scout = scouting.wait(u64::MAX, &halt).expect("nothing is known");
    std::thread::scope(|scope| {
        let next = scope.spawn(|| (scouting.wait(u64::MAX, &halt).is_none(), scouting.most()));
        scouting.lost(PIECE);
        assert_eq!(next.join().expect("it does not panic"), (true, PIECE));
    });
    drop(scout);
    scouting.lost(2 * PIECE);
    assert_eq!(scouting.most(), PIECE, "the smaller one holds");
    assert!(scouting.wait(u64::MAX, &halt).is_none());
}

#[test]
fn who_is_told_to_stop_does_not_wait() {
    let (scouting, halt) = (Scouting::default(), Halt::default());
    let _first = scouting.wait(PIECE + 1, &halt).expect("nothing is known");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| scouting.wait(PIECE + 1, &halt).is_none());
        halt.set();
        assert!(waiting.join().expect("it does not panic"));
    });
}

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::{Feed, Item, MOST, Received};
use crate::progress::event::{Event, KeptOutput, StepId, Stream};

const STEP: StepId = StepId(5);

fn output(offset: u64, text: &[u8], milliseconds: u64) -> Event {
    let at = Duration::from_millis(milliseconds);
    Event::StepLog { step: STEP, stream: Stream::Stdout, offset, data: text.to_vec(), at }
}

/// A feed that knows where the step's output, which is this, is kept.
fn kept(text: &[u8]) -> Feed {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    let feed = Feed::default();
    feed.send(Event::StepKept { step: STEP, log: KeptOutput::new(Arc::new(file)) });
    feed
}

fn next(feed: &Feed) -> Received {
    feed.receive(Duration::ZERO)
}

#[test]
fn n016_what_does_not_fit_is_read_again() {
    let text: Vec<u8> = (0..3 * MOST).map(|place| u8::try_from(place % 251).unwrap()).collect();
    let feed = kept(&text);
    let piece = 32 << 10;
    for (number, data) in text.chunks(piece).enumerate() {
        feed.send(output((number * piece) as u64, data, 1));
    }
    feed.end();
    let mut shown = Vec::new();
    let mut events = 0;
    let mut left_out = 0;
    assert!(matches!(next(&feed), Received::Item(Item::Event(Event::StepKept { .. }))));
    loop {
        match next(&feed) {
            Received::Item(Item::Event(Event::StepLog { data, offset, .. })) => {
                assert_eq!(offset, shown.len() as u64);
                events += data.len();
                shown.extend(data);
            }
            Received::Item(Item::LeftOut(output)) => {
                left_out += 1;
                output.read(|event| {
                    let Event::StepLog { step: STEP, offset, data, .. } = event else { panic!("{event:?}") };
                    assert_eq!(offset, shown.len() as u64);
                    shown.extend(data);
                });
            }
            Received::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(shown == text, "all of it, in order");
    assert!(events <= MOST + piece, "in memory was {events}");
    assert_eq!(left_out, 1, "what came at the same time is one piece");
}

#[test]
fn n016_pieces_keep_their_times() {
    let feed = kept(&vec![b'x'; MOST + 100]);
    feed.send(output(0, &vec![b'x'; MOST + 1], 0));
    for (offset, at) in [(1, 0), (11, 5), (21, 9), (31, 10), (41, 30)] {
        feed.send(output(MOST as u64 + offset, &[b'x'; 10], at));
    }
    feed.end();
    let mut times = Vec::new();
    loop {
        match next(&feed) {
            Received::Item(Item::LeftOut(output)) => times.push((output.at.as_millis(), output.length)),
            Received::Item(Item::Event(_)) => {}
            _ => break,
        }
    }
    assert_eq!(times, [(0, 30), (10, 10), (30, 10)]);
    let (mut short, feed) = (Vec::new(), kept(b"0123456789"));
    feed.send(output(0, &vec![b'x'; MOST + 1], 0));
    feed.send(output(0, b"0123456789", 0));
    next(&feed);
    next(&feed);
    let Received::Item(Item::LeftOut(left_out)) = next(&feed) else { panic!() };
    left_out.last(3).read(|event| {
        let Event::StepLog { data, offset: 7, .. } = event else { panic!("{event:?}") };
        short.extend(data);
    });
    assert_eq!(short, b"789");
}

/// Without a log there is no other way: whoever writes waits, and nothing is lost.
#[test]
fn n016_output_that_is_not_kept_waits() {
    let feed = Feed::default();
    let piece = vec![b'x'; MOST / 2];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..10 {
                feed.send(output(number * piece.len() as u64, &piece, 0));
            }
            feed.end();
        });
        let mut bytes = 0;
        loop {
            match feed.receive(Duration::from_secs(20)) {
                Received::Item(Item::Event(Event::StepLog { data, .. })) => bytes += data.len(),
                Received::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(bytes, 10 * piece.len());
    });
}

#[test]
fn a_feed_ends() {
    let feed = Feed::default();
    assert_eq!(next(&feed), Received::Nothing);
    feed.send(output(0, b"a", 0));
    feed.end();
    feed.send(output(1, b"late", 0));
    assert!(matches!(next(&feed), Received::Item(_)));
    assert_eq!(next(&feed), Received::End);
}

//! A timeline as others read it. One test, since a process collects one timeline at a time.

use serde_json::Value;
use std::time::{Duration, Instant};
use warploom_trace::{Track, begin, copy, end, is_on, note, span};

#[test]
fn spans_are_collected_and_read_back() {
    drop(span(Track::Host, || -> String { unreachable!("nothing is collected yet") }));
    begin();
    assert!(is_on());
    {
        let _outer = span(Track::Host, || "epoch \"1\"\n");
        drop(copy("to device", 4096));
        std::thread::spawn(|| drop(span(Track::Loader, || "batch"))).join().unwrap();
    }
    note(Track::Device, "max, sum".to_owned(), Instant::now(), Duration::from_micros(7), None);
    let timeline = end();
    assert!(!is_on() && end().events.is_empty());
    let names: Vec<_> = timeline.events.iter().map(|event| &*event.name).collect();
    assert_eq!(names, ["to device", "batch", "epoch \"1\"\n", "max, sum"], "inner spans end first");
    let [inner, other, outer] = [0, 1, 2].map(|i| &timeline.events[i]);
    assert!(outer.start <= inner.start && inner.start + inner.length <= outer.start + outer.length);
    assert!(outer.thread == inner.thread && outer.thread != other.thread);

    let mut text = Vec::new();
    timeline.write(&mut text).unwrap();
    let read: Value = serde_json::from_slice(&text).unwrap();
    let events = read["traceEvents"].as_array().unwrap();
    let spans: Vec<_> = events.iter().filter(|event| event["ph"] == "X").collect();
    assert_eq!(spans.len(), 4);
    assert_eq!(spans[2]["name"], "epoch \"1\"\n");
    assert_eq!(spans[0]["args"]["bytes"], 4096);
    assert_eq!(spans[3]["dur"].as_f64(), Some(7.0));
    let titled = |tid: &Value| events.iter().any(|e| e["name"] == "thread_name" && e["tid"] == *tid);
    assert!(spans.iter().all(|span| titled(&span["tid"])), "every row has a name");
    assert_eq!(read["otherData"]["left_out"], 0);
}

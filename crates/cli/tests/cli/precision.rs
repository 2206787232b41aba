//! `train.precision` in every command that honours it.

use crate::common::Folder;

const RUN: &str = "train digits data.train=1500 data.test=300 train.epochs=4 device=cpu --quiet --json";

#[test]
fn a_run_has_its_precision_from_plan_to_evaluation() {
    let folder = Folder::new();
    let plain = folder.run(&format!("{RUN} --out f32")).ok().json();
    assert_eq!(plain["precision"], "f32");
    for precision in ["bf16", "f16"] {
        let run = folder.run(&format!("{RUN} --out {precision} train.precision={precision}")).ok().json();
        assert_eq!(run["precision"], precision);
        assert_eq!(run["planned_bytes"], run["peak_bytes"]);
        assert_ne!(run["metrics"], plain["metrics"]);
        let [got, want] = [&run, &plain].map(|run| run["metrics"]["test"]["accuracy"].as_f64().unwrap());
        assert!((got - want).abs() < 0.05, "{precision}: {got} is not {want}");
        let again = folder.run(&format!("evaluate {precision} --json")).ok().json();
        let accuracy = |run: &serde_json::Value| run["metrics"]["test"]["accuracy"].clone();
        assert_eq!(accuracy(&again), accuracy(&run), "{again}");
    }
    let page = std::fs::read_to_string(folder.path("bf16/report.html")).unwrap();
    assert!(page.contains(", in bf16"));
    folder
        .run(&format!("{RUN} --out bf16 --resume train.epochs=5 train.precision=f16"))
        .fails(2, &["`train.precision` cannot change"]);
}

#[test]
fn what_a_device_has_not_is_said() {
    let folder = Folder::new();
    let plan = "plan digits data.train=500 data.test=100 --device cpu train.precision=tf32";
    assert!(folder.run(plan).ok().out.contains("products run in f32: cpu has no tf32"));
    let explain = "explain digits data.train=500 data.test=100 device=cpu train.precision";
    let text = folder.run(&format!("{explain}=bf16")).ok().out;
    let row = "gradients of their weights, all that only reaches state   bf16      f32           f32";
    assert!(text.contains(row), "{text}");
    let numbers = &folder.run(&format!("{explain}=tf32 --json")).ok().json()["precision"];
    assert_eq!((&numbers["asked"], &numbers["effective"]), (&"tf32".into(), &"f32".into()));
    assert!(numbers["reason"].as_str().unwrap().contains("more exact"), "{numbers}");
    folder.run("plan digits train.precision=bf17").fails(2, &["did you mean `bf16`?"]);
}

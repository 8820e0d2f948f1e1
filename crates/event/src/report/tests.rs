use super::*;

const HOSTILE: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>";

/// A report in which every text is this one.
fn report(text: &str) -> MonthReport {
    let text = || text.to_owned();
    let figure = Figure {
        title: text(),
        name: text(),
        now: text(),
        of: text(),
        share: Some(0.5),
        change: Change { text: text(), better: Some(true) },
        target: text(),
        mark: Mark::Overdue,
        trend: vec![Some(0.2), None, Some(7.0)],
    };
    let place = Place { name: text(), what: text(), owner: text() };
    MonthReport {
        month: text(),
        seen: text(),
        tiles: vec![(text(), text())],
        figures: vec![figure.clone()],
        blind_spots: vec![figure],
        not_judged: vec![(text(), text())],
        tasks: vec![Task { what: text(), why: text(), places: vec![place], more: 3 }],
        divided_by: "owner",
        columns: vec![text()],
        rows: vec![Row { name: text(), cells: vec![(text(), Mark::Missed)] }],
        made: text(),
    }
}

#[test]
fn no_text_is_markup() {
    let html = report(HOSTILE).html();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert!(html.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() >= 20);
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let html = report("word").html();
    for word in
        ["http:", "https:", "url(", "@import", " src=", " href=", "javascript:", " on", "<script", "<link"]
    {
        let found = html.split(word).nth(1).map(|rest| rest.get(..20).unwrap_or(rest));
        assert!(
            found.is_none() || word == " on" && !found.unwrap_or_default().contains('='),
            "{word}: {found:?}"
        );
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_value_beyond_its_scale_stays_in_the_drawing() {
    let html = report(HOSTILE).html();
    let points = html.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert_eq!(points, "2.5,16.1 93.5,2.5");
}

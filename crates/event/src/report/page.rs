//! The page itself.

use super::trend::{bar, line};
use super::{Change, Figure, Mark, MonthReport, Row, Task};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Styles are part of the page, so that it is one file.
const STYLE: &str = include_str!("page.css");

pub(super) fn page(report: &MonthReport) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Nothing may be loaded, whatever stands in the page.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="color-scheme" content="light dark";
                title { "APIs, " (report.month) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (head(report))
                    (tasks(&report.tasks))
                    (figures(report))
                    (division(report))
                    (blind_spots(report))
                    (footer(report))
                }
            }
        }
    }
}

fn footer(report: &MonthReport) -> Markup {
    html! {
        footer {
            p {
                (report.made) " " code { "tapwire explain NAME" } " has the formula of a figure, "
                code { "tapwire kpis --json" } " its parts."
            }
        }
    }
}

fn head(report: &MonthReport) -> Markup {
    html! {
        header {
            p.kicker { "API report" }
            h1 { (report.month) }
            p.seen { (report.seen) }
        }
        ul.tiles {
            @for (number, what) in &report.tiles {
                li { strong { (number) } span { (what) } }
            }
        }
    }
}

fn tasks(tasks: &[Task]) -> Markup {
    html! {
        section.tasks {
            h2 { (tasks_title(tasks.len())) }
            @if tasks.is_empty() { p { "Nothing that was judged stands out." } }
            ol {
                @for task in tasks {
                    li {
                        h3 { (task.what) }
                        p.why { (task.why) }
                        (places(task))
                    }
                }
            }
        }
    }
}

const fn tasks_title(count: usize) -> &'static str {
    match count {
        0 => "To do",
        1 => "One thing to do",
        2 => "Two things to do",
        3 => "Three things to do",
        4 => "Four things to do",
        _ => "Five things to do",
    }
}

fn places(task: &Task) -> Markup {
    html! {
        @if !task.places.is_empty() {
            table.places {
                tbody {
                    @for place in &task.places {
                        tr {
                            td.place { code { (place.name) } }
                            td.what { (place.what) }
                            td.owner { (place.owner) }
                        }
                    }
                }
            }
        }
        @if task.more > 0 { p.more { "and " (task.more) " more" } }
    }
}

fn figures(report: &MonthReport) -> Markup {
    html! {
        section {
            h2 { "Key figures" }
            (table(&report.figures, true))
            @if !report.not_judged.is_empty() {
                h3 { "Not judged" }
                dl.unjudged {
                    @for (names, why) in &report.not_judged {
                        div { dt { (names) } dd { (why) } }
                    }
                }
            }
        }
    }
}

fn table(figures: &[Figure], days: bool) -> Markup {
    html! {
        table.figures {
            thead {
                tr {
                    th scope="col" { "Figure" }
                    th.number scope="col" { "Now" }
                    th scope="col" { "Change" }
                    th scope="col" { "Target" }
                    @if days { th scope="col" { "Day by day" } }
                }
            }
            tbody { @for figure in figures { (row(figure, days)) } }
        }
    }
}

fn row(figure: &Figure, days: bool) -> Markup {
    html! {
        tr class=(figure.mark.class()) {
            th scope="row" {
                (figure.title)
                span.of { (figure.of) }
            }
            td.number {
                strong { (figure.now) }
                @if let Some(share) = figure.share { (bar(share, figure.mark.class())) }
            }
            td.change { (change(&figure.change)) }
            td.target { (target(figure)) }
            @if days { td.days { @if figure.trend.iter().flatten().count() > 1 { (line(&figure.trend)) } } }
        }
    }
}

fn change(change: &Change) -> Markup {
    let class = match change.better {
        Some(true) => "better",
        Some(false) => "worse",
        None => "same",
    };
    html! { span class=(class) { (change.text) } }
}

fn target(figure: &Figure) -> Markup {
    html! {
        @if figure.mark != Mark::None {
            span class=(format!("mark {}", figure.mark.class())) { (figure.mark.word()) }
        }
        @if figure.target.is_empty() { span.same { "–" } } @else { (figure.target) }
    }
}

fn division(report: &MonthReport) -> Markup {
    html! {
        section.together {
            h2 { "By " (report.divided_by) }
            table.division {
                thead {
                    tr {
                        th scope="col" { (report.divided_by) }
                        @for column in &report.columns { th.number scope="col" { (column) } }
                    }
                }
                tbody { @for row in &report.rows { (division_row(row)) } }
            }
        }
    }
}

fn division_row(row: &Row) -> Markup {
    html! {
        tr {
            th scope="row" { (row.name) }
            @for (figure, mark) in &row.cells {
                td class=(format!("number {}", mark.class())) {
                    (figure)
                    @if matches!(mark, Mark::Missed | Mark::Overdue) { span.flag { (mark.word()) } }
                }
            }
        }
    }
}

fn blind_spots(report: &MonthReport) -> Markup {
    html! {
        section.together {
            h2 { "Blind spots of the sensor" }
            p.note { "What the sensor did not get or could not read is in no figure above." }
            (table(&report.blind_spots, false))
        }
    }
}

//! The console in Chromium. Where chromedriver is not installed the tests say so and pass.

use super::driver::{Axe, Browser};
use super::*;

#[test]
fn in_a_browser_nothing_of_traffic_runs_and_nothing_falls_off() {
    let Some(browser) = Browser::start() else { return };
    let console = Running::of(hostile());
    let axe = Axe::find();
    for width in [1280, 390] {
        browser.wide(width);
        for target in PAGES {
            browser.open(&format!("http://{}{target}", console.address));
            browser.look(&axe, &format!("{target} at {width}"));
            assert!(browser.run("return document.querySelector('h1') !== null") == true, "{target}");
        }
    }
}

#[test]
fn in_a_browser_a_table_is_filtered_while_one_types() {
    let Some(browser) = Browser::start() else { return };
    let endpoints = (0..250).map(|at| Endpoint {
        id: format!("{at:04}"),
        service: "shop.example".into(),
        method: "GET".into(),
        template: format!("/orders/{at}"),
        ..Endpoint::default()
    });
    let console = Running::of(Snapshot { endpoints: endpoints.collect(), ..Snapshot::default() });
    browser.open(&format!("http://{}/apis", console.address));
    assert_eq!(browser.run("return document.querySelectorAll('tbody tr').length"), 100);
    browser.run(
        "const field = document.querySelector('input[type=search]'); field.focus(); field.value = '/orders/249'; \
         field.dispatchEvent(new Event('input', {bubbles: true}))",
    );
    browser.until("return document.querySelectorAll('tbody tr').length === 1");
    assert_eq!(browser.run("return document.activeElement.value"), "/orders/249", "the field is kept");
    assert_eq!(browser.run("return location.search.includes('orders')"), true, "the view can be sent");
    browser.open(&format!("http://{}/apis", console.address));
    browser.run("document.querySelector('.pages a[rel=next]').click()");
    browser.until("return document.querySelector('.pages')?.textContent.includes('Page 2 of 3')");
}

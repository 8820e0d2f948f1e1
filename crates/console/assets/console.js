// Filters while one types, and shows fresh figures. Without it every page works by links and forms.
"use strict";

const WAIT = 250;
const POLL = 5000;

// Takes the content of another address, without moving what the reader looks at. What nobody asked for keeps no session.
async function show(address, focus) {
  const answer = await fetch(address, { headers: { "X-Console": focus ? "part" : "poll" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const from = page.querySelector("main");
  const to = document.querySelector("main");
  if (!from || !to) return;
  const held = document.activeElement && document.activeElement.name;
  const open = [...to.querySelectorAll("details[open] summary")].map((one) => one.textContent);
  to.replaceChildren(...from.childNodes);
  for (const one of to.querySelectorAll("details summary")) {
    if (open.includes(one.textContent)) one.parentElement.open = true;
  }
  const bar = page.querySelector("header.bar");
  if (bar) {
    document.querySelector("header.bar").replaceWith(bar);
    point();
  }
  document.body.dataset.version = page.body.dataset.version;
  if (focus) {
    const field = held && to.querySelector(`.filter [name="${CSS.escape(held)}"]:not([type=hidden])`);
    if (field) {
      field.focus();
      if (field.type === "search") field.setSelectionRange(field.value.length, field.value.length);
    }
  }
}

// On a phone the pages are a row that scrolls: the one that is open is in sight.
function point() {
  const place = document.querySelector("header.bar [aria-current]");
  if (place) place.scrollIntoView({ block: "nearest", inline: "center" });
}
point();

let waiting = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form.filter");
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const asked = new URLSearchParams(new FormData(form));
    const address = `${form.getAttribute("action")}?${asked}`;
    history.replaceState(null, "", address);
    show(address, true);
  }, WAIT);
});

// A form that somebody has begun to fill in stays.
let begun = false;
document.addEventListener("input", (event) => {
  if (event.target.closest("form.act")) begun = true;
});

// A query goes with Ctrl and Enter, as in other editors.
document.addEventListener("keydown", (event) => {
  const form = event.target.closest("form.hunt");
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

async function refresh() {
  if (document.hidden || begun || !document.body.dataset.version) return;
  const busy = document.activeElement && document.activeElement.matches("input, select, button");
  try {
    const answer = await fetch("/api/v1/version", { headers: { "X-Console": "poll" } });
    const { version } = await answer.json();
    document.body.classList.remove("away");
    // A query that is being written is not taken away.
    const writes = document.querySelector("form.hunt");
    if (!busy && !writes && String(version) !== document.body.dataset.version) await show(location.href, false);
  } catch {
    document.body.classList.add("away");
  }
}
setInterval(refresh, POLL);

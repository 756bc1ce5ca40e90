// Keeps the page up to date: it is rendered on the server; each part marked data-live takes over what differs there,
// node by node, so that focus, selection and scrolling stay. Forms marked data-renew do too, unless something was typed.
"use strict";

const byId = (id) => document.getElementById(id);
const typedIn = new WeakSet();
let latest = 0;
const { instance } = document.body.dataset; // of the sandbox that has rendered this page

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  if (!fresh.getElementById("said")) throw new Error(fresh.body.textContent.trim() || "no answer");
  if (fresh.body.dataset.instance !== instance) {
    location.reload(); // another sandbox, with other Analyses: nothing of the old page holds
    return;
  }
  const pane = byId("console");
  const follows = !pane || pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
  const article = document.activeElement.closest("article")?.id;
  for (const part of document.querySelectorAll("[data-live], [data-renew]")) {
    const other = fresh.getElementById(part.id);
    if (other && !typedIn.has(part)) morph(part, other);
  }
  document.title = fresh.title;
  if (follows && byId("console")) byId("console").scrollTop = byId("console").scrollHeight;
  if (article && !document.activeElement.closest("article")) focusIn(byId(article));
}

/** Where an opened card's button was, or a pressed one, the next thing to press gets the focus, else the card. */
function focusIn(article) {
  (article?.querySelector("button:not(:disabled), a[href]") ?? article)?.focus({ preventScroll: true });
}

function morph(from, to) {
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  if (from.matches("input, textarea") && from.value !== to.value) from.value = to.value;
  if (from.matches("input")) from.checked = to.checked;
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const keyed = wanted.id ? [...from.children].find((each) => isAlike(each, wanted)) : null;
    const match = keyed ?? (isAlike(place, wanted) ? place : null);
    if (!match) {
      from.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else from.insertBefore(match, place);
    if (wanted.nodeType === Node.ELEMENT_NODE) morph(match, wanted);
    else if (wanted.data.startsWith(match.data)) match.appendData(wanted.data.slice(match.data.length));
    else match.data = wanted.data;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

const isAlike = (one, other) => one && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");

async function refresh() {
  const turn = ++latest;
  const answer = await fetch(location.href);
  const html = await answer.text();
  if (turn === latest) show(html);
}

async function send(address, fields, form) {
  const wrong = byId("wrong");
  try {
    const headers = { "x-page": "script" };
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields), headers });
    wrong.textContent = answer.ok ? "" : (await answer.text()).slice(0, 300);
    if (!answer.ok) return;
    if (form) typedIn.delete(form);
    if (form?.dataset.newest !== undefined) {
      const shown = new URL(location);
      shown.searchParams.delete("run");
      history.replaceState(null, "", shown);
    }
    await refresh();
  } catch (error) {
    wrong.textContent = `The sandbox does not answer: ${error.message}`;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  send(form.action, new FormData(form, event.submitter), form);
});

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.dataset.renew !== undefined) typedIn.add(form);
  if (event.target.dataset.chooses) byId(event.target.dataset.chooses).checked = true;
});

function clicked(event) {
  const link = event.target.closest("a");
  if (link?.dataset.press) send("/page/press", JSON.parse(link.dataset.press));
  if (link || event.button !== 0) return;
  const card = event.target.closest("article.new");
  if (card && !event.target.closest("button")) card.querySelector("form")?.requestSubmit();
}

document.addEventListener("click", clicked);
document.addEventListener("auxclick", clicked);
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (link?.dataset.soft === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  await refresh();
  if (link.hash) byId(link.hash.slice(1))?.focus({ preventScroll: true });
});

addEventListener("popstate", refresh);

// One window listens for all: a browser keeps no more than six connections to a server.
const windows = new BroadcastChannel("tagorun-sandbox");
windows.onmessage = ({ data }) => changed(data);

function changed(news) {
  if (news === "gone") {
    byId("said").textContent = "The sandbox does not answer; start it again and this page goes on.";
    return;
  }
  refresh().catch(() => {});
}

navigator.locks.request("tagorun-sandbox", () => {
  const tell = (news) => {
    windows.postMessage(news);
    changed(news);
  };
  const listen = () => {
    const stream = new EventSource("/page/changes");
    stream.onmessage = ({ data }) => tell(data);
    stream.onerror = () => {
      tell("gone");
      stream.close(); // by itself a browser may give up for good
      setTimeout(listen, 1000);
    };
  };
  listen();
  return new Promise(() => {}); // until this window is closed
});

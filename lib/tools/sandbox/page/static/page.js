// Keeps the page up to date: it is rendered on the server, and each part marked data-live is replaced when it differs.
"use strict";

const parser = new DOMParser();
let latest = 0;

/** Take over what differs in `html`; `renewed` is a form to take over too. */
function show(html, renewed) {
  const fresh = parser.parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other && !other.isEqualNode(part)) replace(part, other);
  }
  if (renewed?.id) replace(renewed, fresh.getElementById(renewed.id));
  document.title = fresh.title;
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function replace(part, other) {
  const places = [...part.querySelectorAll("[id]")].map((each) => [each.id, each.scrollTop, atEnd(each)]);
  const top = part.scrollTop;
  part.replaceChildren(...document.adoptNode(other).childNodes);
  part.scrollTop = top;
  for (const [id, where, end] of places) {
    const each = document.getElementById(id);
    if (each && where) each.scrollTop = each.dataset.stick !== undefined && end ? each.scrollHeight : where;
  }
}

const atEnd = (each) => each.scrollTop + each.clientHeight >= each.scrollHeight - 8;

async function load(address, options) {
  const turn = ++latest;
  const answer = await fetch(address, options);
  const html = await answer.text();
  if (turn === latest || options) show(html, answer.ok ? options?.renewed : undefined);
  return answer;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const renewed = form.dataset.renew === undefined ? undefined : form;
  const address = new URL(form.action);
  const user = new URL(location).searchParams.get("user");
  if (user) address.searchParams.set("user", user);
  const answer = await load(address, { method: "POST", body, renewed });
  if (answer.ok && answer.redirected) history.replaceState(null, "", answer.url);
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.press) {
    load(link.dataset.press, { method: "POST" });
  } else if (link.dataset.soft !== undefined) {
    event.preventDefault();
    history.pushState(null, "", link.href);
    await load(link.href);
    if (link.hash) document.querySelector(link.hash)?.focus({ preventScroll: true });
  }
});

addEventListener("popstate", () => load(location.href));

const news = new EventSource("/page/changes");
news.onmessage = () => load(location.href).catch(() => {});
news.onerror = () => {
  document.getElementById("said").textContent = "The sandbox does not answer; start it again and this page goes on.";
};

// Loads the page anew, and takes over each part marked data-live; forms marked data-renew too, unless something was
// typed in them.
import { morph } from "./morph.js";

export const byId = (id) => document.getElementById(id);
export const typedIn = new Set();
const { instance } = document.body.dataset; // of the sandbox that has rendered this page
let latest = 0;

export async function refresh() {
  const turn = ++latest;
  const answer = await fetch(location.href);
  const html = await answer.text();
  if (turn === latest) show(html);
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  if (!fresh.getElementById("said")) throw new Error(fresh.body.textContent.trim() || "no answer");
  if (fresh.body.dataset.instance !== instance) {
    location.reload(); // another sandbox, with other Analyses: nothing of the old page holds
    return;
  }
  const pane = byId("console");
  const follows = !pane || pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
  const card = document.activeElement.closest(".card")?.id;
  for (const part of document.querySelectorAll("[data-live], [data-renew]")) {
    const other = fresh.getElementById(part.id);
    if (other && !typedIn.has(part)) morph(part, other);
  }
  for (const panel of document.querySelectorAll("main > section")) {
    panel.hidden = fresh.getElementById(panel.id).hidden;
  }
  for (const form of document.forms) {
    const other = form.id && fresh.getElementById(form.id);
    if (other) form.setAttribute("action", other.getAttribute("action"));
  }
  document.title = fresh.title;
  if (follows && byId("console")) byId("console").scrollTop = byId("console").scrollHeight;
  if (card && !document.activeElement.closest(".card")) focusIn(byId(card));
  document.dispatchEvent(new Event("shown"));
}

/** Where a pressed button was, the next thing to press gets the focus, else the card's title. */
function focusIn(card) {
  const next = card?.querySelector(".buttons button:not(:disabled), .buttons a[href], summary");
  next?.focus({ preventScroll: true });
}

// The phones: what is opened is read, what comes in is shown in full, and on a narrow screen one phone at a time.
import { send } from "./forms.js";
import { byId } from "./live.js";

const seen = new Set([...document.querySelectorAll(".card")].map((card) => card.id));

// What comes in is in full; what was before it folds.
document.addEventListener("shown", () => {
  for (const list of document.querySelectorAll(".phone .list")) {
    const [first, ...others] = list.querySelectorAll(":scope > .card");
    if (!first || seen.has(first.id)) continue;
    for (const each of others) if (!each.contains(document.activeElement)) each.open = false;
  }
  for (const card of document.querySelectorAll(".card")) seen.add(card.id);
});

function read(card) {
  const { user, note } = card.dataset;
  if (card.classList.contains("new")) send("/page/read", { user, note });
}

function clicked(event) {
  const pressed = event.target.closest("[data-press]");
  const isBack = pressed?.parentElement.open || (pressed?.matches("summary") && event.button !== 0);
  if (pressed && !isBack) send("/page/press", JSON.parse(pressed.dataset.press));
  const summary = event.target.closest(".card > summary");
  if (!summary || event.button !== 0) return;
  const card = summary.parentElement;
  if (card.open && card.classList.contains("new")) event.preventDefault(); // it is read, and stays in full
  read(card);
}

document.addEventListener("click", clicked);
document.addEventListener("auxclick", clicked);

// One phone at a time: the two lie side by side and are moved.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".switch a");
  if (!link) return;
  event.preventDefault();
  const phone = byId(link.hash.slice(1));
  phone.parentElement.scrollTo({ left: phone.offsetLeft - phone.parentElement.offsetLeft });
});

/** Which of them it is stands on its button. */
function markShown() {
  const pair = byId("pair");
  const place = Math.round(pair.scrollLeft / pair.clientWidth) + 1;
  for (const link of document.querySelectorAll(".switch a")) {
    if (link.id === `switch-${place}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

byId("pair").addEventListener("scroll", markShown);
document.addEventListener("shown", markShown);
markShown(); // a browser may have kept where it was

// Sends forms without loading the page anew. What came of it is said beside the button.
import { byId, refresh, typedIn } from "./live.js";

export async function send(address, fields, form) {
  const place = form?.querySelector(".answer") ?? byId("wrong");
  if (form) clear(".answer:not(.wrong)"); // it was before
  const say = (text, isWrong) => {
    place.textContent = text;
    place.classList.toggle("wrong", isWrong);
  };
  try {
    const headers = { "x-page": "script" };
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields), headers });
    const text = (await answer.text()).slice(0, 300);
    if (!answer.ok) {
      place.dataset.run = answer.headers.get("x-run") ?? "";
      say(text, true);
      const version = answer.headers.get("x-version");
      if (version) form.elements.version.value = version;
      return;
    }
    byId("wrong").textContent = "";
    if (form?.dataset.newest !== undefined) clear(".answer.wrong");
    if (place.matches(".answer")) say(text, false);
    if (form) {
      typedIn.delete(form);
      badges();
    }
    if (form?.dataset.newest !== undefined) {
      const shown = new URL(location);
      shown.searchParams.delete("run");
      history.replaceState(null, "", shown);
    }
    await refresh();
  } catch (error) {
    say(`The sandbox does not answer: ${error.message}`, true);
  }
}

/** Not of a form with something typed in it that waits to be mended. */
function clear(answers, isOld = () => true) {
  for (const each of document.querySelectorAll(answers)) {
    if (!typedIn.has(each.closest("form")) && isOld(each)) each.textContent = "";
  }
}

// What was wrong was wrong with the run before.
document.addEventListener("shown", () => {
  const { run } = byId("said").dataset;
  clear(".answer.wrong", ({ dataset }) => (run ? Number(run) > Number(dataset.run) : dataset.run !== ""));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  event.submitter?.classList.add("busy");
  send(form.action, new FormData(form, event.submitter), form).finally(() => event.submitter?.classList.remove("busy"));
});

/** What was typed and not sent is said beside the buttons that run the Analysis. */
function badges() {
  const waiting = new Set([...typedIn].map((form) => form.dataset.renew));
  for (const badge of document.querySelectorAll("[data-waits]")) badge.hidden = !waiting.has(badge.dataset.waits);
}

function label() {
  byId("ring").disabled = byId("degrees").value === "";
  if (byId("ring").disabled) return; // the last number stays
  byId("ring-text").textContent = `Refrigerator 7 is at ${Number(byId("degrees").value)}\u00a0°C`;
}

document.addEventListener("input", (event) => {
  const { form, dataset, id } = event.target;
  if (form?.dataset.renew !== undefined) {
    typedIn.add(form);
    badges();
    for (const each of form.querySelectorAll(".answer:not(.wrong)")) each.textContent = ""; // it was before
  }
  if (dataset.chooses) byId(dataset.chooses).checked = true;
  if (id === "degrees") label();
});

label(); // a browser may have kept what was typed

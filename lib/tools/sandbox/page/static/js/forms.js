// Sends forms without loading the page anew. What came of it is said beside the button.
import { byId, refresh, typedIn } from "./live.js";

export async function send(address, fields, form) {
  const place = form?.querySelector(".answer") ?? byId("wrong");
  if (form) for (const each of document.querySelectorAll(".answer:not(.wrong)")) each.textContent = ""; // it was before
  const say = (text, isWrong) => {
    place.textContent = text;
    place.classList.toggle("wrong", isWrong);
  };
  try {
    const headers = { "x-page": "script" };
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields), headers });
    const text = (await answer.text()).slice(0, 300);
    if (!answer.ok) {
      say(text, true);
      return;
    }
    byId("wrong").textContent = "";
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

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  event.submitter?.classList.add("busy");
  send(form.action, new FormData(form, event.submitter), form).finally(() => event.submitter?.classList.remove("busy"));
});

/** What was typed and not sent is said beside the big button. */
function badges() {
  const waiting = new Set([...typedIn].map((form) => form.dataset.renew));
  for (const id of ["unsaved", "unapplied"]) byId(id).hidden = !waiting.has(id);
}

function label() {
  byId("ring").disabled = byId("degrees").value === "";
  if (byId("ring").disabled) return; // the last number stays
  const degrees = Number(byId("degrees").value);
  const verb = degrees <= 8 ? "is back to" : "reaches";
  byId("ring-text").textContent = `Refrigerator 7 ${verb} ${degrees}\u00a0°C`;
  byId("ring").classList.toggle("cool", degrees <= 8);
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

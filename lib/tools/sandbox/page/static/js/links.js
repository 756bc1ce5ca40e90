// Links within the page, and the choice of a phone's user, load only what differs.
import { byId, refresh } from "./live.js";

async function go(address, hash) {
  history.pushState(null, "", address);
  await refresh();
  if (!hash) return;
  const place = byId(hash.slice(1));
  place?.focus({ preventScroll: true });
  place?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (link?.dataset.soft === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.href, link.hash);
});

document.addEventListener("change", (event) => {
  const { dataset, form, name: chosen, value: now, options } = event.target;
  if (dataset.go === undefined) return;
  const shown = new URL(location);
  for (const [name, value] of new FormData(form)) {
    const swaps = name !== chosen && value === now; // this user is on the other phone
    shown.searchParams.set(name, swaps ? [...options].find((each) => each.defaultSelected).value : value);
  }
  go(shown);
});

addEventListener("popstate", () => refresh());
